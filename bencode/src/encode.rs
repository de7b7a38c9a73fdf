use std::ops::Range;

/// Appends bencoded values to a buffer, in the canonical form of BEP 3, "bencoding". A document is one value.
///
/// Nothing is collected or sorted: the bytes are written as the calls come.
pub struct Encoder<'b> {
    buffer: &'b mut Vec<u8>,
}

impl<'b> Encoder<'b> {
    /// Writes to the end of `buffer`; what is in it stays.
    pub fn new(buffer: &'b mut Vec<u8>) -> Self {
        Self { buffer }
    }

    /// Writes an integer.
    pub fn integer(&mut self, value: i64) {
        self.buffer.push(b'i');
        if value < 0 {
            self.buffer.push(b'-');
        }
        self.decimal(value.unsigned_abs());
        self.buffer.push(b'e');
    }

    /// Writes a string.
    pub fn bytes(&mut self, value: &[u8]) {
        self.decimal(value.len() as u64);
        self.buffer.push(b':');
        self.buffer.extend_from_slice(value);
    }

    /// Writes a list of what `elements` writes.
    pub fn list(&mut self, elements: impl FnOnce(&mut Encoder<'_>)) {
        self.buffer.push(b'l');
        elements(self);
        self.buffer.push(b'e');
    }

    /// Writes a dictionary of what `entries` writes.
    pub fn dict(&mut self, entries: impl FnOnce(&mut DictEncoder<'_>)) {
        self.buffer.push(b'd');
        entries(&mut DictEncoder {
            values: Encoder::new(self.buffer),
            last_key: None,
        });
        self.buffer.push(b'e');
    }

    /// Writes a value that is encoded already; that it is exactly one is the caller's promise.
    pub fn raw(&mut self, value: &[u8]) {
        self.buffer.extend_from_slice(value);
    }

    fn decimal(&mut self, mut value: u64) {
        const DIGITS_OF_U64: usize = 20;
        let mut digits = [0; DIGITS_OF_U64];
        let mut start = DIGITS_OF_U64;
        for (position, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
            start = position;
            if value == 0 {
                break;
            }
        }
        self.buffer
            .extend_from_slice(digits.get(start..).unwrap_or_default());
    }
}

/// Writes the entries of a dictionary, in ascending order of their keys as raw bytes.
///
/// # Panics
///
/// Every method panics in a debug build if its key does not sort after the one before it.
pub struct DictEncoder<'b> {
    values: Encoder<'b>,
    /// Where in the buffer the key written last stands.
    last_key: Option<Range<usize>>,
}

impl<'b> DictEncoder<'b> {
    /// Writes a key and an integer.
    pub fn integer(&mut self, key: &[u8], value: i64) {
        self.key(key).integer(value);
    }

    /// Writes a key and a string.
    pub fn bytes(&mut self, key: &[u8], value: &[u8]) {
        self.key(key).bytes(value);
    }

    /// Writes a key and a list of what `elements` writes.
    pub fn list(&mut self, key: &[u8], elements: impl FnOnce(&mut Encoder<'_>)) {
        self.key(key).list(elements);
    }

    /// Writes a key and a dictionary of what `entries` writes.
    pub fn dict(&mut self, key: &[u8], entries: impl FnOnce(&mut DictEncoder<'_>)) {
        self.key(key).dict(entries);
    }

    /// Writes a key and a value that is encoded already; that it is exactly one is the caller's promise.
    pub fn raw(&mut self, key: &[u8], value: &[u8]) {
        self.key(key).raw(value);
    }

    fn key(&mut self, key: &[u8]) -> &mut Encoder<'b> {
        let last_key = self
            .last_key
            .take()
            .and_then(|range| self.values.buffer.get(range));
        debug_assert!(
            last_key.is_none_or(|last_key| last_key < key),
            "the key '{}' does not sort after the one before it",
            key.escape_ascii()
        );
        self.values.bytes(key);
        let end = self.values.buffer.len();
        self.last_key = Some(end - key.len()..end);
        &mut self.values
    }
}

#[cfg(test)]
mod tests {
    use super::Encoder;

    #[test]
    fn values_are_appended_in_their_shortest_form() {
        let mut buffer = b"before ".to_vec();
        Encoder::new(&mut buffer).list(|list| {
            for integer in [0, -1, 10, i64::MAX, i64::MIN] {
                list.integer(integer);
            }
            list.bytes(b"");
            list.bytes(&[b'x'; 12]);
            list.raw(b"i7e");
            list.list(|_| {});
            list.dict(|_| {});
        });
        assert_eq!(
            buffer.escape_ascii().to_string(),
            "before li0ei-1ei10ei9223372036854775807ei-9223372036854775808e0:12:xxxxxxxxxxxxi7eledee"
        );
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "the key 'a' does not sort after the one before it")]
    fn a_key_out_of_order_is_a_mistake_of_the_caller() {
        Encoder::new(&mut Vec::new()).dict(|dict| {
            dict.list(b"b", |_| {});
            dict.integer(b"a", 1);
        });
    }
}
