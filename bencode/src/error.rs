use std::fmt;

use crate::MAX_DEPTH;

/// Why some bytes are not bencode. Every offset counts bytes from the start of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The input ends before its value does.
    UnexpectedEnd {
        /// The length of the input.
        offset: usize,
    },
    /// A value should start here, and no value starts with this byte.
    UnexpectedByte {
        /// Where the byte stands.
        offset: usize,
        /// The byte that was found.
        byte: u8,
    },
    /// The length of a string is not digits and a colon.
    InvalidLength {
        /// Where the length starts.
        offset: usize,
    },
    /// A string claims more bytes than the input has left.
    StringPastEnd {
        /// Where the string's length starts.
        offset: usize,
        /// The length of the input.
        end: usize,
    },
    /// An integer is not an optional minus, digits and an `e`.
    InvalidInteger {
        /// Where the integer's `i` stands.
        offset: usize,
    },
    /// An integer is outside the range of `i64`.
    IntegerOverflow {
        /// Where the integer's `i` stands.
        offset: usize,
    },
    /// The key of a dictionary is not a string.
    KeyNotString {
        /// Where the key starts.
        offset: usize,
    },
    /// A dictionary ends after a key that has no value.
    MissingValue {
        /// Where the dictionary's closing `e` stands.
        offset: usize,
    },
    /// More than [`MAX_DEPTH`] lists and dictionaries are open at once.
    TooDeep {
        /// Where the one too many opens.
        offset: usize,
    },
    /// The value is complete and the input goes on.
    TrailingBytes {
        /// Where the first byte after the value stands.
        offset: usize,
    },
}

impl Error {
    /// Where the input stops being bencode, in bytes from its start.
    pub fn offset(&self) -> usize {
        match *self {
            Self::UnexpectedEnd { offset }
            | Self::UnexpectedByte { offset, .. }
            | Self::InvalidLength { offset }
            | Self::StringPastEnd { offset, .. }
            | Self::InvalidInteger { offset }
            | Self::IntegerOverflow { offset }
            | Self::KeyNotString { offset }
            | Self::MissingValue { offset }
            | Self::TooDeep { offset }
            | Self::TrailingBytes { offset } => offset,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnexpectedEnd { offset } => {
                write!(
                    f,
                    "the bencoded data breaks off at byte {offset}, before its value is complete"
                )
            }
            Self::UnexpectedByte { offset, byte } => {
                write!(
                    f,
                    "no bencoded value starts with '{}', found at byte {offset}",
                    byte.escape_ascii()
                )
            }
            Self::InvalidLength { offset } => {
                write!(
                    f,
                    "the length of the string at byte {offset} is not a number followed by a colon"
                )
            }
            Self::StringPastEnd { offset, end } => {
                write!(
                    f,
                    "the string at byte {offset} claims to go on past the end of the data at byte {end}"
                )
            }
            Self::InvalidInteger { offset } => {
                write!(
                    f,
                    "the integer at byte {offset} is not a decimal number closed by an 'e'"
                )
            }
            Self::IntegerOverflow { offset } => {
                write!(f, "the integer at byte {offset} does not fit in 64 bits")
            }
            Self::KeyNotString { offset } => {
                write!(f, "the dictionary key at byte {offset} is not a string")
            }
            Self::MissingValue { offset } => {
                write!(
                    f,
                    "the dictionary that ends at byte {offset} has no value for its last key"
                )
            }
            Self::TooDeep { offset } => {
                write!(
                    f,
                    "the list or dictionary at byte {offset} is nested more than {MAX_DEPTH} levels deep"
                )
            }
            Self::TrailingBytes { offset } => {
                write!(
                    f,
                    "the bencoded value ends at byte {offset}, but other bytes follow it"
                )
            }
        }
    }
}

impl std::error::Error for Error {}
