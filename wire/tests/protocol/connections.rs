//! Connections as a whole: dials, duplicates, silence.

use std::net::{IpAddr, SocketAddr};

use wire::{CloseReason, Direction, Event, Handshake, Input, Link, Message, Source, peer_priority};

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
            address: SocketAddr::new(address(1).ip(), 9),
            direction: Direction::Incoming,
            handshake: &handshake,
        };
        only(engine.input(input))
    };
    assert_eq!(connect(Link(5), 1), [Said::Close(CloseReason::Duplicate)]);
    assert_eq!(connect(Link(6), 100), [Said::Close(CloseReason::Ourselves)]);
    assert_eq!(engine.connected(), 1);
}

/// Whom we dialled picks up.
fn pick_up(engine: &mut Engine, address: SocketAddr, id: u8) {
    let handshake = Handshake {
        reserved: PLAIN,
        info_hash: engine.info.hash(),
        peer_id: peer_id(id),
    };
    engine.input(Input::Connected {
        link: LINK,
        address,
        direction: Direction::Outgoing,
        handshake: &handshake,
    });
}

#[test]
fn an_address_that_leads_back_to_us_is_dialled_once() {
    let mut engine = Engine::leecher();
    engine.input(Input::Candidates(&[address(9)], Source::Dht));
    assert_eq!(std::mem::take(&mut engine.record.dialled), [address(9)]);
    pick_up(&mut engine, address(9), 100);
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
    pick_up(&mut engine, address(1), 1);
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

/// A peer that dials us from this address. Returns whether it may stay.
fn comes(engine: &mut Engine, link: u32, address: SocketAddr) -> bool {
    let mut name = [0; 20];
    name[..4].copy_from_slice(&link.to_be_bytes());
    let handshake = Handshake {
        reserved: PLAIN,
        info_hash: engine.info.hash(),
        peer_id: name.into(),
    };
    let link = Link(link);
    let said = engine.input(Input::Connected {
        link,
        address,
        direction: Direction::Incoming,
        handshake: &handshake,
    });
    !said.contains(&(link, Said::Close(CloseReason::TooManyConnections)))
}

#[test]
fn one_host_takes_few_of_the_connections() {
    let mut engine = Engine::leecher();
    let stays = (1..=100)
        .filter(|&port| {
            comes(
                &mut engine,
                port.into(),
                SocketAddr::new(address(1).ip(), port),
            )
        })
        .count();
    assert_eq!(stays, 4);
    assert!(comes(&mut engine, 200, address(2)));
}

#[test]
fn idlers_leave_places_for_those_whom_we_dial() {
    let mut engine = Engine::leecher();
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let stays = (1..=200)
        .filter(|&port| comes(&mut engine, port.into(), local(port)))
        .count();
    assert_eq!(stays, 50);
    engine.input(Input::Candidates(&[address(9)], Source::Dht));
    assert_eq!(engine.record.dialled, [address(9)]);
}

#[test]
fn the_idlest_connection_makes_room() {
    let mut engine = Engine::seed();
    engine.config.max_connections = 2;
    engine.connect(LINK, PLAIN);
    engine.connect(Link(2), PLAIN);
    engine.hear(Message::Interested);
    engine.hear(Message::Request(block(0, 0)));
    engine.wait(seconds(30));
    assert!(!comes(&mut engine, 3, address(3)), "nobody is idle yet");
    let (link, block) = (LINK, block(0, 0));
    engine.input(Input::Uploaded { link, block });
    engine.wait(seconds(40));
    assert!(comes(&mut engine, 3, address(3)), "the idle one stays");
    assert_eq!(engine.connected(), 2);
    assert!(
        engine
            .torrent
            .links(engine.now)
            .any(|view| view.link == LINK),
        "the one that is served had to go"
    );
}

/// A connection to the peer of this name at `address`, dialled by us or by it.
fn meet(
    engine: &mut Engine,
    link: u32,
    address: SocketAddr,
    direction: Direction,
    name: u8,
) -> Vec<(Link, Said)> {
    let handshake = Handshake {
        reserved: PLAIN,
        info_hash: engine.info.hash(),
        peer_id: peer_id(name),
    };
    engine.input(Input::Connected {
        link: Link(link),
        address,
        direction,
        handshake: &handshake,
    })
}

#[test]
fn of_a_connection_dialled_by_each_side_the_one_of_the_greater_id_stays() {
    use Direction::{Incoming, Outgoing};
    let theirs = SocketAddr::new(address(1).ip(), 50_000);
    // Our own name is 100.
    for (name, stays) in [(1, Outgoing), (200, Incoming)] {
        for (first, second) in [(Outgoing, Incoming), (Incoming, Outgoing)] {
            for pause in [0, 5, 60] {
                let mut engine = Engine::leecher();
                engine.input(Input::Candidates(&[address(1)], Source::Dht));
                let from = |direction| match direction {
                    Incoming => theirs,
                    Outgoing => address(1),
                };
                assert_eq!(meet(&mut engine, 1, from(first), first, name), []);
                engine.wait(seconds(pause));
                let said = meet(&mut engine, 2, from(second), second, name);
                let ends = if second == stays { Link(1) } else { Link(2) };
                assert!(said.contains(&(ends, Said::Close(CloseReason::Duplicate))));
                let left: Vec<_> = engine.torrent.links(engine.now).collect();
                assert_eq!(left.len(), 1);
                assert_eq!(left[0].direction, stays, "{first:?} first, {pause} s");
            }
        }
    }
}

#[test]
fn where_a_connected_peer_listens_is_dialled_again_only_after_it_has_gone() {
    let mut engine = Engine::leecher();
    let theirs = SocketAddr::new(address(1).ip(), 50_000);
    meet(&mut engine, 1, theirs, Direction::Incoming, 200);
    engine.input(Input::Candidates(&[address(1)], Source::Dht));
    assert_eq!(engine.record.dialled, [address(1)]);
    meet(&mut engine, 2, address(1), Direction::Outgoing, 200);
    for _ in 0..10 {
        engine.wait(seconds(100));
        engine.hear(Message::KeepAlive);
    }
    assert_eq!(engine.connected(), 1);
    assert_eq!(engine.record.dialled, [address(1)], "it is connected");
    engine.input(Input::Closed { link: LINK });
    engine.wait(seconds(10));
    assert_eq!(engine.record.dialled, [address(1), address(1)]);
}

#[test]
fn a_seed_dials_whom_it_finds_and_other_seeds_once() {
    let mut engine = Engine::seed();
    engine.input(Input::Candidates(&[address(1), address(2)], Source::Dht));
    assert_eq!(engine.record.dialled, [address(1), address(2)]);
    meet(&mut engine, 1, address(1), Direction::Outgoing, 1);
    let all = wire::Bitfield::full(crate::engine::PIECES);
    let said = engine.hear(Message::Bitfield(all.as_bytes()));
    assert_eq!(said, [Said::Close(CloseReason::NothingToExchange)]);
    engine.input(Input::Candidates(&[address(1)], Source::Dht));
    engine.input(Input::ConnectFailed {
        address: address(2),
    });
    engine.wait(seconds(100));
    let again = |which| {
        let dialled = engine.record.dialled.iter();
        dialled.filter(|&&dialled| dialled == which).count()
    };
    assert_eq!(again(address(1)), 1, "a seed stays a seed");
    assert!(again(address(2)) > 1, "who was not there may come");
}

/// Peers in different networks, those to whom a connection is worth least first.
fn twenty_by_priority(ours: SocketAddr) -> Vec<SocketAddr> {
    let mut peers: Vec<_> = (1..=20)
        .map(|network| SocketAddr::from(([40 + network, 0, 113, 1], 6881)))
        .collect();
    peers.sort_by_key(|&peer| peer_priority(ours, peer));
    peers
}

#[test]
fn of_those_who_wait_the_ones_of_the_highest_priority_stay() {
    let ours = SocketAddr::from(([198, 51, 100, 7], 6881));
    let by_priority = twenty_by_priority(ours);
    let mut engine = Engine::seed();
    engine.config.max_connections = 3;
    engine.config.external = vec![IpAddr::from([0u16; 8]), ours.ip()];
    engine.config.listen_port = Some(ours.port());
    let mut comers = (1..).zip([5, 15, 10].map(|rank: usize| by_priority[rank]));
    for (link, peer) in comers.by_ref() {
        assert!(comes(&mut engine, link, peer));
        let message = Message::Interested;
        let link = Link(link);
        engine.input(Input::Received { link, message });
    }
    assert!(
        !comes(&mut engine, 4, by_priority[19]),
        "nobody is idle yet"
    );
    engine.wait(seconds(70));
    assert!(!comes(&mut engine, 5, by_priority[4]), "all are worth more");
    assert!(comes(&mut engine, 6, by_priority[6]));
    let left: Vec<_> = engine.torrent.links(engine.now).collect();
    assert!(left.iter().all(|view| view.address != by_priority[5]));
}

#[test]
fn who_wants_nothing_makes_room_for_anybody() {
    let ours = SocketAddr::from(([198, 51, 100, 7], 6881));
    let by_priority = twenty_by_priority(ours);
    let mut engine = Engine::seed();
    engine.config.max_connections = 1;
    engine.config.external = vec![ours.ip()];
    engine.config.listen_port = Some(ours.port());
    assert!(comes(&mut engine, 1, by_priority[19]));
    engine.wait(seconds(70));
    assert!(comes(&mut engine, 2, by_priority[0]));
}

#[test]
fn a_host_that_fills_the_places_makes_room_for_others() {
    // On a private network several peers may share an address.
    let greedy = |port| SocketAddr::from(([10, 0, 0, 1], port));
    let other = |last| SocketAddr::from(([10, 0, 0, last], 6881));
    let mut engine = Engine::seed();
    engine.config.max_connections = 20;
    for port in 1..=20 {
        assert!(comes(&mut engine, u32::from(port), greedy(port)));
        let link = Link(u32::from(port));
        let message = Message::Interested;
        engine.input(Input::Received { link, message });
    }
    assert!(!comes(&mut engine, 21, greedy(21)));
    for last in 2..=11 {
        assert!(
            comes(&mut engine, 20 + u32::from(last), other(last)),
            "{last}"
        );
    }
    assert_eq!(engine.connected(), 20);
    let left = engine.torrent.links(engine.now);
    let ports: Vec<_> = left
        .filter(|view| view.address.ip() == greedy(1).ip())
        .map(|view| view.address.port())
        .collect();
    assert_eq!(
        ports,
        (11..=20).collect::<Vec<_>>(),
        "the first ones gave way"
    );
}

#[test]
fn a_name_of_another_peer_ends_nobodys_connection() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, PLAIN);
    let handshake = Handshake {
        reserved: PLAIN,
        info_hash: engine.info.hash(),
        peer_id: peer_id(1),
    };
    let said = engine.input(Input::Connected {
        link: Link(2),
        address: address(2),
        direction: Direction::Outgoing,
        handshake: &handshake,
    });
    assert_eq!(said, []);
    assert_eq!(engine.connected(), 2);
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
