//! Where a torrent file is written to: `-o` of `create` and `edit`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::output::Output;
use super::standard_output;
use super::whole_file;

/// The name of standard output.
const STDOUT: &str = "-";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    StandardOutput,
    File(PathBuf),
}

impl Destination {
    /// Finds what makes writing impossible as far as it is known before there is anything to write. A directory, of which an empty path is the current one, takes the torrent as
    /// NAME.torrent.
    pub(crate) fn read(
        path: &Path,
        name: &str,
        replace: bool,
        output: &Output,
    ) -> Result<Self, Failure> {
        if path.as_os_str() == STDOUT {
            let example = "… -o - > FILE.torrent";
            standard_output::takes_bytes(output.is_json(), example)?;
            return Ok(Self::StandardOutput);
        }
        let path = if path.as_os_str().is_empty() || path.is_dir() {
            path.join(format!("{name}.torrent"))
        } else if whole_file::directory_of(path).is_dir() {
            path.to_owned()
        } else {
            return Err(whole_file::nowhere(path));
        };
        Self::file(path, replace)
    }

    /// This file, if what stands there may be replaced.
    pub(crate) fn file(path: PathBuf, replace: bool) -> Result<Self, Failure> {
        match path.symlink_metadata() {
            Ok(_) if whole_file::is_special(&path) => Err(Failure::Usage(format!(
                "{} is no ordinary file, and is left as it is; write another one with -o, or to standard output with `-o -`",
                path.display()
            ))),
            Ok(_) if path.is_dir() => Err(Failure::Directory {
                path,
                what: "a torrent file",
            }),
            Ok(_) if !replace => Err(Failure::Exists { path }),
            // A name that is too long, for one.
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(Failure::Write { path, source })
            }
            Ok(_) | Err(_) => Ok(Self::File(path)),
        }
    }

    /// Which file it is, if it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::StandardOutput => None,
            Self::File(path) => Some(path),
        }
    }

    /// Writes it, and says where if it is a file.
    pub(crate) fn write(
        self,
        torrent: &[u8],
        replace: bool,
        output: &Output,
    ) -> Result<Option<PathBuf>, Failure> {
        let path = match self {
            Self::StandardOutput => {
                output.bytes(torrent);
                return Ok(None);
            }
            Self::File(path) => path,
        };
        if replace {
            whole_file::replace(&path, torrent)?;
        } else {
            whole_file::write_new(&path, torrent)?;
        }
        Ok(Some(path))
    }
}
