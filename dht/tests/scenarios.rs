//! What happens to nodes among nodes, in virtual time.

mod world;

use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    AnnouncedPort, Body, Config, Event, Id, Input, KrpcError, LookupId, LookupReport, Message,
    Method, NodeInfo, Outcome, Query, Response, Token, TransactionId, Want,
};
use world::{LATENCY, World, local, public};

const LOOKUP: LookupId = LookupId(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn hash(number: u8) -> Id {
    let mut bytes = [number; 20];
    bytes[0] = number.wrapping_mul(73);
    Id::new(bytes)
}

fn ended(event: &Event) -> bool {
    matches!(event, Event::LookupEnded { .. })
}

fn announce(world: &mut World, who: SocketAddr, info_hash: Id) -> Option<Duration> {
    world.input(
        who,
        Input::Announce {
            lookup: LOOKUP,
            info_hash,
            port: AnnouncedPort::Given(5000),
        },
    );
    world.run_until(who, ended)
}

/// The last report of a node, and all peers that its lookups found.
fn result(world: &World, who: SocketAddr) -> (LookupReport, Vec<SocketAddr>) {
    let events = || world.nodes[&who].events.iter().map(|(_, event)| event);
    let report = events().rev().find_map(|event| match event {
        Event::LookupEnded { report, .. } => Some((**report).clone()),
        _ => None,
    });
    let peers = events().flat_map(|event| match event {
        Event::Peers { peers, .. } => peers.clone(),
        _ => Vec::new(),
    });
    (report.expect("a lookup has ended"), peers.collect())
}

fn contacts(world: &World, who: SocketAddr) -> Vec<SocketAddr> {
    world.nodes[&who]
        .node
        .contacts()
        .map(|node| node.address)
        .collect()
}

fn count(world: &World, who: SocketAddr, wanted: impl Fn(&Event) -> bool) -> usize {
    world.nodes[&who]
        .events
        .iter()
        .filter(|(_, event)| wanted(event))
        .count()
}

fn message(id: Id, method: Method) -> Message {
    Message {
        transaction: TransactionId::new(b"xy").unwrap(),
        version: None,
        external: None,
        body: Body::Query(Query {
            id,
            read_only: false,
            method,
        }),
    }
}

/// What a node answers to a stranger who asks it something.
fn ask(
    world: &mut World,
    who: SocketAddr,
    stranger: SocketAddr,
    query: &Message,
) -> Option<Message> {
    world.input(
        who,
        Input::Receive {
            from: stranger,
            message: query,
        },
    );
    let mut sent = world.nodes[&who].sent.iter().rev();
    let answer = sent.find(|(at, to, message)| {
        *at == world.now && *to == stranger && !matches!(message.body, Body::Query(_))
    });
    answer.map(|(_, _, message)| message.clone())
}

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
fn announce_is_found_by_third_node() {
    let mut world = World::new(2);
    world.add(local(0), &[]);
    world.add(local(1), &[local(0)]);
    world.add(local(2), &[local(0)]);
    world.run_for(SECOND);
    announce(&mut world, local(1), hash(1)).unwrap();
    assert_eq!(result(&world, local(1)).0.announced_to, 2);
    world.input(
        local(2),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
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
        },
    );
    world.run_until(local(1), ended).unwrap();
    world.input(
        local(2),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
    world.run_until(local(2), ended).unwrap();
    assert_eq!(result(&world, local(2)).1, [local(1)]);
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
        },
    );
    world.run_for(MINUTE);
    world.add(local(1), &[local(0)]);
    world.input(
        local(1),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
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
fn a_cold_lookup_asks_the_bootstrap_address_itself() {
    let mut world = World::of(16, local, 5);
    announce(&mut world, local(3), hash(1)).unwrap();
    world.add(local(99), &[local(0)]);
    world.input(
        local(99),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
    let first = world
        .run_until(local(99), |event| matches!(event, Event::Peers { .. }))
        .unwrap();
    assert!(first <= 4 * LATENCY, "two round trips, not {first:?}");
}

#[test]
fn lookup_before_bootstrap_waits() {
    let mut world = World::of(8, local, 6);
    announce(&mut world, local(3), hash(1)).unwrap();
    world.add(local(99), &[]);
    world.input(
        local(99),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
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
    world.input(
        local(99),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
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
    world.input(
        local(1),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
    assert_eq!(world.run_until(local(1), ended), Some(20 * SECOND));
    assert_eq!(result(&world, local(1)).0.outcome, Outcome::OutOfPatience);
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
    world.input(
        local(5),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(2),
        },
    );
    world.run_until(local(5), ended).unwrap();
    assert_eq!(
        result(&world, local(5)).1,
        ["127.0.0.1:5000".parse().unwrap()]
    );
}

#[test]
fn a_lookup_among_a_hundred_finds_the_nearest_eight() {
    for (address, seed) in [(local as fn(u16) -> SocketAddr, 10), (public, 11)] {
        let mut world = World::of(100, address, seed);
        world.run_for(10 * MINUTE);
        for number in 0..20 {
            let target = Id::random(world.rng());
            let asker = address(number * 5);
            world.input(
                asker,
                Input::FindNode {
                    lookup: LOOKUP,
                    target,
                },
            );
            world.run_until(asker, ended).unwrap();
            let (report, _) = result(&world, asker);
            let found: Vec<_> = report.closest.iter().map(|node| node.address).collect();
            let nearest: Vec<_> = world
                .nearest(&target, 9)
                .into_iter()
                .filter(|address| *address != asker)
                .take(8)
                .collect();
            assert_eq!(found, nearest, "from node {} for {target}", number * 5);
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
        world.input(
            asker,
            Input::GetPeers {
                lookup: LOOKUP,
                info_hash: hash(number as u8),
            },
        );
        world.run_until(asker, ended).unwrap();
        let mut peer = public(number);
        peer.set_port(5000);
        assert_eq!(result(&world, asker).1, [peer]);
    }
}

#[test]
fn foreign_response_changes_nothing() {
    let mut world = World::of(4, local, 13);
    let me = local(1);
    world.input(
        me,
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
    let asked: Vec<_> = {
        let sent = &world.nodes[&me].sent;
        sent.iter()
            .filter(|(at, ..)| *at == world.now)
            .map(|(_, to, message)| (*to, message.transaction.clone()))
            .collect()
    };
    assert!(!asked.is_empty());
    let liar = NodeInfo {
        id: hash(7),
        address: local(66),
    };
    let response = |transaction: &TransactionId| Message {
        transaction: transaction.clone(),
        version: None,
        external: None,
        body: Body::Response(Response {
            values: vec!["127.0.0.1:666".parse().unwrap()],
            ..Response::new(liar.id)
        }),
    };
    let before = (
        contacts(&world, me),
        world.nodes[&me].events.len(),
        world.nodes[&me].sent.len(),
    );
    for (asked, transaction) in &asked {
        // The right transaction from the wrong address, and the right address with a wrong transaction.
        world.input(
            me,
            Input::Receive {
                from: liar.address,
                message: &response(transaction),
            },
        );
        world.input(
            me,
            Input::Receive {
                from: *asked,
                message: &response(&TransactionId::from(1)),
            },
        );
        world.input(
            me,
            Input::Receive {
                from: *asked,
                message: &response(&TransactionId::default()),
            },
        );
    }
    assert_eq!(
        (
            contacts(&world, me),
            world.nodes[&me].events.len(),
            world.nodes[&me].sent.len()
        ),
        before
    );
    world.run_until(me, ended).unwrap();
    assert_eq!(result(&world, me).1, []);
}

#[test]
fn a_node_that_answers_with_another_id_is_not_believed() {
    let mut world = World::of(4, local, 14);
    // Node 2 starts anew where it was, with another id and nobody to know.
    let old = world.nodes[&local(2)].node.id();
    world.add(local(2), &[]);
    world.input(
        local(1),
        Input::FindNode {
            lookup: LOOKUP,
            target: old,
        },
    );
    world.run_until(local(1), ended).unwrap();
    let (report, _) = result(&world, local(1));
    assert!(report.closest.iter().all(|node| node.id != old));
    assert_eq!(report.failed, 1);
    assert!(
        world.nodes[&local(1)]
            .node
            .contacts()
            .all(|node| node.id != old)
    );
    assert!(
        contacts(&world, local(1)).contains(&local(2)),
        "it is known by its new id"
    );
}

#[test]
fn token_of_another_address_is_refused() {
    let mut world = World::of(2, public, 15);
    let (owner, thief) = (public(50), public(51));
    let get_peers = message(
        hash(50),
        Method::GetPeers {
            info_hash: hash(1),
            want: Want::UNSAID,
        },
    );
    let Some(Message {
        body: Body::Response(Response {
            token: Some(token), ..
        }),
        ..
    }) = ask(&mut world, public(0), owner, &get_peers)
    else {
        panic!("get_peers is answered with a token");
    };
    let announce = |token: Token, info_hash| {
        message(
            hash(51),
            Method::AnnouncePeer {
                info_hash,
                port: AnnouncedPort::Given(5000),
                token,
            },
        )
    };
    let code = |answer: Option<Message>| match answer.map(|answer| answer.body) {
        Some(Body::Error(error)) => Some(error.code),
        _ => None,
    };
    assert_eq!(
        code(ask(
            &mut world,
            public(0),
            thief,
            &announce(token.clone(), hash(1))
        )),
        Some(KrpcError::PROTOCOL)
    );
    assert_eq!(
        code(ask(
            &mut world,
            public(0),
            owner,
            &announce(token.clone(), hash(2))
        )),
        Some(KrpcError::PROTOCOL)
    );
    assert_eq!(world.nodes[&public(0)].node.stats().peers, 0);
    assert_eq!(
        code(ask(
            &mut world,
            public(0),
            owner,
            &announce(token.clone(), hash(1))
        )),
        None
    );
    assert_eq!(world.nodes[&public(0)].node.stats().peers, 1);
    world.run_for(10 * MINUTE);
    assert_eq!(
        code(ask(&mut world, public(0), owner, &announce(token, hash(1)))),
        Some(KrpcError::PROTOCOL)
    );
}

#[test]
fn errors_of_bep_5() {
    let mut world = World::of(3, local, 16);
    let unknown = |target| {
        message(
            hash(50),
            Method::Other {
                name: b"vote".iter().copied().collect(),
                target,
                want: Want::UNSAID,
            },
        )
    };
    let answer = ask(&mut world, local(0), local(50), &unknown(None)).unwrap();
    assert!(matches!(
        answer.body,
        Body::Error(KrpcError {
            code: KrpcError::METHOD_UNKNOWN,
            ..
        })
    ));
    let answer = ask(&mut world, local(0), local(50), &unknown(Some(hash(1)))).unwrap();
    assert!(
        matches!(answer.body, Body::Response(Response { nodes: Some(nodes), .. }) if nodes.len() == 2)
    );
    world.input(
        local(0),
        Input::Malformed {
            from: local(50),
            transaction: &TransactionId::new(b"zz").unwrap(),
        },
    );
    let (_, to, refusal) = world.nodes[&local(0)].sent.last().unwrap();
    assert_eq!(
        (*to, refusal.transaction.as_bytes()),
        (local(50), &b"zz"[..])
    );
    assert!(matches!(
        refusal.body,
        Body::Error(KrpcError {
            code: KrpcError::PROTOCOL,
            ..
        })
    ));
    // An error is never answered, nor is a response.
    let before = world.nodes[&local(0)].sent.len();
    let error = Message {
        body: refusal.body.clone(),
        ..unknown(None)
    };
    world.input(
        local(0),
        Input::Receive {
            from: local(50),
            message: &error,
        },
    );
    let response = Message {
        body: Body::Response(Response::new(hash(50))),
        ..unknown(None)
    };
    world.input(
        local(0),
        Input::Receive {
            from: local(50),
            message: &response,
        },
    );
    assert_eq!(world.nodes[&local(0)].sent.len(), before);
}

#[test]
fn martians_and_our_own_id_are_dropped() {
    let mut world = World::of(2, local, 17);
    let own = world.nodes[&local(0)].node.id();
    for from in [
        "0.0.0.0:5",
        "224.0.0.1:5",
        "127.0.0.1:0",
        "[ff02::1]:5",
        "255.255.255.255:1",
    ] {
        assert_eq!(
            ask(
                &mut world,
                local(0),
                from.parse().unwrap(),
                &message(hash(1), Method::Ping)
            ),
            None,
            "{from}"
        );
    }
    assert_eq!(
        ask(&mut world, local(0), local(9), &message(own, Method::Ping)),
        None
    );
    world.run_for(MINUTE);
    assert_eq!(contacts(&world, local(0)), [local(1)]);
}

#[test]
fn a_read_only_node_asks_and_is_left_alone() {
    let mut world = World::of(8, local, 18);
    announce(&mut world, local(1), hash(1)).unwrap();
    world.config.read_only = true;
    world.add(local(99), &[local(0)]);
    world.input(
        local(99),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
    world.run_until(local(99), ended).unwrap();
    assert_eq!(result(&world, local(99)).0.peers, 1);
    world.run_for(20 * MINUTE);
    for number in 0..8 {
        assert!(!contacts(&world, local(number)).contains(&local(99)));
        assert!(world.nodes[&local(number)].sent.iter().all(|(_, to, message)| *to != local(99) || !matches!(message.body, Body::Query(_))));
    }
    assert_eq!(
        ask(
            &mut world,
            local(99),
            local(1),
            &message(hash(9), Method::Ping)
        ),
        None
    );
}

#[test]
fn quarantine() {
    let mut world = World::of(6, local, 19);
    world.silent.insert(local(2));
    // Its silence is noticed within the time after which every contact is asked for a sign of life.
    world.run_for(20 * MINUTE);
    assert!(!contacts(&world, local(1)).contains(&local(2)));
    assert_eq!(contacts(&world, local(1)).len(), 4);
    world.silent.remove(&local(2));
    world.run_for(20 * MINUTE);
    assert!(
        contacts(&world, local(1)).contains(&local(2)),
        "it is back when it is back"
    );
}

#[test]
fn a_dead_node_that_others_name_is_asked_twice_and_then_left_in_peace() {
    let mut world = World::of(3, local, 20);
    let dead = NodeInfo {
        id: hash(9),
        address: local(66),
    };
    let asked = |world: &World| {
        world.nodes[&local(1)]
            .sent
            .iter()
            .filter(|(_, to, _)| *to == dead.address)
            .count()
    };
    let query = message(dead.id, Method::Ping);
    for _ in 0..16 {
        // It asks, and never answers: behind a NAT, say.
        world.input(
            local(1),
            Input::Receive {
                from: dead.address,
                message: &query,
            },
        );
        world.run_for(10 * SECOND);
    }
    // One of the packets to it in each of the first two rounds is the answer to its ping.
    assert_eq!(asked(&world) - 16, 2);
    assert!(!contacts(&world, local(1)).contains(&dead.address));
}

#[test]
fn the_table_survives_a_link_that_is_down() {
    let mut world = World::of(30, public, 21);
    world.run_for(10 * MINUTE);
    let before = contacts(&world, public(1)).len();
    assert!(before >= 20, "{before}");
    world.silent.insert(public(1));
    world.run_for(120 * MINUTE);
    let kept = world.nodes[&public(1)].node.stats().contacts_v4;
    assert!(kept + 8 >= before, "{kept} of {before} are left");
    world.silent.remove(&public(1));
    world.run_for(10 * MINUTE);
    assert!(contacts(&world, public(1)).len() + 4 >= before);
}

#[test]
fn nodes_of_an_earlier_run_bring_us_back_without_a_bootstrap_address() {
    let mut world = World::of(12, local, 22);
    announce(&mut world, local(1), hash(1)).unwrap();
    let saved: Vec<_> = world.nodes[&local(2)].node.contacts().collect();
    world.add(local(99), &[]);
    world.input(local(99), Input::Restore(&saved));
    world.input(
        local(99),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
    assert!(world.run_until(local(99), ended).unwrap() < SECOND);
    assert_eq!(result(&world, local(99)).0.peers, 1);
}

#[test]
fn nobody_on_the_public_network_leads_us_into_our_own() {
    let mut world = World::new(23);
    world.add(public(1), &[public(0)]);
    let (_, _, query) = world.nodes[&public(1)].sent.first().unwrap().clone();
    let nodes = ["127.0.0.1:5", "192.168.0.1:5", "10.0.0.1:5", "0.0.0.0:5"]
        .iter()
        .zip(1..);
    let nodes = nodes.map(|(address, number)| NodeInfo {
        id: hash(number),
        address: address.parse().unwrap(),
    });
    let response = Response {
        nodes: Some(nodes.collect()),
        ..Response::new(hash(50))
    };
    let answer = Message {
        transaction: query.transaction,
        version: None,
        external: None,
        body: Body::Response(response),
    };
    world.input(
        public(1),
        Input::Receive {
            from: public(0),
            message: &answer,
        },
    );
    world.run_for(MINUTE);
    assert!(
        world.nodes[&public(1)]
            .sent
            .iter()
            .all(|(_, to, _)| *to == public(0))
    );
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
fn both_families_are_served_and_kept_apart() {
    let v6 = |number: u16| SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, number], 6881));
    let mut world = World::new(26);
    world.add(v6(0), &[]);
    for number in 1..6 {
        world.add(v6(number), &[v6(0)]);
    }
    world.run_for(MINUTE);
    announce(&mut world, v6(1), hash(1)).unwrap();
    world.input(
        v6(2),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
    world.run_until(v6(2), ended).unwrap();
    let mut peer = v6(1);
    peer.set_port(5000);
    assert_eq!(result(&world, v6(2)).1, [peer]);
    assert_eq!(world.nodes[&v6(2)].node.stats().contacts_v4, 0);
    // Who asks over IPv4 gets no IPv6 peers, and IPv6 nodes only if he wants them. BEP 32, "want".
    let get_peers = |want| {
        message(
            hash(50),
            Method::GetPeers {
                info_hash: hash(1),
                want,
            },
        )
    };
    let holder = *world
        .nodes
        .iter()
        .find(|(_, member)| member.node.stats().peers > 0)
        .unwrap()
        .0;
    let Some(Message {
        body: Body::Response(plain),
        ..
    }) = ask(&mut world, holder, local(50), &get_peers(Want::UNSAID))
    else {
        panic!()
    };
    assert_eq!(
        (
            plain.values.len(),
            plain.nodes.map(|nodes| nodes.len()),
            plain.nodes6
        ),
        (0, Some(0), None)
    );
    let Some(Message {
        body: Body::Response(both),
        ..
    }) = ask(&mut world, holder, local(50), &get_peers(Want::BOTH))
    else {
        panic!()
    };
    assert_eq!(both.nodes6.map(|nodes| nodes.len()), Some(5));
}

#[test]
fn a_popular_torrent_still_fits_one_datagram() {
    let mut world = World::of(10, local, 27);
    for number in 0..300u16 {
        let from = SocketAddr::from(([10, 1, (number >> 8) as u8, number as u8], 6881));
        let get_peers = message(
            hash(1),
            Method::GetPeers {
                info_hash: hash(1),
                want: Want::UNSAID,
            },
        );
        let Some(Message {
            body: Body::Response(Response {
                token: Some(token), ..
            }),
            ..
        }) = ask(&mut world, local(0), from, &get_peers)
        else {
            panic!()
        };
        let announce = message(
            hash(1),
            Method::AnnouncePeer {
                info_hash: hash(1),
                port: AnnouncedPort::Given(1),
                token,
            },
        );
        ask(&mut world, local(0), from, &announce).unwrap();
    }
    let get_peers = message(
        hash(1),
        Method::GetPeers {
            info_hash: hash(1),
            want: Want::BOTH,
        },
    );
    let answer = ask(&mut world, local(0), local(50), &get_peers).unwrap();
    let mut datagram = Vec::new();
    dht::encode(&answer, &mut datagram);
    assert!(
        (1000..=1200).contains(&datagram.len()),
        "{} bytes",
        datagram.len()
    );
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
fn a_cancelled_lookup_says_so_and_asks_nobody_more() {
    let mut world = World::of(20, local, 29);
    world.input(
        local(1),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
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
fn the_same_seed_is_the_same_world() {
    let run = || {
        let mut world = World::of(20, public, 30);
        announce(&mut world, public(1), hash(1));
        world.run_for(30 * MINUTE);
        world
            .nodes
            .into_values()
            .map(|member| (member.events, member.sent))
            .collect::<Vec<_>>()
    };
    assert!(run() == run());
}

#[test]
fn a_host_that_refuses_lookups_is_not_asked_without_a_pause() {
    let mut world = World::new(31);
    world.add(local(1), &[local(0)]);
    world.input(
        local(1),
        Input::GetPeers {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
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
