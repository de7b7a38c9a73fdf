use crate::cursor::Cursor;
use crate::{Defect, Error, Value};

/// How many lists and dictionaries may be open at once. The deepest documents in use (a v2 torrent's file tree) need far fewer.
pub const MAX_DEPTH: usize = 32;

/// Checks that `input` is one bencoded value (BEP 3, "bencoding") and nothing else, and returns a view of it.
///
/// One pass, no allocation, no recursion. Integers must fit `i64`; a `-0` or a leading zero is a [`Defect`] and no error.
///
/// # Errors
///
/// [`Error`] says what is wrong and where. Bytes after the value are [`Error::TrailingBytes`].
pub fn decode(input: &[u8]) -> Result<Document<'_>, Error> {
    let (document, rest) = decode_prefix(input)?;
    if rest.is_empty() {
        Ok(document)
    } else {
        Err(Error::TrailingBytes {
            offset: document.raw.len(),
        })
    }
}

/// Like [`decode`] for a value that other bytes follow, as the piece follows the dictionary in BEP 9, "data"; returns those bytes too.
///
/// # Errors
///
/// [`Error`] says what is wrong and where.
pub fn decode_prefix(input: &[u8]) -> Result<(Document<'_>, &[u8]), Error> {
    let mut cursor = Cursor::new(input);
    let mut open = OpenContainers::default();
    let mut defect = None;
    loop {
        let container = open.innermost();
        if let Some(container) = container {
            match (container, cursor.peek()) {
                (_, Some(b'e')) => {
                    cursor.advance();
                    open.pop();
                    if open.is_empty() {
                        break;
                    }
                    continue;
                }
                (Container::Dict, Some(b'0'..=b'9')) => {
                    let offset = cursor.position();
                    let key = cursor.string()?;
                    let previous = open.replace_key(key);
                    defect = defect
                        .or_else(|| Defect::of_string(cursor.from(offset), offset))
                        .or_else(|| Defect::of_key(previous, key, offset));
                }
                (Container::Dict, Some(_)) => {
                    return Err(Error::KeyNotString {
                        offset: cursor.position(),
                    });
                }
                _ => {}
            }
        }

        let offset = cursor.position();
        match cursor.peek() {
            Some(b'0'..=b'9') => {
                cursor.string()?;
                defect = defect.or_else(|| Defect::of_string(cursor.from(offset), offset));
            }
            Some(b'i') => {
                cursor.integer()?;
                defect = defect.or_else(|| Defect::of_integer(cursor.from(offset), offset));
            }
            Some(b'l') => {
                open.push(Container::List)
                    .ok_or(Error::TooDeep { offset })?;
                cursor.advance();
            }
            Some(b'd') => {
                open.push(Container::Dict)
                    .ok_or(Error::TooDeep { offset })?;
                cursor.advance();
            }
            Some(b'e') if container == Some(Container::Dict) => {
                return Err(Error::MissingValue { offset });
            }
            Some(byte) => return Err(Error::UnexpectedByte { offset, byte }),
            None => return Err(cursor.unexpected_end()),
        }
        if open.is_empty() {
            break;
        }
    }
    let (raw, rest) = input
        .split_at_checked(cursor.position())
        .ok_or_else(|| cursor.unexpected_end())?;
    Ok((Document { raw, defect }, rest))
}

/// A checked value, and whether it is canonical.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    raw: &'a [u8],
    defect: Option<Defect>,
}

impl<'a> Document<'a> {
    /// The value that the document is.
    pub fn root(&self) -> Value<'a> {
        Value::new(self.raw, self.is_canonical())
    }

    /// Whether encoding the same value again would give the same bytes.
    pub fn is_canonical(&self) -> bool {
        self.defect.is_none()
    }

    /// The first thing, in the order of the bytes, that keeps the document from being canonical.
    pub fn defect(&self) -> Option<Defect> {
        self.defect
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    List,
    Dict,
}

/// The lists and dictionaries around the cursor: a bit each, the innermost the lowest, set for a dictionary.
#[derive(Default)]
struct OpenContainers<'a> {
    dicts: u32,
    depth: usize,
    /// The key read last in each dictionary, the outermost first.
    keys: [Option<&'a [u8]>; MAX_DEPTH],
}

const _: () = assert!(MAX_DEPTH == u32::BITS as usize, "a bit for each level");

impl<'a> OpenContainers<'a> {
    fn is_empty(&self) -> bool {
        self.depth == 0
    }

    fn innermost(&self) -> Option<Container> {
        match (self.depth, self.dicts & 1) {
            (0, _) => None,
            (_, 0) => Some(Container::List),
            _ => Some(Container::Dict),
        }
    }

    /// `None` if there is no room for it.
    fn push(&mut self, container: Container) -> Option<()> {
        *self.keys.get_mut(self.depth)? = None;
        self.depth += 1;
        self.dicts = self.dicts << 1 | u32::from(container == Container::Dict);
        Some(())
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.dicts >>= 1;
    }

    /// Remembers the key of the innermost dictionary and returns the one before it.
    fn replace_key(&mut self, key: &'a [u8]) -> Option<&'a [u8]> {
        self.keys.get_mut(self.depth.checked_sub(1)?)?.replace(key)
    }
}
