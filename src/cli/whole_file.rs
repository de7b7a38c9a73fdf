//! Files that are written whole or not at all: under a temporary name first.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::failure::Failure;

/// Writes a file that is not there yet. What stands in its place is left as it is, and is a [`Failure::Exists`].
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write_new_with(&ordinary(), path, content)
}

/// Writes a file that is not there yet and that nobody but its owner may read.
pub(crate) fn write_secret(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write_new_with(&tempfile::Builder::new(), path, content)
}

fn write_new_with(
    builder: &tempfile::Builder<'_, '_>,
    path: &Path,
    content: &[u8],
) -> Result<(), Failure> {
    write(
        builder,
        path,
        directory_of(path),
        |out| out.write_all(content),
        |file| Ok(file.persist_noclobber(path).map(drop)?),
    )
}

/// Writes a file over the one that is there, if there is one: over that which a link leads to, whose owner and permissions stay. What is no file is left as
/// it is, and is a [`Failure::NotAFile`].
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Failure> {
    replace_with(path, |out| out.write_all(content))
}

/// The same, written bit by bit.
pub(crate) fn replace_with(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), Failure> {
    if is_special(path) {
        let path = path.to_owned();
        return Err(Failure::NotAFile { path });
    }
    let Ok(real) = path.canonicalize() else {
        let here = directory_of(path);
        return write(&ordinary(), path, here, content, |file| {
            Ok(file.persist(path).map(drop)?)
        });
    };
    // Until it has the permissions of the old one nobody else may read it.
    let closed = tempfile::Builder::new();
    write(&closed, path, directory_of(&real), content, |file| {
        inherit(file.as_file(), &real)?;
        Ok(file.persist(&real).map(drop)?)
    })
}

/// Whether there is something whose place no file can take: a pipe, a socket, a device, a link that leads nowhere.
pub(crate) fn is_special(path: &Path) -> bool {
    match path.metadata() {
        Ok(found) => !found.is_file() && !found.is_dir(),
        Err(_) => path.is_symlink(),
    }
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
    directory: &Path,
    content: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    persist: impl FnOnce(NamedTempFile) -> io::Result<()>,
) -> Result<(), Failure> {
    let failure = |source| Failure::Write {
        path: path.to_owned(),
        source,
    };
    // Its error names the temporary file, of which the user knows nothing.
    let file = builder
        .tempfile_in(directory)
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => nowhere(path),
            kind => failure(kind.into()),
        })?;
    let mut out = BufWriter::new(file.as_file());
    content(&mut out)
        .and_then(|()| out.flush())
        .map_err(failure)?;
    drop(out);
    persist(file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::Exists {
            path: path.to_owned(),
        },
        _ => failure(error),
    })
}

/// Gives a file the owner and the permissions of the one that it is to replace, as far as this user may and the file system can.
fn inherit(file: &File, old: &Path) -> io::Result<()> {
    let old = fs::metadata(old)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let _ = fchown(file, None, Some(old.gid()));
        let _ = fchown(file, Some(old.uid()), None);
        // Last: a change of the owner takes some of them away.
        let _ = file.set_permissions(old.permissions());
    }
    #[cfg(not(unix))]
    {
        let _ = (file, old);
    }
    Ok(())
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

    #[cfg(unix)]
    #[test]
    fn a_file_behind_a_link_is_replaced_there_and_stays_as_secret_as_it_was() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let desk = tempfile::tempdir().unwrap();
        let (home, link) = (desk.path().join("home"), desk.path().join("link"));
        fs::create_dir(&home).unwrap();
        let file = home.join("a.torrent");
        write_secret(&file, b"old").unwrap();
        symlink("home/a.torrent", &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        // A umask forbids new files some of it, and old ones nothing.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        replace(&file, b"newer").unwrap();
        assert_eq!(mode(&file), 0o666);
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_replaced_by_one() {
        use std::os::unix::fs::symlink;
        let desk = tempfile::tempdir().unwrap();
        let (socket, lost) = (desk.path().join("socket"), desk.path().join("lost"));
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        symlink("nowhere", &lost).unwrap();
        for path in [&socket, &lost, Path::new("/dev/null")] {
            let refused = replace(path, b"new");
            assert!(
                matches!(refused, Err(Failure::NotAFile { .. })),
                "{}",
                path.display()
            );
        }
        assert!(!socket.is_file() && lost.is_symlink());
    }
}
