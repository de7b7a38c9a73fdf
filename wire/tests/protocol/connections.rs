//! Connections as a whole: dials, duplicates, silence.

use std::net::SocketAddr;

use wire::{CloseReason, Direction, Event, Handshake, Input, Link, Message, Source};

use crate::engine::{ALL, Engine, LINK, PLAIN, Said, address, block, only, peer_id, seconds};

#[test]
fn a_silent_connection_is_kept_alive_and_then_ended() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, PLAIN);
    assert_eq!(only(engine.wait(seconds(115))), [Said::KeepAlive]);
    engine.hear(Message::KeepAlive);
    assert!(
        engine
            .wait(seconds(179))
            .iter()
            .all(|(_, said)| *said == Said::KeepAlive)
    );
    let said = only(engine.wait(seconds(2)));
    assert_eq!(said, [Said::Close(CloseReason::Silent { seconds: 180 })]);
}

#[test]
fn a_second_connection_to_a_peer_is_ended_and_one_to_ourselves() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, PLAIN);
    let handshake = |name| Handshake {
        reserved: PLAIN,
        info_hash: [0; 20].into(),
        peer_id: peer_id(name),
    };
    let mut connect = |link, name| {
        let handshake = handshake(name);
        let input = Input::Connected {
            link,
            address: address(9),
            direction: Direction::Incoming,
            handshake: &handshake,
        };
        only(engine.input(input))
    };
    assert_eq!(connect(Link(5), 1), [Said::Close(CloseReason::Duplicate)]);
    assert_eq!(connect(Link(6), 100), [Said::Close(CloseReason::Ourselves)]);
    assert_eq!(engine.connected(), 1);
}

#[test]
fn an_address_that_leads_back_to_us_is_dialled_once() {
    let mut engine = Engine::leecher();
    engine.input(Input::Candidates(&[address(9)], Source::Dht));
    assert_eq!(std::mem::take(&mut engine.record.dialled), [address(9)]);
    let handshake = Handshake {
        reserved: PLAIN,
        info_hash: engine.info.hash(),
        peer_id: peer_id(100),
    };
    engine.input(Input::Connected {
        link: LINK,
        address: address(9),
        direction: Direction::Outgoing,
        handshake: &handshake,
    });
    engine.input(Input::Candidates(&[address(9)], Source::Dht));
    engine.wait(seconds(3600));
    assert_eq!(engine.record.dialled, []);
    let known = engine.torrent.progress(engine.now).known;
    assert_eq!(known, 0, "we count ourselves among the peers");
}

#[test]
fn many_are_dialled_at_once_but_not_all() {
    let mut engine = Engine::leecher();
    let addresses: Vec<_> = (1..=200).map(address).collect();
    engine.input(Input::Candidates(&addresses, Source::Dht));
    assert_eq!(engine.record.dialled.len(), 30);
    engine.input(Input::ConnectFailed {
        address: address(1),
    });
    assert_eq!(engine.record.dialled.len(), 31);
}

#[test]
fn an_incoming_connection_that_ends_leaves_the_dial_to_its_address_alone() {
    let mut engine = Engine::leecher();
    engine.config.max_dials = 1;
    engine.input(Input::Candidates(&[address(1), address(2)], Source::Dht));
    engine.connect(LINK, PLAIN);
    engine.input(Input::Closed { link: LINK });
    assert_eq!(engine.record.dialled, [address(1)], "one at a time");
    engine.wait(seconds(10));
    assert_eq!(engine.record.dialled, [address(1)], "it is still dialled");
    engine.input(Input::ConnectFailed {
        address: address(1),
    });
    assert_eq!(engine.record.dialled, [address(1), address(2)]);
}

#[test]
fn a_peer_that_sent_what_nobody_requested_is_dialled_again_later() {
    let mut engine = Engine::leecher();
    engine.input(Input::Candidates(&[address(1)], Source::Dht));
    let handshake = Handshake {
        reserved: PLAIN,
        info_hash: engine.info.hash(),
        peer_id: peer_id(1),
    };
    engine.input(Input::Connected {
        link: LINK,
        address: address(1),
        direction: Direction::Outgoing,
        handshake: &handshake,
    });
    let closed = (0..100)
        .map(|_| engine.block(block(0, 0)))
        .find(|said| !said.is_empty());
    assert_eq!(
        closed,
        Some(vec![Said::Close(CloseReason::UnrequestedBlocks)])
    );
    engine.wait(seconds(10));
    assert_eq!(engine.record.dialled, [address(1), address(1)]);
}

#[test]
fn the_peers_dht_node_is_told_to_the_driver() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, ALL);
    engine.hear(Message::Port(4000));
    let expected = SocketAddr::from(([203, 0, 113, 1], 4000));
    assert!(
        engine
            .record
            .events
            .iter()
            .any(|event| matches!(event, Event::DhtNode { address } if *address == expected))
    );
}

#[test]
fn inputs_about_links_that_are_not_open_are_ignored() {
    let mut engine = Engine::seed();
    assert_eq!(engine.hear(Message::Interested), []);
    assert_eq!(engine.block(block(0, 0)), []);
    assert_eq!(engine.input(Input::Closed { link: LINK }), []);
    assert_eq!(
        engine.input(Input::Uploaded {
            link: LINK,
            block: block(0, 0)
        }),
        []
    );
}
