//! What could be written to, and cannot any more.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use walkdir::WalkDir;

use super::{FileSystem, PATIENCE};

impl FileSystem {
    /// From now on it is read-only.
    pub(crate) fn seal(&mut self) {
        writeln!(self.input.as_mut().unwrap(), "remount,ro").unwrap();
        let probe = self.path().join("probe");
        let begun = Instant::now();
        while fs::write(&probe, "")
            .and_then(|()| fs::remove_file(&probe))
            .is_ok()
        {
            assert!(begun.elapsed() < PATIENCE, "it can still be written to");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Takes the permission to write from all that is below, the directory included, until this is dropped.
pub(crate) struct Sealed<'a>(&'a Path);

impl<'a> Sealed<'a> {
    pub(crate) fn new(directory: &'a Path) -> Self {
        for entry in WalkDir::new(directory).contents_first(true) {
            let entry = entry.unwrap();
            let mode = if entry.file_type().is_dir() {
                0o555
            } else {
                0o444
            };
            fs::set_permissions(entry.path(), Permissions::from_mode(mode)).unwrap();
        }
        Self(directory)
    }
}

impl Drop for Sealed<'_> {
    fn drop(&mut self) {
        for entry in WalkDir::new(self.0).into_iter().flatten() {
            let _ = fs::set_permissions(entry.path(), Permissions::from_mode(0o755));
        }
    }
}
