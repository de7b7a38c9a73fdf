//! Files that are not wanted, and what the pieces need of them that they share with wanted ones.

use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use wire::{Bitfield, FileSet};

use super::super::layout::FileEntry;
use super::super::{StorageError, confinement};
use super::Files;
use crate::platform;

/// Bytes that are brought in at a time.
const CHUNK: usize = 64 * 1024;

/// Holds the bytes of files that are *left out*: not wanted, and not on the disk. It is as long as the torrent and has holes; each byte stands where it does
/// in the torrent, so that it takes the space of a few pieces and need not be changed when other files are wanted.
///
/// A file that is on the disk is never left out, whoever may want it: its bytes are in it.
pub(super) struct PartFile {
    pub(super) entry: FileEntry,
    left_out: RwLock<Arc<Bitfield>>,
    /// Shared by those who write; for one alone while bytes change their place.
    moving: RwLock<()>,
}

impl PartFile {
    /// Nothing is left out so far.
    pub(super) fn new(path: PathBuf, length: u64) -> Self {
        Self {
            entry: FileEntry {
                path,
                offset: 0,
                length,
                padding: false,
            },
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
    /// Gets ready to write: takes the locks that keep other processes out, and creates the wanted files that are missing, with what the part file has of them.
    /// From now on those that are missing and not wanted are left out.
    pub(crate) fn prepare(&self, wanted: &FileSet) -> Result<(), StorageError> {
        let _alone = self.parts.as_ref().map(PartFile::moving);
        let mut left_out = Bitfield::new(self.layout.files().len() as u32);
        let mut chosen = Vec::new();
        let mut first = None;
        for (index, entry) in self.all() {
            let is_there = confinement::find(&self.directory, &entry.path)?.is_some();
            if is_there || wanted.contains(index) {
                first = first.or(Some((index, entry)));
            }
            if wanted.contains(index) {
                chosen.push((index, entry, is_there));
            } else if !is_there {
                left_out.set(index as u32);
            }
        }
        if let Some((index, entry)) = first {
            self.lock(index, entry)?;
        }
        if let Some(parts) = &self.parts {
            if left_out.count_ones() > 0 || self.has_part_file()? {
                self.lock(self.part_index(), &parts.entry)?;
            }
            for &(index, entry, is_there) in &chosen {
                let file = self.writer(index, entry)?;
                if !is_there {
                    self.bring_in(parts, entry, &file)?;
                    self.note_written(index);
                }
            }
            parts.leave_out(left_out);
        } else {
            for (index, entry, is_there) in chosen {
                self.writer(index, entry)?;
                if !is_there {
                    self.note_written(index);
                }
            }
        }
        Ok(())
    }

    /// Leaves these files out although they are there: they are somebody else's.
    pub(crate) fn leave_out(
        &self,
        files: impl IntoIterator<Item = usize>,
    ) -> Result<(), StorageError> {
        let Some(parts) = &self.parts else {
            return Ok(());
        };
        let mut left_out = Bitfield::clone(&parts.left_out());
        for file in files {
            left_out.set(file as u32);
        }
        if left_out.count_ones() > 0 {
            self.lock(self.part_index(), &parts.entry)?;
        }
        parts.leave_out(left_out);
        Ok(())
    }

    /// For content that is only read: what is not there may be in the part file.
    pub(crate) fn find_part_file(&self) -> Result<(), StorageError> {
        let Some(parts) = &self.parts else {
            return Ok(());
        };
        if !parts.left_out().is_empty() || !self.has_part_file()? {
            return Ok(());
        }
        let mut left_out = Bitfield::new(self.layout.files().len() as u32);
        for (index, entry) in self.all() {
            if confinement::find(&self.directory, &entry.path)?.is_none() {
                left_out.set(index as u32);
            }
        }
        parts.leave_out(left_out);
        Ok(())
    }

    /// Removes the part file, if nothing is left out any more or there is nothing in it.
    pub(crate) fn drop_part_file(&self) -> Result<(), StorageError> {
        let Some(parts) = &self.parts else {
            return Ok(());
        };
        let path = self.path(&parts.entry);
        let is_needed = parts.left_out().count_ones() > 0
            && fs::metadata(&path).is_ok_and(|found| found.len() > 0);
        if is_needed || !self.has_part_file()? {
            return Ok(());
        }
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

    fn has_part_file(&self) -> Result<bool, StorageError> {
        let Some(parts) = &self.parts else {
            return Ok(false);
        };
        Ok(confinement::find(&self.directory, &parts.entry.path)?.is_some())
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
        let end = entry.offset + entry.length;
        let mut position = entry.offset;
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
            self.write_all(file, entry, &mut [IoSlice::new(read)], data - entry.offset)?;
            position = data + count as u64;
        }
        Ok(())
    }
}
