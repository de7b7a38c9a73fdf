//! Files that are not wanted or not ours, and what the pieces need of them that they share with wanted ones.

use std::fs::{self, File, Metadata};
use std::io::{self, IoSlice, IoSliceMut};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use wire::{Bitfield, FileSet};

use super::super::layout::FileEntry;
use super::super::{StorageError, confinement};
use super::{Files, Kept};
use crate::platform;

/// Bytes that are brought in at a time.
const CHUNK: usize = 64 * 1024;

/// The bytes of the torrent begin at a multiple of this, so that the holes between them stay holes.
const BLOCK: u64 = 4096;

/// Holds the bytes of files that are *left out*: not on the disk, or somebody else's in the place of ours. First, a bit a file: it is ours, not left out. Then the
/// torrent with holes; each byte stands where it does in the torrent, so that it takes the space of a few pieces and need not be changed when other files are wanted.
///
/// It is there as long as a file is left out: it alone tells the next run whose the files are that stand there.
pub(super) struct PartFile {
    pub(super) entry: FileEntry,
    /// Where the torrent begins.
    pub(super) start: u64,
    /// Empty until somebody has looked at what is there.
    left_out: RwLock<Arc<Bitfield>>,
    /// Shared by those who write; for one alone while bytes change their place.
    moving: RwLock<()>,
}

impl PartFile {
    /// Of a torrent with so many files and bytes. Nothing is left out so far.
    pub(super) fn new(path: PathBuf, files: usize, length: u64) -> Self {
        let start = (files as u64).div_ceil(8).next_multiple_of(BLOCK);
        Self {
            entry: FileEntry {
                path,
                offset: 0,
                length: start + length,
                padding: false,
            },
            start,
            left_out: RwLock::new(Arc::new(Bitfield::new(0))),
            moving: RwLock::default(),
        }
    }

    pub(super) fn left_out(&self) -> Arc<Bitfield> {
        let left_out = self.left_out.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&left_out)
    }

    fn leave_out(&self, files: Bitfield) {
        let mut left_out = self
            .left_out
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *left_out = Arc::new(files);
    }

    /// To be held while something is written: nothing changes its place meanwhile.
    pub(super) fn writing(&self) -> RwLockReadGuard<'_, ()> {
        self.moving.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn moving(&self) -> RwLockWriteGuard<'_, ()> {
        self.moving.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    /// Takes the locks that keep other processes out, which creates the first wanted file if none is there, and leaves out whatever is not on the disk
    /// so far, or is not wanted and not to be written to. Where no part file can be made, nobody else makes one either.
    pub(crate) fn lock_out(&self, wanted: &FileSet) -> Result<(), StorageError> {
        let left_out =
            self.missing(|index, found| wanted.contains(index) || !found.permissions().readonly())?;
        self.lock_first(wanted)?;
        match self.lock_part_file(wanted) {
            Err(error) if !error.is_refusal() => return Err(error),
            _ => {}
        }
        if let Some(parts) = &self.parts {
            parts.leave_out(left_out);
        }
        Ok(())
    }

    /// Gets ready to write: locks, and creates the wanted files that are left out, with what the part file has of them. What stands in their place is
    /// somebody else's and is renamed, and of what goes on behind the torrent's bytes a copy is kept; returns what has become of them. Those that are whole
    /// are not opened to be written to. From now on those that are missing and not wanted are left out.
    pub(crate) fn prepare(
        &self,
        wanted: &FileSet,
        is_whole: impl Fn(usize) -> bool,
    ) -> Result<Vec<Kept>, StorageError> {
        let mut set_aside = Vec::new();
        let Some(parts) = &self.parts else {
            return Ok(set_aside);
        };
        let _alone = parts.moving();
        if self.is_surveyed(parts) {
            self.lock_first(wanted)?;
        } else {
            self.lock_out(wanted)?;
        }
        let mut left_out = Bitfield::clone(&parts.left_out());
        let mut is_all_there = true;
        for (index, entry) in self.all() {
            if !wanted.contains(index) {
                if confinement::find(&self.directory, &entry.path)?.is_none() {
                    left_out.set(index as u32);
                }
            } else if left_out.clear(index as u32) {
                set_aside.extend(self.set_aside(index, entry)?);
                let file = self.writer(index, entry)?;
                self.bring_in(parts, entry, &file)?;
                self.note_written(index);
                is_all_there = false;
            } else {
                set_aside.extend(self.keep_longer(index, entry)?);
                if !is_whole(index) {
                    self.writer(index, entry)?;
                    is_all_there = false;
                }
            }
        }
        if !is_all_there {
            self.lock_part_file(wanted)?;
        }
        self.note_left_out(parts, &left_out)?;
        parts.leave_out(left_out);
        // One that was renamed took its lock with it.
        self.lock_first(wanted)?;
        Ok(set_aside)
    }

    /// Leaves these files out although they are there: they are somebody else's.
    pub(crate) fn leave_out(&self, files: impl IntoIterator<Item = usize>) {
        let Some(parts) = &self.parts else {
            return;
        };
        let mut left_out = Bitfield::clone(&parts.left_out());
        for file in files {
            left_out.set(file as u32);
        }
        parts.leave_out(left_out);
    }

    /// For content that is only read: what is not there may be in the part file.
    pub(crate) fn find_part_file(&self) -> Result<(), StorageError> {
        let Some(parts) = &self.parts else {
            return Ok(());
        };
        if !self.is_surveyed(parts) && self.has_part_file()? {
            parts.leave_out(self.missing(|_, _| true)?);
        }
        Ok(())
    }

    /// The files that an earlier run did not leave out. `None` if it left no word.
    pub(crate) fn ours(&self) -> Result<Option<Bitfield>, StorageError> {
        let Some(parts) = self.parts.as_ref().filter(|_| self.count() > 0) else {
            return Ok(None);
        };
        if !self.has_part_file()? {
            return Ok(None);
        }
        let file = self.reader(self.part_index(), &parts.entry)?;
        let mut bytes = vec![0; self.count().div_ceil(8)];
        let count = platform::read_at(&file, &mut [IoSliceMut::new(&mut bytes)], 0)
            .map_err(|error| StorageError::from_io("read", &self.path(&parts.entry), error))?;
        bytes.truncate(count);
        Ok(Bitfield::from_bytes(&bytes, self.count() as u32).ok())
    }

    /// Removes the part file, if nothing is left out any more.
    pub(crate) fn drop_part_file(&self) -> Result<(), StorageError> {
        let Some(parts) = &self.parts else {
            return Ok(());
        };
        if !parts.left_out().is_empty() || !self.has_part_file()? {
            return Ok(());
        }
        let path = self.path(&parts.entry);
        self.close_one(self.part_index());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StorageError::from_io("remove", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// Whether this file is left out.
    pub(crate) fn is_left_out(&self, index: usize) -> bool {
        let parts = self.parts.as_ref();
        parts.is_some_and(|parts| parts.left_out().get(index as u32))
    }

    fn is_surveyed(&self, parts: &PartFile) -> bool {
        parts.left_out().len() as usize == self.count()
    }

    fn has_part_file(&self) -> Result<bool, StorageError> {
        let Some(parts) = &self.parts else {
            return Ok(false);
        };
        Ok(confinement::find(&self.directory, &parts.entry.path)?.is_some())
    }

    /// The files of which nothing is on the disk that could be used.
    fn missing(
        &self,
        is_usable: impl Fn(usize, &Metadata) -> bool,
    ) -> Result<Bitfield, StorageError> {
        let mut missing = Bitfield::new(self.count() as u32);
        for (index, entry) in self.all() {
            let found = confinement::find(&self.directory, &entry.path)?;
            if !found.is_some_and(|found| found.is_file() && is_usable(index, &found)) {
                missing.set(index as u32);
            }
        }
        Ok(missing)
    }

    /// Locks the first file that is there or wanted. By this lock and that of the part file any two processes meet.
    fn lock_first(&self, wanted: &FileSet) -> Result<(), StorageError> {
        for (index, entry) in self.all() {
            let is_there = || {
                let found = confinement::find(&self.directory, &entry.path)?;
                Ok::<_, StorageError>(found.is_some_and(|found| found.is_file()))
            };
            if wanted.contains(index) || is_there()? {
                return self.lock(index, entry);
            }
        }
        Ok(())
    }

    /// Locks the part file, unless everything is wanted and there is none.
    fn lock_part_file(&self, wanted: &FileSet) -> Result<(), StorageError> {
        let is_choice = self.all().any(|(index, _)| !wanted.contains(index));
        match &self.parts {
            Some(parts) if is_choice || self.has_part_file()? => {
                self.lock(self.part_index(), &parts.entry)
            }
            _ => Ok(()),
        }
    }

    /// For the next run. Where everything was wanted from the beginning, there is nothing to be told.
    fn note_left_out(&self, parts: &PartFile, left_out: &Bitfield) -> Result<(), StorageError> {
        if !self.has_part_file()? {
            return Ok(());
        }
        let mut ours = Bitfield::full(self.count() as u32);
        for file in left_out.iter_ones() {
            ours.clear(file);
        }
        if self.ours()?.as_ref() == Some(&ours) {
            return Ok(());
        }
        let file = self.writer(self.part_index(), &parts.entry)?;
        self.write_all(&file, &parts.entry, &mut [IoSlice::new(ours.as_bytes())], 0)
    }

    /// Copies what the part file has of a file that was left out.
    fn bring_in(
        &self,
        parts: &PartFile,
        entry: &FileEntry,
        file: &File,
    ) -> Result<(), StorageError> {
        if !self.has_part_file()? {
            return Ok(());
        }
        let source = self.reader(self.part_index(), &parts.entry)?;
        let failed = |error| StorageError::from_io("read", &self.path(&parts.entry), error);
        let start = parts.start + entry.offset;
        let end = start + entry.length;
        let mut position = start;
        let mut buffer = vec![0; CHUNK];
        while let Some(data) = platform::next_data(&source, position).map_err(failed)?
            && data < end
        {
            let room = (end - data).min(CHUNK as u64) as usize;
            let (chunk, _) = buffer.split_at_mut(room);
            let count =
                platform::read_at(&source, &mut [IoSliceMut::new(chunk)], data).map_err(failed)?;
            if count == 0 {
                break;
            }
            let (read, _) = chunk.split_at(count);
            self.write_all(file, entry, &mut [IoSlice::new(read)], data - start)?;
            position = data + count as u64;
        }
        Ok(())
    }
}
