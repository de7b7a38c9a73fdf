//! Finding nodes and peers, and announcing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    AnnouncedPort, Body, Config, Event, Id, Input, LookupId, LookupReport, Message, Method, Node,
    NodeInfo, Outcome, Query,
};

use crate::world::{LATENCY, World, local, public};
use crate::{LOOKUP, MINUTE, SECOND, announce, count, ended, hash, look_up, message, result};

#[test]
fn announce_is_found_by_third_node() {
    let mut world = World::new(2);
    world.add(local(0), &[]);
    world.add(local(1), &[local(0)]);
    world.add(local(2), &[local(0)]);
    world.run_for(SECOND);
    announce(&mut world, local(1), hash(1)).unwrap();
    assert_eq!(result(&world, local(1)).0.announced_to, 2);
    look_up(&mut world, local(2), hash(1));
    world.run_until(local(2), ended).unwrap();
    assert_eq!(
        result(&world, local(2)).1,
        ["127.0.0.1:5000".parse().unwrap()]
    );
    world.input(
        local(2),
        Input::GetPeers {
            lookup: LookupId(2),
            info_hash: hash(2),
        },
    );
    world.run_until(local(2), ended).unwrap();
    assert_eq!(result(&world, local(2)).0.peers, 0);
}

#[test]
fn implied_port_is_the_port_that_the_datagram_comes_from() {
    let mut world = World::of(3, local, 3);
    world.input(
        local(1),
        Input::Announce {
            lookup: LOOKUP,
            info_hash: hash(1),
            port: AnnouncedPort::Implied(9),
            seed: false,
        },
    );
    world.run_until(local(1), ended).unwrap();
    look_up(&mut world, local(2), hash(1));
    world.run_until(local(2), ended).unwrap();
    assert_eq!(result(&world, local(2)).1, [local(1)]);
}

#[test]
fn a_cold_lookup_asks_the_bootstrap_address_itself() {
    let mut world = World::of(16, local, 5);
    announce(&mut world, local(3), hash(1)).unwrap();
    world.add(local(99), &[local(0)]);
    look_up(&mut world, local(99), hash(1));
    let first = world
        .run_until(local(99), |event| matches!(event, Event::Peers { .. }))
        .unwrap();
    assert!(first <= 4 * LATENCY, "two round trips, not {first:?}");
}

/// Six nodes ask somebody who is new, and are known to him a moment later.
fn six_come_by(world: &mut World, who: SocketAddr) {
    for from in (4..10).map(local) {
        let message = &message(world.nodes[&from].node.id(), Method::Ping);
        world.input(who, Input::Receive { from, message });
    }
}

#[test]
fn a_cold_lookup_goes_on_with_those_who_come_by_while_its_entrance_is_silent() {
    let mut world = World::of(40, local, 5);
    announce(&mut world, local(3), hash(1)).unwrap();
    world.add(local(99), &[local(98)]);
    let (lookup, info_hash) = (LOOKUP, hash(1));
    world.input(local(99), Input::GetPeers { lookup, info_hash });
    six_come_by(&mut world, local(99));
    let first = world.run_until(local(99), |event| matches!(event, Event::Peers { .. }));
    assert!(first.unwrap() <= 8 * LATENCY, "{first:?}");
    let end = world.run_until(local(99), ended);
    assert!(end.unwrap() <= 8 * LATENCY, "{end:?}");
}

#[test]
fn a_lookup_that_knew_only_the_dead_begins_again_with_those_who_are_known_now() {
    let mut world = World::of(40, local, 5);
    announce(&mut world, local(3), hash(1)).unwrap();
    let dead: Vec<_> = (200..210)
        .map(|number| {
            let id = Id::random(world.rng());
            let address = local(number);
            (NodeInfo { id, address }, world.now)
        })
        .collect();
    let (me, config, now) = (local(99), Config::default(), world.now);
    let id = Id::random(world.rng());
    let node = Node::established(id, dead, &config, now, world.rng());
    world.place(me, node, Input::Timeout);
    look_up(&mut world, me, hash(1));
    six_come_by(&mut world, me);
    let first = world.run_until(me, |event| matches!(event, Event::Peers { .. }));
    assert!(first.unwrap() <= 5 * SECOND, "{first:?}");
}

#[test]
fn half_of_named_nodes_are_dead() {
    let mut world = World::of(16, local, 9);
    let all_alive = announce(&mut world, local(1), hash(1)).unwrap();
    assert!(all_alive <= Duration::from_millis(400), "{all_alive:?}");
    world
        .silent
        .extend((0..16).filter(|number| number % 2 == 0).map(local));
    let half_dead = announce(&mut world, local(3), hash(2)).unwrap();
    assert!(half_dead <= 2 * SECOND, "{half_dead:?}");
    let (report, _) = result(&world, local(3));
    assert_eq!(
        (report.outcome, report.announced_to),
        (Outcome::Converged, 7)
    );
    look_up(&mut world, local(5), hash(2));
    world.run_until(local(5), ended).unwrap();
    assert_eq!(
        result(&world, local(5)).1,
        ["127.0.0.1:5000".parse().unwrap()]
    );
}

/// Looks for a point of the key space. Those who are nearest to it have to be found.
fn find_the_nearest(world: &mut World, asker: SocketAddr, target: Id) -> LookupReport {
    let lookup = LOOKUP;
    world.input(asker, Input::FindNode { lookup, target });
    world.run_until(asker, ended).unwrap();
    let (report, _) = result(world, asker);
    let found: Vec<_> = report.closest.iter().map(|node| node.address).collect();
    let mut nearest = world.nearest(&target, 9);
    nearest.retain(|address| *address != asker);
    assert_eq!(found, nearest[..8], "from {asker} for {target}");
    report
}

#[test]
fn a_lookup_among_a_hundred_finds_the_nearest_eight() {
    for (address, seed) in [(local as fn(u16) -> SocketAddr, 10), (public, 11)] {
        let mut world = World::of(100, address, seed);
        world.run_for(10 * MINUTE);
        for number in 0..20 {
            let target = Id::random(world.rng());
            let asker = address(number * 5);
            let report = find_the_nearest(&mut world, asker, target);
            assert!(report.asked <= 32, "{} queries", report.asked);
        }
    }
}

#[test]
fn announces_are_found_though_packets_get_lost() {
    let mut world = World::of(40, public, 12);
    world.loss = Some(7);
    for number in 0..10 {
        announce(&mut world, public(number), hash(number as u8)).unwrap();
        let asker = public(39 - number);
        look_up(&mut world, asker, hash(number as u8));
        world.run_until(asker, ended).unwrap();
        let mut peer = public(number);
        peer.set_port(5000);
        assert_eq!(result(&world, asker).1, [peer]);
    }
}

#[test]
fn lookups_share_the_budget_of_queries_and_all_end() {
    let mut world = World::new(28);
    world.config = Config {
        max_in_flight: 12,
        ..Config::default()
    };
    world.add(local(0), &[]);
    for number in 1..30 {
        world.add(local(number), &[local(0)]);
    }
    world.run_for(MINUTE);
    world.silent.extend((20..30).map(local));
    for number in 0..50 {
        let info_hash = Id::random(world.rng());
        world.input(
            local(5),
            Input::GetPeers {
                lookup: LookupId(number),
                info_hash,
            },
        );
        assert!(world.nodes[&local(5)].node.stats().queries_in_flight <= 12 + 1);
    }
    world.run_for(5 * MINUTE);
    assert_eq!(count(&world, local(5), ended), 50);
}

#[test]
fn a_lookup_that_comes_late_is_not_starved_by_two_hundred_others() {
    let mut world = World::established(200, Config::default(), BTreeMap::new(), 43);
    let me = public(1);
    let peer = {
        announce(&mut world, public(2), hash(1)).unwrap();
        let mut peer = public(2);
        peer.set_port(5000);
        peer
    };
    world.silent.extend((150..200).map(public));
    for number in 0..200 {
        let lookup = LookupId(1000 + number);
        let info_hash = Id::random(world.rng());
        world.input(me, Input::GetPeers { lookup, info_hash });
    }
    world.run_for(2 * LATENCY);
    let begun = world.now;
    look_up(&mut world, me, hash(1));
    world.run_for(30 * SECOND);
    let when = |wanted: &dyn Fn(&Event) -> bool| {
        let mut events = world.nodes[&me].events.iter();
        events.find(|(_, event)| wanted(event)).map(|(at, _)| *at)
    };
    let found = when(&|event| matches!(event, Event::Peers { peers, .. } if peers.contains(&peer)));
    let found = found.unwrap().saturating_sub(begun);
    assert!(found <= SECOND, "{found:?}");
    let end = when(&|event| matches!(event, Event::LookupEnded { lookup: LOOKUP, .. }));
    let all = world.nodes[&me].events.iter();
    let last = all
        .filter(|(_, event)| ended(event))
        .map(|(at, _)| *at)
        .max();
    assert!(end < last, "{end:?} {last:?}");
    assert_eq!(count(&world, me, ended), 201);
}

#[test]
fn a_cancelled_lookup_says_so_and_asks_nobody_more() {
    let mut world = World::of(20, local, 29);
    look_up(&mut world, local(1), hash(1));
    world.input(local(1), Input::Cancel { lookup: LOOKUP });
    assert_eq!(result(&world, local(1)).0.outcome, Outcome::Cancelled);
    let asked = |world: &World| {
        let about = |message: &Message| {
            matches!(
                &message.body,
                Body::Query(Query {
                    method: Method::GetPeers { .. },
                    ..
                })
            )
        };
        world.nodes[&local(1)]
            .sent
            .iter()
            .filter(|(_, _, message)| about(message))
            .count()
    };
    let before = asked(&world);
    world.run_for(MINUTE);
    assert_eq!(asked(&world), before);
    assert_eq!(count(&world, local(1), ended), 1);
}

#[test]
fn a_young_network_finds_all_that_are_nearest() {
    for seed in [40, 41] {
        let mut world = World::of(300, public, seed);
        world.run_for(2 * MINUTE);
        for number in 0..60 {
            let target = Id::random(world.rng());
            let asker = public(number * 5);
            find_the_nearest(&mut world, asker, target);
        }
    }
}
