use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How a file looked before it was read: whoever writes to it meanwhile makes a torrent of something that never was.
pub(super) struct Sight {
    path: PathBuf,
    length: u64,
    /// `None` where the system does not tell.
    modified: Option<SystemTime>,
}

impl Sight {
    pub(super) fn new(path: &Path, found: &Metadata) -> Self {
        Self {
            path: path.to_owned(),
            length: found.len(),
            modified: found.modified().ok(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file looks as it did.
    pub(super) fn holds(&self) -> bool {
        fs::metadata(&self.path)
            .is_ok_and(|found| (found.len(), found.modified().ok()) == (self.length, self.modified))
    }
}
