//! What others get from a node.

use std::net::SocketAddr;

use dht::{
    AnnouncedPort, Body, Flag, Input, KrpcError, Message, Method, Response, Token, TransactionId,
    Want, Wishes,
};

use crate::world::{World, local, public};
use crate::{MINUTE, announce, ask, contacts, ended, hash, look_up, message, result, store, token};

#[test]
fn token_of_another_address_is_refused() {
    let mut world = World::of(2, public, 15);
    let (owner, thief) = (public(50), public(51));
    let token = token(&mut world, public(0), owner, hash(1));
    let announce = |token: Token, info_hash| {
        message(
            hash(51),
            Method::AnnouncePeer {
                info_hash,
                port: AnnouncedPort::Given(5000),
                token,
                seed: Flag(false),
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
            code: KrpcError::PROTOCOL,
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
    look_up(&mut world, local(99), hash(1));
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
fn both_families_are_served_and_kept_apart() {
    let v6 = |number: u16| SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, number], 6881));
    let mut world = World::new(26);
    world.add(v6(0), &[]);
    for number in 1..6 {
        world.add(v6(number), &[v6(0)]);
    }
    world.run_for(MINUTE);
    announce(&mut world, v6(1), hash(1)).unwrap();
    look_up(&mut world, v6(2), hash(1));
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
                wishes: Wishes::NONE,
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
        store(&mut world, local(0), from, hash(1));
    }
    let get_peers = message(
        hash(1),
        Method::GetPeers {
            info_hash: hash(1),
            want: Want::BOTH,
            wishes: Wishes::NONE,
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
    // What one gets who asks in another's name, beside the limit of datagrams from one address.
    let question = dht::encoded_length(&get_peers);
    assert!(datagram.len() <= 13 * question, "{question} bytes asked");
}

#[test]
fn who_has_its_share_of_a_store_tells_the_next_nearest() {
    let mut world = World::new(64);
    world.config.max_peers_per_source = 3;
    world.add(public(0), &[]);
    for number in 1..24 {
        world.add(public(number), &[public(0)]);
    }
    world.run_for(2 * MINUTE);
    for number in 0..8 {
        announce(&mut world, public(1), hash(number)).unwrap();
        assert_eq!(result(&world, public(1)).0.announced_to, 8, "{number}");
    }
    // Where it may have no more it did not even try.
    let sent = world.nodes.values().flat_map(|member| &member.sent);
    let refusals = sent.filter(|(_, _, message)| matches!(message.body, Body::Error(_)));
    assert_eq!(refusals.count(), 0);
    // It may renew what it has, as often as it likes.
    for number in 0..8 {
        announce(&mut world, public(1), hash(number)).unwrap();
        assert_eq!(result(&world, public(1)).0.announced_to, 8, "{number}");
    }
    for number in 0..8 {
        look_up(&mut world, public(2), hash(number));
        world.run_until(public(2), ended).unwrap();
        assert!(result(&world, public(2)).0.peers > 0);
    }
}
