//! Nodes that are dead, silent, cut off, or lie.

use std::collections::BTreeSet;

use dht::{Body, Event, Id, Input, Message, NodeInfo, Response, Token, TransactionId};
use simulations::{Conditions, Delivery, Fault, Goal, Network, World, address};

use crate::{MINUTE, addresses, hash, is_found, rough};

#[test]
fn announces_are_found_though_a_third_of_the_nodes_died_just_now() {
    for fault in [Fault::Dead, Fault::Silent] {
        for count in [8, 100] {
            let mut world = World::grown(Network::new(11, Conditions::default()), count);
            for number in (1..count).step_by(3) {
                world.fail(address(number), fault);
            }
            for number in 0..10 {
                let (holder, seeker) = (number * 3 % count, (number * 3 + 6) % count);
                let (holder, seeker) = (holder - holder % 3, seeker - seeker % 3);
                assert!(
                    is_found(&mut world, address(holder), address(seeker), hash(number)),
                    "{fault:?} nodes among {count}, announce {number}"
                );
            }
        }
    }
}

#[test]
fn every_lookup_ends_though_nodes_die_beneath_it() {
    let mut world = World::grown(Network::new(12, rough()), 100);
    world.take_occurrences();
    let mut begun = BTreeSet::new();
    for number in 0..60 {
        let goal = match number % 3 {
            0 => Goal::FindNode(hash(number)),
            1 => Goal::GetPeers(hash(number)),
            _ => Goal::Announce(hash(number)),
        };
        begun.insert(world.begin(address(number % 10), goal));
        let fault = if number % 2 == 0 {
            Fault::Dead
        } else {
            Fault::Silent
        };
        world.fail(address(10 + number), fault);
        world.run_for(MINUTE / 1000);
    }
    world.run_for(2 * MINUTE);
    let mut ended = Vec::new();
    for occurrence in world.take_occurrences() {
        if let Event::LookupEnded { lookup, .. } = occurrence.event {
            ended.push(lookup);
        }
    }
    assert_eq!(ended.len(), 60, "each ends once");
    assert_eq!(ended.into_iter().collect::<BTreeSet<_>>(), begun);
}

#[test]
fn a_net_that_was_cut_in_two_is_one_again_soon_after() {
    let mut world = World::grown(Network::new(13, Conditions::default()), 40);
    world.network_mut().part(addresses(0..20));
    assert!(!is_found(&mut world, address(1), address(30), hash(1)));
    assert!(is_found(&mut world, address(2), address(15), hash(2)));
    assert!(is_found(&mut world, address(32), address(25), hash(3)));
    world.run_for(10 * MINUTE);
    world.network_mut().reunite();
    world.run_for(5 * MINUTE);
    for number in 0..10 {
        let (holder, seeker) = (address(number), address(39 - number));
        assert!(
            is_found(&mut world, holder, seeker, hash(100 + number)),
            "{number}"
        );
    }
}

#[test]
fn a_dead_node_that_comes_back_finds_and_is_found() {
    let mut world = World::grown(Network::new(14, Conditions::default()), 20);
    world.fail(address(5), Fault::Dead);
    world.run_for(60 * MINUTE);
    world.recover(address(5));
    assert!(is_found(&mut world, address(5), address(6), hash(1)));
    assert!(is_found(&mut world, address(6), address(5), hash(2)));
}

/// What somebody says who has seen a query that was not meant for him, and would like to be believed.
fn forgery(seen: &Delivery) -> Message {
    let mut response = Response::new(Id::new([0xee; 20]));
    let node = |number| {
        let std::net::SocketAddr::V4(address) = address(number) else {
            panic!("addresses are of IPv4")
        };
        NodeInfo {
            id: Id::new([number as u8; 20]),
            address,
        }
    };
    response.nodes = Some((200..208).map(node).collect());
    response.token = Some(Token::from([1; 8]));
    response.values = addresses(300..310);
    Message {
        body: Body::Response(response),
        external: Some(address(400)),
        ..seen.message.clone()
    }
}

#[test]
fn foreign_responses_change_nothing() {
    let run = |with_forgeries: bool| {
        let mut world = World::grown(Network::new(15, Conditions::default()), 30);
        let lookups =
            [3, 7, 11].map(|number| world.begin(address(number), Goal::GetPeers(hash(1))));
        let end = world.now() + 5 * MINUTE;
        let mut forged = 0;
        while world.now() < end {
            let Some(seen) = world.step(end).filter(|_| with_forgeries) else {
                continue;
            };
            if matches!(seen.message.body, Body::Query(_)) {
                let message = forgery(&seen);
                // The right transaction from a stranger, and from a node of the net that was not asked.
                for from in [address(500), address(29)] {
                    if from != seen.to && from != seen.from {
                        world.input(
                            seen.from,
                            Input::Receive {
                                from,
                                message: &message,
                            },
                        );
                        forged += 1;
                    }
                }
                // And a transaction that never was, from the one that was asked.
                let message = Message {
                    transaction: TransactionId::new(b"never").expect("five bytes are few"),
                    ..message
                };
                world.input(
                    seen.from,
                    Input::Receive {
                        from: seen.to,
                        message: &message,
                    },
                );
                forged += 1;
            }
        }
        assert_eq!(forged > 100, with_forgeries, "{forged}");
        let ended = world.take_occurrences().into_iter().filter(|occurrence| {
            matches!(&occurrence.event, Event::LookupEnded { lookup, .. } if lookups.contains(lookup))
        });
        (ended.collect::<Vec<_>>(), world.digest())
    };
    assert_eq!(run(true), run(false));
}
