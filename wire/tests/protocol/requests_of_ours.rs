//! What we request of a peer.

use wire::{
    Bitfield, Block, CloseReason, Event, ExtensionHandshake, Input, Link, Message, Order, Priority,
    Reserved,
};

use crate::engine::{
    ALL, Engine, FAST, LINK, PIECES, PLAIN, Said, block, milliseconds, only, requests, seconds,
};

#[test]
fn blocks_are_expected_in_the_order_of_the_requests() {
    let (mut engine, requests) = Engine::fetching(FAST);
    assert_eq!(engine.torrent.expected(LINK).collect::<Vec<_>>(), requests);
    let said = engine.block(requests[1]);
    assert_eq!(said, [Said::Store(requests[1])]);
    let expected: Vec<_> = engine.torrent.expected(LINK).collect();
    assert_eq!(expected[..2], [requests[0], requests[2]]);
}

#[test]
fn nothing_is_requested_under_pressure() {
    let (mut engine, requested) = Engine::fetching(FAST);
    engine.input(Input::Pressure(true));
    for &block in &requested {
        assert_eq!(engine.block(block), [Said::Store(block)]);
    }
    let said = only(engine.input(Input::Pressure(false)));
    assert!(requests(&said).len() > 16, "{said:?}");
}

#[test]
fn no_more_is_requested_than_the_peer_takes() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, ALL);
    let shy = ExtensionHandshake {
        request_queue: Some(3),
        ..ExtensionHandshake::default()
    }
    .encode();
    engine.hear(Message::Extended {
        id: 0,
        payload: &shy,
    });
    engine.hear(Message::HaveAll);
    assert_eq!(requests(&engine.hear(Message::Unchoke)).len(), 3);
}

#[test]
fn unrequested_blocks_are_dropped_and_end_the_connection_when_they_go_on() {
    let (mut engine, requests) = Engine::fetching(FAST);
    let strange = Block {
        piece: requests[0].piece,
        offset: 1,
        length: 77,
    };
    assert_eq!(engine.block(strange), []);
    let closed = (0..200)
        .map(|_| engine.block(strange))
        .find(|said| !said.is_empty());
    assert_eq!(
        closed,
        Some(vec![Said::Close(CloseReason::UnrequestedBlocks)])
    );
}

#[test]
fn a_peer_that_delivers_is_forgiven_the_blocks_that_crossed_their_rejects() {
    let (mut engine, mut wanted) = Engine::fetching(FAST);
    let strange = Block {
        offset: 1,
        ..wanted[0]
    };
    for _ in 0..72 {
        assert_eq!(engine.block(strange), []);
        let next = wanted.remove(0);
        let said = engine.block(next);
        assert!(said.contains(&Said::Store(next)), "{said:?}");
        wanted.extend(requests(&said));
    }
}

#[test]
fn a_peer_that_chokes_again_and_again_is_not_forgiven_for_it() {
    let (mut engine, requests) = Engine::fetching(FAST);
    let strange = Block {
        offset: 1,
        ..requests[0]
    };
    let mut closed = None;
    for message in [Message::Choke, Message::Unchoke]
        .into_iter()
        .cycle()
        .take(8)
    {
        engine.hear(message);
        closed = closed.or_else(|| {
            (0..20)
                .map(|_| engine.block(strange))
                .find(|said| !said.is_empty())
        });
    }
    assert_eq!(
        closed,
        Some(vec![Said::Close(CloseReason::UnrequestedBlocks)])
    );
}

#[test]
fn a_block_that_another_peer_was_asked_for_is_not_stored() {
    let (mut engine, requested) = Engine::fetching(FAST);
    let stranger = Link(2);
    engine.connect(stranger, FAST);
    let mut slip = |block| {
        engine.input(Input::Block {
            link: stranger,
            block,
        })
    };
    assert_eq!(slip(requested[0]), [], "it was never asked for it");
    assert_eq!(
        engine.block(requested[0]),
        [Said::Store(requested[0])],
        "the one that was asked for it delivers"
    );
}

#[test]
fn a_block_that_was_on_its_way_when_the_peer_choked_is_kept() {
    let (mut engine, requests) = Engine::fetching(PLAIN);
    engine.hear(Message::Choke);
    assert_eq!(engine.torrent.expected(LINK).count(), 0);
    // The piece has been begun by the first block.
    let (mut begun, requested) = Engine::fetching(PLAIN);
    begun.block(requested[0]);
    begun.hear(Message::Choke);
    assert_eq!(begun.block(requested[1]), [Said::Store(requested[1])]);
    assert_eq!(
        engine.block(requests[0]),
        [],
        "a piece that nobody has begun is not begun by chance"
    );
}

#[test]
fn a_rejected_request_is_not_repeated_at_once() {
    let (mut engine, requested) = Engine::fetching(FAST);
    let said: Vec<_> = requested
        .iter()
        .flat_map(|&block| engine.hear(Message::Reject(block)))
        .collect();
    assert_eq!(said, []);
    let said = only(engine.wait(seconds(3)));
    assert!(!requests(&said).is_empty(), "it never tries again");
}

#[test]
fn a_peer_that_rejects_everything_is_left_alone_however_often_it_unchokes() {
    let (mut engine, mut outstanding) = Engine::fetching(FAST);
    let mut requested = 0;
    for round in 0..1000 {
        for block in std::mem::take(&mut outstanding) {
            outstanding.extend(requests(&engine.hear(Message::Reject(block))));
        }
        if round % 2 == 0 {
            engine.hear(Message::Choke);
        }
        outstanding.extend(requests(&engine.hear(Message::Unchoke)));
        outstanding.extend(requests(&only(engine.wait(milliseconds(10)))));
        requested += outstanding.len();
    }
    assert!(requested <= 16 * 8, "{requested} requests in ten seconds");
    engine.wait(seconds(70));
    let asked = engine.torrent.expected(LINK).count();
    assert!(asked > 0, "it never gets another chance");
}

#[test]
fn what_a_peer_rejects_is_requested_of_others_soon() {
    let (mut engine, requested) = Engine::fetching(FAST);
    let (other, first) = (Link(2), requested[0]);
    let mut one = Bitfield::new(PIECES);
    one.set(first.piece);
    engine.connect(other, PLAIN);
    for message in [Message::Bitfield(one.as_bytes()), Message::Unchoke] {
        engine.input(Input::Received {
            link: other,
            message,
        });
    }
    assert_eq!(engine.torrent.expected(other).next(), None);
    assert_eq!(engine.hear(Message::Reject(first)), []);
    engine.wait(milliseconds(100));
    let asked: Vec<_> = engine.torrent.expected(other).collect();
    assert_eq!(asked, [first]);
}

#[test]
fn a_choked_peer_requests_what_it_is_allowed() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, FAST);
    engine.hear(Message::HaveAll);
    let said = engine.hear(Message::AllowedFast(7));
    assert_eq!(
        requests(&said),
        [block(7, 0), block(7, 1), block(7, 2), block(7, 3)]
    );
}

#[test]
fn a_request_that_is_not_answered_goes_to_others() {
    let (mut engine, requested) = Engine::fetching(FAST);
    let said = only(engine.wait(seconds(7)));
    let cancelled: Vec<_> = requested[1..]
        .iter()
        .map(|&block| Said::Cancel(block))
        .collect();
    assert_eq!(said, cancelled, "all but the oldest are taken back");
    let (other, all) = (Link(2), Bitfield::full(PIECES));
    engine.connect(other, PLAIN);
    engine.input(Input::Received {
        link: other,
        message: Message::Bitfield(all.as_bytes()),
    });
    let said = only(engine.input(Input::Received {
        link: other,
        message: Message::Unchoke,
    }));
    assert!(requests(&said).contains(&requested[1]), "{said:?}");
}

#[test]
fn a_peer_that_stops_in_the_middle_is_waited_for_by_its_pace() {
    let (mut engine, requested) = Engine::fetching(FAST);
    for &block in &requested {
        engine.wait(milliseconds(20));
        engine.block(block);
    }
    let asked = engine.torrent.expected(LINK).count();
    assert_eq!(
        only(engine.wait(seconds(3))),
        [],
        "that can be a lost packet"
    );
    let said = only(engine.wait(seconds(2)));
    let cancelled = said.iter().filter(|said| matches!(said, Said::Cancel(_)));
    assert_eq!(cancelled.count(), asked - 1);
}

#[test]
fn a_peer_that_was_given_up_and_delivers_late_is_asked_again_at_once() {
    let (mut engine, requested) = Engine::fetching(FAST);
    engine.wait(seconds(30));
    assert_eq!(engine.torrent.expected(LINK).count(), 0);
    engine.block(requested[0]);
    assert!(engine.torrent.expected(LINK).count() > 0);
}

#[test]
fn a_driver_that_could_not_read_is_no_reason_to_give_up_on_a_peer() {
    let (mut engine, requested) = Engine::fetching(FAST);
    engine.wait(seconds(3));
    engine.input(Input::Pressure(true));
    engine.wait(seconds(30));
    engine.input(Input::Pressure(false));
    let asked: Vec<_> = engine.torrent.expected(LINK).collect();
    assert_eq!(asked, requested);
    engine.wait(seconds(5));
    assert_eq!(engine.torrent.expected(LINK).count(), requested.len());
}

/// The payload by which a peer says that it has a piece no more.
fn dont_have(piece: u32) -> [u8; 4] {
    piece.to_be_bytes()
}

#[test]
fn a_piece_that_a_peer_has_no_more_is_not_requested_of_it() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, ALL);
    engine.hear(Message::HaveAll);
    let mut lose = |piece| {
        let payload = &dont_have(piece);
        engine.hear(Message::Extended { id: 3, payload })
    };
    for piece in 0..PIECES - 1 {
        assert_eq!(lose(piece), []);
    }
    assert_eq!(lose(4), [], "it had lost it already");
    let said = engine.hear(Message::Unchoke);
    let pieces: Vec<_> = requests(&said).iter().map(|block| block.piece).collect();
    assert_eq!(pieces, [PIECES - 1; 4]);
    let payload = &dont_have(PIECES - 1);
    let said = engine.hear(Message::Extended { id: 3, payload });
    assert_eq!(said, [Said::NotInterested]);
    assert_eq!(engine.torrent.expected(LINK).count(), 4, "it rejects them");
    let payload = &dont_have(PIECES);
    let said = engine.hear(Message::Extended { id: 3, payload });
    assert!(matches!(
        said[..],
        [Said::Close(CloseReason::NoSuchPiece { .. })]
    ));
}

#[test]
fn requests_for_a_lost_piece_count_as_dropped_without_the_fast_extension() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, Reserved::default().with_extension());
    let all = Bitfield::full(PIECES);
    engine.hear(Message::Bitfield(all.as_bytes()));
    let requested = requests(&engine.hear(Message::Unchoke));
    let lost = requested[0].piece;
    let payload = &dont_have(lost);
    engine.hear(Message::Extended { id: 3, payload });
    assert!(
        engine
            .torrent
            .expected(LINK)
            .all(|block| block.piece != lost)
    );
    engine.connect(Link(2), PLAIN);
    for message in [Message::Bitfield(all.as_bytes()), Message::Unchoke] {
        let link = Link(2);
        engine.input(Input::Received { link, message });
    }
    let asked = engine.torrent.expected(Link(2));
    assert!(asked.into_iter().any(|block| block.piece == lost));
}

#[test]
fn only_the_pieces_that_are_wanted_are_fetched_and_then_the_peer_is_told() {
    let mut engine = Engine::checking();
    let mut priorities = vec![Priority::Skip; PIECES as usize];
    priorities[3] = Priority::Normal;
    engine.input(Input::Prioritize(&priorities));
    engine.input(Input::Start {
        have: Bitfield::new(PIECES),
    });
    engine.connect(LINK, ALL);
    let mut half = Bitfield::full(PIECES);
    half.clear(0);
    engine.hear(Message::Bitfield(half.as_bytes()));
    let requested = requests(&engine.hear(Message::Unchoke));
    assert_eq!(requested, [0, 1, 2, 3].map(|index| block(3, index)));
    assert_eq!(engine.torrent.progress(engine.now).bytes_missing, 4 << 14);
    for block in requested {
        engine.block(block);
    }
    let (piece, valid) = (3, true);
    let said = only(engine.input(Input::PieceChecked { piece, valid }));
    assert!(matches!(engine.record.events.last(), Some(Event::Finished)));
    let upload_only = |said: &[Said]| -> Vec<_> {
        let told = said.iter().filter_map(|said| match said {
            Said::Extended(0, payload) => ExtensionHandshake::decode(payload).ok()?.upload_only,
            _ => None,
        });
        told.collect()
    };
    assert_eq!(upload_only(&said), [true]);
    assert!(said.contains(&Said::NotInterested));
    let said = only(engine.input(Input::Prioritize(&[Priority::Skip])));
    assert_eq!(upload_only(&said), [false]);
    assert!(said.contains(&Said::Interested));
    assert!(!requests(&said).is_empty());
    assert!(
        requests(&said)
            .iter()
            .all(|block| ![0, 3].contains(&block.piece))
    );
}

#[test]
fn requests_for_what_is_wanted_no_more_are_taken_back() {
    let (mut engine, requested) = Engine::fetching(FAST);
    let said = only(engine.input(Input::Prioritize(&[Priority::Skip; PIECES as usize])));
    let cancelled: Vec<_> = requested.iter().map(|&block| Said::Cancel(block)).collect();
    assert_eq!(said[..requested.len()], cancelled);
    assert_eq!(engine.torrent.expected(LINK).count(), 0);
}

#[test]
fn a_torrent_is_fetched_in_order_and_what_is_urgent_first() {
    let mut engine = Engine::leecher();
    engine.input(Input::Order(Order::Sequential));
    engine.input(Input::Urgent(&[9, 4]));
    engine.connect(LINK, FAST);
    engine.hear(Message::HaveAll);
    let mut pieces: Vec<_> = requests(&engine.hear(Message::Unchoke))
        .iter()
        .map(|block| block.piece)
        .collect();
    pieces.dedup();
    assert_eq!(pieces, [9, 4, 0, 1]);
}

#[test]
fn in_the_endgame_the_first_to_deliver_wins_and_the_other_need_not() {
    let mut have = Bitfield::full(PIECES);
    have.clear(7);
    let mut engine = Engine::with(have);
    let all = Bitfield::full(PIECES);
    let mut asked = Vec::new();
    for link in [LINK, Link(2)] {
        engine.connect(link, PLAIN);
        let message = Message::Bitfield(all.as_bytes());
        engine.input(Input::Received { link, message });
        let said = only(engine.input(Input::Received {
            link,
            message: Message::Unchoke,
        }));
        asked.push(requests(&said));
    }
    asked[1].sort_unstable();
    assert_eq!(asked[0], asked[1], "both are asked for the last piece");
    let said = engine.input(Input::Block {
        link: Link(2),
        block: block(7, 3),
    });
    assert_eq!(
        said,
        [
            (Link(2), Said::Store(block(7, 3))),
            (LINK, Said::Cancel(block(7, 3)))
        ]
    );
    assert_eq!(
        engine.block(block(7, 3)),
        [],
        "it came nevertheless and is dropped"
    );
}
