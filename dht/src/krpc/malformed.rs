//! Every message of BEP 5 with each of its fields missing, wrong, twice, and beside fields that nobody knows.

use super::*;

/// Longer than any field may be, in the longest datagram there is.
const HUGE: usize = 65_000;

/// What becomes of a message that lacks a field or has a wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    /// Nobody can be answered.
    Nothing,
    /// Its sender can be told that his query is malformed.
    Refused,
    /// It answers nothing.
    NoAnswer,
    /// It is read without the field.
    Ignored,
}

#[derive(Clone)]
struct Field {
    key: &'static str,
    good: Vec<u8>,
    bad: Vec<Vec<u8>>,
    without: Without,
}

impl Field {
    fn new(key: &'static str, good: impl Into<Vec<u8>>, without: Without) -> Self {
        let (good, bad) = (good.into(), Vec::new());
        Self {
            key,
            good,
            bad,
            without,
        }
    }

    /// A field that holds no integer, list or dictionary, nor these strings.
    fn string(key: &'static str, good: &[u8], bad: &[usize], without: Without) -> Self {
        let bad = bad.iter().map(|&length| text(&vec![b'x'; length]));
        Self {
            bad: [b"i7e".to_vec(), b"le".to_vec(), b"de".to_vec()]
                .into_iter()
                .chain(bad)
                .collect(),
            ..Self::new(key, text(good), without)
        }
    }

    fn bad(self, bad: &[&[u8]]) -> Self {
        Self {
            bad: bad.iter().map(|bad| bad.to_vec()).collect(),
            ..self
        }
    }
}

/// A message in two dictionaries, the outer one and the one of arguments or return values.
struct Specimen {
    name: &'static str,
    outer: Vec<Field>,
    inner: Option<(&'static str, Vec<Field>, Without)>,
}

impl Specimen {
    fn query(method: &'static str, arguments: Vec<Field>) -> Self {
        let outer = vec![
            Field::string("q", method.as_bytes(), &[], Without::Refused),
            Field::new("ro", "i1e", Without::Ignored).bad(&[b"i2e", b"1:1", b"le", b"de"]),
            Field::string("t", b"aa", &[21, HUGE], Without::Nothing),
            Field::string("v", b"TL01", &[0, 3, 5, HUGE], Without::Ignored),
            Field::string("y", b"q", &[0, 2, HUGE], Without::Nothing),
        ];
        let mut inner = vec![id_field("id", Without::Refused)];
        inner.extend(arguments);
        Self {
            name: method,
            outer,
            inner: Some(("a", inner, Without::Refused)),
        }
    }

    fn response(name: &'static str, values: Vec<Field>) -> Self {
        let outer = vec![
            Field::string(
                "ip",
                b"\x01\x02\x03\x04\x1a\xe1",
                &[0, 5, 7, 17, 19, HUGE],
                Without::Ignored,
            ),
            Field::string("t", b"aa", &[21, HUGE], Without::Nothing),
            Field::string("y", b"r", &[0, 2, HUGE], Without::Nothing),
        ];
        let mut inner = vec![id_field("id", Without::NoAnswer)];
        inner.extend(values);
        Self {
            name,
            outer,
            inner: Some(("r", inner, Without::NoAnswer)),
        }
    }

    fn error() -> Self {
        let bad: [&[u8]; 6] = [b"i201e", b"3:201", b"de", b"le", b"l3:201e", b"lli201eee"];
        let outer = vec![
            Field::new("e", "li201e5:sorrye", Without::NoAnswer).bad(&bad),
            Field::string("t", b"aa", &[21, HUGE], Without::Nothing),
            Field::string("y", b"e", &[0, 2, HUGE], Without::Nothing),
        ];
        Self {
            name: "error",
            outer,
            inner: None,
        }
    }

    fn fields(&self) -> impl Iterator<Item = &Field> {
        let inner = self.inner.iter().flat_map(|(_, inner, _)| inner);
        self.outer.iter().chain(inner)
    }

    /// The datagram with each field as `change` wants it: any number of values of that key.
    fn packet(&self, change: impl Fn(&Field) -> Vec<Vec<u8>>) -> Vec<u8> {
        let entries = |fields: &[Field]| -> Vec<(&'static str, Vec<u8>)> {
            let values = fields.iter().map(|field| (field.key, change(field)));
            values
                .flat_map(|(key, values)| values.into_iter().map(move |value| (key, value)))
                .collect()
        };
        let mut outer = entries(&self.outer);
        if let Some((key, inner, _)) = &self.inner {
            outer.insert(0, (key, dictionary(&entries(inner))));
        }
        dictionary(&outer)
    }

    fn good(&self) -> Vec<u8> {
        self.packet(|field| vec![field.good.clone()])
    }

    /// The datagram with other values of one key.
    fn with(&self, key: &str, values: &[&[u8]]) -> Vec<u8> {
        self.packet(|field| {
            if field.key == key {
                values.iter().map(|value| value.to_vec()).collect()
            } else {
                vec![field.good.clone()]
            }
        })
    }
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [format!("{}:", bytes.len()).as_bytes(), bytes].concat()
}

fn dictionary(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = entries
        .iter()
        .flat_map(|(key, value)| [text(key.as_bytes()), value.clone()]);
    [b"d".to_vec(), entries.flatten().collect(), b"e".to_vec()].concat()
}

fn id_field(key: &'static str, without: Without) -> Field {
    Field::string(key, b"abcdefghij0123456789", &[0, 19, 21, HUGE], without)
}

fn specimens() -> Vec<Specimen> {
    let want = || {
        let bad: [&[u8]; 5] = [b"i4e", b"2:n4", b"de", b"le", b"li4ed2:n4leee"];
        Field::new("want", "l2:n42:n6e", Without::Ignored).bad(&bad)
    };
    let port: [&[u8]; 9] = [
        b"le", b"de", b"0:", b"1:x", b"2:-1", b"5:65536", b"i0e", b"i-1e", b"i65536e",
    ];
    let token = |without| Field::string("token", b"aoeusnth", &[256, HUGE], without);
    let compact_v4 = [&b"abcdefghij0123456789"[..], &[8, 8, 8, 8, 0x1a, 0xe1]].concat();
    let compact_v6 = [&b"abcdefghij0123456789"[..], &[0x20; 18]].concat();
    let nodes = || {
        vec![
            Field::string("nodes", &compact_v4, &[], Without::Ignored),
            Field::string("nodes6", &compact_v6, &[], Without::Ignored),
        ]
    };
    let values: [&[u8]; 6] = [
        b"i1e",
        b"6:axje.u",
        b"de",
        b"le",
        b"li1ele4:axjee",
        b"l5:axje.7:axje.u.e",
    ];
    let mut peers = nodes();
    peers.push(token(Without::Ignored));
    peers.push(Field::new("values", "l6:axje.ue", Without::Ignored).bad(&values));
    vec![
        Specimen::query("ping", vec![]),
        Specimen::query(
            "find_node",
            vec![id_field("target", Without::Refused), want()],
        ),
        Specimen::query(
            "get_peers",
            vec![id_field("info_hash", Without::Refused), want()],
        ),
        Specimen::query(
            "announce_peer",
            vec![
                id_field("info_hash", Without::Refused),
                Field::new("port", "i6881e", Without::Refused).bad(&port),
                token(Without::Refused),
            ],
        ),
        Specimen::query(
            "get",
            vec![
                Field::new("seq", "i4e", Without::Ignored).bad(&[b"1:4", b"le", b"de"]),
                id_field("target", Without::Refused),
                want(),
            ],
        ),
        put(),
        Specimen::response("answer to ping", vec![]),
        Specimen::response("answer to find_node", nodes()),
        Specimen::response("answer to get_peers", peers),
        Specimen::error(),
    ]
}

/// A signed item. The version of the client has the same key as the value, and is left out.
fn put() -> Specimen {
    let refused = Without::Refused;
    let too_long = text(&[b'x'; 997]);
    let huge = text(&b"x".repeat(HUGE));
    let values: [&[u8]; 4] = [b"i04e", b"d1:bi1e1:ai1ee", &too_long, &huge];
    let mut put = Specimen::query(
        "put",
        vec![
            Field::string("k", &[b'k'; 32], &[0, 31, 33, HUGE], refused),
            Field::new("seq", "i4e", refused).bad(&[b"1:4", b"le", b"de"]),
            Field::string("sig", &[b's'; 64], &[0, 63, 65, HUGE], refused),
            Field::string("token", b"aoeusnth", &[256, HUGE], refused),
            Field::new("v", "5:hello", refused).bad(&values),
        ],
    );
    put.outer.retain(|field| field.key != "v");
    put
}

/// What became of a datagram.
fn fate(packet: &[u8]) -> Result<Message, Without> {
    match decode(packet) {
        Ok(message) => Ok(message),
        Err(DecodeError::Query { transaction, .. }) => {
            assert_eq!(transaction.as_bytes(), b"aa");
            Err(Without::Refused)
        }
        Err(DecodeError::Answer(_)) => Err(Without::NoAnswer),
        Err(DecodeError::Envelope(_)) => Err(Without::Nothing),
        Err(DecodeError::Bencode(error)) => panic!("{error}: {}", packet.escape_ascii()),
    }
}

/// For each field of each message, and each way in which it can be wrong.
fn each(check: impl Fn(&Specimen, &Field)) {
    for specimen in specimens() {
        assert!(fate(&specimen.good()).is_ok(), "{}", specimen.name);
        specimen.fields().for_each(|field| check(&specimen, field));
    }
}

#[test]
fn a_field_that_is_missing() {
    each(|specimen, field| {
        let good = fate(&specimen.good());
        let fate = fate(&specimen.with(field.key, &[]));
        let name = (specimen.name, field.key);
        match field.without {
            Without::Ignored => assert!(fate.is_ok() && fate != good, "{name:?}"),
            without => assert_eq!(fate, Err(without), "{name:?}"),
        }
    });
}

#[test]
fn a_field_of_the_wrong_type_too_long_or_too_short() {
    each(|specimen, field| {
        let missing = fate(&specimen.with(field.key, &[]));
        for bad in &field.bad {
            let shown = bad.get(..40).unwrap_or(bad).escape_ascii();
            assert_eq!(
                fate(&specimen.with(field.key, &[bad.as_slice()])),
                missing,
                "{} with {} {shown}",
                specimen.name,
                field.key
            );
        }
    });
}

#[test]
fn a_field_that_comes_twice_counts_as_one_of_the_two() {
    each(|specimen, field| {
        let good = fate(&specimen.good());
        for bad in &field.bad {
            let alone = fate(&specimen.with(field.key, &[bad.as_slice()]));
            let (good_value, bad_value) = (field.good.as_slice(), bad.as_slice());
            for values in [[bad_value, good_value], [good_value, bad_value]] {
                let both = fate(&specimen.with(field.key, &values));
                assert!(
                    both == good || both == alone,
                    "{} with {} twice",
                    specimen.name,
                    field.key
                );
            }
        }
    });
}

#[test]
fn fields_that_nobody_knows_change_nothing() {
    for specimen in specimens() {
        let good = fate(&specimen.good());
        let huge = text(&vec![b'x'; HUGE]);
        for extra in [&b"i7e"[..], b"le", b"de", b"0:", b"ld1:xi1eee", &huge] {
            // Before and behind what is known, in both dictionaries.
            for key in ["A", "zz"] {
                let mut outer = specimen.outer.clone();
                outer.push(Field::new(key, extra, Without::Ignored));
                let mut inner = specimen.inner.clone();
                if let Some((_, inner, _)) = &mut inner {
                    inner.insert(0, Field::new(key, extra, Without::Ignored));
                }
                let name = specimen.name;
                let longer = Specimen {
                    name,
                    outer,
                    inner: specimen.inner.clone(),
                };
                assert_eq!(fate(&longer.good()), good, "{name}");
                let deeper = Specimen {
                    name,
                    outer: specimen.outer.clone(),
                    inner,
                };
                assert_eq!(fate(&deeper.good()), good, "{name}");
            }
        }
    }
}

#[test]
fn arguments_and_return_values_that_are_no_dictionary() {
    for specimen in specimens() {
        let Some((key, _, without)) = &specimen.inner else {
            continue;
        };
        let outer = |value: Option<&[u8]>| {
            let fields = specimen
                .outer
                .iter()
                .map(|field| (field.key, field.good.clone()));
            let value = value.map(|value| (*key, value.to_vec()));
            dictionary(&value.into_iter().chain(fields).collect::<Vec<_>>())
        };
        for value in [
            None,
            Some(&b"i7e"[..]),
            Some(b"le"),
            Some(b"0:"),
            Some(b"de"),
        ] {
            assert_eq!(fate(&outer(value)), Err(*without), "{}", specimen.name);
        }
    }
}

#[test]
fn a_cut_datagram_is_none() {
    for specimen in specimens() {
        let good = specimen.good();
        for length in 0..good.len() {
            let cut = good.get(..length).unwrap_or_default();
            assert!(
                matches!(decode(cut), Err(DecodeError::Bencode(_))),
                "{}",
                cut.escape_ascii()
            );
        }
    }
}

#[test]
fn the_longest_datagrams_there_are() {
    let many = |unit: &[u8]| unit.repeat(HUGE / unit.len());
    let nested = [many(b"d1:a"), many(b"e")].concat();
    for packet in [
        many(b"l"),
        many(b"d"),
        many(b"i"),
        many(b"9"),
        many(b"0:"),
        many(b"\0"),
        nested,
    ] {
        assert!(matches!(decode(&packet), Err(DecodeError::Bencode(_))));
    }
    // As many entries as fit are read and mostly not kept.
    let list = |entry: &[u8]| [b"l".to_vec(), many(entry), b"e".to_vec()].concat();
    for (key, value) in [
        ("values", list(b"6:axje.u")),
        ("nodes", text(&vec![b'x'; HUGE])),
        ("nodes6", text(&vec![b'x'; HUGE])),
        ("want", list(b"2:n4")),
    ] {
        for specimen in specimens() {
            if specimen.fields().any(|field| field.key == key) {
                let message = fate(&specimen.with(key, &[&value])).expect("a message");
                assert!(
                    encoded_length(&message) < 3000,
                    "{} with {key}",
                    specimen.name
                );
            }
        }
    }
}
