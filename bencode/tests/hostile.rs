//! Input that nobody writes by accident: each gets the error that names what is wrong and where.

use bencode::{Defect, Error, MAX_DEPTH, decode, decode_prefix};

#[test]
fn what_is_not_bencode_is_refused_with_its_place() {
    let cases: &[(&[u8], Error)] = &[
        (b"", Error::UnexpectedEnd { offset: 0 }),
        (
            b"x",
            Error::UnexpectedByte {
                offset: 0,
                byte: b'x',
            },
        ),
        (
            b"e",
            Error::UnexpectedByte {
                offset: 0,
                byte: b'e',
            },
        ),
        (
            b"\xff",
            Error::UnexpectedByte {
                offset: 0,
                byte: 0xff,
            },
        ),
        (
            b" i1e",
            Error::UnexpectedByte {
                offset: 0,
                byte: b' ',
            },
        ),
        // Integers
        (b"ie", Error::InvalidInteger { offset: 0 }),
        (b"i-e", Error::InvalidInteger { offset: 0 }),
        (b"i--1e", Error::InvalidInteger { offset: 0 }),
        (b"i+1e", Error::InvalidInteger { offset: 0 }),
        (b"i e", Error::InvalidInteger { offset: 0 }),
        (b"i 1e", Error::InvalidInteger { offset: 0 }),
        (b"i1 e", Error::InvalidInteger { offset: 0 }),
        (b"i1.5e", Error::InvalidInteger { offset: 0 }),
        (b"i0x10e", Error::InvalidInteger { offset: 0 }),
        (b"i1-e", Error::InvalidInteger { offset: 0 }),
        (b"li1ei2:e", Error::InvalidInteger { offset: 4 }),
        (b"i", Error::UnexpectedEnd { offset: 1 }),
        (b"i-", Error::UnexpectedEnd { offset: 2 }),
        (b"i42", Error::UnexpectedEnd { offset: 3 }),
        (
            b"i9223372036854775808e",
            Error::IntegerOverflow { offset: 0 },
        ),
        (
            b"i-9223372036854775809e",
            Error::IntegerOverflow { offset: 0 },
        ),
        (
            b"i18446744073709551616e",
            Error::IntegerOverflow { offset: 0 },
        ),
        (
            b"li99999999999999999999999999999999999999999ee",
            Error::IntegerOverflow { offset: 1 },
        ),
        // Strings
        (b"4:spa", Error::StringPastEnd { offset: 0, end: 5 }),
        (
            b"4294967295:spam",
            Error::StringPastEnd { offset: 0, end: 15 },
        ),
        (
            b"18446744073709551615:a",
            Error::StringPastEnd { offset: 0, end: 22 },
        ),
        (
            b"18446744073709551616:a",
            Error::StringPastEnd { offset: 0, end: 22 },
        ),
        (
            b"99999999999999999999999999999999:",
            Error::StringPastEnd { offset: 0, end: 33 },
        ),
        (
            b"d3:key4294967296:ve",
            Error::StringPastEnd { offset: 6, end: 19 },
        ),
        (b"4", Error::UnexpectedEnd { offset: 1 }),
        (b"4spam", Error::InvalidLength { offset: 0 }),
        (
            b"-1:a",
            Error::UnexpectedByte {
                offset: 0,
                byte: b'-',
            },
        ),
        (
            b"+1:a",
            Error::UnexpectedByte {
                offset: 0,
                byte: b'+',
            },
        ),
        (
            b":a",
            Error::UnexpectedByte {
                offset: 0,
                byte: b':',
            },
        ),
        (b"1 :a", Error::InvalidLength { offset: 0 }),
        // Lists and dictionaries
        (b"l", Error::UnexpectedEnd { offset: 1 }),
        (b"li1e", Error::UnexpectedEnd { offset: 4 }),
        (b"d", Error::UnexpectedEnd { offset: 1 }),
        (b"d1:a", Error::UnexpectedEnd { offset: 4 }),
        (b"d1:ai1e", Error::UnexpectedEnd { offset: 7 }),
        (b"d1:ae", Error::MissingValue { offset: 4 }),
        (b"d1:ai1e1:be", Error::MissingValue { offset: 10 }),
        (b"di1ei2ee", Error::KeyNotString { offset: 1 }),
        (b"dlei2ee", Error::KeyNotString { offset: 1 }),
        (b"d1:ai1ei2ei3ee", Error::KeyNotString { offset: 7 }),
        (b"d-1:ai1ee", Error::KeyNotString { offset: 1 }),
        // More than one value
        (b"i1ei2e", Error::TrailingBytes { offset: 3 }),
        (b"dee", Error::TrailingBytes { offset: 2 }),
        (b"0:\n", Error::TrailingBytes { offset: 2 }),
    ];
    for (input, error) in cases {
        assert_eq!(
            decode(input).err(),
            Some(*error),
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn nesting_ends_at_the_limit() {
    for depth in [1, MAX_DEPTH - 1, MAX_DEPTH] {
        let lists = [vec![b'l'; depth], vec![b'e'; depth]].concat();
        assert!(decode(&lists).is_ok(), "{depth} lists");
        let dicts = [b"d1:a".repeat(depth), b"le".to_vec(), vec![b'e'; depth]].concat();
        assert_eq!(
            decode(&dicts).is_ok(),
            depth < MAX_DEPTH,
            "{depth} dictionaries around a list"
        );
    }
    for depth in [MAX_DEPTH + 1, 1_075, 100_000] {
        let lists = [vec![b'l'; depth], vec![b'e'; depth]].concat();
        assert_eq!(
            decode(&lists).err(),
            Some(Error::TooDeep { offset: MAX_DEPTH }),
            "{depth} lists"
        );
        let open = vec![b'l'; depth];
        assert_eq!(
            decode(&open).err(),
            Some(Error::TooDeep { offset: MAX_DEPTH }),
            "{depth} lists left open"
        );
        let dicts = b"d1:a".repeat(depth);
        assert_eq!(
            decode(&dicts).err(),
            Some(Error::TooDeep {
                offset: 4 * MAX_DEPTH
            }),
            "{depth} dictionaries"
        );
    }
    let side_by_side = [b"l".to_vec(), b"le".repeat(100_000), b"e".to_vec()].concat();
    assert!(
        decode(&side_by_side).is_ok(),
        "many lists in one are not deep"
    );
}

#[test]
fn what_is_readable_but_not_canonical_is_named() {
    let cases: &[(&[u8], Option<Defect>)] = &[
        (b"i0e", None),
        (b"0:", None),
        (b"i10e", None),
        (b"10:0123456789", None),
        (b"d0:i1e1:ai2ee", None),
        (b"d1:ai1e2:aai2e1:bi3ee", None),
        (b"ld1:bi1eed1:ai2eee", None),
        (b"d1:ad1:zi1ee1:bi2ee", None),
        (b"i-0e", Some(Defect::NegativeZero { offset: 0 })),
        (b"i00e", Some(Defect::LeadingZero { offset: 0 })),
        (b"i03e", Some(Defect::LeadingZero { offset: 0 })),
        (b"i-03e", Some(Defect::LeadingZero { offset: 0 })),
        (b"i-00e", Some(Defect::LeadingZero { offset: 0 })),
        (b"00:", Some(Defect::LeadingZero { offset: 0 })),
        (b"01:a", Some(Defect::LeadingZero { offset: 0 })),
        (
            b"000000000000000000000000000000000001:a",
            Some(Defect::LeadingZero { offset: 0 }),
        ),
        (
            b"i0000000000000000000000000000000001e",
            Some(Defect::LeadingZero { offset: 0 }),
        ),
        (b"d01:ai1ee", Some(Defect::LeadingZero { offset: 1 })),
        (b"d1:bi1e1:ai2ee", Some(Defect::UnsortedKeys { offset: 7 })),
        (b"d1:ai1e0:i2ee", Some(Defect::UnsortedKeys { offset: 7 })),
        (
            b"d2:aai1e1:bi2e1:ai2ee",
            Some(Defect::UnsortedKeys { offset: 14 }),
        ),
        (b"d1:ai1e1:ai2ee", Some(Defect::DuplicateKey { offset: 7 })),
        (
            b"d1:bd1:xi1ee1:ai03ee",
            Some(Defect::UnsortedKeys { offset: 12 }),
        ),
        (
            b"d1:ai-0e1:ai03ee",
            Some(Defect::NegativeZero { offset: 4 }),
        ),
    ];
    for (input, defect) in cases {
        let document =
            decode(input).unwrap_or_else(|error| panic!("{}: {error}", input.escape_ascii()));
        assert_eq!(document.defect(), *defect, "{}", input.escape_ascii());
        assert_eq!(document.is_canonical(), defect.is_none());
    }
}

#[test]
fn the_bytes_after_a_value_are_handed_on() {
    let (document, piece) = decode_prefix(b"d8:msg_typei1e5:piecei0eel\x00e").unwrap();
    assert_eq!(
        document.root().as_dict().unwrap().integer(b"msg_type"),
        Some(1)
    );
    assert_eq!(piece, b"l\x00e");
    assert_eq!(decode_prefix(b"i1e").unwrap().1, b"");
    assert_eq!(
        decode_prefix(b"li1e").err(),
        Some(Error::UnexpectedEnd { offset: 4 })
    );
}

#[test]
fn messages_say_what_is_wrong_and_where() {
    let message = |input: &[u8]| decode(input).unwrap_err().to_string();
    assert_eq!(
        message(b"li1e"),
        "the bencoded data breaks off at byte 4, before its value is complete"
    );
    assert_eq!(
        message(b"<html>"),
        "no bencoded value starts with '<', found at byte 0"
    );
    assert_eq!(
        message(b"9:spam"),
        "the string at byte 0 claims to go on past the end of the data at byte 6"
    );
    assert_eq!(
        message(&[b'l'; 100]),
        "the list or dictionary at byte 32 is nested more than 32 levels deep"
    );
    assert_eq!(
        decode(b"d1:bi1e1:ai2ee")
            .unwrap()
            .defect()
            .unwrap()
            .to_string(),
        "the dictionary key at byte 7 should stand before the one in front of it"
    );
}
