//! What is written is read back, byte for byte and value for value, and `serde_bencode` agrees.

use std::collections::{BTreeMap, HashMap};

use bencode::{DictEncoder, Encoder, Error, Value, decode, decode_prefix};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Integer(i64),
    Bytes(Vec<u8>),
    List(Vec<Tree>),
    Dict(BTreeMap<Vec<u8>, Tree>),
}

impl Tree {
    /// Takes the view apart through its whole surface; the first of two equal keys counts.
    fn read(value: Value<'_>) -> Self {
        match (
            value.as_integer(),
            value.as_bytes(),
            value.as_list(),
            value.as_dict(),
        ) {
            (Some(integer), None, None, None) => Self::Integer(integer),
            (None, Some(bytes), None, None) => Self::Bytes(bytes.to_vec()),
            (None, None, Some(list), None) => Self::List(list.iter().map(Self::read).collect()),
            (None, None, None, Some(dict)) => {
                let mut entries = BTreeMap::new();
                for (key, value) in dict {
                    entries
                        .entry(key.to_vec())
                        .or_insert_with(|| Self::read(value));
                    assert!(dict.get(key).is_some(), "a key that is listed is found");
                }
                Self::Dict(entries)
            }
            other => panic!("{value:?} is not of exactly one kind: {other:?}"),
        }
    }

    fn write(&self, encoder: &mut Encoder<'_>) {
        match self {
            Self::Integer(integer) => encoder.integer(*integer),
            Self::Bytes(bytes) => encoder.bytes(bytes),
            Self::List(list) => encoder.list(|elements| write_elements(list, elements)),
            Self::Dict(dict) => encoder.dict(|entries| write_entries(dict, entries)),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut buffer = Vec::new();
        self.write(&mut Encoder::new(&mut buffer));
        buffer
    }

    fn to_serde(&self) -> serde_bencode::value::Value {
        use serde_bencode::value::Value;
        match self {
            Self::Integer(integer) => Value::Int(*integer),
            Self::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Self::List(list) => Value::List(list.iter().map(Self::to_serde).collect()),
            Self::Dict(dict) => {
                let entries: HashMap<_, _> = dict
                    .iter()
                    .map(|(key, value)| (key.clone(), value.to_serde()))
                    .collect();
                Value::Dict(entries)
            }
        }
    }
}

fn write_elements(list: &[Tree], elements: &mut Encoder<'_>) {
    for element in list {
        element.write(elements);
    }
}

fn write_entries(dict: &BTreeMap<Vec<u8>, Tree>, entries: &mut DictEncoder<'_>) {
    for (key, value) in dict {
        match value {
            Tree::Integer(integer) => entries.integer(key, *integer),
            Tree::Bytes(bytes) => entries.bytes(key, bytes),
            Tree::List(list) => entries.list(key, |elements| write_elements(list, elements)),
            Tree::Dict(dict) if dict.len() % 2 == 0 => {
                entries.dict(key, |entries| write_entries(dict, entries));
            }
            Tree::Dict(_) => entries.raw(key, &value.encode()),
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Tree::Integer),
        select(vec![0, 1, -1, i64::MAX, i64::MIN]).prop_map(Tree::Integer),
        vec(any::<u8>(), 0..40).prop_map(Tree::Bytes),
        "[a-z0-9:]{0,120}".prop_map(|text| Tree::Bytes(text.into_bytes())),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Tree::List),
            btree_map(vec(any::<u8>(), 0..6), inner, 0..8).prop_map(Tree::Dict),
        ]
    })
}

/// Bytes of which many almost are bencode.
fn nearly_bencode() -> impl Strategy<Value = Vec<u8>> {
    let tokens: [&[u8]; 16] = [
        b"d", b"d", b"l", b"l", b"e", b"e", b"e", b"i0e", b"i-0e", b"i07e", b"0:", b"1:a", b"1:b",
        b"2:aa", b"01:a", b"-",
    ];
    vec(select(tokens.to_vec()), 0..24).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read(tree in tree()) {
        let encoded = tree.encode();
        let document = decode(&encoded).unwrap();
        prop_assert_eq!(document.defect(), None);
        prop_assert_eq!(document.root().raw(), &encoded[..]);
        prop_assert_eq!(Tree::read(document.root()), tree);
    }

    #[test]
    fn serde_bencode_reads_and_writes_the_same(tree in tree()) {
        let encoded = tree.encode();
        prop_assert_eq!(&serde_bencode::to_bytes(&tree.to_serde()).unwrap(), &encoded);
        let read: serde_bencode::value::Value = serde_bencode::from_bytes(&encoded).unwrap();
        prop_assert_eq!(read, Tree::read(decode(&encoded).unwrap().root()).to_serde());
    }

    #[test]
    fn a_document_is_canonical_if_writing_it_again_changes_nothing(input in nearly_bencode()) {
        if let Ok(document) = decode(&input) {
            let again = Tree::read(document.root()).encode();
            prop_assert_eq!(document.is_canonical(), again == input, "{:?}", document);
            if document.is_canonical() {
                let read: serde_bencode::value::Value = serde_bencode::from_bytes(&input).unwrap();
                prop_assert_eq!(read, Tree::read(document.root()).to_serde());
            }
        }
    }

    #[test]
    fn no_document_is_the_start_of_another(tree in tree(), cut in any::<prop::sample::Index>(), more in vec(any::<u8>(), 1..20)) {
        let encoded = tree.encode();
        let cut = cut.index(encoded.len());
        let broken_off = decode(&encoded[..cut]).err();
        prop_assert!(
            matches!(broken_off, Some(Error::UnexpectedEnd { .. } | Error::StringPastEnd { .. })),
            "cut at {}: {:?}", cut, broken_off
        );

        let longer = [&encoded[..], &more[..]].concat();
        prop_assert_eq!(decode(&longer).err(), Some(Error::TrailingBytes { offset: encoded.len() }));
        let (document, rest) = decode_prefix(&longer).unwrap();
        prop_assert_eq!((document.root().raw(), rest), (&encoded[..], &more[..]));
    }

    #[test]
    fn a_flipped_byte_never_breaks_the_reader(tree in tree(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut encoded = tree.encode();
        let place = place.index(encoded.len());
        encoded[place] = byte;
        match decode(&encoded) {
            Ok(document) => drop(Tree::read(document.root())),
            Err(error) => prop_assert!(error.offset() <= encoded.len()),
        }
    }
}
