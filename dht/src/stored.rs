use std::net::SocketAddr;
use std::time::Duration;

use crate::id::Id;
use crate::item::{Item, Salt};

/// A peer that was announced to a node, to be kept between two runs of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredPeer {
    /// The torrent.
    pub info_hash: Id,
    /// Where the peer listens.
    pub address: SocketAddr,
    /// It has all of it. BEP 33.
    pub is_seed: bool,
    /// What is left of its life, in whole seconds.
    pub left: Duration,
}

/// An item that was put to a node, to be kept between two runs of it. BEP 44.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredItem {
    /// The item.
    pub item: Item,
    /// What it is signed with besides, if it is.
    pub salt: Salt,
    /// Who put it first; of a public address the port does not matter.
    pub source: SocketAddr,
    /// What is left of its life, in whole seconds.
    pub left: Duration,
}

/// The whole seconds from now until a second of the driver's clock.
pub(crate) fn left_until(expires: u32, now: Duration) -> Duration {
    let left = Duration::from_secs(expires.into()).saturating_sub(now);
    Duration::from_secs(left.as_secs())
}
