//! Where the content of a stream lies in the meantime.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::super::failure::Failure;
use super::super::super::units;

/// What such directories are called.
const PREFIX: &str = "trackless-stream-";

/// A directory of its own below `TMPDIR`, which is gone when this is. What a process leaves that is killed, the next one removes.
pub(in super::super) struct Place {
    directory: TempDir,
    /// As long as it is held it is no leftover. None where a directory cannot be locked.
    _lock: Option<File>,
}

impl Place {
    pub(super) fn make(top: &Path) -> Result<Self, Failure> {
        if !top.is_dir() {
            return Err(Failure::NoPlace(format!(
                "what is streamed lies below TMPDIR in the meantime, and there is no directory {}; make it, or let TMPDIR name another one",
                top.display()
            )));
        }
        remove_leftovers(top);
        let refused = |source: io::Error| Failure::Write {
            path: top.to_owned(),
            // The words of the library name a path of its own.
            source: source.kind().into(),
        };
        loop {
            let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(top);
            let directory = directory.map_err(refused)?;
            let lock = match lock(directory.path()) {
                Ok(lock) => Some(lock),
                // Somebody cleans up, and takes it for a leftover.
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(_)) => None,
            };
            if directory.path().is_dir() {
                return Ok(Self {
                    directory,
                    _lock: lock,
                });
            }
        }
    }

    pub(in super::super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Fails if there is no room for so many bytes, as far as the system tells.
pub(super) fn must_have_room(directory: &Path, bytes: u64) -> Result<(), Failure> {
    match trackless::available_space(directory) {
        Some(free) if free < bytes => Err(Failure::NoPlace(format!(
            "no room below {}: {} are needed in the meantime, and {} are free; make room, or let TMPDIR name another directory",
            top_of(directory).display(),
            units::bytes(bytes),
            units::bytes(free)
        ))),
        _ => Ok(()),
    }
}

fn top_of(directory: &Path) -> PathBuf {
    directory.parent().unwrap_or(directory).to_owned()
}

fn lock(directory: &Path) -> Result<File, TryLockError> {
    let file = File::open(directory).map_err(TryLockError::Error)?;
    file.try_lock().map(|()| file)
}

/// Removes the directories of processes that have been killed: nobody holds them.
fn remove_leftovers(top: &Path) {
    for entry in fs::read_dir(top).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| name.starts_with(PREFIX));
        let is_directory = || entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_ours
            && is_directory()
            && let Ok(_held) = lock(&entry.path())
        {
            // What is another user's stays.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_the_killed_leave_is_removed_and_what_others_use_is_not() {
        let top = tempfile::tempdir().unwrap();
        let used = Place::make(top.path()).unwrap();
        let left = top.path().join(format!("{PREFIX}of-one-who-was-killed"));
        let others = top.path().join("trackless-and-other-things");
        for directory in [&left, &others] {
            fs::create_dir(directory).unwrap();
            fs::write(directory.join("film"), "some of it").unwrap();
        }
        let place = Place::make(top.path()).unwrap();
        assert!(!left.exists());
        assert!(others.join("film").exists());
        assert!(used.path().is_dir() && place.path().is_dir());
        let path = used.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_that_is_not_there_and_a_film_that_has_no_room_are_told_beforehand() {
        let top = tempfile::tempdir().unwrap();
        let sentence = |result: Result<(), Failure>| result.unwrap_err().sentence();
        let nowhere = Place::make(&top.path().join("nowhere")).map(drop);
        let nowhere = sentence(nowhere);
        assert_eq!(nowhere.matches("nowhere").count(), 1, "{nowhere}");
        assert!(nowhere.contains("TMPDIR"), "{nowhere}");

        let place = Place::make(top.path()).unwrap();
        must_have_room(place.path(), 1).unwrap();
        let full = sentence(must_have_room(place.path(), u64::MAX));
        assert!(
            full.contains("are needed") && full.contains("TMPDIR"),
            "{full}"
        );
    }
}
