use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use lru::LruCache;
use rand::{Rng, RngExt};
use siphasher::sip::SipHasher13;

use crate::address::{Endpoint, Family, is_public, same_host};
use crate::bloom_filter::Marks;
use crate::config::Config;
use crate::id::Id;
use crate::message::Scrape;

mod info_hash_sample;

use info_hash_sample::InfoHashSample;

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
    /// Drawn when it was asked for last.
    sample: Option<InfoHashSample>,
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
    /// Its bits in a filter, found once: whoever scrapes costs no hashes.
    marks: Marks,
    is_seed: bool,
}

impl PeerStore {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        let mut key = [0; 16];
        rng.fill_bytes(&mut key);
        Self {
            swarms: LruCache::unbounded_with_hasher(Keyed(key)),
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
        self.swarms.len() * SWARM_BYTES + self.accounts_v4.bytes() + self.accounts_v6.bytes()
    }

    /// Keeps or renews a peer. False if its source has more than its share.
    pub(crate) fn announce(
        &mut self,
        info_hash: Id,
        peer: SocketAddr,
        is_seed: bool,
        now: Duration,
        config: &Config,
    ) -> bool {
        self.expire(now);
        let swarm = self.swarms.get_or_insert_mut(info_hash, Swarm::default);
        let stored = match peer {
            SocketAddr::V4(peer) => {
                self.accounts_v4
                    .announce(&mut swarm.v4, peer, is_seed, now, config)
            }
            SocketAddr::V6(peer) => {
                self.accounts_v6
                    .announce(&mut swarm.v6, peer, is_seed, now, config)
            }
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

    /// What a scrape counts of it while it lives.
    fn standing(&self, now: Duration) -> Option<(Marks, bool)> {
        self.is_alive(now).then_some((self.marks, self.is_seed))
    }
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
        is_seed: bool,
        now: Duration,
        config: &Config,
    ) -> bool {
        let expires = (now + config.peer_lifetime).as_secs() as u32;
        let endpoint = address.into();
        // BEP 33, "Changed announce accounting": one entry an IP; its port and what it has may change.
        let known = peers
            .iter_mut()
            .find(|peer| same_host(&peer.address.into(), &endpoint));
        if let Some(peer) = known {
            *peer = Peer {
                address,
                expires,
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
        assert!(store.announce(hash(1), peer(1), false, Duration::ZERO, &config));
        assert!(store.announce(hash(1), peer(2), false, Duration::ZERO, &config));
        assert!(store.announce(hash(1), peer(1), false, 30 * MINUTE, &config));
        assert_eq!(
            store
                .sample(&hash(1), Family::V4, false, 10, 44 * MINUTE, &mut rng)
                .len(),
            2
        );
        assert_eq!(
            store.sample(&hash(1), Family::V4, false, 10, 45 * MINUTE, &mut rng),
            [peer(1)]
        );
        assert_eq!(
            store.sample(&hash(1), Family::V6, false, 10, MINUTE, &mut rng),
            []
        );
        store.expire(75 * MINUTE);
        assert!(store.is_empty() && store.bytes() == 0 && store.accounts_v4.sources.is_empty());
    }

    #[test]
    fn every_peer_is_drawn_equally_often() {
        let (mut rng, config) = (rng(), Config::default());
        let mut store = PeerStore::new(&mut rng);
        for host in 0..100 {
            store.announce(hash(1), peer(host), false, Duration::ZERO, &config);
        }
        let mut drawn = BTreeMap::<_, u32>::new();
        for _ in 0..10_000 {
            let sample = store.sample(&hash(1), Family::V4, false, 10, MINUTE, &mut rng);
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

    fn info_hash(number: u16) -> Id {
        let mut bytes = [0; 20];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        Id::new(bytes)
    }

    #[test]
    fn every_info_hash_is_in_the_sample_equally_often() {
        let (mut rng, config) = (rng(), Config::default());
        let mut store = PeerStore::new(&mut rng);
        for number in 0..200 {
            store.announce(
                info_hash(number),
                peer(number),
                false,
                Duration::ZERO,
                &config,
            );
        }
        let mut drawn = BTreeMap::<_, u32>::new();
        let mut now = Duration::ZERO;
        for _ in 0..10_000 {
            now += Duration::from_nanos(1);
            let config = Config {
                sample_interval: Duration::ZERO,
                ..Config::default()
            };
            // Fewer than were drawn, as for a response that names nodes of both families.
            let sample = store.sample_info_hashes(20, now, &config, &mut rng);
            assert_eq!(sample.len(), 20);
            for info_hash in sample {
                *drawn.entry(*info_hash).or_default() += 1;
            }
        }
        // Each is expected 1,000 times with a standard deviation of 30.
        assert_eq!(drawn.len(), 200);
        assert!(
            drawn.values().all(|times| (800..1200).contains(times)),
            "{drawn:?}"
        );
    }

    #[test]
    fn a_sample_holds_for_its_interval() {
        let (mut rng, config) = (rng(), Config::default());
        let mut store = PeerStore::new(&mut rng);
        for number in 0..200 {
            store.announce(
                info_hash(number),
                peer(number),
                false,
                Duration::ZERO,
                &config,
            );
        }
        let end = MINUTE + config.sample_interval;
        let mut at = |now, count| {
            let sample = store.sample_info_hashes(count, now, &config, &mut rng);
            sample.to_vec()
        };
        let sample = at(MINUTE, 100);
        assert_eq!(sample.len(), 40);
        let last = end.saturating_sub(Duration::from_nanos(1));
        assert_eq!(at(last, 100), sample);
        assert_eq!(at(last, 7), sample[..7]);
        assert_ne!(at(end, 100), sample);
    }

    #[test]
    fn a_small_store_tells_everything() {
        let (mut rng, config) = (rng(), Config::default());
        let mut store = PeerStore::new(&mut rng);
        let all: Vec<_> = (0..40).map(info_hash).collect();
        for info_hash in &all {
            store.announce(*info_hash, peer(1), false, Duration::ZERO, &config);
        }
        let mut sample = store
            .sample_info_hashes(40, MINUTE, &config, &mut rng)
            .to_vec();
        assert_ne!(sample, all, "in no order that tells anything");
        sample.sort();
        assert_eq!(sample, all);
    }

    #[test]
    fn a_scrape_tells_seeds_from_others_and_counts_an_ip_once() {
        let (mut rng, config) = (rng(), Config::default());
        let mut store = PeerStore::new(&mut rng);
        assert_eq!(store.scrape(&hash(1), MINUTE), None);
        for host in 0..30 {
            store.announce(hash(1), peer(host), host < 10, Duration::ZERO, &config);
        }
        let v6 = "[2a00::1]:1".parse().unwrap();
        store.announce(hash(1), v6, true, Duration::ZERO, &config);
        let scrape = store.scrape(&hash(1), MINUTE).unwrap();
        let seeds = (0..10).map(|host| peer(host).ip()).chain([v6.ip()]);
        assert_eq!(scrape.seeds, seeds.collect());
        assert_eq!(scrape.peers, (10..30).map(|host| peer(host).ip()).collect());

        // Another port of a known IP replaces it, and a peer becomes a seed.
        let mut moved = peer(10);
        moved.set_port(9);
        store.announce(hash(1), moved, true, MINUTE, &config);
        assert_eq!(store.peers(), 31);
        let scrape = store.scrape(&hash(1), MINUTE).unwrap();
        let seeds = (0..=10).map(|host| peer(host).ip()).chain([v6.ip()]);
        assert_eq!(scrape.seeds, seeds.collect());
        assert!(!scrape.peers.contains(moved.ip()));
        // On a local network a port is a participant.
        for port in 1..=3 {
            let local = SocketAddr::from(([127, 0, 0, 1], port));
            store.announce(hash(2), local, false, MINUTE, &config);
        }
        assert_eq!(store.peers(), 34);

        let late = config.peer_lifetime;
        assert_eq!(
            store.scrape(&hash(1), late).unwrap().seeds,
            [moved.ip()].into_iter().collect()
        );
        assert_eq!(store.scrape(&hash(1), late + MINUTE), None);
    }

    #[test]
    fn seeds_are_left_out_for_who_wants_none() {
        let (mut rng, config) = (rng(), Config::default());
        let mut store = PeerStore::new(&mut rng);
        for host in 0..20 {
            store.announce(hash(1), peer(host), host < 15, Duration::ZERO, &config);
        }
        let mut sample = store.sample(&hash(1), Family::V4, true, 10, MINUTE, &mut rng);
        sample.sort();
        assert_eq!(sample, (15..20).map(peer).collect::<Vec<_>>());
        assert_eq!(
            store
                .sample(&hash(1), Family::V4, false, 10, MINUTE, &mut rng)
                .len(),
            10
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
            .filter(|&number| store.announce(hash(number), peer(1), false, Duration::ZERO, &config))
            .count();
        assert_eq!((stored, store.info_hashes()), (3, 3));
        assert!(store.announce(hash(9), peer(2), false, Duration::ZERO, &config));
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
                store.announce(hash(number), peer(host), host % 3 == 0, now, &config);
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
