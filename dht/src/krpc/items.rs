//! The fields of `get` and `put`. BEP 44, "Messages".
//!
//! Nothing of them is guessed: an item that lacks a field, or has one of another length, is none.

use bencode::{DictEncoder, Value};

use super::Defect;
use crate::item::{Item, ItemError, ItemValue, MutableItem, PublicKey, Salt, Signature};
use crate::message::{Holding, KrpcError, Put, Token};

/// The fields as they stand in the arguments of `put` and in the answer to `get`.
#[derive(Default)]
pub(super) struct Fields<'a> {
    cas: Option<Value<'a>>,
    key: Option<Value<'a>>,
    salt: Option<Value<'a>>,
    seq: Option<Value<'a>>,
    signature: Option<Value<'a>>,
    value: Option<Value<'a>>,
}

impl From<ItemError> for Defect {
    fn from(error: ItemError) -> Self {
        match error {
            ItemError::ValueTooLong { .. } => Self {
                code: KrpcError::VALUE_TOO_BIG,
                reason: "v has more than 1000 bytes",
            },
            ItemError::SaltTooLong { .. } => Self {
                code: KrpcError::SALT_TOO_BIG,
                reason: "salt has more than 64 bytes",
            },
            ItemError::NotBencoded(_) | ItemError::NotCanonical => "v is not canonical".into(),
        }
    }
}

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, key: &[u8], value: Value<'a>) {
        let field = match key {
            b"cas" => &mut self.cas,
            b"k" => &mut self.key,
            b"salt" => &mut self.salt,
            b"seq" => &mut self.seq,
            b"sig" => &mut self.signature,
            b"v" => &mut self.value,
            _ => return,
        };
        *field = Some(value);
    }

    /// The `seq` of a `get`.
    pub(super) fn seq(&self) -> Option<i64> {
        self.seq?.as_integer()
    }

    /// The arguments of a `put`.
    pub(super) fn put(&self, token: Option<&[u8]>) -> Result<Put, Defect> {
        let cas = self
            .cas
            .map(|cas| cas.as_integer().ok_or("cas is no number"));
        let salt = self
            .salt
            .map(|salt| salt.as_bytes().ok_or("salt is no string"));
        Ok(Put {
            item: self.item()?,
            salt: Salt::new(salt.transpose()?.unwrap_or_default())?,
            cas: cas.transpose()?,
            token: token.and_then(Token::new).ok_or("token is missing")?,
        })
    }

    /// What the answer to a `get` says; nothing if it is not whole.
    pub(super) fn holding(&self) -> Option<Holding> {
        match self.value {
            Some(_) => self.item().ok().map(Holding::Item),
            None => self.seq().map(Holding::Seq),
        }
    }

    fn item(&self) -> Result<Item, Defect> {
        let value = self.value.ok_or("v is missing")?;
        let value = ItemValue::from_bencode(value.raw())?;
        if self.key.is_none() && self.seq.is_none() && self.signature.is_none() {
            return Ok(Item::Immutable(value));
        }
        let key = self.key.and_then(fixed).ok_or("k is not 32 bytes")?;
        let signature = self
            .signature
            .and_then(fixed)
            .ok_or("sig is not 64 bytes")?;
        Ok(Item::Mutable(MutableItem {
            key: PublicKey::new(key),
            seq: self.seq().ok_or("seq is no number")?,
            signature: Signature::new(signature),
            value,
        }))
    }
}

fn fixed<const LENGTH: usize>(value: Value<'_>) -> Option<[u8; LENGTH]> {
    value.as_bytes()?.try_into().ok()
}

/// All of a `put` but `cas` and `id`, which stand before it.
pub(super) fn encode_put(put: &Put, arguments: &mut DictEncoder<'_>) {
    if let Item::Mutable(item) = &put.item {
        arguments.bytes(b"k", item.key.as_bytes());
    }
    if !put.salt.as_bytes().is_empty() {
        arguments.bytes(b"salt", put.salt.as_bytes());
    }
    if let Item::Mutable(item) = &put.item {
        arguments.integer(b"seq", item.seq);
        arguments.bytes(b"sig", item.signature.as_bytes());
    }
    // BEP 44 has no target here, and the nodes of the crate `mainline` take no put without it.
    arguments.bytes(b"target", put.item.target(&put.salt).as_bytes());
    arguments.bytes(b"token", put.token.as_bytes());
    arguments.raw(b"v", put.item.value().as_bencode());
}

/// `k`, which stands before the nodes of a response.
pub(super) fn encode_key(holding: Option<&Holding>, values: &mut DictEncoder<'_>) {
    if let Some(Holding::Item(Item::Mutable(item))) = holding {
        values.bytes(b"k", item.key.as_bytes());
    }
}

/// `seq` and `sig`, which stand between its nodes and its token.
pub(super) fn encode_proof(holding: Option<&Holding>, values: &mut DictEncoder<'_>) {
    match holding {
        Some(Holding::Item(Item::Mutable(item))) => {
            values.integer(b"seq", item.seq);
            values.bytes(b"sig", item.signature.as_bytes());
        }
        Some(Holding::Seq(seq)) => values.integer(b"seq", *seq),
        Some(Holding::Item(Item::Immutable(_))) | None => {}
    }
}

/// `v`, which stands behind its token.
pub(super) fn encode_value(holding: Option<&Holding>, values: &mut DictEncoder<'_>) {
    if let Some(Holding::Item(item)) = holding {
        values.raw(b"v", item.value().as_bencode());
    }
}

#[cfg(test)]
pub(super) mod tests;
