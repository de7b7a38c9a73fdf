//! Where the content of a torrent lies: in the directory that was named, or there itself.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use wire::Info;

use super::failure::Failure;

/// The torrent's file or directory: NAME below the path, or else the path itself, whatever it is called.
pub(crate) fn find(info: &Info, path: &Path) -> Result<PathBuf, Failure> {
    path.metadata().map_err(|source| Failure::Read {
        path: path.to_owned(),
        source,
    })?;
    let candidates = [path.join(info.name()), path.to_owned()];
    let mut fitting = candidates.iter().filter(|path| is_content(info, path));
    let named = |path: &Path| named(path).file_name() == Some(OsStr::new(info.name()));
    // There may be nothing in it yet that is right.
    let found = fitting.clone().find(|path| has_file(info, path));
    let found = found.or_else(|| fitting.find(|path| named(path)));
    found.cloned().ok_or_else(|| {
        let (name, path) = (info.name(), path.display());
        Failure::Usage(if info.is_single_file() {
            format!("there is no {name} in {path}")
        } else {
            format!("there is no {name} in {path}, nor any file of it")
        })
    })
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

/// Whether any file of the torrent is there.
fn has_file(info: &Info, content: &Path) -> bool {
    let mut files = info.files().iter().filter(|file| !file.padding);
    info.is_single_file() || files.any(|file| content.join(file.path()).is_file())
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
        for path in [desk.path(), &album_directory] {
            assert_eq!(find(&album(), path).unwrap(), album_directory, "empty");
        }
        let file = album_directory.join("song");
        fs::write(&file, "a").unwrap();
        for path in [desk.path(), &album_directory] {
            assert_eq!(find(&album(), path).unwrap(), album_directory);
        }
        for path in [&album_directory, &file] {
            assert_eq!(find(&song(), path).unwrap(), file);
        }
    }

    #[test]
    fn content_may_have_another_name() {
        let desk = tempfile::tempdir().unwrap();
        let other = desk.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("song"), "a").unwrap();
        assert_eq!(find(&album(), &other).unwrap(), other);
        // And have a directory of its own that is called like the torrent.
        fs::create_dir(other.join("album")).unwrap();
        assert_eq!(find(&album(), &other).unwrap(), other);
        let renamed = desk.path().join("renamed");
        fs::write(&renamed, "a").unwrap();
        assert_eq!(find(&song(), &renamed).unwrap(), renamed);
    }

    #[test]
    fn a_directory_that_does_not_hold_the_content_is_wrong_use() {
        let desk = tempfile::tempdir().unwrap();
        let other = desk.path().join("other");
        fs::create_dir(&other).unwrap();
        for (info, name) in [(album(), "album"), (song(), "song")] {
            let Err(Failure::Usage(sentence)) = find(&info, &other) else {
                panic!("{name} was found");
            };
            let expected = format!("there is no {name} in {}", other.display());
            assert!(sentence.starts_with(&expected), "{sentence}");
        }
        let absent = find(&song(), &desk.path().join("absent"));
        assert!(matches!(absent, Err(Failure::Read { .. })));
        // A file is no directory of files.
        fs::write(desk.path().join("album"), "a").unwrap();
        assert!(find(&album(), &desk.path().join("album")).is_err());
    }
}
