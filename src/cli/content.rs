//! Where the content of a torrent lies: in the directory that was named, or there itself.

use std::path::{Path, PathBuf};

use wire::Info;

use super::failure::Failure;

/// The torrent's file or directory: NAME below the path, or else the path itself, whatever it is called.
pub(crate) fn find(info: &Info, path: &Path) -> Result<PathBuf, Failure> {
    let below = path.join(info.name());
    if path.is_dir() && is_content(info, &below) {
        return Ok(below);
    }
    if info.is_single_file() && path.is_dir() {
        return Err(Failure::Usage(format!(
            "there is no {} in {}",
            info.name(),
            path.display()
        )));
    }
    match path.metadata() {
        Ok(_) => Ok(path.to_owned()),
        Err(source) => Err(Failure::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The directory that holds NAME: the path, or the one above it if the path is NAME itself.
pub(crate) fn directory(info: &Info, path: &Path) -> Result<PathBuf, Failure> {
    let below = path.join(info.name());
    if is_content(info, &below) {
        return Ok(path.to_owned());
    }
    let itself = named(path);
    if itself.file_name().is_some_and(|name| name == info.name()) && is_content(info, &itself) {
        return Ok(itself.parent().unwrap_or(Path::new("")).to_owned());
    }
    Err(Failure::Usage(format!(
        "there is no {}; --data is the directory that holds `{}`",
        below.display(),
        info.name()
    )))
}

/// The path with a name: `.` and `..` have none, what they stand for has one.
pub(crate) fn named(path: &Path) -> PathBuf {
    let nameless = path.file_name().is_none();
    let real = nameless.then(|| path.canonicalize().ok()).flatten();
    real.unwrap_or_else(|| path.to_owned())
}

/// Whether there is what could be the content, of a torrent of one file a file and of any other a directory.
fn is_content(info: &Info, path: &Path) -> bool {
    if info.is_single_file() {
        path.is_file()
    } else {
        path.is_dir()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use wire::InfoBuilder;

    use super::*;

    fn album() -> Info {
        InfoBuilder::multiple_files("album", vec![("song".into(), 1)])
            .piece_length(16_384)
            .build(&[[0; 20]])
            .unwrap()
    }

    fn song() -> Info {
        InfoBuilder::single_file("song", 1)
            .piece_length(16_384)
            .build(&[[0; 20]])
            .unwrap()
    }

    #[test]
    fn content_is_found_by_its_directory_and_by_itself() {
        let desk = tempfile::tempdir().unwrap();
        let album_directory = desk.path().join("album");
        fs::create_dir(&album_directory).unwrap();
        fs::write(album_directory.join("song"), "a").unwrap();

        for path in [desk.path(), &album_directory] {
            assert_eq!(find(&album(), path).unwrap(), album_directory);
            assert_eq!(directory(&album(), path).unwrap(), desk.path());
        }
        let file = album_directory.join("song");
        for path in [&album_directory, &file] {
            assert_eq!(find(&song(), path).unwrap(), file);
            assert_eq!(directory(&song(), path).unwrap(), album_directory);
        }
    }

    #[test]
    fn a_directory_that_does_not_hold_the_content_is_wrong_use() {
        let desk = tempfile::tempdir().unwrap();
        let other = desk.path().join("other");
        fs::create_dir(&other).unwrap();
        for (info, name) in [(album(), "album"), (song(), "song")] {
            for path in [&other, &desk.path().join("absent")] {
                let Err(Failure::Usage(sentence)) = directory(&info, path) else {
                    panic!("{name} was found in {}", path.display());
                };
                let expected = format!("there is no {}", path.join(name).display());
                assert!(sentence.starts_with(&expected), "{sentence}");
            }
        }
        assert!(matches!(find(&song(), &other), Err(Failure::Usage(_))));
        assert_eq!(find(&album(), &other).unwrap(), other);
    }
}
