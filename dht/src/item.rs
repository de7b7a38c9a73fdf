//! What the DHT keeps beside peers: small values that anybody may store. BEP 44.

use std::fmt;
use std::str::FromStr;

use arrayvec::ArrayVec;
use bencode::Encoder;
use sha1::{Digest, Sha1};

use crate::id::Id;

mod key;

pub use key::SecretKey;

/// A value with what vouches for it. BEP 44, "Immutable Items" and "Mutable Items".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// Named by its own hash: it cannot change.
    Immutable(ItemValue),
    /// Named by a key, whose owner may replace it.
    Mutable(MutableItem),
}

impl Item {
    /// What is stored.
    pub const fn value(&self) -> &ItemValue {
        match self {
            Self::Immutable(value) => value,
            Self::Mutable(item) => &item.value,
        }
    }

    /// `seq`: the higher one is the newer one. `None` for what cannot change.
    pub const fn seq(&self) -> Option<i64> {
        match self {
            Self::Immutable(_) => None,
            Self::Mutable(item) => Some(item.seq),
        }
    }

    /// Where it is stored. An immutable item has no salt: there it means nothing.
    pub fn target(&self, salt: &Salt) -> Id {
        match self {
            Self::Immutable(value) => value.target(),
            Self::Mutable(item) => item.key.target(salt),
        }
    }

    /// Whether it belongs to this target and, if it is mutable, whether its owner signed it. BEP 44, "Signature Verification": about 50 µs then.
    pub fn is_genuine(&self, target: &Id, salt: &Salt) -> bool {
        *target == self.target(salt)
            && match self {
                Self::Immutable(_) => true,
                Self::Mutable(item) => item.is_signed(salt),
            }
    }
}

/// A value that the owner of a key signed. BEP 44, "Mutable Items".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MutableItem {
    /// `k`
    pub key: PublicKey,
    /// `seq`
    pub seq: i64,
    /// `sig`
    pub signature: Signature,
    /// `v`
    pub value: ItemValue,
}

impl MutableItem {
    /// Signs a value.
    pub fn sign(value: ItemValue, seq: i64, salt: &Salt, key: &SecretKey) -> Self {
        Self {
            key: key.public(),
            seq,
            signature: key.sign(&signed_bytes(&value, seq, salt)),
            value,
        }
    }

    /// Whether its owner did.
    pub fn is_signed(&self, salt: &Salt) -> bool {
        let signed = signed_bytes(&self.value, self.seq, salt);
        self.key.has_signed(&signed, &self.signature)
    }
}

/// What is signed. BEP 44, "Signature Verification".
fn signed_bytes(value: &ItemValue, seq: i64, salt: &Salt) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(value.as_bencode().len() + salt.as_bytes().len() + 40);
    let mut encoder = Encoder::new(&mut buffer);
    if !salt.as_bytes().is_empty() {
        encoder.bytes(b"salt");
        encoder.bytes(salt.as_bytes());
    }
    encoder.bytes(b"seq");
    encoder.integer(seq);
    encoder.bytes(b"v");
    encoder.raw(value.as_bencode());
    buffer
}

/// `v`: anything bencoded, in its canonical form, at most [`ItemValue::MAX_LENGTH`] bytes of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ItemValue(Box<[u8]>);

impl ItemValue {
    /// Of the bencoded form. BEP 44, "Messages".
    pub const MAX_LENGTH: usize = 1000;

    /// A value that is bencoded already.
    pub fn from_bencode(bencoded: &[u8]) -> Result<Self, ItemError> {
        if bencoded.len() > Self::MAX_LENGTH {
            return Err(ItemError::ValueTooLong {
                length: bencoded.len(),
            });
        }
        // As deep as it lies in a message, so that what can be stored can also be sent and read.
        let mut in_message = Vec::with_capacity(bencoded.len() + 4);
        bencode::decode(bencoded)?;
        let mut encoder = Encoder::new(&mut in_message);
        encoder.list(|outer| outer.list(|inner| inner.raw(bencoded)));
        match bencode::decode(&in_message)?.defect() {
            Some(_) => Err(ItemError::NotCanonical),
            None => Ok(Self(bencoded.into())),
        }
    }

    /// A string of these bytes.
    pub fn from_bytes(content: &[u8]) -> Result<Self, ItemError> {
        let mut bencoded = Vec::with_capacity(content.len() + 5);
        Encoder::new(&mut bencoded).bytes(content);
        Self::from_bencode(&bencoded)
    }

    /// The bencoded form.
    pub fn as_bencode(&self) -> &[u8] {
        &self.0
    }

    /// The content, if it is a string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        bencode::decode(&self.0).ok()?.root().as_bytes()
    }

    /// The target of an immutable item. BEP 44, "Immutable Items".
    pub fn target(&self) -> Id {
        Id::new(Sha1::digest(&self.0).into())
    }
}

impl fmt::Debug for ItemValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemValue({})", self.0.escape_ascii())
    }
}

/// `salt`: tells apart what one key owns; at most [`Salt::MAX_LENGTH`] bytes. The default is [`Salt::NONE`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Salt(ArrayVec<u8, { Salt::MAX_LENGTH }>);

impl Salt {
    /// BEP 44, "Mutable Items".
    pub const MAX_LENGTH: usize = 64;
    /// No salt, which is the same as an empty one.
    pub const NONE: Self = Self(ArrayVec::new_const());

    /// A salt, unless it is too long.
    pub fn new(bytes: &[u8]) -> Result<Self, ItemError> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| ItemError::SaltTooLong {
                length: bytes.len(),
            })
    }

    /// The bytes as they were given.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// `k`: who owns a mutable item. An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; Self::LENGTH]);

impl PublicKey {
    /// Bytes in a key.
    pub const LENGTH: usize = 32;

    /// The key that these bytes write. Whether it is one shows when a signature is checked.
    pub const fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes as they are sent.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The target of what this key owns under a salt. BEP 44, "Mutable Items".
    pub fn target(&self, salt: &Salt) -> Id {
        let hasher = Sha1::new_with_prefix(self.0);
        Id::new(hasher.chain_update(salt.as_bytes()).finalize().into())
    }

    fn has_signed(&self, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        // Strictly: no key of which anybody knows the private half, and one signature for one message.
        ed25519_dalek::VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

impl FromStr for PublicKey {
    type Err = ParsePublicKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; Self::LENGTH];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParsePublicKeyError)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// Why a text is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a public key is written as 64 hexadecimal digits")]
pub struct ParsePublicKeyError;

/// `sig`: an Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; Self::LENGTH]);

impl Signature {
    /// Bytes in a signature.
    pub const LENGTH: usize = 64;

    /// The signature that these bytes write.
    pub const fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes as they are sent.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(self.0))
    }
}

/// Why something cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// More than [`ItemValue::MAX_LENGTH`].
    #[error(
        "the value takes {length} bytes in bencoded form, and an item holds at most {}",
        ItemValue::MAX_LENGTH
    )]
    ValueTooLong {
        /// In bencoded form.
        length: usize,
    },
    /// Not bencode.
    #[error("the value is not bencoded")]
    NotBencoded(#[from] bencode::Error),
    /// Bencode that would not come out the same when it is written again: unsorted keys, leading zeros.
    #[error("the value is bencoded, but not in the canonical form")]
    NotCanonical,
    /// More than [`Salt::MAX_LENGTH`].
    #[error(
        "the salt has {length} bytes, and at most {} are allowed",
        Salt::MAX_LENGTH
    )]
    SaltTooLong {
        /// In bytes.
        length: usize,
    },
}

#[cfg(test)]
mod tests;
