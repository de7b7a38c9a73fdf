use std::{fmt, str::FromStr};

use data_encoding::BASE32_NOPAD_NOCASE;
use sha1::{Digest, Sha1};

/// The name of a torrent: the SHA-1 of its info dictionary as it stands in the file. BEP 3, "metainfo files".
///
/// Read from 40 hexadecimal or 32 base32 characters of either case, shown as lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash([u8; Self::LENGTH]);

impl InfoHash {
    /// Bytes of an info-hash.
    pub const LENGTH: usize = 20;

    /// The info-hash of an info dictionary, given exactly as encoded.
    pub fn of(info: &[u8]) -> Self {
        Self(Sha1::digest(info).into())
    }

    /// The 20 bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl From<[u8; InfoHash::LENGTH]> for InfoHash {
    fn from(bytes: [u8; InfoHash::LENGTH]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not an info-hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InfoHashError {
    /// Neither of the two lengths.
    #[error("an info-hash has 40 hexadecimal or 32 base32 characters, this one has {0}")]
    Length(usize),
    /// A character outside of the alphabet that the length calls for.
    #[error("{character:?} at position {position} of the info-hash is not {alphabet}")]
    Character {
        /// The first such character.
        character: char,
        /// Counted from 1.
        position: usize,
        /// What was expected, in words.
        alphabet: &'static str,
    },
}

impl FromStr for InfoHash {
    type Err = InfoHashError;

    fn from_str(text: &str) -> Result<Self, InfoHashError> {
        let length = text.chars().count();
        let (alphabet, allowed): (_, fn(char) -> bool) = match length {
            40 => ("a hexadecimal digit (0-9, a-f)", |c| c.is_ascii_hexdigit()),
            32 => ("a base32 character (A-Z, 2-7)", |c| {
                c.is_ascii_alphabetic() || matches!(c, '2'..='7')
            }),
            _ => return Err(InfoHashError::Length(length)),
        };
        if let Some((index, character)) = text.chars().enumerate().find(|&(_, c)| !allowed(c)) {
            return Err(InfoHashError::Character {
                character,
                position: index + 1,
                alphabet,
            });
        }
        let mut hash = [0; Self::LENGTH];
        let whole = if length == 40 {
            hex::decode_to_slice(text, &mut hash).is_ok()
        } else {
            BASE32_NOPAD_NOCASE
                .decode_mut(text.as_bytes(), &mut hash)
                .is_ok()
        };
        debug_assert!(whole, "the length and every character were checked");
        Ok(Self(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hex_and_base32_of_either_case_name_the_same_torrent() {
        let hash: InfoHash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap();
        for text in [
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "VKVKVKVKVKVKVKVKVKVKVKVKVKVKVKVK",
            "vkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvk",
        ] {
            assert_eq!(text.parse(), Ok(hash), "{text}");
        }
        assert_eq!(hash.as_bytes(), &[0xaa; 20]);
    }

    #[test]
    fn a_refusal_names_the_length_or_the_first_wrong_character() {
        let message = |text: &str| text.parse::<InfoHash>().unwrap_err().to_string();
        assert_eq!(
            message("abc"),
            "an info-hash has 40 hexadecimal or 32 base32 characters, this one has 3"
        );
        assert_eq!(
            message("aaaaaaaaagaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            "'g' at position 10 of the info-hash is not a hexadecimal digit (0-9, a-f)"
        );
        assert_eq!(
            message("VKVKVKVKVKVKVKVKVKVKVKVKVKVKVKV1"),
            "'1' at position 32 of the info-hash is not a base32 character (A-Z, 2-7)"
        );
        // 32 characters, 33 bytes.
        assert!(message("éKVKVKVKVKVKVKVKVKVKVKVKVKVKVKVK").starts_with("'é' at position 1 "));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes: [u8; 20]) {
            let hash = InfoHash::from(bytes);
            prop_assert_eq!(hash.to_string().parse(), Ok(hash));
            prop_assert_eq!(data_encoding::BASE32.encode(&bytes).parse(), Ok(hash));
        }
    }
}
