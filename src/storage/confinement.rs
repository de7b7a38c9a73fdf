use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use super::StorageError;

/// What stands at `directory/relative`, if anything does, after making sure that it is inside of `directory`.
///
/// The names of a torrent cannot climb (`wire` refuses those), so a symbolic link on the way is the only way out. A link
/// that stays inside is followed. What happens to the tree between this and the use of the path is the user's own doing:
/// peers choose names and contents, and never make a link.
pub(crate) fn find(directory: &Path, relative: &Path) -> Result<Option<Metadata>, StorageError> {
    let mut path = directory.to_owned();
    let mut found = None;
    for component in relative {
        path.push(component);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => follow(directory, &path)?,
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                let path = path.parent().unwrap_or(directory).to_owned();
                return Err(StorageError::NotADirectory { path });
            }
            Err(error) => return Err(StorageError::from_io("look at", &path, error)),
        };
        found = Some(metadata);
    }
    Ok(found)
}

fn follow(directory: &Path, link: &Path) -> Result<Metadata, StorageError> {
    let inside = || {
        let target = link.canonicalize()?;
        Ok::<_, io::Error>(
            target
                .starts_with(directory.canonicalize()?)
                .then_some(target),
        )
    };
    // A dangling link counts as leading out: creating the file would create its target.
    match inside() {
        Ok(Some(target)) => {
            fs::metadata(&target).map_err(|error| StorageError::from_io("look at", link, error))
        }
        Ok(None) | Err(_) => Err(StorageError::SymlinkLeadsOut {
            path: link.to_owned(),
            directory: directory.to_owned(),
        }),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn leads_out(directory: &Path, relative: &str) -> bool {
        let found = find(directory, Path::new(relative));
        matches!(found, Err(StorageError::SymlinkLeadsOut { .. }))
    }

    #[test]
    fn a_link_that_leads_out_is_refused_wherever_it_stands() {
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("file"), "private").unwrap();
        symlink(outside.path(), inside.path().join("directory")).unwrap();
        symlink(outside.path().join("file"), inside.path().join("file")).unwrap();
        symlink(outside.path().join("new"), inside.path().join("dangling")).unwrap();
        symlink("..", inside.path().join("up")).unwrap();

        for path in ["directory/file", "file", "dangling", "up/file"] {
            assert!(leads_out(inside.path(), path), "{path}");
        }
    }

    #[test]
    fn a_link_that_stays_inside_is_followed() {
        let inside = tempfile::tempdir().unwrap();
        fs::create_dir(inside.path().join("real")).unwrap();
        fs::write(inside.path().join("real/file"), "12345").unwrap();
        symlink("real", inside.path().join("link")).unwrap();

        let found = find(inside.path(), Path::new("link/file")).unwrap();
        assert_eq!(found.unwrap().len(), 5);
    }

    #[test]
    fn what_is_not_there_is_no_error_and_a_file_on_the_way_is() {
        let inside = tempfile::tempdir().unwrap();
        fs::write(inside.path().join("file"), "").unwrap();
        assert!(find(inside.path(), Path::new("a/b/c")).unwrap().is_none());
        let error = find(inside.path(), Path::new("file/b")).unwrap_err();
        assert!(
            matches!(&error, StorageError::NotADirectory { path } if path.ends_with("file")),
            "{error}"
        );
    }
}
