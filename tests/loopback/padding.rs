//! Torrents whose files begin with pieces, because there is padding between them. BEP 47.

use std::fs;
use std::sync::Arc;

use sha1::{Digest, Sha1};
use wire::Info;

use crate::support::{Desk, FakePeer, Sample, noise};

const PIECE: usize = 65_536;

/// Two files, the second of which begins with the second piece.
fn padded() -> (Sample, Vec<u8>, Vec<u8>) {
    let (one, two) = (noise(80, 20_000), noise(81, 70_000));
    let mut bytes = one.clone();
    bytes.resize(PIECE, 0);
    bytes.extend(&two);
    let hashes: Vec<u8> = bytes.chunks(PIECE).flat_map(Sha1::digest).collect();
    let raw = [
        b"d5:filesld6:lengthi20000e4:pathl3:oneee\
          d4:attr1:p6:lengthi45536e4:pathl4:.pad5:45536ee\
          d6:lengthi70000e4:pathl3:twoeee\
          4:name5:album12:piece lengthi65536e6:pieces60:",
        &hashes[..],
        b"e",
    ];
    let info = Arc::new(Info::from_bytes(raw.concat()).unwrap());
    let bytes = bytes.into();
    (Sample { info, bytes }, one, two)
}

#[test]
fn padding_is_neither_asked_for_nor_written() {
    let desk = Desk::new();
    let (sample, one, two) = padded();
    let content = sample.clone();
    let peer = FakePeer::seeding(&sample, move |conversation, block| {
        // The second block of the first piece has the end of the file; the others of that piece are padding.
        assert!(block.piece > 0 || block.offset < 32_768, "{block:?}");
        conversation.serve(&content, block)
    });
    let hash = sample.info_hash();
    desk.get(&hash, &peer.address(), &[]).assert_done();
    assert!(fs::read(desk.path("out/album/one")).unwrap() == one);
    assert!(fs::read(desk.path("out/album/two")).unwrap() == two);
    let names = fs::read_dir(desk.path("out/album")).unwrap();
    assert_eq!(names.count(), 2);
}

#[test]
fn a_file_behind_padding_shares_no_piece_with_the_one_before() {
    let desk = Desk::new();
    let (sample, _, two) = padded();
    let peer = FakePeer::honest(&sample);
    let hash = sample.info_hash();
    let get = desk.get(&hash, &peer.address(), &["--select", "two"]);
    get.assert_done();
    assert!(fs::read(desk.path("out/album/two")).unwrap() == two);
    assert!(!desk.path("out/album/one").exists());
    let parts = fs::metadata(desk.path(format!("out/album/.{hash}.parts"))).unwrap();
    assert_eq!(parts.len(), 1, "nothing was needed of the other file");
    // Padding has a number, so that those of the files are what other programs call them, and a link (counted from 0) means the same.
    let list = desk.run(&["get", &hash, "--peer", &peer.address(), "--list"]);
    assert_eq!(list.event("files")["files"][1]["number"], 3);
}
