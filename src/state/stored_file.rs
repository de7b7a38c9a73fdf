//! The file of what a node stores for others.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use dht::{Id, Item, ItemValue, MutableItem, PublicKey, Salt, Signature, StoredItem, StoredPeer};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use super::Unreadable;

const VERSION: u32 = 1;

/// What others announced to a node and put to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) peers: Vec<StoredPeer>,
    pub(crate) items: Vec<StoredItem>,
}

#[derive(Serialize, Deserialize)]
struct StoredFile {
    items: Vec<ItemEntry>,
    /// For each peer: its info-hash, 1 for a seed and else 0, the seconds that are left to it in four bytes, and its address and port, as in BEP 5.
    #[serde(with = "serde_bytes")]
    peers: Vec<u8>,
    /// The same with addresses as in BEP 32.
    #[serde(with = "serde_bytes")]
    peers6: Vec<u8>,
    /// When it was written: seconds since 1970.
    saved: u64,
    version: u32,
}

/// What every version has.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// Named as BEP 44 does.
#[derive(Serialize, Deserialize)]
struct ItemEntry {
    /// Who put it: address and port.
    #[serde(with = "serde_bytes")]
    from: Vec<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<ByteArray<32>>,
    left: u32,
    #[serde(with = "serde_bytes")]
    salt: Vec<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sig: Option<ByteArray<64>>,
    #[serde(with = "serde_bytes")]
    v: Vec<u8>,
}

/// Writes what a node stores at the time `now`.
pub(super) fn encode(
    peers: impl Iterator<Item = StoredPeer>,
    items: impl Iterator<Item = StoredItem>,
    now: SystemTime,
) -> Result<Vec<u8>, serde_bencode::Error> {
    let mut file = StoredFile {
        items: items.map(|stored| entry(&stored)).collect(),
        peers: Vec::new(),
        peers6: Vec::new(),
        saved: seconds(now),
        version: VERSION,
    };
    for peer in peers {
        let list = match peer.address {
            SocketAddr::V4(_) => &mut file.peers,
            SocketAddr::V6(_) => &mut file.peers6,
        };
        list.extend_from_slice(peer.info_hash.as_bytes());
        list.push(peer.is_seed.into());
        list.extend_from_slice(&whole_seconds(peer.left).to_be_bytes());
        push_address(list, peer.address);
    }
    serde_bencode::to_bytes(&file)
}

/// Reads what a node stored, at the time `now`: what has outlived itself meanwhile is left out, and everything if it is not known how long that was.
pub(super) fn decode(bytes: &[u8], now: SystemTime) -> Result<Stored, Unreadable> {
    let damaged = || Unreadable::Damaged("it is not a store");
    let head: Head = serde_bencode::from_bytes(bytes).map_err(|_| damaged())?;
    if head.version > VERSION {
        return Err(Unreadable::Newer {
            version: head.version,
            known: VERSION,
        });
    }
    let file: StoredFile = serde_bencode::from_bytes(bytes).map_err(|_| damaged())?;
    let Some(away) = seconds(now).checked_sub(file.saved) else {
        return Ok(Stored::default());
    };
    let away = Duration::from_secs(away);
    let mut peers = read_peers::<4>(&file.peers).ok_or_else(damaged)?;
    peers.extend(read_peers::<16>(&file.peers6).ok_or_else(damaged)?);
    let items = file.items.iter().map(item);
    let mut items = items.collect::<Option<Vec<_>>>().ok_or_else(damaged)?;
    peers.retain_mut(|peer| age(&mut peer.left, away));
    items.retain_mut(|item| age(&mut item.left, away));
    Ok(Stored { peers, items })
}

/// Takes off the time between two runs. Whether anything is left.
fn age(left: &mut Duration, away: Duration) -> bool {
    *left = left.saturating_sub(away);
    !left.is_zero()
}

fn entry(stored: &StoredItem) -> ItemEntry {
    let mut from = Vec::new();
    push_address(&mut from, stored.source);
    let signed = match &stored.item {
        Item::Immutable(_) => None,
        Item::Mutable(item) => Some(item),
    };
    ItemEntry {
        from,
        k: signed.map(|item| ByteArray::new(*item.key.as_bytes())),
        left: whole_seconds(stored.left),
        salt: stored.salt.as_bytes().to_vec(),
        seq: signed.map(|item| item.seq),
        sig: signed.map(|item| ByteArray::new(*item.signature.as_bytes())),
        v: stored.item.value().as_bencode().to_vec(),
    }
}

fn item(entry: &ItemEntry) -> Option<StoredItem> {
    let value = ItemValue::from_bencode(&entry.v).ok()?;
    let item = match (entry.k, entry.seq, entry.sig) {
        (None, None, None) => Item::Immutable(value),
        (Some(key), Some(seq), Some(signature)) => Item::Mutable(MutableItem {
            value,
            key: PublicKey::new(key.into_array()),
            seq,
            signature: Signature::new(signature.into_array()),
        }),
        _ => return None,
    };
    let (source, rest) = match entry.from.len() {
        6 => split_address::<4>(&entry.from)?,
        _ => split_address::<16>(&entry.from)?,
    };
    rest.is_empty().then_some(StoredItem {
        item,
        salt: Salt::new(&entry.salt).ok()?,
        source,
        left: Duration::from_secs(entry.left.into()),
    })
}

/// Peers with addresses of `N` bytes.
fn read_peers<const N: usize>(mut bytes: &[u8]) -> Option<Vec<StoredPeer>>
where
    [u8; N]: Into<IpAddr>,
{
    let mut peers = Vec::with_capacity(bytes.len() / (27 + N));
    while !bytes.is_empty() {
        let (info_hash, rest) = bytes.split_first_chunk::<20>()?;
        let (seed, rest) = rest.split_first()?;
        let (left, rest) = rest.split_first_chunk::<4>()?;
        let (address, rest) = split_address::<N>(rest)?;
        peers.push(StoredPeer {
            info_hash: Id::new(*info_hash),
            address,
            is_seed: *seed == 1,
            left: Duration::from_secs(u32::from_be_bytes(*left).into()),
        });
        bytes = rest;
    }
    Some(peers)
}

fn split_address<const N: usize>(bytes: &[u8]) -> Option<(SocketAddr, &[u8])>
where
    [u8; N]: Into<IpAddr>,
{
    let (ip, rest) = bytes.split_first_chunk::<N>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let address = SocketAddr::new((*ip).into(), u16::from_be_bytes(*port));
    Some((address, rest))
}

fn push_address(list: &mut Vec<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => list.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => list.extend_from_slice(&ip.octets()),
    }
    list.extend_from_slice(&address.port().to_be_bytes());
}

fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use dht::SecretKey;

    use super::*;

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    fn stored() -> Stored {
        let value = ItemValue::from_bytes(b"It rains.").unwrap();
        let salt = Salt::new(b"weather").unwrap();
        let key = SecretKey::from_seed(&[1; 32]);
        let peer = |address: &str, is_seed, left| StoredPeer {
            info_hash: Id::new([7; 20]),
            address: address.parse().unwrap(),
            is_seed,
            left,
        };
        let item = |item, salt: &Salt, source: &str, left| StoredItem {
            item,
            salt: salt.clone(),
            source: source.parse().unwrap(),
            left,
        };
        let signed = MutableItem::sign(value.clone(), 3, &salt, &key);
        Stored {
            peers: vec![
                peer("192.0.2.1:6881", true, minutes(10)),
                peer("[2001:db8::1]:1", false, minutes(40)),
            ],
            items: vec![
                item(
                    Item::Immutable(value),
                    &Salt::NONE,
                    "192.0.2.1:1",
                    minutes(20),
                ),
                item(
                    Item::Mutable(signed),
                    &salt,
                    "[2001:db8::1]:9",
                    minutes(110),
                ),
            ],
        }
    }

    fn written(at: SystemTime) -> Vec<u8> {
        let stored = stored();
        encode(stored.peers.into_iter(), stored.items.into_iter(), at).unwrap()
    }

    #[test]
    fn what_is_stored_comes_back_older_by_the_time_between() {
        let saved = SystemTime::UNIX_EPOCH + minutes(1_000_000);
        let file = written(saved);
        assert_eq!(decode(&file, saved).ok(), Some(stored()));

        let later = decode(&file, saved + minutes(20)).ok().unwrap();
        let [peer] = &later.peers[..] else {
            panic!("{later:?}")
        };
        assert_eq!(peer.left, minutes(20));
        let [item] = &later.items[..] else {
            panic!("{later:?}")
        };
        assert_eq!((item.item.seq(), item.left), (Some(3), minutes(90)));

        // Nobody knows how long ago a time to come was.
        let earlier = decode(&file, saved - minutes(1)).ok();
        assert_eq!(earlier, Some(Stored::default()));
    }

    #[test]
    fn a_store_that_is_cut_anywhere_is_damaged() {
        let saved = SystemTime::UNIX_EPOCH;
        let file = written(saved);
        for length in 0..file.len() {
            let cut = decode(&file[..length], saved);
            assert!(matches!(cut, Err(Unreadable::Damaged(_))), "{length}");
        }
    }
}
