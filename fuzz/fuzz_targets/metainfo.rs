//! Any .torrent file: what is accepted can be created on disk, adds up, and is written back with the same info-hash.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use wire::{Info, InfoHash, MAX_NAME_LENGTH, MAX_PIECES, Metainfo};

fuzz_target!(|input: &[u8]| {
    if let Ok(info) = Info::from_bytes(input.to_vec()) {
        assert_eq!(info.raw(), input);
        check(&info);
    }
    let Ok(metainfo) = Metainfo::from_bytes(input.to_vec()) else {
        return;
    };
    check(&metainfo.info);
    let written = metainfo.to_bytes();
    let again = Metainfo::from_bytes(written).expect("what is written is read");
    assert_eq!(again.info.hash(), metainfo.info.hash());
    assert_eq!(again.info.raw(), metainfo.info.raw());
    assert_eq!(again.nodes, metainfo.nodes);
    assert_eq!(again.trackers, metainfo.trackers);
    assert_eq!(again.comment, metainfo.comment);
    assert_eq!(again.created_by, metainfo.created_by);
    assert_eq!(again.creation_date, metainfo.creation_date);
});

fn check(info: &Info) {
    assert_eq!(info.hash(), InfoHash::of(info.raw()));
    check_name(info.name());

    let mut offset = 0;
    let mut files = HashSet::new();
    let mut directories = HashSet::new();
    for file in info.files() {
        assert_eq!(file.offset, offset);
        offset += file.length;
        let components: Vec<_> = file.components().collect();
        assert_eq!(components.is_empty(), info.is_single_file());
        if file.padding {
            continue;
        }
        components.iter().copied().for_each(check_name);
        assert_eq!(components.join("/"), file.path());
        assert!(
            files.insert(components.clone()),
            "{} is there twice",
            file.path()
        );
        directories.extend((1..components.len()).map(|depth| components[..depth].to_vec()));
    }
    assert!(!info.files().is_empty());
    assert!(
        files.is_disjoint(&directories),
        "a file is a directory, too"
    );

    let geometry = info.geometry();
    assert_eq!((geometry.total(), info.total_length()), (offset, offset));
    assert!(geometry.pieces() <= MAX_PIECES);
    assert!((0..geometry.pieces()).all(|piece| info.piece_hash(piece).is_some()));
    assert!(info.piece_hash(geometry.pieces()).is_none());
}

fn check_name(name: &str) {
    assert!((1..=MAX_NAME_LENGTH).contains(&name.len()), "{name:?}");
    assert!(name != "." && name != "..", "{name:?}");
    assert!(
        !name.contains(['/', '\\']) && !name.contains(char::is_control),
        "{name:?}"
    );
}
