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

fn store_of_200(rng: &mut Xoshiro256PlusPlus, config: &Config) -> PeerStore {
    let mut store = PeerStore::new(rng);
    for number in 0..200 {
        let (info_hash, peer) = (info_hash(number), peer(number));
        store.announce(info_hash, peer, false, Duration::ZERO, config);
    }
    store
}

#[test]
fn every_info_hash_is_in_the_sample_equally_often() {
    let (mut rng, config) = (rng(), Config::default());
    let mut store = store_of_200(&mut rng, &config);
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
    let mut store = store_of_200(&mut rng, &config);
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

#[test]
fn who_has_its_share_is_accepted_where_it_stands_and_nowhere_else() {
    let config = Config {
        max_peers_per_source: 3,
        ..Config::default()
    };
    let mut store = PeerStore::new(&mut rng());
    assert!(store.accepts(&hash(9), peer(1), &config));
    for number in 0..3 {
        store.announce(hash(number), peer(1), false, Duration::ZERO, &config);
    }
    let elsewhere = SocketAddr::new(peer(1).ip(), 99);
    assert!(!store.accepts(&hash(9), elsewhere, &config));
    assert!(store.accepts(&hash(1), elsewhere, &config), "it is there");
    assert!(store.accepts(&hash(9), peer(2), &config));
    store.expire(45 * MINUTE);
    assert!(store.accepts(&hash(9), peer(1), &config));
}

/// Host number `host` of public network number `network`.
fn of_network(network: u16, host: u8) -> SocketAddr {
    let [high, low] = network.to_be_bytes();
    SocketAddr::from(([11 + high, 1, low, host], 6881))
}

/// A host in a /64 of a /48.
fn v6(site: u16, network: u16, host: u16) -> SocketAddr {
    SocketAddr::from(([0x2a00, 1, site, network, 0, 0, 0, host], 6881))
}

/// Info-hashes that somebody announces to, each from a public network of his own.
fn announce_honestly(store: &mut PeerStore, config: &Config, count: u16) -> Vec<Id> {
    let info_hashes: Vec<_> = (0..count)
        .map(|number| info_hash(60_000 + number))
        .collect();
    for (info_hash, network) in info_hashes.iter().zip(1000..) {
        let peer = of_network(network, 1);
        assert!(store.announce(*info_hash, peer, false, Duration::ZERO, config));
    }
    info_hashes
}

fn keeps_all(store: &PeerStore, info_hashes: &[Id]) -> bool {
    let mut scrapes = info_hashes.iter().map(|hash| store.scrape(hash, MINUTE));
    scrapes.all(|scrape| scrape.is_some())
}

/// Announces to so many info-hashes of its own, each by an address that asked for a token. How many were kept.
fn flood(
    store: &mut PeerStore,
    config: &Config,
    announces: u16,
    from: impl Fn(u16) -> SocketAddr,
) -> usize {
    let kept = (0..announces).filter(|&number| {
        let from = from(number);
        let accepts = store.accepts(&info_hash(number), from, config);
        let keeps = store.announce(info_hash(number), from, false, MINUTE, config);
        assert_eq!(accepts, keeps, "a token is worth something");
        keeps
    });
    kept.count()
}

#[test]
fn one_network_neither_fills_the_store_nor_empties_it() {
    let config = Config::default();
    let mut store = PeerStore::new(&mut rng());
    let honest = announce_honestly(&mut store, &config, 1000);
    let by_24 = |number: u16| of_network(1, (number % 256) as u8);
    assert_eq!(flood(&mut store, &config, 30_000, by_24), 10_000);
    // Two more networks, of IPv6: there is no room for all that they may bring.
    let by_64 = |number: u16| v6(1, 1, number);
    assert_eq!(flood(&mut store, &config, 30_000, by_64), 5_000);
    let by_48 = |number: u16| v6(2, number % 1000, number);
    assert_eq!(flood(&mut store, &config, 30_000, by_48), 7_680);
    let by_24 = |number: u16| of_network(2, (number % 256) as u8);
    flood(&mut store, &config, 50_000, |number| {
        by_24(number.wrapping_add(1))
    });
    assert!(store.info_hashes() <= config.max_info_hashes);
    assert!(keeps_all(&store, &honest));
}

#[test]
fn whoever_brings_most_info_hashes_makes_room() {
    let config = Config {
        max_info_hashes: 100,
        ..Config::default()
    };
    let mut store = PeerStore::new(&mut rng());
    let honest = announce_honestly(&mut store, &config, 60);
    flood(&mut store, &config, 5_000, |number| {
        of_network(number % 4, (number / 4 % 256) as u8)
    });
    assert_eq!(store.info_hashes(), 100);
    assert!(keeps_all(&store, &honest));
}

#[test]
fn one_network_pushes_nobody_out_of_a_torrent() {
    let config = Config {
        max_peers_per_info_hash: 400,
        ..Config::default()
    };
    let mut store = PeerStore::new(&mut rng());
    let family = |v6: bool| if v6 { Family::V6 } else { Family::V4 };
    let honest = |number: u16, is_v6: bool| {
        if is_v6 {
            v6(1000 + number, 1, 1)
        } else {
            of_network(1000 + number, 1)
        }
    };
    for number in 0..300 {
        for is_v6 in [false, true] {
            store.announce(
                hash(1),
                honest(number, is_v6),
                false,
                Duration::ZERO,
                &config,
            );
        }
    }
    let alive = |store: &mut PeerStore, is_v6: bool| {
        let mut rng = rng();
        store.sample(&hash(1), family(is_v6), false, 10_000, MINUTE, &mut rng)
    };
    // One household counts as a few, whatever it says.
    for number in 0..5000 {
        store.announce(hash(1), v6(1, 1, number), false, MINUTE, &config);
    }
    assert_eq!(alive(&mut store, true).len(), 300 + 8);
    // And many networks of one customer press out one another.
    for number in 0..200 {
        for host in 0..3 {
            store.announce(hash(1), v6(1, number, host), false, MINUTE, &config);
        }
        store.announce(hash(1), of_network(1, number as u8), false, MINUTE, &config);
    }
    for is_v6 in [false, true] {
        let alive = alive(&mut store, is_v6);
        assert!(alive.len() <= 400);
        assert!((0..300).all(|number| alive.contains(&honest(number, is_v6))));
    }
}
