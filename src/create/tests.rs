use super::*;
use sha1::{Digest, Sha1};
use std::sync::Mutex;
use tempfile::TempDir;

fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = directory.path().join("album").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    directory
}

fn make(path: &Path) -> Result<Metainfo, CreateError> {
    let options = CreateOptions {
        piece_length: Some(16_384),
        ..CreateOptions::default()
    };
    create(path, &options, &|_, _| {})
}

#[test]
fn a_file_becomes_a_torrent_with_the_hashes_of_its_pieces() {
    let directory = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..40_000_u32).map(|byte| byte as u8).collect();
    let path = directory.path().join("film.mkv");
    fs::write(&path, &content).unwrap();

    let seen = Mutex::new(Vec::new());
    let options = CreateOptions {
        piece_length: Some(16_384),
        ..CreateOptions::default()
    };
    let metainfo = create(&path, &options, &|hashed, total| {
        seen.lock().unwrap().push((hashed, total));
    })
    .unwrap();

    let info = &metainfo.info;
    assert!(info.is_single_file() && info.name() == "film.mkv");
    assert_eq!(info.total_length(), 40_000);
    for (piece, chunk) in (0..).zip(content.chunks(16_384)) {
        let expected: [u8; 20] = Sha1::digest(chunk).into();
        assert_eq!(info.piece_hash(piece), Some(&expected));
    }
    assert!(seen.into_inner().unwrap().contains(&(40_000, 40_000)));
}

#[test]
fn a_directory_is_hashed_across_its_files_in_the_order_of_their_names() {
    let directory = tree(&[
        ("b.txt", b"22"),
        ("a/deep/file", &vec![1; 20_000]),
        ("Z", b"0"),
        ("empty", b""),
    ]);
    let info = make(&directory.path().join("album")).unwrap().info;
    let listed: Vec<_> = info
        .files()
        .iter()
        .map(|file| (file.path(), file.length))
        .collect();
    let expected = [
        ("Z", 1),
        ("a/deep/file", 20_000),
        ("b.txt", 2),
        ("empty", 0),
    ];
    assert_eq!(listed, expected);

    let whole = [&b"0"[..], &vec![1; 20_000], b"22"].concat();
    let last: [u8; 20] = Sha1::digest(&whole[16_384..]).into();
    assert_eq!(info.piece_hash(1), Some(&last));
}

#[test]
fn the_same_content_has_the_same_info_hash_wherever_it_lies() {
    let files: [(&str, &[u8]); 3] = [("x", b"1"), ("sub/y", b"2"), ("sub/z", b"3")];
    let one = tree(&files);
    let two = tree(&[files[2], files[0], files[1]]);
    let hash = |directory: &TempDir| make(&directory.path().join("album")).unwrap().info.hash();
    assert_eq!(hash(&one), hash(&two));
}

#[test]
fn options_end_up_in_the_torrent() {
    let directory = tree(&[("x", b"1")]);
    let options = CreateOptions {
        private: true,
        name: Some("other".into()),
        comment: Some("for you".into()),
        nodes: vec!["192.0.2.1:6881".parse().unwrap()],
        creation_date: Some(1_700_000_000),
        ..CreateOptions::default()
    };
    let metainfo = create(&directory.path().join("album"), &options, &|_, _| {}).unwrap();
    assert!(metainfo.info.is_private() && metainfo.info.name() == "other");
    assert_eq!(metainfo.comment.as_deref(), Some("for you"));
    assert_eq!(metainfo.nodes, options.nodes);
    assert_eq!(metainfo.creation_date, Some(1_700_000_000));
}

#[test]
fn the_same_content_makes_the_same_file_to_the_byte() {
    let directory = tree(&[("x", b"1"), ("y/z", b"2")]);
    let made = || make(&directory.path().join("album")).unwrap().to_bytes();
    let first = made();
    assert_eq!(first, made());
    assert!(!first.windows(13).any(|key| key == b"creation date"));
}

/// The files of a torrent that is made with these options, and what was left out.
fn chosen(album: &Path, options: &CreateOptions) -> (Vec<String>, Vec<(String, Reason)>) {
    let mut left_out = Vec::new();
    let mut note = |left: LeftOut| left_out.push((left.path.display().to_string(), left.reason));
    let made = create_noting(album, options, &mut note, &|_, _| {}).unwrap();
    let files = made.info.files().iter();
    (files.map(|file| file.path().to_owned()).collect(), left_out)
}

#[test]
fn hidden_files_and_excluded_ones_are_left_out_and_named() {
    let directory = tree(&[
        (".git/config", b"1"),
        ("a/.hidden", b"2"),
        ("a/song.mp3", b"3"),
        ("a/song.tmp", b"4"),
        ("cache/a/b", b"5"),
        ("notes.txt", b"6"),
        ("a/notes.txt", b"7"),
    ]);
    let album = directory.path().join("album");
    let mut options = CreateOptions {
        exclude: vec!["*.tmp".into(), "cache/".into(), "/notes.txt".into()],
        ..CreateOptions::default()
    };
    let (files, left_out) = chosen(&album, &options);
    assert_eq!(files, ["a/notes.txt", "a/song.mp3"]);
    let expected = [
        (".git", Reason::Hidden),
        ("a/.hidden", Reason::Hidden),
        ("a/song.tmp", Reason::Excluded),
        ("cache", Reason::Excluded),
        ("notes.txt", Reason::Excluded),
    ];
    assert_eq!(
        left_out,
        expected.map(|(path, reason)| (path.to_owned(), reason))
    );

    options.hidden = true;
    let (files, left_out) = chosen(&album, &options);
    assert_eq!(
        files,
        [".git/config", "a/.hidden", "a/notes.txt", "a/song.mp3"]
    );
    assert_eq!(left_out.len(), 3);
}

#[test]
fn a_hidden_directory_that_the_user_named_is_no_secret() {
    let directory = tree(&[("x", b"1")]);
    let hidden = directory.path().join(".album");
    fs::rename(directory.path().join("album"), &hidden).unwrap();
    assert_eq!(make(&hidden).unwrap().info.total_length(), 1);
}

#[test]
fn a_file_that_is_written_to_meanwhile_makes_no_torrent() {
    let changes: [fn(&Path); 3] = [
        |file| fs::write(file, [9; 2_000]).unwrap(),
        |file| fs::write(file, [1; 2_001]).unwrap(),
        |file| fs::remove_file(file).unwrap(),
    ];
    for change in changes {
        let directory = tree(&[("a", &[1; 2_000]), ("b", b"2")]);
        let album = directory.path().join("album");
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        let file = fs::File::options()
            .write(true)
            .open(album.join("a"))
            .unwrap();
        file.set_modified(long_ago).unwrap();
        let made = create(&album, &CreateOptions::default(), &|hashed, total| {
            if hashed == total {
                change(&album.join("a"));
            }
        });
        assert!(
            matches!(&made, Err(CreateError::Changed { path }) if path.ends_with("a")),
            "{made:?}"
        );
    }
}

#[test]
fn nothing_to_share_is_said() {
    let directory = tree(&[("empty", b"")]);
    let sentence = make(&directory.path().join("album"))
        .unwrap_err()
        .to_string();
    assert!(sentence.contains("nothing to share"), "{sentence}");
    let bare = tempfile::tempdir().unwrap();
    assert!(matches!(make(bare.path()), Err(CreateError::Empty { .. })));
    let missing = make(&bare.path().join("missing")).unwrap_err();
    assert!(matches!(&missing, CreateError::Unreadable { path, .. } if path.ends_with("missing")));
}

#[test]
fn a_name_that_no_torrent_may_have_is_refused_before_anything_is_hashed() {
    let directory = tree(&[("x", b"1")]);
    let options = CreateOptions {
        name: Some("..".into()),
        ..CreateOptions::default()
    };
    let refused = create(&directory.path().join("album"), &options, &|_, _| {
        panic!("hashed something");
    });
    assert!(matches!(refused, Err(CreateError::Metainfo(_))));
}

#[cfg(unix)]
mod links {
    use super::*;
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::symlink;

    fn following() -> CreateOptions {
        CreateOptions {
            follow_links: true,
            ..CreateOptions::default()
        }
    }

    #[test]
    fn links_are_left_out_unless_they_are_to_be_followed() {
        let directory = tree(&[("real", b"12345"), ("sub/file", b"1")]);
        let album = directory.path().join("album");
        symlink("real", album.join("link")).unwrap();
        symlink("sub", album.join("other")).unwrap();
        symlink("nowhere", album.join("dangling")).unwrap();
        let (files, left_out) = chosen(&album, &CreateOptions::default());
        assert_eq!(files, ["real", "sub/file"]);
        let expected = ["dangling", "link", "other"];
        assert_eq!(
            left_out,
            expected.map(|path| (path.to_owned(), Reason::Link))
        );

        fs::remove_file(album.join("dangling")).unwrap();
        let (files, left_out) = chosen(&album, &following());
        assert_eq!(files, ["link", "other/file", "real", "sub/file"]);
        assert_eq!(left_out, []);
    }

    #[test]
    fn a_link_that_is_followed_and_leads_out_is_an_error() {
        let directory = tree(&[("real", b"12345")]);
        let album = directory.path().join("album");
        fs::write(directory.path().join("private"), "secret").unwrap();
        symlink("../private", album.join("out")).unwrap();
        let error = create(&album, &following(), &|_, _| {}).unwrap_err();
        assert!(
            matches!(&error, CreateError::Storage(StorageError::SymlinkLeadsOut { path, .. }) if path.ends_with("out")),
            "{error}"
        );
    }

    #[test]
    fn a_socket_is_left_out() {
        let directory = tree(&[("x", b"1")]);
        let album = directory.path().join("album");
        let _socket = std::os::unix::net::UnixListener::bind(album.join("socket")).unwrap();
        let (files, left_out) = chosen(&album, &CreateOptions::default());
        assert_eq!(files, ["x"]);
        assert_eq!(left_out, [("socket".to_owned(), Reason::Special)]);
    }

    #[test]
    fn a_link_that_the_user_named_is_followed_and_gives_its_name() {
        let directory = tree(&[("real", b"12345")]);
        let link = directory.path().join("alias");
        symlink(directory.path().join("album/real"), &link).unwrap();
        let info = make(&link).unwrap().info;
        assert_eq!((info.name(), info.total_length()), ("alias", 5));
    }

    #[test]
    fn a_tree_made_endless_by_a_link_is_an_error() {
        let directory = tree(&[("sub/file", b"1")]);
        let album = directory.path().join("album");
        symlink("..", album.join("sub/up")).unwrap();
        let made = create(&album, &following(), &|_, _| {});
        assert!(matches!(made, Err(CreateError::Loop { .. })));
        assert!(make(&album).is_ok());
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_named() {
        let directory = tree(&[("x", b"1")]);
        let name = std::ffi::OsString::from_vec(b"caf\xe9".to_vec());
        fs::write(directory.path().join("album").join(name), "1").unwrap();
        let made = make(&directory.path().join("album"));
        assert!(matches!(made, Err(CreateError::NotUtf8 { .. })));
    }
}
