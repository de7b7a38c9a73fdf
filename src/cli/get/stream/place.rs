//! Where the content of a stream lies in the meantime.

use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::super::failure::Failure;
use super::super::super::units;

/// What such directories are called: this, and so many letters and digits.
const PREFIX: &str = "trackless-stream-";
const RANDOM: usize = 12;
/// The file by which one is known. It is locked for as long as its process lives.
const LOCK: &str = "trackless-stream.lock";
/// Beside it, since a torrent may have any name.
const CONTENT: &str = "content";

/// A directory of its own below `TMPDIR`, which is gone when this is. What a process leaves that is killed, the next one removes.
pub(in super::super) struct Place {
    directory: TempDir,
    /// As long as it is held it is no leftover. None where a file cannot be locked.
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
            let directory = tempfile::Builder::new()
                .prefix(PREFIX)
                .rand_bytes(RANDOM)
                .tempdir_in(top)
                .map_err(refused)?;
            let path = directory.path().join(LOCK);
            let file = File::create_new(&path).map_err(refused)?;
            let lock = match file.try_lock() {
                Ok(()) => Some(file),
                // Somebody cleans up, and takes it for a leftover.
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(_)) => None,
            };
            // Nor may he have taken it before it was locked.
            if path.is_file() {
                fs::create_dir(directory.path().join(CONTENT)).map_err(refused)?;
                return Ok(Self {
                    directory,
                    _lock: lock,
                });
            }
        }
    }

    /// Where the content goes.
    pub(in super::super) fn content(&self) -> PathBuf {
        self.directory.path().join(CONTENT)
    }
}

/// Fails if there is no room for so many bytes, as far as the system tells.
pub(super) fn must_have_room(top: &Path, bytes: u64) -> Result<(), Failure> {
    match trackless::available_space(top) {
        Some(free) if free < bytes => Err(Failure::NoPlace(format!(
            "no room below {}: {} are needed in the meantime, and {} are free; make room, or let TMPDIR name another directory",
            top.display(),
            units::bytes(bytes),
            units::bytes(free)
        ))),
        _ => Ok(()),
    }
}

/// Removes the directories of processes that have been killed: nobody holds their locks. What only has such a name is somebody's, and stays.
fn remove_leftovers(top: &Path) {
    for entry in fs::read_dir(top).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_called_so = entry.file_name().to_str().is_some_and(is_name);
        let is_own = |found: io::Result<Metadata>, is_kind: fn(&Metadata) -> bool| {
            found.is_ok_and(|found| is_kind(&found) && is_own(&found))
        };
        // Neither may be a link to something else.
        if is_called_so
            && is_own(path.symlink_metadata(), Metadata::is_dir)
            && is_own(path.join(LOCK).symlink_metadata(), Metadata::is_file)
            && let Ok(lock) = File::open(path.join(LOCK))
            && lock.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Whether a directory that was made here can have this name.
fn is_name(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|random| {
        random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Whether it belongs to the user whose process this is, as far as the system tells.
fn is_own(found: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::uid(found) == rustix::process::geteuid().as_raw()
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        true
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// What a process leaves that makes a place and is killed.
    fn killed(top: &Path) -> PathBuf {
        let place = Place::make(top).unwrap();
        fs::write(place.content().join("film"), "some of it").unwrap();
        place.directory.keep()
    }

    #[test]
    fn what_the_killed_leave_is_removed_and_what_others_use_is_not() {
        let top = tempfile::tempdir().unwrap();
        let used = Place::make(top.path()).unwrap();
        let left = killed(top.path());
        assert!(left.is_dir());
        let place = Place::make(top.path()).unwrap();
        assert!(!left.exists());
        assert!(used.content().is_dir() && place.content().is_dir());
        let path = used.directory.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }

    #[test]
    fn what_only_has_such_a_name_is_somebodys_and_stays() {
        let top = tempfile::tempdir().unwrap();
        let of_users = ["notes", "of-one-who-was-killed", "abcdefABC123"].map(|name| {
            let directory = top.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("thesis.txt"), "all of it").unwrap();
            directory.join("thesis.txt")
        });
        // Not even the file makes it ours if the name is not.
        fs::write(of_users[0].with_file_name(LOCK), "").unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let linked = killed(elsewhere.path());
        let link = top.path().join(linked.file_name().unwrap());
        std::os::unix::fs::symlink(&linked, &link).unwrap();

        drop(Place::make(top.path()).unwrap());
        for thesis in of_users {
            assert!(thesis.exists(), "{}", thesis.display());
        }
        assert!(link.join(CONTENT).join("film").exists());
    }

    #[test]
    fn a_directory_whose_lock_is_a_link_or_not_there_stays() {
        let top = tempfile::tempdir().unwrap();
        let (linked, bare) = (killed(top.path()), {
            let elsewhere = tempfile::tempdir().unwrap();
            let bare = killed(elsewhere.path());
            let moved = top.path().join(bare.file_name().unwrap());
            fs::rename(bare, &moved).unwrap();
            moved
        });
        let somewhere = tempfile::NamedTempFile::new().unwrap();
        fs::remove_file(linked.join(LOCK)).unwrap();
        std::os::unix::fs::symlink(somewhere.path(), linked.join(LOCK)).unwrap();
        fs::remove_file(bare.join(LOCK)).unwrap();
        drop(Place::make(top.path()).unwrap());
        assert!(linked.is_dir() && bare.is_dir());
    }

    #[test]
    fn a_directory_that_is_not_there_and_a_film_that_has_no_room_are_told_beforehand() {
        let top = tempfile::tempdir().unwrap();
        let sentence = |result: Result<(), Failure>| result.unwrap_err().sentence();
        let nowhere = Place::make(&top.path().join("nowhere")).map(drop);
        let nowhere = sentence(nowhere);
        assert_eq!(nowhere.matches("nowhere").count(), 1, "{nowhere}");
        assert!(nowhere.contains("TMPDIR"), "{nowhere}");

        must_have_room(top.path(), 1).unwrap();
        let full = sentence(must_have_room(top.path(), u64::MAX));
        assert!(
            full.contains("are needed") && full.contains("TMPDIR"),
            "{full}"
        );
    }
}
