//! Where the files of the demo are.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cli::failure::Failure;

/// A directory that goes with the demo, or one that the user wants to keep.
#[derive(Debug)]
pub(super) enum Place {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Place {
    /// A kept directory may not have a demo in it already: what is there would not have to be fetched.
    pub(super) fn open(keep: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = keep else {
            let temporary = tempfile::Builder::new().prefix("trackless-demo-").tempdir();
            return temporary
                .map(Place::Temporary)
                .map_err(|source| Failure::Write {
                    path: std::env::temp_dir(),
                    source,
                });
        };
        let place = Place::Kept(path.to_owned());
        if place.shared().exists() || place.arrived().exists() {
            return Err(Failure::Usage(format!(
                "{} has a demo in it already; remove it, or choose another directory",
                path.display()
            )));
        }
        match fs::create_dir_all(path) {
            Ok(()) => Ok(place),
            Err(source) => Err(Failure::Write {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// What is seeded.
    pub(super) fn shared(&self) -> PathBuf {
        self.path().join("shared")
    }

    /// What is fetched.
    pub(super) fn arrived(&self) -> PathBuf {
        self.path().join("arrived")
    }

    /// Where to look for it afterwards.
    pub(super) fn kept(&self) -> Option<&Path> {
        match self {
            Place::Temporary(_) => None,
            Place::Kept(path) => Some(path),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Place::Temporary(directory) => directory.path(),
            Place::Kept(path) => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_place_leaves_nothing_and_a_kept_one_everything() {
        let place = Place::open(None).unwrap();
        let path = place.path().to_owned();
        assert!(path.is_dir() && place.kept().is_none());
        drop(place);
        assert!(!path.exists());

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo");
        drop(Place::open(Some(&path)).unwrap());
        assert!(path.is_dir());
    }

    #[test]
    fn a_demo_is_not_put_over_another() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("arrived")).unwrap();
        assert!(matches!(
            Place::open(Some(directory.path())),
            Err(Failure::Usage(_))
        ));
    }
}
