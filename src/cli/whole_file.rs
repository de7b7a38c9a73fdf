//! Files that are written whole or not at all: under a temporary name first.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use tempfile::{NamedTempFile, PersistError};

use super::failure::Failure;

/// Writes a file that is not there yet. What stands in its place is left as it is, and is a [`Failure::Exists`].
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write(
        &ordinary(),
        path,
        |out| out.write_all(content),
        |file| file.persist_noclobber(path).map(drop),
    )
}

/// Writes a file that is not there yet and that nobody but its owner may read.
pub(crate) fn write_secret(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write(
        &tempfile::Builder::new(),
        path,
        |out| out.write_all(content),
        |file| file.persist_noclobber(path).map(drop),
    )
}

/// Writes a file over the one that is there, if there is one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Failure> {
    replace_with(path, |out| out.write_all(content))
}

/// The same, written bit by bit.
pub(crate) fn replace_with(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), Failure> {
    write(&ordinary(), path, content, |file| {
        file.persist(path).map(drop)
    })
}

/// Where a file lies.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// There is no place for it.
pub(crate) fn nowhere(path: &Path) -> Failure {
    Failure::Nowhere {
        path: path.to_owned(),
        directory: directory_of(path).to_owned(),
    }
}

fn write(
    builder: &tempfile::Builder<'_, '_>,
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    persist: impl FnOnce(NamedTempFile) -> Result<(), PersistError>,
) -> Result<(), Failure> {
    let failure = |source| Failure::Write {
        path: path.to_owned(),
        source,
    };
    // Its error names the temporary file, of which the user knows nothing.
    let file = builder
        .tempfile_in(directory_of(path))
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => nowhere(path),
            kind => failure(kind.into()),
        })?;
    let mut out = BufWriter::new(file.as_file());
    content(&mut out)
        .and_then(|()| out.flush())
        .map_err(failure)?;
    drop(out);
    persist(file).map_err(|error| match error.error.kind() {
        ErrorKind::AlreadyExists => Failure::Exists {
            path: path.to_owned(),
        },
        _ => failure(error.error),
    })
}

/// With the permissions of an ordinary new file, which a temporary one does not have.
fn ordinary() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_file_stays_as_it_is_unless_it_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.torrent");
        write_new(&path, b"old").unwrap();
        assert!(matches!(
            write_new(&path, b"new"),
            Err(Failure::Exists { .. })
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        replace(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
