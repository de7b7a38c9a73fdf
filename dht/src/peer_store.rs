use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use lru::LruCache;
use rand::{Rng, RngExt};
use siphasher::sip::SipHasher13;

use crate::address::{Endpoint, Family, is_public};
use crate::config::Config;
use crate::id::Id;

/// What an info-hash costs beside its peers, approximately.
const SWARM_BYTES: usize = 200;

/// The peers that were announced to this node. BEP 5, "`announce_peer`".
///
/// Bounded by the numbers in [`Config`]; the info-hash that was announced to longest ago makes room.
pub(crate) struct PeerStore {
    /// By the time of the last announce: looking up does not prolong a life.
    swarms: LruCache<Id, Swarm, Keyed>,
    accounts_v4: Accounts<SocketAddrV4>,
    accounts_v6: Accounts<SocketAddrV6>,
}

#[derive(Default)]
struct Swarm {
    v4: Vec<Peer<SocketAddrV4>>,
    v6: Vec<Peer<SocketAddrV6>>,
}

struct Peer<A> {
    address: A,
    /// In seconds of the driver's clock.
    expires: u32,
}

impl PeerStore {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        let mut key = [0; 16];
        rng.fill_bytes(&mut key);
        Self {
            swarms: LruCache::unbounded_with_hasher(Keyed(key)),
            accounts_v4: Accounts::default(),
            accounts_v6: Accounts::default(),
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
        self.swarms.len() * SWARM_BYTES + self.accounts_v4.bytes() + self.accounts_v6.bytes()
    }

    /// Keeps or renews a peer. False if its source has more than its share.
    pub(crate) fn announce(
        &mut self,
        info_hash: Id,
        peer: SocketAddr,
        now: Duration,
        config: &Config,
    ) -> bool {
        self.expire(now);
        let swarm = self.swarms.get_or_insert_mut(info_hash, Swarm::default);
        let stored = match peer {
            SocketAddr::V4(peer) => self.accounts_v4.announce(&mut swarm.v4, peer, now, config),
            SocketAddr::V6(peer) => self.accounts_v6.announce(&mut swarm.v6, peer, now, config),
        };
        if swarm.v4.is_empty() && swarm.v6.is_empty() {
            self.forget(&info_hash);
        }
        while self.swarms.len() > config.max_info_hashes || self.bytes() > config.max_peer_bytes {
            let Some((&oldest, _)) = self.swarms.peek_lru() else {
                break;
            };
            self.forget(&oldest);
        }
        stored
    }

    /// At most `count` peers of one family, each subset as likely as any other.
    pub(crate) fn sample(
        &mut self,
        info_hash: &Id,
        family: Family,
        count: usize,
        now: Duration,
        rng: &mut impl Rng,
    ) -> Vec<SocketAddr> {
        let Some(swarm) = self.swarms.peek_mut(info_hash) else {
            return Vec::new();
        };
        match family {
            Family::V4 => sample(&mut swarm.v4, count, now, rng),
            Family::V6 => sample(&mut swarm.v6, count, now, rng),
        }
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

impl<A> Peer<A> {
    fn is_alive(&self, now: Duration) -> bool {
        u64::from(self.expires) > now.as_secs()
    }
}

fn sample<A: Endpoint>(
    peers: &mut [Peer<A>],
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
                .filter(|peer| peer.is_alive(now))
                .map(|peer| peer.address.into()),
        );
    }
    sample
}

/// What is known of all entries of one family without looking at each.
struct Accounts<A> {
    /// Entries of each source: the IP, on a local network with its port.
    sources: BTreeMap<A, u32>,
    peers: usize,
    /// Entries that there is room for.
    room: usize,
}

impl<A> Default for Accounts<A> {
    fn default() -> Self {
        Self {
            sources: BTreeMap::new(),
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

    fn announce(
        &mut self,
        peers: &mut Vec<Peer<A>>,
        address: A,
        now: Duration,
        config: &Config,
    ) -> bool {
        let fresh = Peer {
            address,
            expires: (now + config.peer_lifetime).as_secs() as u32,
        };
        if let Some(peer) = peers.iter_mut().find(|peer| peer.address == address) {
            *peer = fresh;
            return true;
        }
        self.expire(peers, now);
        let source = source(address);
        if self
            .sources
            .get(&source)
            .is_some_and(|&entries| entries >= config.max_peers_per_source)
        {
            return false;
        }
        if peers.len() >= config.max_peers_per_info_hash {
            let Some((oldest, _)) = peers
                .iter()
                .enumerate()
                .min_by_key(|(_, peer)| peer.expires)
            else {
                return false;
            };
            self.remove(&peers.swap_remove(oldest));
        }
        *self.sources.entry(source).or_default() += 1;
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

/// Who is responsible for an entry: the IP, on a local network with its port.
fn source<A: Endpoint>(peer: A) -> A {
    if is_public(peer.into().ip()) {
        peer.at_port(0)
    } else {
        peer
    }
}

/// A hash that nobody else can compute, so that nobody chooses info-hashes that collide; and one that a seed repeats.
struct Keyed([u8; 16]);

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn rng() -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(5)
    }

    fn peer(host: u16) -> SocketAddr {
        let [high, low] = host.to_be_bytes();
        SocketAddr::from(([11, 1, high, low], 6881))
    }

    fn hash(number: u8) -> Id {
        Id::new([number; 20])
    }

    #[test]
    fn a_peer_lives_45_minutes_from_its_last_announce() {
        let (mut rng, config) = (rng(), Config::default());
        let mut store = PeerStore::new(&mut rng);
        assert!(store.announce(hash(1), peer(1), Duration::ZERO, &config));
        assert!(store.announce(hash(1), peer(2), Duration::ZERO, &config));
        assert!(store.announce(hash(1), peer(1), 30 * MINUTE, &config));
        assert_eq!(
            store
                .sample(&hash(1), Family::V4, 10, 44 * MINUTE, &mut rng)
                .len(),
            2
        );
        assert_eq!(
            store.sample(&hash(1), Family::V4, 10, 45 * MINUTE, &mut rng),
            [peer(1)]
        );
        assert_eq!(store.sample(&hash(1), Family::V6, 10, MINUTE, &mut rng), []);
        store.expire(75 * MINUTE);
        assert!(store.is_empty() && store.bytes() == 0 && store.accounts_v4.sources.is_empty());
    }

    #[test]
    fn every_peer_is_drawn_equally_often() {
        let (mut rng, config) = (rng(), Config::default());
        let mut store = PeerStore::new(&mut rng);
        for host in 0..100 {
            store.announce(hash(1), peer(host), Duration::ZERO, &config);
        }
        let mut drawn = BTreeMap::<_, u32>::new();
        for _ in 0..10_000 {
            let sample = store.sample(&hash(1), Family::V4, 10, MINUTE, &mut rng);
            assert_eq!(sample.len(), 10);
            for peer in sample {
                *drawn.entry(peer).or_default() += 1;
            }
        }
        // Each is expected 1,000 times with a standard deviation of 30.
        assert_eq!(drawn.len(), 100);
        assert!(
            drawn.values().all(|times| (800..1200).contains(times)),
            "{drawn:?}"
        );
    }

    #[test]
    fn one_source_cannot_fill_the_store() {
        let config = Config {
            max_peers_per_source: 3,
            ..Config::default()
        };
        let mut store = PeerStore::new(&mut rng());
        let stored = (0..10)
            .filter(|&number| store.announce(hash(number), peer(1), Duration::ZERO, &config))
            .count();
        assert_eq!((stored, store.info_hashes()), (3, 3));
        assert!(store.announce(hash(9), peer(2), Duration::ZERO, &config));
    }

    proptest! {
        #[test]
        fn stays_within_its_bounds_and_keeps_its_books(
            announces in proptest::collection::vec((0u8..12, 0u16..40, 0u64..400), 1..300),
        ) {
            let config = Config {
                max_info_hashes: 8, max_peers_per_info_hash: 6, max_peers_per_source: 4, max_peer_bytes: 2500, ..Config::default()
            };
            let mut store = PeerStore::new(&mut rng());
            let mut now = Duration::ZERO;
            for (number, host, seconds) in announces {
                now += Duration::from_secs(seconds);
                store.announce(hash(number), peer(host), now, &config);
                prop_assert!(store.info_hashes() <= 8);
                prop_assert!(store.bytes() <= 2500);
                let accounts = &store.accounts_v4;
                prop_assert!(accounts.sources.values().all(|&entries| 0 < entries && entries <= 4));
                prop_assert_eq!(accounts.sources.values().map(|&entries| entries as usize).sum::<usize>(), store.peers());
                let swarms = store.swarms.iter().map(|(_, swarm)| &swarm.v4);
                prop_assert_eq!(swarms.clone().map(Vec::len).sum::<usize>(), store.peers());
                prop_assert_eq!(swarms.map(Vec::capacity).sum::<usize>(), accounts.room);
            }
            store.expire(now + config.peer_lifetime);
            prop_assert!(store.is_empty());
            prop_assert_eq!((store.bytes(), store.peers()), (0, 0));
        }
    }
}
