//! Any bytes: decoding ends in an error or in a view that can be read to the end, and what is canonical is written back as it was.
#![no_main]

use bencode::{DictEncoder, Encoder, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (document, rest) = match bencode::decode_prefix(input) {
        Ok(read) => read,
        Err(error) => {
            assert!(error.offset() <= input.len(), "{error}");
            return;
        }
    };
    let root = document.root();
    assert_eq!([root.raw(), rest].concat(), input);
    assert_eq!(bencode::decode(input).is_ok(), rest.is_empty());

    if document.is_canonical() {
        let mut written = Vec::new();
        write(root, &mut Encoder::new(&mut written));
        assert_eq!(written, root.raw());

        let oracle: serde_bencode::value::Value =
            serde_bencode::from_bytes(root.raw()).expect("serde_bencode reads what is canonical");
        assert_eq!(
            serde_bencode::to_bytes(&oracle).expect("a value is written"),
            written
        );
    } else {
        assert!(
            document
                .defect()
                .is_some_and(|defect| defect.offset() < input.len())
        );
        read(root);
    }
});

/// Reads all of a value; how many values there are in it.
fn read(value: Value<'_>) -> usize {
    if let Some(list) = value.as_list() {
        1 + list.iter().map(read).sum::<usize>()
    } else if let Some(dict) = value.as_dict() {
        1 + dict
            .iter()
            .map(|(key, value)| {
                assert!(dict.get(key).is_some(), "a key that is listed is found");
                read(value)
            })
            .sum::<usize>()
    } else {
        assert!(
            value.as_integer().is_some() != value.as_bytes().is_some(),
            "{value:?}"
        );
        1
    }
}

fn write(value: Value<'_>, encoder: &mut Encoder<'_>) {
    if let Some(list) = value.as_list() {
        encoder.list(|elements| list.iter().for_each(|element| write(element, elements)));
    } else if let Some(dict) = value.as_dict() {
        encoder.dict(|entries| {
            dict.iter()
                .for_each(|(key, value)| write_entry(key, value, entries))
        });
    } else if let Some(bytes) = value.as_bytes() {
        encoder.bytes(bytes);
    } else {
        encoder.integer(
            value
                .as_integer()
                .expect("what is nothing else is an integer"),
        );
    }
}

fn write_entry(key: &[u8], value: Value<'_>, entries: &mut DictEncoder<'_>) {
    if let Some(list) = value.as_list() {
        entries.list(key, |elements| {
            list.iter().for_each(|element| write(element, elements))
        });
    } else if let Some(dict) = value.as_dict() {
        entries.dict(key, |inner| {
            dict.iter()
                .for_each(|(key, value)| write_entry(key, value, inner))
        });
    } else if let Some(bytes) = value.as_bytes() {
        entries.bytes(key, bytes);
    } else {
        entries.integer(
            key,
            value
                .as_integer()
                .expect("what is nothing else is an integer"),
        );
    }
}
