//! Files that the user names, to be read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::failure::Failure;

/// Reads all of a file; `what` says what it is to be, with its article.
pub(crate) fn read(path: &Path, what: &'static str) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(refused(path, what))
}

/// Reads as much of a file as is enough to see that it is too long.
pub(crate) fn read_short(path: &Path, what: &'static str, most: usize) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| {
        let mut beginning = file.take(most as u64 + 1);
        beginning.read_to_end(&mut content)
    });
    read.map_err(refused(path, what))?;
    Ok(content)
}

/// Why it could not be read. What systems say of a directory helps nobody.
pub(crate) fn refused(path: &Path, what: &'static str) -> impl Fn(io::Error) -> Failure {
    let path = path.to_owned();
    move |source| {
        let path = path.clone();
        if path.is_dir() {
            Failure::Directory { path, what }
        } else {
            Failure::Read { path, source }
        }
    }
}
