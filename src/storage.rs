//! The content of a torrent on the disk.
//!
//! [`Assembly`] puts blocks together to runs as they come from the peers, [`Disk`] hashes and writes the runs on a thread
//! of its own, and [`Storage`] knows which bytes lie in which file.

mod assembly;
mod begun;
mod block_pool;
mod confinement;
mod disk;
mod error;
mod files;
mod layout;
mod open_files;
mod pieces;
mod recall;
mod record;
mod serving;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{IoSlice, IoSliceMut};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use layout::FileEntry;
use record::Look;
use serving::Doubts;
use wire::{Bitfield, FileSet, Info};

pub(crate) use assembly::{Assembly, Job};
pub(crate) use begun::{Begun, Identity, Mark};
pub(crate) use block_pool::{BlockBuffer, BlockPool};
pub(crate) use confinement::find as find_inside;
pub(crate) use disk::{Disk, Outcome};
pub use error::StorageError;
pub(crate) use files::{Files, Kept};
pub(crate) use layout::Layout;
pub(crate) use open_files::OpenFiles;
pub(crate) use pieces::hash_pieces;
pub(crate) use recall::{Found, Recorded};
pub(crate) use record::{FileRecord, Record};

/// The files of one torrent.
///
/// Every path stays below the directory that was named, whatever the torrent and the links in that directory say.
pub(crate) struct Storage {
    info: Arc<Info>,
    path: PathBuf,
    files: Files,
    /// The files that are fetched.
    wanted: Mutex<FileSet>,
    /// How the files looked when their bytes were known, by index. Empty before the first check.
    looks: Mutex<Vec<Look>>,
    doubts: Mutex<Doubts>,
    /// Held while we write, or compare how a file looks: so it is told apart what is ours, and what others do.
    turn: Mutex<()>,
}

impl Storage {
    /// The files of a torrent in `directory/NAME`, NAME being the torrent's. Nothing is opened or created yet.
    pub(crate) fn open(info: Arc<Info>, directory: &Path) -> Self {
        let name = PathBuf::from(info.name());
        let layout = Layout::of(&info, &name);
        Self {
            path: directory.join(&name),
            files: files(&info, directory, layout, &name),
            wanted: Mutex::new(FileSet::all()),
            looks: Mutex::default(),
            doubts: Mutex::default(),
            turn: Mutex::default(),
            info,
        }
    }

    /// The files of a torrent at `path`, whatever its name says: `path` is the file of a torrent of one file, and the
    /// directory of any other. It may itself be a link, since the user named it.
    pub(crate) fn open_at(info: Arc<Info>, path: &Path) -> Self {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let (directory, top) = match (real.parent(), real.file_name()) {
            (Some(parent), Some(name)) if info.is_single_file() => (parent, Path::new(name)),
            _ => (&*real, Path::new("")),
        };
        let layout = Layout::of(&info, top);
        Self {
            path: path.to_owned(),
            files: files(&info, directory, layout, top),
            wanted: Mutex::new(FileSet::all()),
            looks: Mutex::default(),
            doubts: Mutex::default(),
            turn: Mutex::default(),
            info,
        }
    }

    /// Has files open among those of other torrents.
    pub(crate) fn sharing(mut self, open_files: &OpenFiles) -> Self {
        self.files = self.files.sharing(open_files);
        self
    }

    /// The torrent's file, or the directory of its files.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the files are to be.
    pub(crate) fn info(&self) -> &Arc<Info> {
        &self.info
    }

    /// Only these files are wanted, from the next [`prepare`](Self::prepare) on.
    pub(crate) fn select(&self, wanted: FileSet) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
    }

    /// The files that are wanted.
    pub(crate) fn wanted(&self) -> FileSet {
        self.wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether a part of the piece is in a file that is wanted.
    pub(crate) fn wants(&self, piece: u32) -> bool {
        let geometry = self.info.geometry();
        let length = geometry.piece_length(piece).into();
        let wanted = self.wanted();
        let mut files = self.files.touched(geometry.piece_offset(piece), length);
        files.any(|file| wanted.contains(file))
    }

    /// Bytes of the files that are wanted.
    pub(crate) fn wanted_length(&self) -> u64 {
        let wanted = self.wanted();
        let files = self.info.files().iter().enumerate();
        let chosen = files.filter(|&(index, _)| wanted.contains(index));
        chosen.map(|(_, file)| file.length).sum()
    }

    /// No file is left out.
    pub(crate) fn is_whole(&self) -> bool {
        (0..self.info.files().len()).all(|file| !self.files.is_left_out(file))
    }

    /// Takes the lock that keeps other processes out, and leaves out what is not on the disk. Nothing that is there is changed.
    pub(crate) fn lock_out(&self) -> Result<(), StorageError> {
        let locked = self.files.lock_out(&self.wanted());
        locked.map_err(|error| self.explain(error))
    }

    /// Gets ready to write: creates the directories and the wanted files that are missing, so that whatever forbids it is known before the first byte arrives. No space is taken yet.
    /// Files of which `have` has all pieces are not written to, so that they may be read-only.
    /// What is somebody else's and stands where a wanted file goes is renamed to NAME.old (or NAME.old.1, …), and of what is longer than it should be a copy is kept: returns what has become of them.
    pub(crate) fn prepare(&self, have: &Bitfield) -> Result<Vec<Kept>, StorageError> {
        let is_whole = |index| self.pieces_of(index).all(|piece| have.get(piece));
        let prepared = self.files.prepare(&self.wanted(), is_whole);
        prepared.map_err(|error| self.explain(error))
    }

    /// The same, for files that were [locked](Self::lock_out) and checked. Somebody else's is what has none of the pieces that are there, and is not among those
    /// that an earlier run has `begun`. Unless it is wanted, it stays as it is.
    pub(crate) fn adopt(
        &self,
        have: &Bitfield,
        begun: Option<&Begun>,
    ) -> Result<Vec<Kept>, StorageError> {
        let is_ours = self.ours(begun)?;
        let is_foreign = |&(index, entry): &(usize, &FileEntry)| {
            let has_piece = self.pieces_of(index).any(|piece| have.get(piece));
            !has_piece && self.files.has_content(entry) && !is_ours(index, entry)
        };
        let foreign: Vec<_> = self.files.on_disk().filter(is_foreign).collect();
        self.files
            .leave_out(foreign.into_iter().map(|(index, _)| index));
        self.prepare(have)
    }

    /// The pieces in which a file has bytes.
    fn pieces_of(&self, index: usize) -> impl Iterator<Item = u32> {
        let file = self.info.files().get(index);
        file.into_iter().flat_map(|file| self.info.pieces_of(file))
    }

    /// Fills `buffer` with the torrent's bytes from `offset` on.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        self.files.read(offset, &mut [IoSliceMut::new(buffer)])
    }

    /// Writes the buffers, one after the other, to the torrent's bytes from `offset` on.
    pub(crate) fn write(&self, offset: u64, buffers: &[IoSlice<'_>]) -> Result<(), StorageError> {
        let length = buffers.iter().map(|buffer| buffer.len() as u64).sum();
        let written = self.watched(offset, length, || self.files.write(offset, buffers));
        written.map_err(|error| self.explain(error))
    }

    /// Works out how much space is missing for what is wanted.
    fn explain(&self, error: StorageError) -> StorageError {
        match error {
            StorageError::NoSpace { path, source, .. } => StorageError::NoSpace {
                missing: self.files.available_space().map(|available| {
                    let unwritten = self.files.unwritten(&self.wanted());
                    unwritten.saturating_sub(available)
                }),
                path,
                source,
            },
            error => error,
        }
    }

    /// After the last piece: of what is wanted, makes sure that what was written has not been taken away meanwhile, cuts what is longer than it should be, and removes what nothing is in
    /// any more. Returns the copies of what was cut. When the bytes reach the platter is the system's choice: a [record](Self::record) knows whether they have.
    pub(crate) fn finish(&self) -> Result<Vec<Kept>, StorageError> {
        let wanted = self.wanted();
        let mut copies = Vec::new();
        let on_disk = self.files.on_disk();
        for (index, entry) in on_disk.filter(|&(index, _)| wanted.contains(index)) {
            self.files.must_be_there(index, entry)?;
            copies.extend(self.files.keep_longer(index, entry)?);
        }
        self.files.drop_part_file()?;
        Ok(copies)
    }
}

#[cfg(test)]
impl Storage {
    /// As long as this lives, the disk does not answer.
    pub(crate) fn hold(&self) -> impl Drop + '_ {
        self.files.hold()
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Storage({})", self.path.display())
    }
}

/// The files of a torrent of which some may be left out. `top` is the file of a torrent of one, and the directory of any other's.
fn files(info: &Info, directory: &Path, layout: Layout, top: &Path) -> Files {
    let name = format!(".{}.parts", info.hash());
    let parts = if info.is_single_file() {
        top.with_file_name(name)
    } else {
        top.join(name)
    };
    Files::new(directory.to_owned(), layout).with_part_file(parts)
}
