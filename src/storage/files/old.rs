//! What others have put where the torrent's bytes go: it is kept under another name.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::super::layout::FileEntry;
use super::super::{StorageError, confinement};
use super::Files;

/// What has become of a file of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It stood in the way, and has another name now.
    Renamed { from: PathBuf, to: PathBuf },
    /// It went on behind the bytes of the torrent: there is a copy of it as it was.
    Copied { from: PathBuf, to: PathBuf },
}

impl Files {
    /// Renames what stands in the place of a file to NAME.old (or NAME.old.1, …), if anything is in it.
    pub(super) fn set_aside(
        &self,
        index: usize,
        entry: &FileEntry,
    ) -> Result<Option<Kept>, StorageError> {
        let found = confinement::find(&self.directory, &entry.path)?;
        if !found.is_some_and(|found| found.is_file() && found.len() > 0) {
            return Ok(None);
        }
        self.close_one(index);
        let from = self.path(entry);
        let to = free_name(&from);
        fs::rename(&from, &to).map_err(|error| StorageError::from_io("rename", &from, error))?;
        Ok(Some(Kept::Renamed { from, to }))
    }

    /// Cuts off what somebody has written behind the bytes of the torrent, and keeps a copy of all of the file: its pieces need not be fetched again.
    pub(crate) fn keep_longer(
        &self,
        index: usize,
        entry: &FileEntry,
    ) -> Result<Option<Kept>, StorageError> {
        let found = confinement::find(&self.directory, &entry.path)?;
        if !found.is_some_and(|found| found.is_file() && found.len() > entry.length) {
            return Ok(None);
        }
        // Whoever may not cut it need not copy it.
        self.writer(index, entry)?;
        let from = self.path(entry);
        let to = free_name(&from);
        copy_whole(&from, &to)?;
        if let Err(error) = self.cut(index, entry) {
            let _ = fs::remove_file(&to);
            return Err(error);
        }
        Ok(Some(Kept::Copied { from, to }))
    }
}

/// Copies a file to a name in its directory, under which it is whole or not there.
fn copy_whole(from: &Path, to: &Path) -> Result<(), StorageError> {
    let failed = |error| StorageError::from_io("write to", to, error);
    let unreadable = |error| StorageError::from_io("read", from, error);
    let mut source = File::open(from).map_err(unreadable)?;
    let permissions = source.metadata().map_err(unreadable)?.permissions();
    let directory = to.parent().unwrap_or(Path::new("."));
    let mut copy = tempfile::Builder::new()
        .prefix(".")
        .suffix(".old")
        .tempfile_in(directory)
        .map_err(failed)?;
    io::copy(&mut source, copy.as_file_mut()).map_err(failed)?;
    copy.as_file()
        .set_permissions(permissions)
        .map_err(failed)?;
    copy.persist(to).map_err(|error| failed(error.error))?;
    Ok(())
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
