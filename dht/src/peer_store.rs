use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use lru::LruCache;
use rand::{Rng, RngExt};

use crate::address::{Endpoint, Family, is_public, origin, same_host, scope, source};
use crate::bloom_filter::Marks;
use crate::config::Config;
use crate::id::Id;
use crate::keyed_hash::KeyedHash;
use crate::message::Scrape;
use crate::shares::{Share, Shares};
use crate::stored::{StoredPeer, left_until};

mod info_hash_sample;

use info_hash_sample::InfoHashSample;

/// What an info-hash costs beside its peers, approximately.
const SWARM_BYTES: usize = 216;
/// Peers of one /64 that an info-hash has room for: a household's. In IPv4 an IP is one peer (BEP 33).
const MAX_OF_SOURCE: usize = 8;
/// Peers of one /48 that it has room for: as many as a /24 has addresses.
const MAX_OF_NETWORK: usize = 256;
/// Sources of one /24 or /48 that the store has room for: so many a /24 has.
const MAX_SOURCES: usize = 256;

/// The peers that were announced to this node. BEP 5, "`announce_peer`".
///
/// Bounded by the numbers in [`Config`]; of the network that brought most info-hashes, the one that was announced to longest ago makes room.
pub(crate) struct PeerStore {
    /// By the time of the last announce: looking up does not prolong a life.
    swarms: LruCache<Id, Swarm, KeyedHash>,
    /// Info-hashes by the network that announced them first.
    shares: Shares,
    accounts_v4: Accounts<SocketAddrV4>,
    accounts_v6: Accounts<SocketAddrV6>,
    /// Drawn when it was asked for last.
    sample: Option<InfoHashSample>,
}

struct Swarm {
    share: Share,
    v4: Vec<Peer<SocketAddrV4>>,
    v6: Vec<Peer<SocketAddrV6>>,
}

struct Peer<A> {
    address: A,
    /// In seconds of the driver's clock.
    expires: u32,
    /// Its bits in a filter, found once: whoever scrapes costs no hashes.
    marks: Marks,
    is_seed: bool,
}

impl PeerStore {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        Self {
            swarms: LruCache::unbounded_with_hasher(KeyedHash::new(rng)),
            shares: Shares::default(),
            accounts_v4: Accounts::default(),
            accounts_v6: Accounts::default(),
            sample: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.swarms.is_empty()
    }

    pub(crate) fn info_hashes(&self) -> usize {
        self.swarms.len()
    }

    pub(crate) fn peers(&self) -> usize {
        self.accounts_v4.peers + self.accounts_v6.peers
    }

    /// What all of it takes, approximately.
    fn bytes(&self) -> usize {
        let peers = self.accounts_v4.bytes() + self.accounts_v6.bytes();
        self.swarms.len() * SWARM_BYTES + self.shares.bytes() + peers
    }

    /// Keeps or renews a peer. False if its source or its network has its share.
    pub(crate) fn announce(
        &mut self,
        info_hash: Id,
        peer: SocketAddr,
        is_seed: bool,
        now: Duration,
        config: &Config,
    ) -> bool {
        self.keep(info_hash, peer, is_seed, config.peer_lifetime, now, config)
    }

    /// Keeps a peer of an earlier run for what is left of its life, unless it has more left by now.
    pub(crate) fn restore(&mut self, stored: &StoredPeer, now: Duration, config: &Config) {
        let left = stored.left.min(config.peer_lifetime);
        if scope(&stored.address).is_some() && left >= Duration::from_secs(1) {
            let (peer, is_seed) = (stored.address, stored.is_seed);
            self.keep(stored.info_hash, peer, is_seed, left, now, config);
        }
    }

    /// All peers that are alive; those of the info-hash that was announced to longest ago first.
    pub(crate) fn stored(&self, now: Duration) -> impl Iterator<Item = StoredPeer> + '_ {
        self.swarms
            .iter()
            .rev()
            .flat_map(move |(info_hash, swarm)| {
                let v4 = swarm.v4.iter().map(Peer::widen);
                let v6 = swarm.v6.iter().map(Peer::widen);
                let alive = v4.chain(v6).filter(move |peer| peer.is_alive(now));
                alive.map(move |peer| StoredPeer {
                    info_hash: *info_hash,
                    address: peer.address,
                    is_seed: peer.is_seed,
                    left: left_until(peer.expires, now),
                })
            })
    }

    fn keep(
        &mut self,
        info_hash: Id,
        peer: SocketAddr,
        is_seed: bool,
        left: Duration,
        now: Duration,
        config: &Config,
    ) -> bool {
        self.expire(now);
        let expires = (now + left).as_secs() as u32;
        let shares = &mut self.shares;
        let found = || Swarm {
            share: shares.enter(origin(&peer), info_hash),
            v4: Vec::new(),
            v6: Vec::new(),
        };
        let swarm = self.swarms.get_or_insert_mut(info_hash, found);
        self.shares.renew(&mut swarm.share);
        let stored = match peer {
            SocketAddr::V4(peer) => {
                self.accounts_v4
                    .announce(&mut swarm.v4, peer, is_seed, expires, now, config)
            }
            SocketAddr::V6(peer) => {
                self.accounts_v6
                    .announce(&mut swarm.v6, peer, is_seed, expires, now, config)
            }
        };
        if swarm.v4.is_empty() && swarm.v6.is_empty() {
            self.forget(&info_hash);
        }
        while self.swarms.len() > config.max_info_hashes || self.bytes() > config.max_peer_bytes {
            let oldest = self.swarms.peek_lru().map(|(_, swarm)| swarm.share);
            let Some(first) = oldest.and_then(|oldest| self.shares.first_to_go(oldest)) else {
                break;
            };
            self.forget(&first);
        }
        stored
    }

    /// Whether an announce that comes from this address would be kept.
    pub(crate) fn accepts(&self, info_hash: &Id, from: SocketAddr, config: &Config) -> bool {
        let swarm = || self.swarms.peek(info_hash);
        match from {
            SocketAddr::V4(from) => {
                self.accounts_v4.has_room(from, config)
                    || swarm().is_some_and(|swarm| includes(&swarm.v4, from))
            }
            SocketAddr::V6(from) => {
                self.accounts_v6.has_room(from, config)
                    || swarm().is_some_and(|swarm| includes(&swarm.v6, from))
            }
        }
    }

    /// At most `count` peers of one family, each subset as likely as any other; without seeds on request.
    pub(crate) fn sample(
        &mut self,
        info_hash: &Id,
        family: Family,
        no_seeds: bool,
        count: usize,
        now: Duration,
        rng: &mut impl Rng,
    ) -> Vec<SocketAddr> {
        let Some(swarm) = self.swarms.peek_mut(info_hash) else {
            return Vec::new();
        };
        match family {
            Family::V4 => sample(&mut swarm.v4, no_seeds, count, now, rng),
            Family::V6 => sample(&mut swarm.v6, no_seeds, count, now, rng),
        }
    }

    /// Everybody who has an info-hash, in both families; `None` if nobody has. BEP 33, "New `GET_PEERS` semantics".
    pub(crate) fn scrape(&self, info_hash: &Id, now: Duration) -> Option<Scrape> {
        let swarm = self.swarms.peek(info_hash)?;
        let v4 = swarm.v4.iter().filter_map(|peer| peer.standing(now));
        let v6 = swarm.v6.iter().filter_map(|peer| peer.standing(now));
        let mut alive = v4.chain(v6).peekable();
        alive.peek()?;
        let mut scrape = Scrape::default();
        for (marks, is_seed) in alive {
            if is_seed {
                scrape.seeds.mark(marks);
            } else {
                scrape.peers.mark(marks);
            }
        }
        Some(scrape)
    }

    /// At most `count` of the info-hashes that peers are kept for, the same ones until [`Config::sample_interval`] has passed. BEP 51.
    pub(crate) fn sample_info_hashes(
        &mut self,
        count: usize,
        now: Duration,
        config: &Config,
        rng: &mut impl Rng,
    ) -> &[Id] {
        self.expire(now);
        let current = self.sample.take().filter(|sample| sample.holds(now));
        let sample = current.unwrap_or_else(|| {
            let info_hashes = self.swarms.iter().map(|(info_hash, _)| *info_hash);
            InfoHashSample::draw(info_hashes, now + config.sample_interval, rng)
        });
        self.sample.insert(sample).first(count)
    }

    /// Drops what is too old. Cheap when nothing is.
    pub(crate) fn expire(&mut self, now: Duration) {
        while let Some((&oldest, swarm)) = self.swarms.peek_lru() {
            if swarm.is_alive(now) {
                break;
            }
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, info_hash: &Id) {
        if let Some(swarm) = self.swarms.pop(info_hash) {
            self.shares.leave(swarm.share);
            self.accounts_v4.close(&swarm.v4);
            self.accounts_v6.close(&swarm.v6);
        }
    }
}

impl Swarm {
    fn is_alive(&self, now: Duration) -> bool {
        self.v4.iter().any(|peer| peer.is_alive(now))
            || self.v6.iter().any(|peer| peer.is_alive(now))
    }
}

impl<A: Endpoint> Peer<A> {
    fn widen(&self) -> Peer<SocketAddr> {
        Peer {
            address: self.address.into(),
            expires: self.expires,
            marks: self.marks,
            is_seed: self.is_seed,
        }
    }
}

impl<A> Peer<A> {
    fn is_alive(&self, now: Duration) -> bool {
        u64::from(self.expires) > now.as_secs()
    }

    /// What a scrape counts of it while it lives.
    fn standing(&self, now: Duration) -> Option<(Marks, bool)> {
        self.is_alive(now).then_some((self.marks, self.is_seed))
    }
}

/// Whether somebody is one of these peers, perhaps at another port.
fn includes<A: Endpoint>(peers: &[Peer<A>], from: A) -> bool {
    let mut peers = peers.iter();
    peers.any(|peer| same_host(&peer.address.into(), &from.into()))
}

fn sample<A: Endpoint>(
    peers: &mut [Peer<A>],
    no_seeds: bool,
    count: usize,
    now: Duration,
    rng: &mut impl Rng,
) -> Vec<SocketAddr> {
    // The beginning of a shuffle. The order in the store means nothing, so it is shuffled in place.
    let mut sample = Vec::with_capacity(count.min(peers.len()));
    for place in 0..peers.len() {
        if sample.len() == count {
            break;
        }
        peers.swap(place, rng.random_range(place..peers.len()));
        sample.extend(
            peers
                .get(place)
                .filter(|peer| peer.is_alive(now) && !(no_seeds && peer.is_seed))
                .map(|peer| peer.address.into()),
        );
    }
    sample
}

/// Who makes room for a new peer, if somebody has to: the oldest of its own network if that is crowded, else of the network that has most.
fn first_to_go<A: Endpoint>(peers: &[Peer<A>], address: A, most: usize) -> Option<usize> {
    if address.into().is_ipv6() {
        let of_source = |other: &A| source(*other) == source(address);
        let of_network = |other: &A| origin(&(*other).into()) == origin(&address.into());
        if let Some(place) = oldest_of_crowd(peers, MAX_OF_SOURCE, of_source)
            .or_else(|| oldest_of_crowd(peers, MAX_OF_NETWORK, of_network))
        {
            return Some(place);
        }
    }
    if peers.len() < most {
        return None;
    }
    let places = peers.iter().enumerate();
    let mut places: Vec<_> = places
        .map(|(place, peer)| (origin(&peer.address.into()), peer.expires, place))
        .collect();
    places.sort_unstable();
    // Of each network its oldest stands first.
    let networks = places.chunk_by(|(one, ..), (other, ..)| one == other);
    let oldest = networks.filter_map(|places| Some((places.len(), places.first()?)));
    let first = oldest.max_by_key(|(count, (_, expires, _))| (*count, Reverse(*expires)));
    first.map(|(_, (_, _, place))| *place)
}

/// The oldest of some peers, if there are so many of them.
fn oldest_of_crowd<A: Endpoint>(
    peers: &[Peer<A>],
    crowd: usize,
    is_one: impl Fn(&A) -> bool,
) -> Option<usize> {
    let places = peers.iter().enumerate();
    let of_crowd = || places.clone().filter(|(_, peer)| is_one(&peer.address));
    let oldest = || of_crowd().min_by_key(|(_, peer)| peer.expires);
    (peers.len() >= crowd && of_crowd().count() >= crowd)
        .then(oldest)
        .flatten()
        .map(|(place, _)| place)
}

/// What is known of all entries of one family without looking at each.
struct Accounts<A> {
    /// Entries of each source: the IP, in IPv6 the /64, on a local network the address with its port.
    sources: BTreeMap<A, u32>,
    /// The most entries that any of them ever had.
    most: u32,
    peers: usize,
    /// Entries that there is room for.
    room: usize,
}

impl<A> Default for Accounts<A> {
    fn default() -> Self {
        Self {
            sources: BTreeMap::new(),
            most: 0,
            peers: 0,
            room: 0,
        }
    }
}

impl<A: Endpoint> Accounts<A> {
    /// What a source costs: nodes of the map are two thirds full when they are filled in no order.
    const SOURCE_BYTES: usize = (size_of::<A>() + size_of::<u32>()) * 2;

    fn bytes(&self) -> usize {
        self.room * size_of::<Peer<A>>() + self.sources.len() * Self::SOURCE_BYTES
    }

    /// Whether a source may have one more entry, and its network. Cheap where none ever had its share.
    fn has_room(&self, address: A, config: &Config) -> bool {
        let share = config.max_peers_per_source;
        let entries = || self.sources.get(&source(address));
        (self.most < share || entries().is_none_or(|&entries| entries < share))
            && self.network_has_room(address, config)
    }

    /// Whether the network of an address may have one more entry. What it has stands side by side, and is little: nobody counts it meanwhile.
    fn network_has_room(&self, address: A, config: &Config) -> bool {
        let share = u64::from(config.max_peers_per_network);
        let is_small = self.sources.len() < MAX_SOURCES && (self.peers as u64) < share;
        if is_small || !is_public(address.into().ip()) {
            return true;
        }
        let neighbours = self.sources.range(address.neighbours());
        let (mut sources, mut entries) = (0, 0);
        for (_, of_source) in neighbours.take(MAX_SOURCES) {
            sources += 1;
            entries += u64::from(*of_source);
        }
        entries < share && (sources < MAX_SOURCES || self.sources.contains_key(&source(address)))
    }

    fn announce(
        &mut self,
        peers: &mut Vec<Peer<A>>,
        address: A,
        is_seed: bool,
        expires: u32,
        now: Duration,
        config: &Config,
    ) -> bool {
        let endpoint = address.into();
        // BEP 33, "Changed announce accounting": one entry an IP; its port and what it has may change.
        let known = peers
            .iter_mut()
            .find(|peer| same_host(&peer.address.into(), &endpoint));
        if let Some(peer) = known {
            *peer = Peer {
                address,
                expires: expires.max(peer.expires),
                is_seed,
                ..*peer
            };
            return true;
        }
        let fresh = Peer {
            address,
            expires,
            marks: Marks::of(endpoint.ip()),
            is_seed,
        };
        self.expire(peers, now);
        if !self.has_room(address, config) {
            return false;
        }
        if let Some(place) = first_to_go(peers, address, config.max_peers_per_info_hash) {
            self.remove(&peers.swap_remove(place));
        }
        let entries = self.sources.entry(source(address)).or_default();
        *entries += 1;
        self.most = self.most.max(*entries);
        self.peers += 1;
        if peers.len() == peers.capacity() {
            // Most torrents have few peers, and what all of them together do not use is to be little.
            self.resize(peers, |peers| peers.reserve_exact(1 + peers.len() / 8));
        }
        peers.push(fresh);
        true
    }

    fn expire(&mut self, peers: &mut Vec<Peer<A>>, now: Duration) {
        peers.retain(|peer| {
            let alive = peer.is_alive(now);
            if !alive {
                self.remove(peer);
            }
            alive
        });
        if peers.len() < peers.capacity() / 4 {
            self.resize(peers, Vec::shrink_to_fit);
        }
    }

    fn resize(&mut self, peers: &mut Vec<Peer<A>>, resize: impl FnOnce(&mut Vec<Peer<A>>)) {
        self.room -= peers.capacity();
        resize(peers);
        self.room += peers.capacity();
    }

    /// Forgets all peers of a torrent.
    fn close(&mut self, peers: &Vec<Peer<A>>) {
        for peer in peers {
            self.remove(peer);
        }
        self.room -= peers.capacity();
    }

    fn remove(&mut self, peer: &Peer<A>) {
        self.peers -= 1;
        let source = source(peer.address);
        if let Some(entries) = self.sources.get_mut(&source) {
            *entries -= 1;
            if *entries == 0 {
                self.sources.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests;
