//! Who is believed, remembered and forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use dht::{Body, Config, Input, Message, Method, NodeInfo, Response, TransactionId};

use crate::world::{World, local, public};
use crate::{LOOKUP, MINUTE, SECOND, announce, contacts, ended, hash, look_up, message, result};

#[test]
fn foreign_response_changes_nothing() {
    let mut world = World::of(4, local, 13);
    let me = local(1);
    look_up(&mut world, me, hash(1));
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
fn one_who_answers_to_many_false_names_is_asked_once_and_not_befriended() {
    let mut world = World::of(20, public, 25);
    let (me, liar, innocent) = (public(1), public(2), public(99));
    let liar_id = world.nodes[&liar].node.id();
    world.silent.insert(liar);
    let answer = |world: &mut World, from, response: Response| {
        let sent = &world.nodes[&me].sent;
        let (.., query) = sent.iter().rev().find(|(_, to, _)| *to == from).unwrap();
        let message = Message {
            transaction: query.transaction.clone(),
            version: None,
            external: None,
            body: Body::Response(response),
        };
        let message = &message;
        world.input(me, Input::Receive { from, message });
    };
    for number in 100..120 {
        let false_name = NodeInfo {
            id: hash(number),
            address: "20.99.7.7:6881".parse().unwrap(),
        };
        let naming = Response {
            nodes: Some([false_name].into_iter().collect()),
            ..Response::new(liar_id)
        };
        world.input(me, Input::Ping(liar));
        answer(&mut world, liar, naming);
        world.run_for(6 * SECOND);
        if number == 100 {
            // It answers in its own name, whatever it was called.
            answer(&mut world, innocent, Response::new(hash(60)));
        }
    }
    let sent = world.nodes[&me].sent.iter();
    assert_eq!(sent.filter(|(_, to, _)| *to == innocent).count(), 1);
    assert!(!contacts(&world, me).contains(&innocent));
    assert!(contacts(&world, me).contains(&liar));
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
fn a_node_that_only_those_reach_whom_it_asks_is_soon_known_to_nobody() {
    let mut world = World::of(40, public, 25);
    let (hidden, open) = (public(50), public(60));
    world.holes.insert(hidden, BTreeMap::new());
    for newcomer in [hidden, open] {
        world.add(newcomer, &[public(0)]);
    }
    let known_to = |world: &World, who| {
        let knows = |number: &u16| contacts(world, public(*number)).contains(&who);
        (0..40).filter(knows).count()
    };
    world.run_for(30 * SECOND);
    // It answers those whom it asks, so it passes for one of them at first.
    assert!(known_to(&world, hidden) >= 8);
    world.run_for(30 * MINUTE);
    assert!(
        known_to(&world, hidden) <= 4,
        "{}",
        known_to(&world, hidden)
    );
    assert!(known_to(&world, open) >= 36);
    // For itself it finds what there is.
    let look_up = Input::FindNode {
        lookup: LOOKUP,
        target: hash(1),
    };
    world.input(hidden, look_up);
    world.run_until(hidden, ended).unwrap();
    let (report, _) = result(&world, hidden);
    let found: Vec<_> = report.closest.iter().map(|node| node.address).collect();
    let mut others = world.nearest(&hash(1), 9);
    others.retain(|address| *address != hidden);
    others.truncate(8);
    assert_eq!(found, others);
}

/// Who is asked after the only node we know has named others at these addresses.
fn asked_when_named(addresses: &[&str]) -> BTreeSet<SocketAddr> {
    let mut world = World::new(23);
    world.add(public(1), &[public(0)]);
    let (_, _, query) = world.nodes[&public(1)].sent.first().unwrap().clone();
    let nodes = addresses.iter().zip(1..);
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
    let mut asked: BTreeSet<_> = (world.nodes[&public(1)].sent.iter())
        .map(|(_, to, _)| *to)
        .collect();
    assert!(asked.remove(&public(0)));
    asked
}

#[test]
fn nobody_on_the_public_network_leads_us_into_our_own() {
    let named = [
        "127.0.0.1:5000",
        "192.168.0.1:5000",
        "10.0.0.1:5000",
        "0.0.0.0:5000",
    ];
    assert_eq!(asked_when_named(&named), BTreeSet::new());
}

#[test]
fn nobody_has_us_trouble_services_that_are_no_nodes() {
    let named = [
        "50.0.0.1:0",
        "50.0.0.2:19",
        "50.0.0.3:53",
        "50.0.0.4:1023",
        "50.0.0.5:1024",
    ];
    let expected = "50.0.0.5:1024".parse().unwrap();
    assert_eq!(asked_when_named(&named), BTreeSet::from([expected]));
}

#[test]
fn established_nodes_find_everything_at_once_and_do_not_act_in_step() {
    let mut world = World::established(200, Config::default(), BTreeMap::new(), 24);
    for number in 0..200 {
        assert!(world.nodes[&public(number)].node.stats().contacts_v4 > 150);
        world.input(public(number), Input::Bootstrap(&[public(0)]));
    }
    assert!(
        world.nodes.values().all(|member| member.sent.is_empty()),
        "nothing has to be done at once"
    );
    let sent =
        |world: &World| -> usize { world.nodes.values().map(|member| member.sent.len()).sum() };
    // The first quarter of a round is as busy as the others.
    let quarters: Vec<_> = (0..8)
        .map(|_| {
            let before = sent(&world);
            world.run_for(225 * SECOND);
            sent(&world) - before
        })
        .collect();
    let (least, most) = (
        quarters.iter().min().unwrap(),
        quarters.iter().max().unwrap(),
    );
    assert!(*least * 4 > *most * 3, "{quarters:?}");
    let target = hash(1);
    world.input(
        public(7),
        Input::FindNode {
            lookup: LOOKUP,
            target,
        },
    );
    world.run_until(public(7), ended).unwrap();
    let (report, _) = result(&world, public(7));
    let found: Vec<_> = report.closest.iter().map(|node| node.address).collect();
    assert_eq!(found, world.nearest(&target, 8));
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
