//! How files look, and whether what stands at their paths is what was written.

use std::fs::{File, Metadata};

use super::{Files, Identity};
use crate::platform::{self, FileStamp};
use crate::storage::layout::FileEntry;
use crate::storage::{StorageError, confinement};

impl Files {
    /// How the file looks. `None` if it is not there, or is not the one that was written.
    pub(crate) fn stamp(&self, index: usize, entry: &FileEntry) -> Option<FileStamp> {
        let found = confinement::find(&self.directory, &entry.path).ok()??;
        let stamp = FileStamp::of(&found).filter(|_| found.is_file())?;
        let number = self.numbers().get(&index).copied();
        (number.is_none() || number == Some(stamp.number)).then_some(stamp)
    }

    /// Which file stands there. `None` if it is not there, or is not the one that was written.
    pub(crate) fn identity(&self, index: usize, entry: &FileEntry) -> Option<Identity> {
        let found = confinement::find(&self.directory, &entry.path).ok()??;
        let number = platform::file_number(&found);
        let written = self.numbers().get(&index).copied();
        let is_same = found.is_file() && written.is_none_or(|written| written == number);
        is_same.then(|| Identity {
            number,
            born: platform::born(&found),
        })
    }

    /// How the file looks that is written, whatever stands in its place meanwhile.
    pub(crate) fn writer_stamp(&self, index: usize) -> Option<FileStamp> {
        let file = self.writer(index, self.stored(index)?).ok()?;
        FileStamp::of(&file.metadata().ok()?)
    }

    /// How the file looks that is read, which is opened if it is not. One that was removed is not read any longer.
    pub(crate) fn open_stamp(&self, index: usize) -> Result<Option<FileStamp>, StorageError> {
        let Some(entry) = self.stored(index) else {
            return Ok(None);
        };
        let mut found = self.look_at(&*self.reader(index, entry)?, entry)?;
        if self.is_gone(entry, &found)? {
            self.reopen(index, entry)?;
            found = self.look_at(&*self.reader(index, entry)?, entry)?;
        }
        Ok(FileStamp::of(&found))
    }

    /// How the file looks that stands at the path, whatever was written: it is the one that is read from now on.
    pub(crate) fn path_stamp(
        &self,
        index: usize,
        entry: &FileEntry,
    ) -> Result<Option<FileStamp>, StorageError> {
        let found = self.find(entry)?;
        if let Some(handle) = self.open.get(index) {
            let opened = self.look_at(&handle.file, entry)?;
            if platform::file_number(&opened) != platform::file_number(&found) {
                self.reopen(index, entry)?;
            }
        }
        Ok(FileStamp::of(&found))
    }

    /// Another file has taken the place of the one that is open: it is read and written to from now on, and locked if that was.
    fn reopen(&self, index: usize, entry: &FileEntry) -> Result<(), StorageError> {
        self.open.forget(index);
        self.find(entry)?;
        if self.open.is_locked(index) {
            self.lock_anew(index, entry)?;
        }
        Ok(())
    }

    /// The file that stands at a path.
    pub(super) fn find(&self, entry: &FileEntry) -> Result<Metadata, StorageError> {
        let path = self.path(entry);
        match confinement::find(&self.directory, &entry.path)? {
            Some(found) if found.is_file() => Ok(found),
            Some(_) => Err(StorageError::NotAFile { path }),
            None => Err(StorageError::Missing { path }),
        }
    }

    pub(super) fn look_at(&self, file: &File, entry: &FileEntry) -> Result<Metadata, StorageError> {
        file.metadata()
            .map_err(|error| StorageError::from_io("look at", &self.path(entry), error))
    }

    /// Whether a file that is open was removed. Some file systems do not count names.
    fn is_gone(&self, entry: &FileEntry, opened: &Metadata) -> Result<bool, StorageError> {
        if !platform::is_removed(opened) {
            return Ok(false);
        }
        let number = platform::file_number(opened);
        let found = confinement::find(&self.directory, &entry.path)?;
        Ok(found.is_none_or(|found| platform::file_number(&found) != number))
    }

    /// Fails if the file that was written, or found to be right, is gone: removed, or another one was moved into its place.
    pub(crate) fn must_be_there(
        &self,
        index: usize,
        entry: &FileEntry,
    ) -> Result<(), StorageError> {
        let opened = self.look_at(&*self.reader(index, entry)?, entry)?;
        if self.is_gone(entry, &opened)? {
            let path = self.path(entry);
            return Err(StorageError::Missing { path });
        }
        Ok(())
    }
}
