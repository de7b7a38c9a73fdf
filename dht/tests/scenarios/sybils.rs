//! Nodes that stand where an attacker wants them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use dht::{Config, Id, Input, Method, NodeInfo};

use crate::world::{World, public, public_v6};
use crate::{SECOND, announce, contacts, ended, hash, look_up, message, result};

/// The first of them; the honest ones stand below.
const SYBILS: u16 = 1000;

/// How many of `askers` find the one peer that `announcer` announces, and the queries that they took.
fn found(world: &mut World, info_hash: Id, announcer: u16, askers: &[u16]) -> (usize, usize) {
    found_at(world, public, info_hash, announcer, askers)
}

fn found_at(
    world: &mut World,
    address: fn(u16) -> SocketAddr,
    info_hash: Id,
    announcer: u16,
    askers: &[u16],
) -> (usize, usize) {
    announce(world, address(announcer), info_hash).unwrap();
    let mut peer = address(announcer);
    peer.set_port(5000);
    let (mut found, mut asked) = (0, 0);
    for asker in askers.iter().map(|&asker| address(asker)) {
        let before = world.nodes[&asker].events.len();
        look_up(world, asker, info_hash);
        world.run_until(asker, ended).unwrap();
        let mut events = world.nodes[&asker].events.iter().skip(before);
        found += usize::from(events.any(
            |(_, event)| matches!(event, dht::Event::Peers { peers, .. } if peers.contains(&peer)),
        ));
        asked += result(world, asker).0.asked;
    }
    (found, asked)
}

fn with_region(region: usize) -> Config {
    Config {
        region,
        ..Config::default()
    }
}

/// A world in which 64 Sybils stand nearer to an info-hash than anybody, and are known to those around it.
fn besieged(region: usize) -> World {
    let mut world = World::established(300, with_region(region), BTreeMap::new(), 50);
    besiege(&mut world, public);
    world
}

fn besiege(world: &mut World, address: fn(u16) -> SocketAddr) {
    for number in 0..64 {
        let id = hash(1).random_at(30 + u32::from(number), world.rng());
        world.sybils.insert(address(SYBILS + number), id);
    }
    let sybils = world.sybils.clone();
    for around in world.nearest(&hash(1), 40) {
        for (&sybil, &id) in &sybils {
            let query = message(
                id,
                Method::FindNode {
                    target: hash(1),
                    want: dht::Want::UNSAID,
                },
            );
            let input = Input::Receive {
                from: sybil,
                message: &query,
            };
            world.input(around, input);
        }
        world.run_for(SECOND);
    }
}

/// A world of IPv6 whose nodes have the ids of their IPv4 addresses, but for the last ones, who stand around an info-hash.
fn v6_world(count: u16, crowd: u16, region: usize) -> World {
    let node = |number, rng: &mut _| NodeInfo {
        id: if number < count - crowd {
            dht::id_for(public(number).ip(), rng)
        } else {
            hash(1).random_at(30 + u32::from(number - (count - crowd)), rng)
        },
        address: public_v6(number),
    };
    let mut world = World::established_as(count, node, with_region(region), BTreeMap::new(), 56);
    world.is_discreet = true;
    world
}

#[test]
fn sybils_around_an_info_hash_swallow_nothing_in_ipv6_either() {
    let askers: Vec<_> = (0..300).step_by(15).collect();
    let mut world = v6_world(300, 0, 64);
    besiege(&mut world, public_v6);
    let (found_by, asked) = found_at(&mut world, public_v6, hash(1), 7, &askers);
    assert_eq!(found_by, askers.len());
    assert!(asked <= 64 * askers.len(), "{asked} queries");
    let mut world = v6_world(300, 0, 0);
    besiege(&mut world, public_v6);
    assert_eq!(
        found_at(&mut world, public_v6, hash(1), 7, &askers).0,
        0,
        "it is the region that does it"
    );
}

#[test]
fn an_honest_crowd_of_ipv6_is_asked_although_its_ids_follow_from_no_address_of_it() {
    let mut world = v6_world(320, 20, 64);
    let askers: Vec<_> = (0..300).step_by(15).collect();
    let (found_by, asked) = found_at(&mut world, public_v6, hash(1), 7, &askers);
    assert_eq!(found_by, askers.len());
    assert!(asked <= 64 * askers.len(), "{asked} queries");
    for asker in askers.into_iter().map(public_v6) {
        let sent = world.nodes[&asker].sent.iter();
        let asked: BTreeSet<_> = sent.map(|(_, to, _)| *to).collect();
        let of_crowd = (300..320).map(public_v6);
        let of_crowd = of_crowd.filter(|node| asked.contains(node)).count();
        assert!(of_crowd > Config::K, "{of_crowd}");
    }
}

#[test]
fn sybils_around_an_info_hash_do_not_swallow_what_is_announced() {
    let askers: Vec<_> = (0..300).step_by(15).collect();
    let (found_by, asked) = found(&mut besieged(64), hash(1), 7, &askers);
    assert_eq!(found_by, askers.len());
    assert!(asked <= 64 * askers.len(), "{asked} queries");
    // It is the region that does it.
    let (found_by, _) = found(&mut besieged(0), hash(1), 7, &askers);
    assert_eq!(found_by, 0);
}

#[test]
fn a_fifth_of_sybils_everywhere_hides_nobody() {
    let mut world = World::new(51);
    let sybils: BTreeMap<SocketAddr, Id> = (SYBILS..SYBILS + 75)
        .map(|number| {
            let address = public(number);
            (address, dht::id_for(address.ip(), world.rng()))
        })
        .collect();
    let mut world = World::established(300, Config::default(), sybils, 52);
    let (mut found_by, mut looked_up) = (0, 0);
    for number in 0..40 {
        let askers: Vec<_> = (0..5).map(|asker| asker * 60 + number).collect();
        let info_hash = Id::random(world.rng());
        found_by += found(&mut world, info_hash, 299 - number, &askers).0;
        looked_up += askers.len();
    }
    assert!(
        found_by * 100 >= looked_up * 99,
        "{found_by} of {looked_up}"
    );
}

#[test]
fn nothing_more_is_asked_where_nobody_stands_too_near() {
    let asked = |region| {
        let config = with_region(region);
        let mut world = World::established(300, config, BTreeMap::new(), 53);
        let hashes: Vec<_> = (0..20).map(|_| Id::random(world.rng())).collect();
        let asked = hashes
            .into_iter()
            .map(|info_hash| found(&mut world, info_hash, 7, &[20, 200]).1);
        asked.sum::<usize>()
    };
    let (plain, careful) = (asked(0), asked(64));
    assert!(
        careful * 20 <= plain * 21,
        "{careful} queries instead of {plain}"
    );
}

#[test]
fn newcomers_in_any_number_do_not_surround_an_established_node() {
    let mut world = World::established(300, Config::default(), BTreeMap::new(), 54);
    let victim = public(0);
    let own = world.nodes[&victim].node.id();
    let before = contacts(&world, victim);
    // A thousand of them with ids like the victim's, in every depth of its table, from 250 networks.
    for number in 0..1000 {
        let [high, low] = u16::to_be_bytes(number);
        let address = SocketAddr::from(([200 + high, low % 250, 1, 1 + high], 6881));
        let id = own.random_at(u32::from(number % 24), world.rng());
        world.sybils.insert(address, id);
    }
    let sybils = world.sybils.clone();
    for _ in 0..3 {
        for (&sybil, &id) in &sybils {
            let query = message(id, Method::Ping);
            let input = Input::Receive {
                from: sybil,
                message: &query,
            };
            world.input(victim, input);
        }
        world.run_for(300 * SECOND);
    }
    let after = contacts(&world, victim);
    let displaced: Vec<_> = (before.iter())
        .filter(|contact| !after.contains(contact))
        .collect();
    assert_eq!(displaced, Vec::<&SocketAddr>::new());
    // What it looks for, it finds.
    let info_hash = Id::random(world.rng());
    assert_eq!(found(&mut world, info_hash, 150, &[0]).0, 1);
}

/// How many of the eight nearest to an info-hash acknowledge what a node announces that first hears of them what somebody makes of them, and how long
/// that takes.
fn told_in_spite_of(lie: fn(NodeInfo) -> NodeInfo, copies: bool) -> (usize, Duration) {
    let mut world = World::established(300, Config::default(), BTreeMap::new(), 55);
    let all = world.nearest(&hash(1), 300);
    let nearest = all[..8].to_vec();
    let info = |world: &World, address| {
        let id = world.nodes[&address].node.id();
        NodeInfo { id, address }
    };
    // The liar is the nearest of those whom the newcomer knows, so he is asked first and answers first.
    let liar = NodeInfo {
        id: hash(1).random_at(3, world.rng()),
        address: public(SYBILS),
    };
    world.sybils.insert(liar.address, liar.id);
    world.liars.insert(liar.address, lie);
    for &address in nearest.iter().filter(|_| copies) {
        let copy = lie(info(&world, address));
        world.sybils.insert(copy.address, copy.id);
    }
    let mut known = vec![(liar, world.now)];
    known.extend(all[288..].iter().map(|&far| (info(&world, far), world.now)));
    let me = public(900);
    let id = dht::id_for(me.ip(), world.rng());
    let (config, now) = (Config::default(), world.now);
    let node = dht::Node::established(id, known, &config, now, world.rng());
    world.place(me, node, Input::Timeout);
    let took = announce(&mut world, me, hash(1)).unwrap();
    let told = world.nodes[&me].events.iter();
    let told = told.filter(|(_, event)| match event {
        dht::Event::Announced { node, .. } => nearest.contains(&node.address),
        _ => false,
    });
    (told.count(), took)
}

/// The same node where nobody is.
fn elsewhere(node: NodeInfo) -> NodeInfo {
    let port = node.address.port();
    let mut octets = node.id.as_bytes().iter().copied();
    let mut next = || octets.next().unwrap_or_default();
    NodeInfo {
        address: SocketAddr::from(([150, next(), next(), next()], port)),
        ..node
    }
}

#[test]
fn one_who_names_the_nearest_where_they_are_not_does_not_hide_them() {
    assert_eq!(told_in_spite_of(|node| node, false).0, 8, "the truth");
    let (told, took) = told_in_spite_of(elsewhere, false);
    assert_eq!(told, 8);
    assert!(took <= 3 * SECOND, "{took:?}");
    let false_port = |node: NodeInfo| {
        let mut address = node.address;
        address.set_port(address.port() + 1);
        NodeInfo { address, ..node }
    };
    assert_eq!(told_in_spite_of(false_port, false).0, 8);
    let false_name = |node: NodeInfo| {
        let mut id: [u8; 20] = node.id.into();
        id[19] ^= 1;
        NodeInfo {
            id: id.into(),
            ..node
        }
    };
    assert_eq!(told_in_spite_of(false_name, false).0, 8);
}

#[test]
fn those_who_answer_with_the_ids_of_the_nearest_do_not_replace_them() {
    assert_eq!(told_in_spite_of(elsewhere, true).0, 8);
}
