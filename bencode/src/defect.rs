use std::cmp::Ordering;
use std::fmt;

/// What makes a readable document not canonical in the sense of BEP 3, "bencoding". Offsets count bytes from the start of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// A key sorts, as raw bytes, before the key in front of it.
    UnsortedKeys {
        /// Where the later key starts.
        offset: usize,
    },
    /// A dictionary has the same key twice in a row.
    DuplicateKey {
        /// Where the second one starts.
        offset: usize,
    },
    /// A string's length or an integer starts with a zero that is not all of it, as in `i03e` or `01:a`.
    LeadingZero {
        /// Where the length or the integer's `i` stands.
        offset: usize,
    },
    /// The integer `i-0e`.
    NegativeZero {
        /// Where the integer's `i` stands.
        offset: usize,
    },
}

impl Defect {
    /// Where the defect is, in bytes from the start of the input.
    pub fn offset(&self) -> usize {
        match *self {
            Self::UnsortedKeys { offset }
            | Self::DuplicateKey { offset }
            | Self::LeadingZero { offset }
            | Self::NegativeZero { offset } => offset,
        }
    }

    /// Compares a key with the one in front of it.
    pub(crate) fn of_key(previous: Option<&[u8]>, key: &[u8], offset: usize) -> Option<Self> {
        match key.cmp(previous?) {
            Ordering::Less => Some(Self::UnsortedKeys { offset }),
            Ordering::Equal => Some(Self::DuplicateKey { offset }),
            Ordering::Greater => None,
        }
    }

    /// Looks at a valid string, from its length on.
    pub(crate) fn of_string(string: &[u8], offset: usize) -> Option<Self> {
        matches!(string, [b'0', b'0'..=b'9', ..]).then_some(Self::LeadingZero { offset })
    }

    /// Looks at a valid integer, from its `i` on.
    pub(crate) fn of_integer(integer: &[u8], offset: usize) -> Option<Self> {
        match integer {
            [b'i', b'-', b'0', b'e', ..] => Some(Self::NegativeZero { offset }),
            [b'i', b'0', b'0'..=b'9', ..] | [b'i', b'-', b'0', ..] => {
                Some(Self::LeadingZero { offset })
            }
            _ => None,
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnsortedKeys { offset } => {
                write!(
                    f,
                    "the dictionary key at byte {offset} should stand before the one in front of it"
                )
            }
            Self::DuplicateKey { offset } => {
                write!(
                    f,
                    "the dictionary key at byte {offset} stands there a second time"
                )
            }
            Self::LeadingZero { offset } => {
                write!(f, "the number at byte {offset} starts with a needless zero")
            }
            Self::NegativeZero { offset } => {
                write!(f, "the integer at byte {offset} is written as minus zero")
            }
        }
    }
}
