use std::net::SocketAddrV4;

use proptest::prelude::*;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;

type Table = RoutingTable<SocketAddrV4>;

const NOW: Duration = Duration::from_secs(100);

fn any_node(_: &NodeInfo<SocketAddrV4>) -> bool {
    true
}

fn address(host: u32) -> SocketAddrV4 {
    // Hosts of 256 networks, so that both rules about addresses are met.
    SocketAddrV4::new((0x0b00_0000 + (host & 0xfff)).into(), 6881)
}

/// A node that shares `bits` leading bits with the id that is all zeros.
fn node(bits: u32, host: u32) -> NodeInfo<SocketAddrV4> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(u64::from(host) << 8 | u64::from(bits));
    NodeInfo {
        id: Id::new([0; 20]).random_at(bits, &mut rng),
        address: address(host),
    }
}

fn answer(at: Duration, is_visitor: bool) -> Answer {
    let round_trip = Duration::from_millis(80);
    Answer {
        at,
        round_trip,
        is_visitor,
    }
}

fn everybody(table: &Table) -> Vec<NodeInfo<SocketAddrV4>> {
    table.contacts().map(|contact| contact.node).collect()
}

/// What holds at any time.
fn check(table: &Table, config: &Config) {
    let mut from_buckets = Vec::new();
    for (index, bucket) in table.buckets().enumerate() {
        let bucket: Vec<_> = bucket.collect();
        assert!(bucket.len() <= config.bucket_size(index));
        assert!(bucket.is_sorted_by_key(|contact| contact.node.id));
        for contact in &bucket {
            assert_ne!(contact.node.id, table.own);
            assert_eq!(table.bucket_of(&contact.node.id), index);
            assert!(contact.standing.failures() < config.max_failures);
            from_buckets.push(contact.node);
        }
        if index >= config.first_buckets.len() {
            let networks: std::collections::BTreeSet<_> = bucket
                .iter()
                .map(|contact| u32::from(*contact.node.address.ip()) >> 8)
                .collect();
            assert_eq!(
                networks.len(),
                bucket.len(),
                "one contact a /24 in a deep bucket"
            );
        }
    }
    // The buckets are disjoint and complete, and nobody is in the table twice.
    assert_eq!(from_buckets, everybody(table));
    let ids: std::collections::BTreeSet<_> = from_buckets.iter().map(|node| node.id).collect();
    let hosts: std::collections::BTreeSet<_> =
        from_buckets.iter().map(|node| *node.address.ip()).collect();
    assert_eq!(
        (ids.len(), hosts.len()),
        (from_buckets.len(), from_buckets.len())
    );
    assert!(table.spares.iter().len() <= config.spares);
}

#[derive(Clone, Debug)]
enum Change {
    Insert(NodeInfo<SocketAddrV4>),
    Touch(usize),
    Fail(usize),
    Remove(usize),
    Rename(u32),
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        12 => (0u32..45, 0u32..4096).prop_map(|(bits, host)| Change::Insert(node(bits, host))),
        2 => any::<usize>().prop_map(Change::Touch),
        4 => any::<usize>().prop_map(Change::Fail),
        1 => any::<usize>().prop_map(Change::Remove),
        1 => (0u32..45).prop_map(Change::Rename),
    ]
}

proptest! {
    #[test]
    fn invariants_hold_whatever_happens(changes in proptest::collection::vec(changes(), 1..400), narrow: bool) {
        let config = if narrow { Config { first_buckets: &[], ..Config::default() } } else { Config::default() };
        let mut table = Table::new(Id::new([0; 20]));
        for (second, change) in (0u64..).zip(changes) {
            let now = NOW + Duration::from_secs(second);
            let before = everybody(&table);
            let pick = |index: usize| before.get(index % before.len().max(1)).copied();
            match change {
                Change::Insert(node) => {
                    let insertion = table.insert(node, &answer(now, false), &config);
                    let after = everybody(&table);
                    prop_assert_eq!(after.contains(&node), matches!(insertion, Insertion::Known | Insertion::Inserted));
                    // Only what it was itself makes room for a newcomer.
                    let itself = |old: &NodeInfo<SocketAddrV4>| old.address.ip() == node.address.ip() || old.id == node.id;
                    prop_assert!(before.iter().all(|old| after.contains(old) || itself(old)));
                }
                Change::Touch(index) => if let Some(node) = pick(index) {
                    prop_assert!(table.touch(&node, now));
                },
                Change::Fail(index) => if let Some(node) = pick(index) {
                    let left = table.fail(&node, &config);
                    prop_assert_eq!(left, table.get(&node.id).is_none_or(|contact| contact.node != node));
                },
                Change::Remove(index) => if let Some(node) = pick(index) {
                    table.remove(&node.id);
                    prop_assert_eq!(everybody(&table).len(), before.len() - 1);
                },
                Change::Rename(bits) => {
                    let own = table.own.random_at(bits, &mut Xoshiro256PlusPlus::seed_from_u64(second));
                    table.set_own_id(own, &config);
                }
            }
            check(&table, &config);
        }
    }

    #[test]
    fn closest_is_what_sorting_everybody_gives(
        nodes in proptest::collection::vec((0u32..45, 0u32..4096), 0..300),
        bits in 0u32..160,
        seed: u64,
    ) {
        let config = Config::default();
        let mut table = Table::new(Id::new([0; 20]));
        for (bits, host) in nodes {
            table.insert(node(bits, host), &answer(NOW, false), &config);
        }
        let target = table.own.random_at(bits, &mut Xoshiro256PlusPlus::seed_from_u64(seed));
        let mut sorted = everybody(&table);
        sorted.sort_by_key(|node| node.id.distance(&target));
        let nearest = table.closest::<8>(&target, any_node);
        prop_assert_eq!(nearest.as_slice(), &sorted[..sorted.len().min(8)]);
        let odd = |node: &NodeInfo<SocketAddrV4>| node.address.ip().octets()[3] % 2 == 1;
        let nearest = table.closest::<16>(&target, odd);
        sorted.retain(odd);
        prop_assert_eq!(nearest.as_slice(), &sorted[..sorted.len().min(16)]);
    }
}

proptest! {
    #[test]
    fn a_filled_table_obeys_the_rules_whatever_it_is_filled_with(
        nodes in proptest::collection::vec((0u32..45, 0u32..4096, 0u64..100), 0..600),
        narrow: bool,
    ) {
        let config = if narrow { Config { first_buckets: &[], ..Config::default() } } else { Config::default() };
        let offered: Vec<_> = nodes
            .into_iter()
            .map(|(bits, host, seen)| (node(bits, host), Duration::from_secs(seen)))
            .collect();
        let table = Table::filled(Id::new([0; 20]), offered.iter().copied(), &config);
        check(&table, &config);
        prop_assert_eq!(table.nodes.capacity(), table.nodes.len());
        prop_assert_eq!(table.standings.capacity(), table.standings.len());
        prop_assert!(everybody(&table).iter().all(|node| offered.iter().any(|(offered, _)| offered == node)));
    }

    #[test]
    fn a_filled_table_holds_those_heard_of_last(buckets in proptest::collection::vec(0u32..45, 0..600)) {
        let config = Config::default();
        // Each in a network of its own, and each heard of later than the one before.
        let offered: Vec<_> = (0u32..)
            .zip(buckets)
            .map(|(number, bits)| {
                let address = SocketAddrV4::new((0x0b00_0000 + (number << 8)).into(), 6881);
                (NodeInfo { address, ..node(bits, number) }, Duration::from_secs(number.into()))
            })
            .collect();
        let mut table = Table::filled(Id::new([0; 20]), offered.iter().copied(), &config);
        let before = everybody(&table);
        for (node, seen) in offered.iter().rev() {
            let expected = if before.contains(node) { Insertion::Known } else { Insertion::Spare };
            prop_assert_eq!(table.insert(*node, &answer(*seen, false), &config), expected);
            let bucket = table.bucket_of(&node.id);
            let later = offered.iter().filter(|(other, at)| at > seen && table.bucket_of(&other.id) == bucket).count();
            prop_assert_eq!(before.contains(node), later < config.bucket_size(bucket));
        }
    }
}

#[test]
fn a_contact_takes_30_bytes() {
    let contact = size_of::<NodeInfo<SocketAddrV4>>() + size_of::<Standing>();
    assert_eq!(contact, 30);
}

#[test]
fn a_full_bucket_keeps_its_living_and_replaces_its_dead_by_a_spare() {
    let config = Config {
        first_buckets: &[],
        ..Config::default()
    };
    let mut table = Table::new(Id::new([0; 20]));
    let nodes: Vec<_> = (0..10).map(|number| node(0, number << 8)).collect();
    let results: Vec<_> = nodes
        .iter()
        .map(|&node| table.insert(node, &answer(NOW, false), &config))
        .collect();
    assert_eq!(results[..8], [Insertion::Inserted; 8]);
    assert_eq!(results[8..], [Insertion::Spare; 2]);
    assert!(
        !table.fail(&nodes[3], &config),
        "one time-out may be bad luck"
    );
    assert_eq!(
        table.closest::<8>(&nodes[3].id, any_node).len(),
        7,
        "but it is not named meanwhile"
    );
    assert!(table.fail(&nodes[3], &config));
    assert!(table.get(&nodes[3].id).is_none());
    assert!(
        table.get(&nodes[9].id).is_some(),
        "the freshest spare moves up"
    );
}

#[test]
fn a_visitor_is_asked_sooner_and_is_one_no_more_when_it_answers_after_a_silence() {
    let config = Config::default();
    let mut table = Table::new(Id::new([0; 20]));
    let (old, visitor) = (node(0, 1 << 8), node(0, 2 << 8));
    table.insert(old, &answer(NOW, false), &config);
    let soon = NOW + Duration::from_secs(60);
    table.insert(visitor, &answer(soon, true), &config);
    let neediest = |table: &Table, now| table.neediest(now, &config).unwrap().node;
    assert_eq!(neediest(&table, soon + config.visitor_after), visitor);
    // An answer that comes so soon may have come through the same hole.
    let later = soon + config.visitor_after / 2;
    table.insert(visitor, &answer(later, false), &config);
    assert!(table.get(&visitor.id).unwrap().standing.is_visitor());
    table.insert(
        visitor,
        &answer(later + config.visitor_after, false),
        &config,
    );
    assert!(!table.get(&visitor.id).unwrap().standing.is_visitor());
    assert_eq!(neediest(&table, later + config.visitor_after), old);
}

#[test]
fn the_size_of_the_network_is_judged_from_our_neighbourhood() {
    let config = Config::default();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    for size in [300u32, 3_000] {
        let nodes: Vec<_> = (0..size)
            .map(|number| {
                let address = SocketAddrV4::new((0x0b00_0000 + (number << 8)).into(), 6881);
                let id = Id::random(&mut rng);
                (NodeInfo { id, address }, NOW)
            })
            .collect();
        let mut judged: Vec<_> = (0..25)
            .map(|_| Table::filled(Id::random(&mut rng), nodes.iter().copied(), &config))
            .map(|table| table.network_size(&config).unwrap())
            .collect();
        judged.sort_unstable();
        // Most are near, and nobody is far off.
        let near = |judged: u64| judged * 3 > u64::from(size) && judged < u64::from(size) * 3;
        assert!(judged.iter().all(|&judged| near(judged)), "{judged:?}");
        assert!(
            judged[12].abs_diff(size.into()) < u64::from(size) * 3 / 10,
            "{judged:?}"
        );
    }
    let stranger = Table::new(Id::new([0; 20]));
    assert_eq!(stranger.network_size(&config), None);
}

#[test]
fn nobody_takes_the_address_or_the_id_of_a_living_contact() {
    let config = Config::default();
    let mut table = Table::new(Id::new([0; 20]));
    let old = node(3, 1);
    table.insert(old, &answer(NOW, false), &config);
    let claimed = NodeInfo {
        address: address(2 << 8),
        ..old
    };
    assert_eq!(
        table.insert(claimed, &answer(NOW, false), &config),
        Insertion::Refused
    );
    let successor = NodeInfo {
        address: SocketAddrV4::new(*old.address.ip(), 9),
        ..node(5, 7)
    };
    assert_eq!(
        table.insert(successor, &answer(NOW, false), &config),
        Insertion::Refused
    );
    table.fail(&old, &config);
    assert_eq!(
        table.insert(successor, &answer(NOW, false), &config),
        Insertion::Inserted
    );
    // The same node with a new id is one node.
    let renamed = NodeInfo {
        address: successor.address,
        ..node(1, 9)
    };
    assert_eq!(
        table.insert(renamed, &answer(NOW, false), &config),
        Insertion::Inserted
    );
    assert_eq!(everybody(&table), [renamed]);
}

#[test]
fn who_answers_under_another_id_does_not_come_back_under_the_old_one() {
    let config = Config {
        first_buckets: &[],
        ..Config::default()
    };
    let mut table = Table::new(Id::new([0; 20]));
    let full: Vec<_> = (1..=8).map(|number| node(0, number << 8)).collect();
    for &node in &full {
        table.insert(node, &answer(NOW, false), &config);
    }
    let spare = node(0, 9 << 8);
    assert_eq!(
        table.insert(spare, &answer(NOW, false), &config),
        Insertion::Spare
    );
    let renamed = NodeInfo {
        address: spare.address,
        ..node(1, 9 << 8)
    };
    assert_eq!(
        table.insert(renamed, &answer(NOW, false), &config),
        Insertion::Inserted
    );
    // Its former self does not move up when there is room, and takes the place of nobody.
    table.fail(&full[0], &config);
    assert!(table.fail(&full[0], &config));
    assert!(everybody(&table).contains(&renamed));
    assert!(!everybody(&table).contains(&spare));
}

#[test]
fn a_contact_that_moves_to_the_address_of_another_does_not_stand_beside_it() {
    let config = Config::default();
    let mut table = Table::new(Id::new([0; 20]));
    let (one, other) = (node(3, 1), node(5, 2 << 8));
    table.insert(one, &answer(NOW, false), &config);
    table.insert(other, &answer(NOW, false), &config);
    table.fail(&one, &config);
    let moved = NodeInfo {
        address: SocketAddrV4::new(*other.address.ip(), 9),
        ..one
    };
    assert_eq!(
        table.insert(moved, &answer(NOW, false), &config),
        Insertion::Refused
    );
    assert_eq!(everybody(&table), [other]);
}

/// A node of the first bucket whose id goes on with these three bits.
fn in_part(part: u8, host: u32) -> NodeInfo<SocketAddrV4> {
    let mut id: [u8; 20] = node(0, host << 8).id.into();
    id[0] = 0x80 | part << 4 | id[0] & 0x0f;
    NodeInfo {
        id: id.into(),
        address: address(host << 8),
    }
}

fn took_the_place(spares: &[(NodeInfo<SocketAddrV4>, u64)]) -> NodeInfo<SocketAddrV4> {
    let config = Config {
        first_buckets: &[],
        ..Config::default()
    };
    let mut table = Table::new(Id::new([0; 20]));
    let full: Vec<_> = [0, 0, 0, 1, 2, 3, 4, 5]
        .into_iter()
        .zip(1..)
        .map(|(part, host)| in_part(part, host))
        .collect();
    for &node in &full {
        table.insert(node, &answer(NOW, false), &config);
    }
    for &(node, round_trip) in spares {
        let round_trip = Duration::from_millis(round_trip);
        let answer = Answer {
            round_trip,
            ..answer(NOW, false)
        };
        assert_eq!(table.insert(node, &answer, &config), Insertion::Spare);
    }
    // However fast they are, nobody who lives makes room for them.
    assert!(everybody(&table).iter().all(|node| full.contains(node)));
    while !table.fail(&full[7], &config) {}
    let mut now = everybody(&table).into_iter();
    now.find(|node| !full.contains(node)).expect("a spare")
}

#[test]
fn a_place_goes_to_a_spare_from_where_the_bucket_has_the_fewest() {
    let (crowded, thin, bare) = (in_part(0, 9), in_part(3, 10), in_part(7, 11));
    let spares = [(bare, 300), (thin, 200), (crowded, 10)];
    assert_eq!(took_the_place(&spares), bare);
    assert_eq!(took_the_place(&spares[1..]), thin);
}

#[test]
fn of_spares_that_a_bucket_misses_alike_the_last_one_is_taken_unless_another_is_clearly_faster() {
    let (before, last) = (in_part(6, 9), in_part(7, 10));
    for (of_before, of_last, expected) in [
        (80, 80, last),
        (41, 80, last),
        (5, 50, last),
        (80, 159, last),
        (80, 160, before),
        (10, 60, before),
    ] {
        let took = took_the_place(&[(before, of_before), (last, of_last)]);
        assert_eq!(took, expected, "{of_before} ms and {of_last} ms");
    }
}
