//! Where a torrent file is written to: `-o` of `create` and `edit`.

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
    /// It takes the torrent under its own name.
    Directory(PathBuf),
    File(PathBuf),
}

impl Destination {
    /// Finds what makes writing impossible as far as it is known before there is anything to write.
    pub(crate) fn read(path: &Path, replace: bool, output: &Output) -> Result<Self, Failure> {
        let path = path.to_owned();
        if path.as_os_str() == STDOUT {
            let example = "… -o - > FILE.torrent";
            standard_output::takes_bytes(output.is_json(), example)?;
            return Ok(Self::StandardOutput);
        }
        let directory = whole_file::directory_of(&path);
        if path.is_dir() {
            Ok(Self::Directory(path))
        } else if path.is_file() && !replace {
            Err(Failure::Exists { path })
        } else if directory.is_dir() {
            Ok(Self::File(path))
        } else {
            Err(whole_file::nowhere(&path))
        }
    }

    /// Writes it, and says where if it is a file.
    pub(crate) fn write(
        self,
        name: &str,
        torrent: &[u8],
        replace: bool,
        output: &Output,
    ) -> Result<Option<PathBuf>, Failure> {
        let path = match self {
            Self::StandardOutput => {
                output.bytes(torrent);
                return Ok(None);
            }
            Self::Directory(directory) => directory.join(format!("{name}.torrent")),
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
