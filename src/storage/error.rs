use std::io;
use std::path::{Path, PathBuf};

/// Why the files of a torrent could not be read or written.
///
/// Each is a sentence that names the path and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The file system, or the user's quota on it, is full.
    #[error("no space left for {}{}; make room and run the same command again: it resumes", path.display(), missing_bytes(*.missing))]
    NoSpace {
        /// The file that could not grow.
        path: PathBuf,
        /// Bytes that the torrent still needs beyond what is free, where the system tells.
        missing: Option<u64>,
        /// What the system said.
        source: io::Error,
    },
    /// The file system takes no file of that length.
    #[error("{} grows longer than its file system allows; use a directory on another one", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system is mounted read-only.
    #[error("{} is on a read-only file system; use another directory", path.display())]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The user may not read or write there.
    #[error("permission denied for {}; change its permissions, or use another directory", path.display())]
    PermissionDenied {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else than a file stands where a file of the torrent goes.
    #[error("{} is no regular file, but the torrent has a file there; move it away or use another directory", path.display())]
    NotAFile {
        /// Where the file goes.
        path: PathBuf,
    },
    /// Something else than a directory stands where a directory of the torrent goes.
    #[error("{} is no directory, but the torrent has files below it; move it away or use another directory", path.display())]
    NotADirectory {
        /// Where the directory goes.
        path: PathBuf,
    },
    /// The file system does not take the name.
    #[error("the file system refuses the name {}: it is too long or has characters that are not allowed there; use a shorter one or another directory", path.display())]
    InvalidName {
        /// The refused path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process writes the same files.
    #[error("{} is being written by another process; wait for it to end, or use another directory", path.display())]
    AlreadyInUse {
        /// The file that the other one has locked.
        path: PathBuf,
    },
    /// Following a symbolic link would leave the directory of the torrent.
    #[error("{} is a symbolic link that leads out of {}, and is not followed; put what it names in its place, or remove it", path.display(), directory.display())]
    SymlinkLeadsOut {
        /// The link.
        path: PathBuf,
        /// What must not be left.
        directory: PathBuf,
    },
    /// A file of the torrent is not there.
    #[error("{} is missing; put it back, or fetch it again", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file has other bytes than when it was checked.
    #[error("{} was changed since it was checked, and what is wrong in it is not served; put it back, or fetch it again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A file of the torrent ends too early.
    #[error("{} is shorter than the torrent says ({length} bytes); put it back, or fetch it again", path.display())]
    TooShort {
        /// The file.
        path: PathBuf,
        /// Its length according to the torrent.
        length: u64,
    },
    /// More bytes were asked for than the torrent has.
    #[error("the torrent has {length} bytes, and byte {end} was asked for")]
    OutOfRange {
        /// One past the last byte that was asked for.
        end: u64,
        /// Bytes in the torrent.
        length: u64,
    },
    /// Reading was called off half way.
    #[error("the check was interrupted; the same command starts it again")]
    Interrupted,
    /// Anything else that the system says.
    #[error("cannot {action} {}: {source}; check the disk and run the same command again", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StorageError {
    /// Gives what the system said the sentence that it deserves. `action` is a verb: open, read, write, create…
    pub(crate) fn from_io(action: &'static str, path: &Path, source: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let path = path.to_owned();
        match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded => Self::NoSpace {
                path,
                missing: None,
                source,
            },
            Kind::FileTooLarge => Self::FileTooLarge { path, source },
            Kind::ReadOnlyFilesystem => Self::ReadOnly { path, source },
            Kind::PermissionDenied => {
                let path = barred(path);
                Self::PermissionDenied { path, source }
            }
            Kind::IsADirectory => Self::NotAFile { path },
            Kind::NotADirectory => Self::NotADirectory { path },
            Kind::InvalidFilename => Self::InvalidName { path, source },
            Kind::NotFound => Self::Missing { path },
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }

    /// The file or directory to blame; none if that is no file.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::NoSpace { path, .. }
            | Self::FileTooLarge { path, .. }
            | Self::ReadOnly { path, .. }
            | Self::PermissionDenied { path, .. }
            | Self::NotAFile { path }
            | Self::NotADirectory { path }
            | Self::InvalidName { path, .. }
            | Self::AlreadyInUse { path }
            | Self::SymlinkLeadsOut { path, .. }
            | Self::Missing { path }
            | Self::Changed { path }
            | Self::TooShort { path, .. }
            | Self::Io { path, .. } => Some(path),
            Self::OutOfRange { .. } | Self::Interrupted => None,
        }
    }

    /// Whether making room would help.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::NoSpace { .. })
    }

    /// Whether the user may not do it there, whatever is done about it here.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::PermissionDenied { .. } | Self::ReadOnly { .. })
    }

    /// Whether it would help to fetch it again.
    pub(crate) fn is_loss(&self) -> bool {
        self.is_absent() || matches!(self, Self::Changed { .. })
    }

    /// Whether there is simply nothing at that place of the torrent, or not yet.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::TooShort { .. })
    }
}

/// What keeps the user out. A file that is not there, and that he has perhaps never heard of, does not: its directory does.
fn barred(path: PathBuf) -> PathBuf {
    let is_absent =
        matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound);
    match path.parent() {
        Some(directory) if is_absent && directory.is_dir() => directory.to_owned(),
        _ => path,
    }
}

fn missing_bytes(missing: Option<u64>) -> String {
    match missing {
        Some(bytes) if bytes > 0 => format!(
            " ({:.1} MiB more are needed)",
            bytes as f64 / f64::from(1 << 20)
        ),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_how_much_is_missing_and_that_the_same_command_resumes() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let error = StorageError::from_io("write", Path::new("out/film"), kind.into());
            assert!(error.is_full());
            let StorageError::NoSpace { path, source, .. } = error else {
                panic!("{error}")
            };
            let error = StorageError::NoSpace {
                path,
                source,
                missing: Some(3 << 19),
            };
            assert_eq!(
                error.to_string(),
                "no space left for out/film (1.5 MiB more are needed); make room and run the same command again: it resumes"
            );
        }
    }

    #[test]
    fn whoever_may_not_create_a_file_hears_of_its_directory() {
        let desk = tempfile::tempdir().unwrap();
        let denied = |path: &Path| {
            let refusal = io::ErrorKind::PermissionDenied.into();
            match StorageError::from_io("open", path, refusal) {
                StorageError::PermissionDenied { path, .. } => path,
                error => panic!("{error}"),
            }
        };
        let file = desk.path().join("film");
        assert_eq!(denied(&file), desk.path());
        std::fs::write(&file, "").unwrap();
        assert_eq!(denied(&file), file);
    }

    #[test]
    fn every_refusal_of_the_system_names_the_path_and_what_to_do() {
        use io::ErrorKind as Kind;
        for kind in [
            Kind::FileTooLarge,
            Kind::ReadOnlyFilesystem,
            Kind::PermissionDenied,
            Kind::IsADirectory,
            Kind::NotADirectory,
            Kind::InvalidFilename,
            Kind::Other,
        ] {
            let sentence =
                StorageError::from_io("write", Path::new("out/film"), kind.into()).to_string();
            assert!(sentence.contains("out/film"), "{sentence}");
            assert!(sentence.contains("; "), "no advice: {sentence}");
        }
    }
}
