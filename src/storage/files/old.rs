//! What others have put where the torrent's bytes go: it is kept under another name.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::layout::FileEntry;
use super::super::{StorageError, confinement};
use super::Files;

impl Files {
    /// Renames what stands in the place of a file to NAME.old (or NAME.old.1, …), if anything is in it. Returns the old path and the new one.
    pub(super) fn set_aside(
        &self,
        index: usize,
        entry: &FileEntry,
    ) -> Result<Option<(PathBuf, PathBuf)>, StorageError> {
        let found = confinement::find(&self.directory, &entry.path)?;
        if !found.is_some_and(|found| found.is_file() && found.len() > 0) {
            return Ok(None);
        }
        self.close_one(index);
        let path = self.path(entry);
        let aside = free_name(&path);
        fs::rename(&path, &aside).map_err(|error| StorageError::from_io("rename", &path, error))?;
        Ok(Some((path, aside)))
    }

    /// Cuts off what somebody has written behind the bytes of the torrent, and keeps a copy of all of the file: its pieces need not be fetched again.
    pub(super) fn keep_longer(
        &self,
        index: usize,
        entry: &FileEntry,
    ) -> Result<Option<(PathBuf, PathBuf)>, StorageError> {
        let found = confinement::find(&self.directory, &entry.path)?;
        if !found.is_some_and(|found| found.is_file() && found.len() > entry.length) {
            return Ok(None);
        }
        let path = self.path(entry);
        let aside = free_name(&path);
        fs::copy(&path, &aside)
            .map_err(|error| StorageError::from_io("write to", &aside, error))?;
        self.cut(index, entry)?;
        Ok(Some((path, aside)))
    }
}

/// NAME.old, or the first of NAME.old.1, NAME.old.2, … that is free.
fn free_name(path: &Path) -> PathBuf {
    let mut old = path.as_os_str().to_owned();
    old.push(".old");
    let mut free = PathBuf::from(&old);
    let mut number = 0_u32;
    while fs::symlink_metadata(&free).is_ok() {
        number += 1;
        let mut numbered = old.clone();
        numbered.push(format!(".{number}"));
        free = numbered.into();
    }
    free
}
