use std::cmp::Ordering;
use std::fmt;
use std::iter::FusedIterator;

use crate::cursor::Cursor;

/// A view of one value in bytes that were decoded: 24 bytes that are cheap to copy.
///
/// Looking into a list or dictionary scans its bytes, so take several keys in one pass over [`Dict::iter`] where it matters.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    raw: &'a [u8],
    canonical: bool,
}

impl<'a> Value<'a> {
    /// `raw` must be one valid value.
    pub(crate) fn new(raw: &'a [u8], canonical: bool) -> Self {
        Self { raw, canonical }
    }

    /// The bytes of the value as they were received, from its first to its last.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The content, if this is a string.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        self.raw.first().filter(|first| first.is_ascii_digit())?;
        Cursor::new(self.raw).string().ok()
    }

    /// The content, if this is a string in UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        str::from_utf8(self.as_bytes()?).ok()
    }

    /// The number, if this is an integer.
    pub fn as_integer(&self) -> Option<i64> {
        self.raw.first().filter(|&&first| first == b'i')?;
        Cursor::new(self.raw).integer().ok()
    }

    /// The elements, if this is a list.
    pub fn as_list(&self) -> Option<List<'a>> {
        self.inside(b'l').map(|elements| List {
            elements,
            canonical: self.canonical,
        })
    }

    /// The entries, if this is a dictionary.
    pub fn as_dict(&self) -> Option<Dict<'a>> {
        self.inside(b'd').map(|entries| Dict {
            entries,
            canonical: self.canonical,
        })
    }

    fn inside(&self, open: u8) -> Option<&'a [u8]> {
        match self.raw {
            [first, inside @ .., b'e'] if *first == open => Some(inside),
            _ => None,
        }
    }
}

/// The encoded form, with what is not printable escaped.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({})", self.raw.escape_ascii())
    }
}

/// The elements of a list.
#[derive(Clone, Copy)]
pub struct List<'a> {
    elements: &'a [u8],
    canonical: bool,
}

impl<'a> List<'a> {
    /// The elements in their order.
    pub fn iter(&self) -> ListIter<'a> {
        ListIter {
            rest: self.elements,
            canonical: self.canonical,
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<'a> IntoIterator for List<'a> {
    type Item = Value<'a>;
    type IntoIter = ListIter<'a>;

    fn into_iter(self) -> ListIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &List<'a> {
    type Item = Value<'a>;
    type IntoIter = ListIter<'a>;

    fn into_iter(self) -> ListIter<'a> {
        self.iter()
    }
}

/// An iterator over the elements of a list.
#[derive(Debug, Clone)]
pub struct ListIter<'a> {
    rest: &'a [u8],
    canonical: bool,
}

impl<'a> Iterator for ListIter<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let (element, rest) = split_value(self.rest)?;
        self.rest = rest;
        Some(Value::new(element, self.canonical))
    }
}

impl FusedIterator for ListIter<'_> {}

/// The entries of a dictionary.
#[derive(Clone, Copy)]
pub struct Dict<'a> {
    entries: &'a [u8],
    canonical: bool,
}

impl<'a> Dict<'a> {
    /// The keys with their values, in the order of the bytes; in a canonical document that is the order of the keys.
    pub fn iter(&self) -> DictIter<'a> {
        DictIter {
            rest: self.entries,
            canonical: self.canonical,
        }
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of `key`; of the first one if the key is there twice.
    pub fn get(&self, key: &[u8]) -> Option<Value<'a>> {
        for (found, value) in self {
            match found.cmp(key) {
                Ordering::Equal => return Some(value),
                Ordering::Greater if self.canonical => return None,
                _ => {}
            }
        }
        None
    }

    /// The value of `key`, if it is a string.
    pub fn bytes(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.get(key)?.as_bytes()
    }

    /// The value of `key`, if it is a string in UTF-8.
    pub fn str(&self, key: &[u8]) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// The value of `key`, if it is an integer.
    pub fn integer(&self, key: &[u8]) -> Option<i64> {
        self.get(key)?.as_integer()
    }

    /// The value of `key`, if it is a list.
    pub fn list(&self, key: &[u8]) -> Option<List<'a>> {
        self.get(key)?.as_list()
    }

    /// The value of `key`, if it is a dictionary.
    pub fn dict(&self, key: &[u8]) -> Option<Dict<'a>> {
        self.get(key)?.as_dict()
    }
}

impl fmt::Debug for Dict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(key, value)| (key.escape_ascii().to_string(), value)),
            )
            .finish()
    }
}

impl<'a> IntoIterator for Dict<'a> {
    type Item = (&'a [u8], Value<'a>);
    type IntoIter = DictIter<'a>;

    fn into_iter(self) -> DictIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Dict<'a> {
    type Item = (&'a [u8], Value<'a>);
    type IntoIter = DictIter<'a>;

    fn into_iter(self) -> DictIter<'a> {
        self.iter()
    }
}

/// An iterator over the entries of a dictionary.
#[derive(Debug, Clone)]
pub struct DictIter<'a> {
    rest: &'a [u8],
    canonical: bool,
}

impl<'a> Iterator for DictIter<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut cursor = Cursor::new(self.rest);
        let key = cursor.string().ok()?;
        let (value, rest) = split_value(cursor.from(cursor.position()))?;
        self.rest = rest;
        Some((key, Value::new(value, self.canonical)))
    }
}

impl FusedIterator for DictIter<'_> {}

fn split_value(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut cursor = Cursor::new(input);
    cursor.skip_value()?;
    input.split_at_checked(cursor.position())
}

#[cfg(test)]
mod tests {
    use crate::{Value, decode};

    fn root(input: &[u8]) -> Value<'_> {
        decode(input).unwrap().root()
    }

    #[test]
    fn a_key_is_found_in_any_order() {
        for input in [&b"d1:ai1e1:bi2e1:ci3ee"[..], b"d1:ci3e1:ai1e1:bi2ee"] {
            let dict = root(input).as_dict().unwrap();
            assert_eq!(
                [b"a", b"b", b"c"].map(|key| dict.integer(key)),
                [Some(1), Some(2), Some(3)]
            );
            assert!(dict.get(b"").is_none());
            assert!(dict.get(b"aa").is_none());
            assert!(dict.get(b"d").is_none());
        }
    }

    #[test]
    fn the_first_of_two_equal_keys_counts() {
        assert_eq!(
            root(b"d1:ai1e1:ai2ee").as_dict().unwrap().integer(b"a"),
            Some(1)
        );
    }

    #[test]
    fn order_inside_a_defective_document_is_not_trusted() {
        let nested = root(b"d1:ad1:zi1e1:yi2eee")
            .as_dict()
            .unwrap()
            .dict(b"a")
            .unwrap();
        assert_eq!(nested.integer(b"y"), Some(2));
    }

    #[test]
    fn a_value_of_another_kind_is_none() {
        let dict = root(b"d1:d2:\xc3\x281:ii7e1:lle1:s3:abce")
            .as_dict()
            .unwrap();
        assert_eq!(dict.str(b"d"), None, "not UTF-8");
        assert_eq!(dict.bytes(b"d"), Some(&b"\xc3\x28"[..]));
        assert_eq!(dict.bytes(b"i"), None);
        assert_eq!(dict.integer(b"s"), None);
        assert!(dict.list(b"s").is_none() && dict.dict(b"l").is_none());
        assert!(dict.list(b"l").unwrap().is_empty());
        assert!(root(b"le").as_dict().is_none() && root(b"de").as_list().is_none());
        assert!(root(b"de").as_dict().unwrap().is_empty());
    }

    #[test]
    fn raw_is_what_was_received() {
        let torrent = root(b"d8:announce1:x4:infod4:name1:a6:lengthi05eee")
            .as_dict()
            .unwrap();
        assert_eq!(
            torrent.get(b"info").unwrap().raw(),
            b"d4:name1:a6:lengthi05ee"
        );
        let elements: Vec<_> = root(b"l0:i-1elleed0:0:ee")
            .as_list()
            .unwrap()
            .into_iter()
            .map(|value| value.raw())
            .collect();
        assert_eq!(elements, [&b"0:"[..], b"i-1e", b"llee", b"d0:0:e"]);
    }

    #[test]
    fn the_ends_of_i64_are_read() {
        assert_eq!(root(b"i9223372036854775807e").as_integer(), Some(i64::MAX));
        assert_eq!(root(b"i-9223372036854775808e").as_integer(), Some(i64::MIN));
        assert_eq!(root(b"i-0e").as_integer(), Some(0));
    }
}
