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
    let mut validator = Validator {
        cursor: Cursor::new(input),
        open: OpenContainers::default(),
        defect: None,
    };
    validator.document()?;
    let Validator { cursor, defect, .. } = validator;
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

struct Validator<'a> {
    cursor: Cursor<'a>,
    open: OpenContainers<'a>,
    /// The first one.
    defect: Option<Defect>,
}

impl Validator<'_> {
    fn document(&mut self) -> Result<(), Error> {
        loop {
            match self.open.innermost() {
                Some(_) if self.cursor.peek() == Some(b'e') => self.close(),
                container => {
                    if container == Some(Container::Dict) {
                        self.key()?;
                    }
                    self.value()?;
                }
            }
            if self.open.is_empty() {
                return Ok(());
            }
        }
    }

    /// A string or an integer, or the start of a list or dictionary.
    fn value(&mut self) -> Result<(), Error> {
        let offset = self.cursor.position();
        match self.cursor.peek() {
            Some(b'0'..=b'9') => {
                self.cursor.string()?;
                self.note(Defect::of_string(self.cursor.from(offset), offset));
                Ok(())
            }
            Some(b'i') => {
                self.cursor.integer()?;
                self.note(Defect::of_integer(self.cursor.from(offset), offset));
                Ok(())
            }
            Some(b'l') => self.open(Container::List),
            Some(b'd') => self.open(Container::Dict),
            // A list would have been closed by it, so this is a dictionary that waits for a value.
            Some(b'e') if !self.open.is_empty() => Err(Error::MissingValue { offset }),
            Some(byte) => Err(Error::UnexpectedByte { offset, byte }),
            None => Err(self.cursor.unexpected_end()),
        }
    }

    fn key(&mut self) -> Result<(), Error> {
        let offset = self.cursor.position();
        match self.cursor.peek() {
            Some(b'0'..=b'9') => {
                let key = self.cursor.string()?;
                let previous = self.open.replace_key(key);
                self.note(Defect::of_string(self.cursor.from(offset), offset));
                self.note(Defect::of_key(previous, key, offset));
                Ok(())
            }
            Some(_) => Err(Error::KeyNotString { offset }),
            None => Err(self.cursor.unexpected_end()),
        }
    }

    fn open(&mut self, container: Container) -> Result<(), Error> {
        let offset = self.cursor.position();
        self.cursor.advance();
        self.open.push(container).ok_or(Error::TooDeep { offset })
    }

    fn close(&mut self) {
        self.cursor.advance();
        self.open.pop();
    }

    fn note(&mut self, defect: Option<Defect>) {
        if self.defect.is_none() && defect.is_some() {
            self.defect = defect;
        }
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
