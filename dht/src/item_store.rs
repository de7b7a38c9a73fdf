use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::time::Duration;

use lru::LruCache;
use rand::Rng;

use crate::address::{is_public, network, origin, scope, source};
use crate::cell_rate::{Meter, nanos};
use crate::config::Config;
use crate::id::Id;
use crate::item::{Item, Salt};
use crate::keyed_hash::KeyedHash;
use crate::message::{Holding, KrpcError, Put};
use crate::shares::{Share, Shares};
use crate::stored::{StoredItem, left_until};

/// What an item costs beside its value, approximately.
const ITEM_BYTES: usize = 376;
/// What a source costs, approximately.
const SOURCE_BYTES: usize = 64;
/// Signatures that are verified in a second: about 5 % of a processor's time.
const VERIFICATIONS: u32 = 1000;
/// Of these, for the sources of one public /24 (IPv6: /64), or for one source of a local network.
const VERIFICATIONS_PER_NETWORK: u32 = 125;

/// The items that were put to this node. BEP 44.
///
/// Bounded by the numbers in [`Config`]; of the network that has most items the one that was put longest ago makes room. Nothing enters without its signature.
pub(crate) struct ItemStore {
    /// By the time of the last put: asking for an item does not prolong its life.
    items: LruCache<Id, Stored, KeyedHash>,
    /// Items of each source.
    sources: BTreeMap<SocketAddr, u32>,
    /// Items of each network.
    shares: Shares,
    /// What the items and their sources take, approximately.
    bytes: usize,
    /// For the networks by hash, and for all.
    verifications: (Meter<256>, Meter<1>),
    hash: KeyedHash,
}

struct Stored {
    item: Item,
    /// What it is signed with besides, most often nothing: without it nobody could verify it again.
    salt: Box<[u8]>,
    /// Who put it first: it counts as his until it is gone, whoever renews it.
    source: SocketAddr,
    share: Share,
    /// In seconds of the driver's clock.
    expires: u32,
}

impl Stored {
    fn is_alive(&self, now: Duration) -> bool {
        u64::from(self.expires) > now.as_secs()
    }

    /// What it takes, approximately.
    fn bytes(&self) -> usize {
        ITEM_BYTES + self.item.value().as_bencode().len() + self.salt.len()
    }
}

impl ItemStore {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        Self {
            items: LruCache::unbounded_with_hasher(KeyedHash::new(rng)),
            sources: BTreeMap::new(),
            shares: Shares::default(),
            bytes: 0,
            verifications: (
                Meter::new(VERIFICATIONS_PER_NETWORK, 1),
                Meter::new(VERIFICATIONS, 1),
            ),
            hash: KeyedHash::new(rng),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The item of a target; its sequence number alone if it is not newer than the one that is known already.
    pub(crate) fn get(
        &self,
        target: &Id,
        newer_than: Option<i64>,
        now: Duration,
    ) -> Option<Holding> {
        let stored = self.items.peek(target)?;
        let item = stored.is_alive(now).then_some(&stored.item)?;
        Some(match (item.seq(), newer_than) {
            (Some(seq), Some(known)) if seq <= known => Holding::Seq(seq),
            _ => Holding::Item(item.clone()),
        })
    }

    /// Whether there would be room for an item that comes from this address.
    pub(crate) fn accepts(&self, target: &Id, from: SocketAddr, config: &Config) -> bool {
        self.items.contains(target) || self.has_room(source(from), config)
    }

    /// Keeps or renews an item whose target is `target`. What has no business here is refused before its signature is looked at.
    pub(crate) fn put(
        &mut self,
        target: Id,
        put: &Put,
        from: SocketAddr,
        now: Duration,
        config: &Config,
    ) -> Result<(), KrpcError> {
        self.expire(now);
        let source = source(from);
        let expires = (now + config.item_lifetime).as_secs() as u32;
        let stored = self.items.peek(&target).map(|stored| &stored.item);
        if let Some(stored) = stored {
            supersedes(put, stored)?;
        } else if !self.has_room(source, config) {
            return Err(KrpcError::new(
                KrpcError::SERVER,
                "Server Error: too many items from this address",
            ));
        }
        // Anybody may renew what was verified once. BEP 44, "Expiration".
        if stored != Some(&put.item) {
            self.verify(put, source, now)?;
        }
        self.insert(target, &put.item, &put.salt, source, expires, config);
        Ok(())
    }

    /// Keeps an item of an earlier run for what is left of its life, if it is genuine and there is room. What is here already stays.
    pub(crate) fn restore(&mut self, stored: &StoredItem, now: Duration, config: &Config) {
        let (item, salt) = (&stored.item, &stored.salt);
        let target = item.target(salt);
        let left = stored.left.min(config.item_lifetime);
        // The port of a public source is not kept.
        let address = SocketAddr::new(stored.source.ip(), stored.source.port().max(1));
        let is_welcome = scope(&address).is_some() && left >= Duration::from_secs(1);
        let source = source(stored.source);
        if is_welcome
            && !self.items.contains(&target)
            && self.has_room(source, config)
            && item.is_genuine(&target, salt)
        {
            let expires = (now + left).as_secs() as u32;
            self.insert(target, item, salt, source, expires, config);
        }
    }

    /// All items that are alive; the one that was put longest ago first.
    pub(crate) fn stored(&self, now: Duration) -> impl Iterator<Item = StoredItem> + '_ {
        let oldest_first = self.items.iter().rev().map(|(_, stored)| stored);
        let alive = oldest_first.filter(move |stored| stored.is_alive(now));
        alive.map(move |stored| StoredItem {
            item: stored.item.clone(),
            // It came as a salt.
            salt: Salt::new(&stored.salt).unwrap_or_default(),
            source: stored.source,
            left: left_until(stored.expires, now),
        })
    }

    fn insert(
        &mut self,
        target: Id,
        item: &Item,
        salt: &Salt,
        source: SocketAddr,
        expires: u32,
        config: &Config,
    ) {
        let (source, share) = match self.items.pop(&target) {
            Some(mut before) => {
                self.bytes -= before.bytes();
                self.shares.renew(&mut before.share);
                (before.source, before.share)
            }
            None => (source, self.enter(target, source)),
        };
        let stored = Stored {
            item: item.clone(),
            salt: salt.as_bytes().into(),
            source,
            share,
            expires,
        };
        self.bytes += stored.bytes();
        self.items.push(target, stored);
        while self.bytes + self.shares.bytes() > config.max_item_bytes {
            let oldest = self.items.peek_lru().map(|(_, stored)| stored.share);
            let first = oldest.and_then(|oldest| self.shares.first_to_go(oldest));
            let Some(stored) = first.and_then(|first| self.items.pop(&first)) else {
                break;
            };
            self.forget(&stored);
        }
    }

    /// Drops what is too old. Cheap when nothing is.
    pub(crate) fn expire(&mut self, now: Duration) {
        while let Some((_, stored)) = self.items.peek_lru() {
            if stored.is_alive(now) {
                break;
            }
            let Some((_, stored)) = self.items.pop_lru() else {
                break;
            };
            self.forget(&stored);
        }
    }

    fn has_room(&self, source: SocketAddr, config: &Config) -> bool {
        let of_source = self.sources.get(&source).copied().unwrap_or(0);
        let of_network = self.shares.of(origin(&source));
        of_source < config.max_items_per_source && of_network < config.max_items_per_network
    }

    /// Checks the signature of a mutable item, unless too many were lately.
    fn verify(&mut self, put: &Put, source: SocketAddr, now: Duration) -> Result<(), KrpcError> {
        let Item::Mutable(item) = &put.item else {
            return Ok(());
        };
        let asker = match public_network(source) {
            Some(network) => self.hash.hash_one(network),
            None => self.hash.hash_one(source),
        };
        let now = nanos(now);
        let (of_network, of_all) = &mut self.verifications;
        if !of_network.admit(asker, 1, now) || !of_all.admit(0, 1, now) {
            return Err(KrpcError::new(
                KrpcError::SERVER,
                "Server Error: too many signatures to verify",
            ));
        }
        if item.is_signed(&put.salt) {
            Ok(())
        } else {
            Err(KrpcError::new(
                KrpcError::INVALID_SIGNATURE,
                "Invalid signature",
            ))
        }
    }

    fn enter(&mut self, target: Id, source: SocketAddr) -> Share {
        let bytes = &mut self.bytes;
        *self.sources.entry(source).or_insert_with(|| {
            *bytes += SOURCE_BYTES;
            0
        }) += 1;
        self.shares.enter(origin(&source), target)
    }

    fn forget(&mut self, stored: &Stored) {
        self.bytes -= stored.bytes();
        self.shares.leave(stored.share);
        if let Some(items) = self.sources.get_mut(&stored.source) {
            *items -= 1;
            if *items == 0 {
                self.sources.remove(&stored.source);
                self.bytes -= SOURCE_BYTES;
            }
        }
    }
}

/// Whether what is put may stand where something stands already. BEP 44, "put message" and "CAS".
fn supersedes(put: &Put, stored: &Item) -> Result<(), KrpcError> {
    let (Some(seq), Some(current)) = (put.item.seq(), stored.seq()) else {
        return Ok(());
    };
    if put.cas.is_some_and(|expected| expected != current) {
        return Err(KrpcError::new(
            KrpcError::CAS_MISMATCH,
            "CAS mismatch: re-read the item and try again",
        ));
    }
    if seq < current || (seq == current && put.item.value() != stored.value()) {
        return Err(KrpcError::new(
            KrpcError::SEQUENCE_NUMBER_TOO_LOW,
            "Sequence number less than or equal to the current one",
        ));
    }
    Ok(())
}

fn public_network(source: SocketAddr) -> Option<u64> {
    is_public(source.ip()).then(|| network(source.ip()))
}

#[cfg(test)]
mod tests;
