//! Torrent files that were made to do harm: refused in a sentence, or harmless.

use std::fs;
use std::path::Path;

use sha1::{Digest, Sha1};

use crate::support::{Desk, FakePeer, Running, Sample, tree};

const ONE_HASH: &str = "20:aaaaaaaaaaaaaaaaaaaa";

fn single(length: &str, piece_length: &str, pieces: &str) -> String {
    format!("d4:infod6:length{length}4:name4:film12:piece length{piece_length}6:pieces{pieces}ee")
}

fn files(files: &str) -> String {
    format!("d4:infod5:filesl{files}e4:name3:dir12:piece lengthi16384e6:pieces{ONE_HASH}ee")
}

/// A file of one byte at a path of these components.
fn file(components: &[&str]) -> String {
    let path: Vec<String> = components
        .iter()
        .map(|name| format!("{}:{name}", name.len()))
        .collect();
    format!("d6:lengthi1e4:pathl{}ee", path.concat())
}

/// Both commands that read torrent files say what is wrong, and leave nothing behind but what was there.
fn assert_refused(desk: &Desk, torrent: impl AsRef<[u8]>, words: &[&str]) {
    desk.write("bad.torrent", torrent);
    let show = desk.run(&["show", "bad.torrent"]);
    show.assert_refused(1, &[&["bad.torrent"], words].concat());
    let get = desk.get("bad.torrent", "127.0.0.1:9", &["--timeout", "1"]);
    get.assert_refused(1, &[&["bad.torrent"], words].concat());
    assert_eq!(
        tree(&desk.path("")).keys().collect::<Vec<_>>(),
        [Path::new("bad.torrent")]
    );
}

#[test]
fn lengths_that_are_no_lengths() {
    let desk = Desk::new();
    let piece = "i16384e";
    for (torrent, words) in [
        (single("i-1e", piece, ONE_HASH), &["negative", "-1"][..]),
        (single("4:huge", piece, ONE_HASH), &["no length"]),
        (
            single("i9223372036854775807e", piece, ONE_HASH),
            &["pieces"],
        ),
        (
            single("i99999999999999999999e", piece, ONE_HASH),
            &["damaged"],
        ),
        (single("i1e", "i0e", ONE_HASH), &["piece"]),
        (single("i1e", "i-16384e", ONE_HASH), &["piece"]),
        (single("i1e", "i4294967296e", ONE_HASH), &["piece"]),
        (files("d4:pathl1:aee"), &["no length"]),
        (files("d6:lengthi-5e4:pathl1:aee"), &["negative", "-5"]),
        (
            files(&"d6:lengthi9223372036854775807e4:pathl1:aee".repeat(3)),
            &["64 bits"],
        ),
        (
            "d4:infod4:name4:film12:piece lengthi16384e6:pieces0:ee".to_owned(),
            &["no length"],
        ),
    ] {
        assert_refused(&desk, torrent, words);
    }
}

#[test]
fn pieces_that_do_not_fit_the_length() {
    let desk = Desk::new();
    for (torrent, words) in [
        (
            single("i16385e", "i16384e", ONE_HASH),
            &["1 piece hashes", "2 pieces"][..],
        ),
        (single("i0e", "i16384e", ONE_HASH), &["piece hashes"]),
        (single("i1e", "i16384e", "0:"), &["0 piece hashes"]),
        (
            single("i1e", "i16384e", "19:aaaaaaaaaaaaaaaaaaa"),
            &["19 bytes", "multiple of 20"],
        ),
        (single("i1e", "i16384e", "i20e"), &["`pieces`"]),
        (single("i1e", "i16384e", "99999999999:aaa"), &["damaged"]),
    ] {
        assert_refused(&desk, torrent, words);
    }
}

/// 20 GB of hashes that are claimed and not there take no memory: the program may use 1 GiB of addresses.
#[test]
fn a_billion_pieces_are_not_made_room_for() {
    let desk = Desk::new();
    let billion = format!("i{}e", 1_000_000_000_u64 * 16_384);
    for pieces in [ONE_HASH, "20000000000:aaaaaaaaaaaaaaaaaaaa"] {
        desk.write("bad.torrent", single(&billion, "i16384e", pieces));
        for arguments in [
            &["show", "bad.torrent"][..],
            &["get", "bad.torrent", "-o", "out"],
        ] {
            let refused =
                Running::start(desk.trackless_after("ulimit -v 1048576", arguments)).end();
            refused.assert_refused(1, &["bad.torrent"]);
        }
        assert!(!desk.path("out").exists());
    }
}

#[test]
fn nesting_a_hundred_thousand_deep() {
    let desk = Desk::new();
    for (open, close) in [("l", "e"), ("d1:a", "e"), ("l", "")] {
        let deep = open.repeat(100_000) + &close.repeat(100_000);
        assert_refused(&desk, &deep, &["damaged"]);
        assert_refused(&desk, format!("d4:info{deep}e"), &["damaged"]);
    }
}

#[test]
fn names_that_climb_out_of_the_directory() {
    let desk = Desk::new();
    for (components, words) in [
        (&["..", "evil"][..], &["\"..\"", "lead out"][..]),
        (&["a", "..", "..", "..", "evil"], &["\"..\"", "lead out"]),
        (&["."], &["\".\"", "lead out"]),
        (&["", "evil"], &["empty"]),
        (&["/tmp/evil"], &["/tmp/evil", "separator"]),
        (&["a/../../evil"], &["separator"]),
        (&["..\\evil"], &["separator"]),
        (&["e\0vil"], &["NUL"]),
        (&["e\nvil"], &["control"]),
        (&[], &["no path"]),
    ] {
        assert_refused(&desk, files(&file(components)), words);
    }
    for (name, words) in [
        ("2:..", &["lead out"][..]),
        ("1:.", &["lead out"]),
        ("0:", &["empty"]),
        ("9:/tmp/evil", &[]),
        ("8:../../ev", &["separator"]),
    ] {
        let torrent =
            format!("d4:infod6:lengthi1e4:name{name}12:piece lengthi16384e6:pieces{ONE_HASH}ee");
        assert_refused(&desk, torrent, words);
    }
}

#[test]
fn two_files_in_one_place() {
    let desk = Desk::new();
    let twice = |one: &[&str], other: &[&str]| files(&(file(one) + &file(other)));
    assert_refused(
        &desk,
        twice(&["a", "b"], &["a", "b"]),
        &["two files", "a/b"],
    );
    assert_refused(
        &desk,
        twice(&["a"], &["a", "b"]),
        &["a file and a directory"],
    );
}

/// A torrent whose info dictionary is given, and its content.
fn sample(raw: impl Into<Vec<u8>>, content: &[u8]) -> Sample {
    Sample {
        info: wire::Info::from_bytes(raw.into()).unwrap().into(),
        bytes: content.into(),
    }
}

#[test]
fn a_name_that_is_too_long_is_shortened_and_fetched() {
    let desk = Desk::new();
    let content = b"content";
    let name = "n".repeat(300);
    let head = format!("d6:lengthi7e4:name300:{name}12:piece lengthi16384e6:pieces20:");
    let raw = [head.as_bytes(), &Sha1::digest(content)[..], b"e"].concat();
    let sample = sample(raw, content);
    let peer = FakePeer::honest(&sample);

    let get = desk.get(&sample.info_hash(), &peer.address(), &[]);
    get.assert_done();
    let arrived = tree(&desk.path("out"));
    let [(name, bytes)] = arrived.iter().collect::<Vec<_>>()[..] else {
        panic!("{:?}", arrived.keys())
    };
    assert_eq!(bytes, content);
    let name = name.to_str().unwrap();
    assert!(name.len() <= 255 && name.starts_with("nnnn"), "{name}");
}

/// Each name is short enough, and their sum is longer than any path may be.
#[test]
fn a_path_that_the_file_system_does_not_take_ends_with_a_sentence() {
    let desk = Desk::new();
    let long = "d".repeat(250);
    let raw = files(&file(&vec![&*long; 20]));
    let raw = raw
        .strip_prefix("d4:info")
        .unwrap()
        .strip_suffix('e')
        .unwrap();
    let sample = sample(raw, b"x");
    let peer = FakePeer::honest(&sample);
    let get = desk.get(&sample.info_hash(), &peer.address(), &[]);
    get.assert_refused(6, &["refuses the name", "out/dir/ddd"]);
    let left: Vec<_> = fs::read_dir(desk.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| name == "out" || name.to_str().unwrap().starts_with("state")),
        "{left:?}"
    );
}
