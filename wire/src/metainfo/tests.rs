use super::*;
use crate::{GeometryError, InfoHash};
use proptest::prelude::*;

/// A single-file info dictionary with these entries, in the order of their keys, and one piece hash.
fn single(length: &str, name: &str, piece_length: &str, pieces: usize) -> Vec<u8> {
    let mut info = format!(
        "d6:length{length}4:name{}:{name}12:piece length{piece_length}6:pieces{pieces}:",
        name.len()
    )
    .into_bytes();
    info.resize(info.len() + pieces, b'h');
    info.push(b'e');
    info
}

/// A multi-file info dictionary of these bencoded entries, with a hash for one piece.
fn multiple(files: &str) -> Vec<u8> {
    let mut info =
        format!("d5:filesl{files}e4:name1:x12:piece lengthi16384e6:pieces20:").into_bytes();
    info.extend([b'h'; 20]);
    info.push(b'e');
    info
}

fn file(components: &[&str], length: i64) -> String {
    let strings = components
        .iter()
        .map(|component| format!("{}:{component}", component.len()));
    let path = strings.collect::<Vec<_>>().concat();
    format!("d6:lengthi{length}e4:pathl{path}ee")
}

fn refusal(info: Vec<u8>) -> String {
    Info::from_bytes(info)
        .expect_err("it is to be refused")
        .to_string()
}

#[test]
fn a_single_file_is_read() {
    let raw = single("i20000e", "a.bin", "i16384e", 40);
    let info = Info::from_bytes(raw.clone()).unwrap();
    assert_eq!(info.hash(), InfoHash::of(&raw));
    assert_eq!(info.raw(), &raw);
    assert_eq!((info.name(), info.total_length()), ("a.bin", 20_000));
    assert_eq!((info.is_single_file(), info.is_private()), (true, false));
    assert_eq!(info.geometry().pieces(), 2);
    assert_eq!(info.piece_hash(1), Some(&[b'h'; 20]));
    assert_eq!(info.piece_hash(2), None);
    assert_eq!(info.files().len(), 1);
    assert_eq!(info.files()[0].components().count(), 0);
}

#[test]
fn several_files_follow_each_other_and_padding_is_marked() {
    let padding = "d4:attr1:p6:lengthi84e4:pathl4:.pad2:84ee";
    let files = [
        &file(&["d", "one"], 100),
        padding,
        &file(&["d", "two"], 0),
        padding,
        &file(&[".pad", "x"], 7),
    ];
    let info = Info::from_bytes(multiple(&files.concat())).unwrap();
    let files: Vec<_> = info
        .files()
        .iter()
        .map(|file| (file.path(), file.offset, file.length, file.padding))
        .collect();
    assert_eq!(
        files,
        [
            ("d/one", 0, 100, false),
            (".pad/84", 100, 84, true),
            ("d/two", 184, 0, false),
            (".pad/84", 184, 84, true),
            (".pad/x", 268, 7, false),
        ]
    );
    assert!(info.files()[0].components().eq(["d", "one"]));
    assert!(!info.is_single_file());
}

#[test]
fn blocks_that_are_nothing_but_padding_need_not_be_fetched() {
    let padding = |length: u32| format!("d4:attr1:p6:lengthi{length}ee");
    // Pieces of four blocks: content, content and padding, padding alone, padding between two files, and the last of one byte.
    let files = [
        file(&["a"], 5 * 16_384 + 1),
        padding(3 * 65_536 - 5 * 16_384 - 1),
        file(&["b"], 20_000),
        padding(65_536 - 20_000 - 10),
        file(&["c"], 10),
        file(&["d"], 1),
    ];
    let files = format!("d5:filesl{}e", files.concat());
    let rest = format!(
        "4:name1:x12:piece lengthi65536e6:pieces100:{}e",
        "h".repeat(100)
    );
    let info = Info::from_bytes((files + &rest).into_bytes()).unwrap();
    let blocks: Vec<_> = (0..6).map(|piece| info.blocks_to_fetch(piece)).collect();
    assert_eq!(blocks, [4, 2, 1, 4, 1, 0]);
}

#[test]
fn symbolic_links_need_no_length_and_padding_no_path() {
    let files = "d4:attr1:l4:pathl1:aee d4:attr1:p6:lengthi3ee".replace(' ', "");
    let info = Info::from_bytes(multiple(&(files + &file(&["b"], 1)))).unwrap();
    assert_eq!((info.files()[0].length, info.total_length()), (0, 4));
}

#[test]
fn an_empty_file_is_a_torrent_without_pieces() {
    let info = Info::from_bytes(single("i0e", "empty", "i16384e", 0)).unwrap();
    assert_eq!((info.geometry().pieces(), info.total_length()), (0, 0));
}

#[test]
fn names_in_utf_8_go_before_names_in_anything_else() {
    let mut info = b"d5:filesld6:lengthi1e4:pathl1:\xe9e10:path.utf-8l2:\xc3\xa9eee".to_vec();
    info.extend(
        b"4:name1:\xe910:name.utf-82:\xc3\xa912:piece lengthi1e6:pieces20:hhhhhhhhhhhhhhhhhhhhe",
    );
    let info = Info::from_bytes(info).unwrap();
    assert_eq!((info.name(), info.files()[0].path()), ("é", "é"));
}

#[test]
fn the_v1_part_of_a_hybrid_torrent_is_used() {
    let v2 = b"d9:file treede12:meta versioni2e4:name1:x12:piece lengthi16384ee";
    assert_eq!(
        Info::from_bytes(&v2[..]).unwrap_err(),
        MetainfoError::OnlyV2
    );
    let hybrid = b"d9:file treede6:lengthi1e12:meta versioni2e4:name1:x12:piece lengthi16384e6:pieces20:hhhhhhhhhhhhhhhhhhhhe";
    assert_eq!(Info::from_bytes(&hybrid[..]).unwrap().total_length(), 1);
}

#[test]
fn numbers_that_make_no_torrent_are_refused_with_a_sentence() {
    let billion = "i1000000000e";
    for (length, piece_length, pieces, sentence) in [
        (
            "i-1e",
            "i16384e",
            20,
            "the file \"f\" in the torrent has a negative length (-1)",
        ),
        (
            "3:big",
            "i16384e",
            20,
            "the file \"f\" in the torrent has no length",
        ),
        (
            "i1e",
            "i0e",
            20,
            "the torrent cannot be cut into pieces: a piece length of 0 bytes is not between 1 and 268435456",
        ),
        (
            "i1e",
            "i-5e",
            20,
            "the torrent cannot be cut into pieces: a piece length of 0 bytes is not between 1 and 268435456",
        ),
        (
            "i1e",
            "i268435457e",
            20,
            "the torrent cannot be cut into pieces: a piece length of 268435457 bytes is not between 1 and 268435456",
        ),
        (
            "i1e",
            "le",
            20,
            "`piece length` in the torrent is not a number",
        ),
        (
            "i1e",
            "i16384e",
            21,
            "the piece hashes take 21 bytes, which is not a multiple of 20",
        ),
        (
            "i1e",
            "i16384e",
            0,
            "the torrent has 0 piece hashes, but its length makes 1 pieces",
        ),
        (
            "i16385e",
            "i16384e",
            20,
            "the torrent has 1 piece hashes, but its length makes 2 pieces",
        ),
        (
            "i1e",
            "i16384e",
            40,
            "the torrent has 2 piece hashes, but its length makes 1 pieces",
        ),
        (
            billion,
            "i1e",
            20,
            "the torrent cannot be cut into pieces: 1000000000 pieces are more than the 2097152 that are supported",
        ),
    ] {
        assert_eq!(refusal(single(length, "f", piece_length, pieces)), sentence);
    }
    assert!(matches!(
        Info::from_bytes(single("i9223372036854775808e", "f", "i1e", 20)),
        Err(MetainfoError::Bencode(
            bencode::Error::IntegerOverflow { .. }
        ))
    ));
    let huge = [["a"], ["b"], ["c"]]
        .map(|path| file(&path, i64::MAX))
        .concat();
    assert_eq!(
        refusal(multiple(&huge)),
        "the torrent is too long: with the file \"c\" its length exceeds 64 bits"
    );
    assert_eq!(
        Info::from_bytes(multiple(&file(&["a"], i64::MAX))).unwrap_err(),
        MetainfoError::Geometry(GeometryError::TooManyPieces(1 << 49))
    );
}

#[test]
fn missing_parts_are_named() {
    for (info, sentence) in [
        (&b"de"[..], "the torrent has no `pieces`"),
        (b"d6:pieces0:e", "the torrent has no `name`"),
        (
            b"d4:name1:x6:pieces0:e",
            "the file \"x\" in the torrent has no length",
        ),
        (
            b"d6:lengthi0e4:name1:x6:pieces0:e",
            "the torrent has no `piece length`",
        ),
        (
            b"d4:name1:x6:piecesi3ee",
            "`pieces` in the torrent is not a string",
        ),
        (
            b"d5:files1:a4:name1:x6:pieces0:e",
            "`files` in the torrent is not a list",
        ),
        (
            b"d5:filesle4:name1:x6:pieces0:e",
            "the torrent has no files",
        ),
        (
            b"d5:filesli1ee4:name1:x6:pieces0:e",
            "this is not a torrent: an entry of its `files` is not a dictionary",
        ),
        (
            b"d5:filesld6:lengthi1eee4:name1:x6:pieces0:e",
            "file 1 of the torrent has no path",
        ),
        (
            b"d5:filesld6:lengthi1e4:pathleee4:name1:x6:pieces0:e",
            "file 1 of the torrent has no path",
        ),
        (
            b"d5:filesld6:lengthi1e4:pathli1eeee4:name1:x6:pieces0:e",
            "file 1 of the torrent has no path",
        ),
        (
            b"d5:filesld4:pathl1:aeee4:name1:x6:pieces0:e",
            "the file \"a\" in the torrent has no length",
        ),
        (
            b"le",
            "this is not a torrent: the info dictionary is not a dictionary",
        ),
    ] {
        assert_eq!(refusal(info.to_vec()), sentence, "{}", info.escape_ascii());
    }
}

#[test]
fn names_that_climb_are_refused_by_name() {
    for (name, problem) in [
        ("..", "would lead out of its directory"),
        (".", "would lead out of its directory"),
        ("", "is empty"),
        ("/etc/passwd", "contains a path separator"),
        ("a/../../b", "contains a path separator"),
        ("..\\b", "contains a path separator"),
        ("a\0b", "contains a NUL character"),
        ("a\nb", "contains a control character"),
        ("a\u{7f}", "contains a control character"),
    ] {
        let sentence = format!("the torrent is refused: its file name {name:?} {problem}");
        assert_eq!(refusal(single("i1e", name, "i16384e", 20)), sentence);
        assert_eq!(refusal(multiple(&file(&["d", name], 1))), sentence);
        assert_eq!(refusal(multiple(&file(&[name, "f"], 1))), sentence);
    }
}

#[test]
fn a_hostile_name_does_not_flood_the_message() {
    let sentence = refusal(single("i1e", &"/".repeat(100_000), "i16384e", 20));
    assert!(sentence.len() < 200, "{sentence}");
}

#[test]
fn files_that_cannot_stand_side_by_side_are_refused() {
    let files = |paths: &[&[&str]]| paths.iter().map(|path| file(path, 1)).collect::<String>();
    assert_eq!(
        refusal(multiple(&files(&[&["d", "a"], &["b"], &["d", "a"]]))),
        "the torrent is refused: it has two files \"d/a\""
    );
    for paths in [
        &[&["d", "a"][..], &["d!"], &["d-", "c"], &["d"]][..],
        &[&["d"], &["d-"], &["d", "a", "b"]],
    ] {
        assert_eq!(
            refusal(multiple(&files(paths))),
            "the torrent is refused: \"d\" is a file and a directory at once"
        );
    }
    let side_by_side = files(&[&["d", "a"], &["d-a"], &["da"], &["d", "a-"]]);
    assert!(Info::from_bytes(multiple(&side_by_side)).is_ok());
}

#[test]
fn long_names_of_two_files_stay_two_files() {
    let (one, two) = ("a".repeat(400) + "1", "a".repeat(400) + "2");
    let files = [one, two].map(|name| file(&[&name], 1)).concat();
    let info = Info::from_bytes(multiple(&files)).unwrap();
    let paths: Vec<_> = info.files().iter().map(File::path).collect();
    assert_eq!(paths.iter().map(|path| path.len()).max(), Some(255));
    assert_ne!(paths[0], paths[1]);
}

#[test]
fn nesting_of_a_hundred_thousand_levels_is_refused() {
    let deep = format!("d4:info{}{}e", "l".repeat(100_000), "e".repeat(100_000));
    let error = Metainfo::from_bytes(deep).unwrap_err();
    assert!(matches!(
        error,
        MetainfoError::Bencode(bencode::Error::TooDeep { .. })
    ));
    assert_eq!(
        error.to_string(),
        "the torrent is damaged: the list or dictionary at byte 38 is nested more than 32 levels deep"
    );
}

#[test]
fn a_hundred_thousand_pieces_and_files_are_read() {
    let info = InfoBuilder::single_file("x", 100_000 * 16_384)
        .piece_length(16_384)
        .build(&vec![[1; 20]; 100_000]);
    assert_eq!(info.unwrap().geometry().pieces(), 100_000);

    let files: Vec<_> = (0..100_000)
        .map(|index| (format!("{}/{index}", index % 777), 1))
        .collect();
    let info = InfoBuilder::multiple_files("x", files).build(&[[0; 20]; 7]);
    assert_eq!(info.unwrap().files().len(), 100_000);
}

#[test]
fn a_torrent_file_is_read_with_all_its_advice() {
    let info = String::from_utf8(single("i1e", "x", "i16384e", 20)).unwrap();
    // Of the nodes, the last three make no sense.
    let file = format!(
        "d8:announce5:udp:013:announce-listll5:udp:1el5:udp:25:udp:3ee7:comment2:hi10:created by1:c13:creation datei7e\
         4:info{info}5:nodesll4:hosti6881eel3:::1i1eel4:porti0ee1:xll1:aeeee"
    );
    let metainfo = Metainfo::from_bytes(file).unwrap();
    assert_eq!(metainfo.info.name(), "x");
    assert_eq!(metainfo.trackers, ["udp:1", "udp:2", "udp:3"]);
    let nodes: Vec<_> = metainfo.nodes.iter().map(HostPort::to_string).collect();
    assert_eq!(nodes, ["host:6881", "[::1]:1"]);
    assert_eq!(metainfo.comment.as_deref(), Some("hi"));
    assert_eq!(metainfo.created_by.as_deref(), Some("c"));
    assert_eq!(metainfo.creation_date, Some(7));
}

#[test]
fn what_is_not_a_torrent_file_is_refused() {
    let error = |bytes: &'static [u8]| Metainfo::from_bytes(bytes).unwrap_err();
    assert!(matches!(error(b"<html>"), MetainfoError::Bencode(_)));
    assert!(matches!(error(b""), MetainfoError::Bencode(_)));
    assert!(matches!(error(b"dei"), MetainfoError::Bencode(_)));
    assert_eq!(error(b"i1e"), MetainfoError::NotADictionary("its content"));
    assert_eq!(error(b"de"), MetainfoError::Missing("info"));
}

#[test]
fn an_info_dictionary_that_is_not_canonical_keeps_its_bytes() {
    let raw = b"d6:pieces20:hhhhhhhhhhhhhhhhhhhh4:name1:x12:piece lengthi016384e6:lengthi1ee";
    let info = Info::from_bytes(&raw[..]).unwrap();
    let file = Metainfo::new(Arc::new(info)).to_bytes();
    let again = Metainfo::from_bytes(file).unwrap();
    assert_eq!(again.info.raw(), &raw[..]);
    assert_eq!(again.info.hash(), InfoHash::of(raw));
}

/// Info dictionaries as another encoder writes them.
mod oracle {
    use serde::Serialize;
    use serde_bytes::ByteBuf;

    #[derive(Serialize)]
    pub(super) struct Info {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) files: Option<Vec<File>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) length: Option<u64>,
        pub(super) name: String,
        #[serde(rename = "piece length")]
        pub(super) piece_length: u32,
        pub(super) pieces: ByteBuf,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(super) private: Option<u8>,
    }

    #[derive(Serialize)]
    pub(super) struct File {
        pub(super) length: u64,
        pub(super) path: Vec<String>,
    }
}

proptest! {
    #[test]
    fn what_is_made_here_is_what_another_encoder_makes(
        name in "[a-zé]{1,10}", piece_length in 1u32..100, is_private: bool,
        files in prop::option::of(prop::collection::btree_map("[0-9]{1,3}(/[a-z]{1,3}){0,2}", 0u64..200, 1..8)),
        length in 0u64..2_000,
    ) {
        let builder = match &files {
            Some(files) => InfoBuilder::multiple_files(&name, files.clone().into_iter().collect()),
            None => InfoBuilder::single_file(&name, length),
        };
        let builder = builder.piece_length(piece_length).private(is_private);
        let hashes: Vec<_> = (0..builder.geometry().unwrap().pieces()).map(|piece| [piece as u8; 20]).collect();
        let made = builder.build(&hashes);
        prop_assume!(!matches!(made, Err(MetainfoError::FileIsDirectory(_))));
        let made = made.unwrap();

        let expected = oracle::Info {
            files: files.is_some().then(|| {
                let file = |(path, length): &(String, u64)| oracle::File {
                    length: *length,
                    path: path.split('/').map(str::to_owned).collect(),
                };
                builder.files().iter().map(file).collect()
            }),
            length: files.is_none().then_some(length),
            name: name.clone(),
            piece_length,
            pieces: hashes.concat().into(),
            private: is_private.then_some(1),
        };
        prop_assert_eq!(made.raw(), &serde_bencode::to_bytes(&expected).unwrap());
        prop_assert_eq!(made.name(), name);
        prop_assert_eq!(made.is_private(), is_private);
    }

    #[test]
    fn a_torrent_file_reads_back_as_it_was_written(
        trackers in prop::collection::vec("[a-z:/]{1,9}", 0..3), comment: Option<String>, created_by: Option<String>,
        creation_date: Option<i64>, nodes in prop::collection::vec((any::<std::net::IpAddr>(), 1u16..), 0..3),
    ) {
        let nodes = nodes.iter().map(|(ip, port)| HostPort::new(&ip.to_string(), *port).unwrap()).collect();
        let info = Arc::new(Info::from_bytes(single("i1e", "x", "i16384e", 20)).unwrap());
        let metainfo = Metainfo { info, nodes, trackers, comment, created_by, creation_date };
        let bytes = metainfo.to_bytes();
        prop_assert!(bencode::decode(&bytes).unwrap().is_canonical());
        let again = Metainfo::from_bytes(bytes).unwrap();
        prop_assert_eq!(again.info.raw(), metainfo.info.raw());
        prop_assert_eq!(
            (again.nodes, again.trackers, again.comment, again.created_by, again.creation_date),
            (metainfo.nodes, metainfo.trackers, metainfo.comment, metainfo.created_by, metainfo.creation_date)
        );
    }

    #[test]
    fn no_damage_makes_the_reader_panic_or_a_torrent_unsafe(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in 0usize..20,
    ) {
        let files = [file(&["d", "a.b"], 3), file(&["..."], 0), file(&["c"], 16_000)].concat();
        let mut bytes = multiple(&files);
        bytes.truncate(bytes.len() - cut.saturating_sub(10));
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = Metainfo::from_bytes(bytes.clone());
        if let Ok(info) = Info::from_bytes(bytes) {
            let mut offset = 0;
            for file in info.files() {
                prop_assert_eq!(file.offset, offset);
                offset += file.length;
                prop_assert!(file.components().all(|name| name != ".." && name != "." && !name.is_empty()));
            }
            prop_assert_eq!(offset, info.total_length());
            let last = info.geometry().pieces().checked_sub(1);
            prop_assert!(last.is_none_or(|last| info.piece_hash(last).is_some()));
        }
    }
}
