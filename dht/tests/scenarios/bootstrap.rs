//! Entering the network, and coming back to it.

use std::time::Duration;

use dht::{
    AnnouncedPort, Body, Event, Input, KrpcError, LookupId, Message, Method, Outcome, Query,
    Response,
};

use crate::world::{LATENCY, World, local, public};
use crate::{LOOKUP, MINUTE, SECOND, announce, contacts, count, ended, hash, look_up, result};

#[test]
fn two_nodes_find_each_other() {
    let mut world = World::new(1);
    world.add(local(0), &[]);
    world.add(local(1), &[local(0)]);
    world.run_for(SECOND);
    assert_eq!(contacts(&world, local(0)), [local(1)]);
    assert_eq!(contacts(&world, local(1)), [local(0)]);
    for who in [local(0), local(1)] {
        assert_eq!(count(&world, who, |event| *event == Event::Ready), 1);
        assert_eq!(
            count(&world, who, |event| *event
                == Event::Bootstrapped { contacts: 1 }),
            1
        );
    }
    // They still know each other the next day, and are quiet about it.
    let before = world.nodes[&local(1)].sent.len();
    world.run_for(24 * 60 * MINUTE);
    assert_eq!(contacts(&world, local(0)), [local(1)]);
    assert_eq!(contacts(&world, local(1)), [local(0)]);
    let packets = world.nodes[&local(1)].sent.len() - before;
    assert!(packets < 24 * 60, "{packets} packets a day");
}

#[test]
fn a_seeder_that_knows_nobody_tells_the_first_who_comes() {
    let mut world = World::new(4);
    world.add(local(0), &[]);
    world.input(
        local(0),
        Input::Announce {
            lookup: LOOKUP,
            info_hash: hash(1),
            port: AnnouncedPort::Given(5000),
            seed: false,
        },
    );
    world.run_for(MINUTE);
    world.add(local(1), &[local(0)]);
    look_up(&mut world, local(1), hash(1));
    let peer = "127.0.0.1:5000".parse().unwrap();
    let waited = world.run_until(local(1), |event| {
        *event
            == Event::PeerAnnounced {
                info_hash: hash(1),
                peer,
            }
    });
    assert!(waited.unwrap() <= 6 * LATENCY, "{waited:?}");
    world.input(
        local(1),
        Input::GetPeers {
            lookup: LookupId(2),
            info_hash: hash(1),
        },
    );
    assert_eq!(result(&world, local(1)).1, [peer]);
}

#[test]
fn lookup_before_bootstrap_waits() {
    let mut world = World::of(8, local, 6);
    announce(&mut world, local(3), hash(1)).unwrap();
    world.add(local(99), &[]);
    look_up(&mut world, local(99), hash(1));
    world.run_for(5 * MINUTE);
    assert_eq!(count(&world, local(99), ended), 0);
    world.input(local(99), Input::Bootstrap(&[local(0)]));
    assert!(world.run_until(local(99), ended).unwrap() < SECOND);
    assert_eq!(result(&world, local(99)).0.peers, 1);
}

#[test]
fn bootstrap_that_answers_late() {
    let mut world = World::of(8, local, 7);
    announce(&mut world, local(3), hash(1)).unwrap();
    world.silent.insert(local(0));
    world.add(local(99), &[local(0)]);
    look_up(&mut world, local(99), hash(1));
    world.run_for(10 * MINUTE);
    let silent = count(&world, local(99), |event| {
        matches!(event, Event::Unreachable { .. })
    });
    assert!(
        (8..=16).contains(&silent),
        "asked again {silent} times in ten minutes"
    );
    assert_eq!(count(&world, local(99), ended), 0);
    world.silent.remove(&local(0));
    assert!(world.run_until(local(99), ended).unwrap() <= 61 * SECOND);
    assert_eq!(result(&world, local(99)).0.peers, 1);
}

#[test]
fn an_impatient_lookup_ends_without_an_answer() {
    let mut world = World::new(8);
    world.config.lookup_patience = Some(20 * SECOND);
    world.add(local(1), &[local(0)]);
    look_up(&mut world, local(1), hash(1));
    assert_eq!(world.run_until(local(1), ended), Some(20 * SECOND));
    assert_eq!(result(&world, local(1)).0.outcome, Outcome::OutOfPatience);
}

#[test]
fn nodes_of_an_earlier_run_bring_us_back_without_a_bootstrap_address() {
    let mut world = World::of(12, local, 22);
    announce(&mut world, local(1), hash(1)).unwrap();
    let saved: Vec<_> = world.nodes[&local(2)].node.contacts().collect();
    world.add(local(99), &[]);
    world.input(local(99), Input::Restore(&saved));
    look_up(&mut world, local(99), hash(1));
    assert!(world.run_until(local(99), ended).unwrap() < SECOND);
    assert_eq!(result(&world, local(99)).0.peers, 1);
}

#[test]
fn a_public_node_takes_the_id_that_its_address_gives_it() {
    let world = World::of(30, public, 24);
    for (address, member) in &world.nodes {
        assert!(
            dht::is_id_valid(&member.node.id(), address.ip()),
            "{address}"
        );
        assert!(
            member
                .events
                .iter()
                .any(|(_, event)| *event == Event::ExternalAddress { ip: address.ip() })
        );
    }
    // On one desk there is nothing to fit, and ids stay.
    let world = World::of(10, local, 25);
    assert!(world.nodes.values().all(|member| {
        member
            .events
            .iter()
            .all(|(_, event)| !matches!(event, Event::IdChanged { .. }))
    }));
}

#[test]
fn a_host_that_refuses_lookups_is_not_asked_without_a_pause() {
    let mut world = World::new(31);
    world.add(local(1), &[local(0)]);
    look_up(&mut world, local(1), hash(1));
    // It answers find_node, and nothing else.
    let mut answered = 0;
    for _ in 0..60_000 {
        world.run_for(Duration::from_millis(1));
        let fresh: Vec<_> = world.nodes[&local(1)].sent[answered..].to_vec();
        answered += fresh.len();
        for (_, _, query) in fresh {
            let body = match &query.body {
                Body::Query(Query {
                    method: Method::FindNode { .. },
                    ..
                }) => Body::Response(Response::new(hash(9))),
                _ => Body::Error(KrpcError {
                    code: KrpcError::METHOD_UNKNOWN,
                    message: "".into(),
                }),
            };
            let answer = Message { body, ..query };
            world.input(
                local(1),
                Input::Receive {
                    from: local(0),
                    message: &answer,
                },
            );
        }
    }
    assert!(answered <= 300, "{answered} queries in a minute");
    assert_eq!(count(&world, local(1), ended), 0);
}
