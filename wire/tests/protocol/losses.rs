//! Pieces that we had and have no more. BEP 54.

use wire::{
    Bitfield, CloseReason, ExtensionHandshake, ExtensionIds, Input, Link, Message, Priority,
    Reserved,
};

use crate::engine::{
    ALL, Engine, FAST, LINK, PIECE_LENGTH, PIECES, PLAIN, Said, block, only, requests, seconds,
};

/// What the peers of these tests call the message.
const THEIR_ID: u8 = 7;

fn takes_dont_have(id: u8) -> Vec<u8> {
    let ids = ExtensionIds {
        lt_donthave: Some(id),
        ..ExtensionIds::default()
    };
    let handshake = ExtensionHandshake {
        ids,
        ..ExtensionHandshake::default()
    };
    handshake.encode()
}

fn dont_have(piece: u32) -> Said {
    Said::Extended(THEIR_ID, piece.to_be_bytes().to_vec())
}

/// A piece is lost for good.
fn lost(piece: u32) -> Input<'static> {
    Input::PieceLost {
        piece,
        fetch_again: false,
    }
}

/// Without what is said about fetching nothing (BEP 21), which is of no concern here.
fn lose(engine: &mut Engine, piece: u32) -> Vec<Said> {
    let mut said = only(engine.input(lost(piece)));
    said.retain(|said| !matches!(said, Said::Extended(0, _)));
    said
}

/// A seed and a peer that it serves, which is owed the first block of pieces 3 and 4.
fn serving(reserved: Reserved) -> Engine {
    let mut engine = Engine::seed();
    engine.connect(LINK, reserved);
    engine.hear(Message::Interested);
    if reserved.extension() {
        let payload = &takes_dont_have(THEIR_ID);
        engine.hear(Message::Extended { id: 0, payload });
    }
    for piece in [3, 4] {
        let said = engine.hear(Message::Request(block(piece, 0)));
        assert_eq!(said, [Said::Upload(block(piece, 0))]);
    }
    engine
}

#[test]
fn who_knows_the_message_is_told_first_and_then_its_requests_are_rejected() {
    let mut engine = serving(ALL);
    let said = lose(&mut engine, 3);
    assert_eq!(said, [dont_have(3), Said::CancelUpload(block(3, 0), true)]);
    let said = engine.hear(Message::Request(block(3, 1)));
    assert_eq!(said, [Said::Reject(block(3, 1))]);
    let said = engine.hear(Message::Request(block(4, 1)));
    assert_eq!(said, [Said::Upload(block(4, 1))]);
    assert_eq!(lose(&mut engine, 3), [], "it was lost already");
    assert_eq!(lose(&mut engine, PIECES), []);
}

#[test]
fn who_does_not_know_the_message_is_rejected_and_stays() {
    let mut engine = serving(FAST);
    let said = lose(&mut engine, 3);
    assert_eq!(said, [Said::CancelUpload(block(3, 0), true)]);
    let said = engine.hear(Message::Request(block(3, 1)));
    assert_eq!(said, [Said::Reject(block(3, 1))]);
    assert_eq!(engine.connected(), 1);
}

/// It has no other way to learn that, and would wait for ever.
#[test]
fn who_speaks_nothing_of_it_is_parted_from_if_it_waits_for_the_piece() {
    let mut engine = serving(PLAIN);
    let gone = |piece| [Said::Close(CloseReason::PieceGone { piece })];
    assert_eq!(lose(&mut engine, 3), gone(3));

    let mut engine = serving(PLAIN);
    assert_eq!(lose(&mut engine, 5), []);
    let said = engine.hear(Message::Request(block(4, 1)));
    assert_eq!(said, [Said::Upload(block(4, 1))]);
    assert_eq!(engine.hear(Message::Request(block(5, 0))), gone(5));
}

/// A choke drops all requests (BEP 3): it waits for none.
#[test]
fn who_speaks_nothing_of_it_and_is_choked_stays() {
    let mut engine = Engine::seed();
    engine.config.unchoke_slots = 0;
    engine.connect(LINK, PLAIN);
    lose(&mut engine, 3);
    assert_eq!(engine.hear(Message::Request(block(3, 0))), []);
    assert_eq!(engine.connected(), 1);
}

#[test]
fn who_has_switched_the_message_off_is_not_told() {
    let mut engine = serving(ALL);
    let payload = &takes_dont_have(0);
    engine.hear(Message::Extended { id: 0, payload });
    let said = lose(&mut engine, 3);
    assert_eq!(said, [Said::CancelUpload(block(3, 0), true)]);
}

/// What the driver cannot read it has taken off its queue: nobody else can answer it.
#[test]
fn each_request_that_cannot_be_read_has_one_answer() {
    let failed = Input::UploadFailed {
        link: LINK,
        block: block(3, 0),
    };
    let rejected = [Said::Reject(block(3, 0))];
    let mut engine = serving(FAST);
    lose(&mut engine, 3);
    assert_eq!(only(engine.input(failed.clone())), rejected);

    let closed = [Said::Close(CloseReason::PieceGone { piece: 3 })];
    for (reserved, answer) in [(FAST, rejected), (PLAIN, closed)] {
        let mut engine = serving(reserved);
        let said = only(engine.input(failed.clone()));
        assert_eq!(said, answer, "though the piece is there");
        assert_eq!(engine.hear(Message::Cancel(block(3, 0))), []);
    }
}

#[test]
fn a_seed_that_has_lost_a_piece_fetches_nothing_and_says_so() {
    let mut engine = Engine::checking();
    engine.connect(LINK, ALL);
    let have = Bitfield::full(PIECES);
    engine.input(Input::Start { have });
    let said = only(engine.input(lost(3)));
    let [Said::Extended(0, payload)] = &said[..] else {
        panic!("{said:?}")
    };
    let handshake = ExtensionHandshake::decode(payload).unwrap();
    assert_eq!(handshake.upload_only, Some(true));

    let said = engine.hear(Message::HaveAll);
    assert_eq!(said, [Said::Close(CloseReason::NothingToExchange)]);
    let progress = engine.torrent.progress(engine.now);
    assert_eq!(progress.pieces_done, PIECES - 1);
    assert_eq!(progress.bytes - progress.bytes_done, PIECE_LENGTH.into());
    assert_eq!(progress.bytes_missing, 0);
    let said = engine.connect(Link(2), FAST);
    assert!(said.contains(&Said::Bitfield), "{said:?}");
}

#[test]
fn a_piece_that_is_to_be_fetched_again_is_requested_at_once() {
    let mut engine = Engine::seed();
    engine.config.unchoke_slots = 0;
    engine.connect(LINK, ALL);
    let payload = &takes_dont_have(THEIR_ID);
    engine.hear(Message::Extended { id: 0, payload });
    let mut others = Bitfield::full(PIECES);
    others.clear(0);
    engine.hear(Message::Bitfield(others.as_bytes()));
    engine.hear(Message::Unchoke);
    let said = only(engine.input(Input::PieceLost {
        piece: 3,
        fetch_again: true,
    }));
    assert_eq!(said[0], dont_have(3));
    assert!(said.contains(&Said::Interested));
    assert_eq!(requests(&said), [0, 1, 2, 3].map(|index| block(3, index)));
    for index in 0..4 {
        engine.block(block(3, index));
    }
    let said = only(engine.input(Input::PieceChecked {
        piece: 3,
        valid: true,
    }));
    assert!(said.contains(&Said::Have(3)), "{said:?}");
    assert!(engine.torrent.have().is_some_and(Bitfield::is_full));
}

#[test]
fn a_piece_that_is_found_again_is_told_and_served() {
    let mut engine = serving(ALL);
    lose(&mut engine, 3);
    let said = only(engine.input(Input::PieceFound { piece: 3 }));
    assert_eq!(said, [Said::Have(3)]);
    assert_eq!(engine.input(Input::PieceFound { piece: 3 }), []);
    let said = engine.hear(Message::Request(block(3, 1)));
    assert_eq!(said, [Said::Upload(block(3, 1))]);
    let progress = engine.torrent.progress(engine.now);
    assert_eq!(progress.bytes, progress.bytes_done);
}

#[test]
fn a_piece_that_is_found_is_not_fetched() {
    let mut engine = Engine::checking();
    let mut have = Bitfield::full(PIECES);
    have.clear(3);
    engine.input(Input::Start { have });
    engine.input(Input::PieceFound { piece: 3 });
    engine.connect(LINK, FAST);
    let said = engine.hear(Message::HaveAll);
    assert_eq!(said, [Said::Close(CloseReason::NothingToExchange)]);
}

#[test]
fn a_lost_piece_that_is_wanted_again_is_fetched() {
    let mut engine = Engine::seed();
    lose(&mut engine, 3);
    engine.input(Input::Prioritize(&[Priority::Normal; PIECES as usize]));
    engine.connect(LINK, FAST);
    assert_eq!(engine.hear(Message::HaveAll), [Said::Interested]);
}

#[test]
fn a_super_seed_shows_something_else_in_place_of_what_it_has_lost() {
    let mut engine = Engine::seed();
    engine.config.super_seeding = true;
    let said = engine.connect(LINK, ALL);
    let payload = &takes_dont_have(THEIR_ID);
    engine.hear(Message::Extended { id: 0, payload });
    let shown = |said: &[Said]| {
        said.iter().find_map(|said| match said {
            Said::Have(piece) => Some(*piece),
            _ => None,
        })
    };
    let first = shown(&said).expect("it shows a piece");
    let other = (first + 1) % PIECES;
    assert_eq!(lose(&mut engine, other), [], "nobody was told of it");
    let said = lose(&mut engine, first);
    assert_eq!(said[0], dont_have(first));
    let second = shown(&said).expect("it shows another one");
    assert!(![first, other].contains(&second));
}

#[test]
fn a_super_seed_that_had_nothing_left_shows_whatever_comes_back() {
    let mut engine = Engine::seed();
    engine.config.super_seeding = true;
    engine.connect(LINK, ALL);
    for piece in 0..PIECES {
        lose(&mut engine, piece);
    }
    let said = only(engine.input(Input::PieceFound { piece: 0 }));
    assert!(said.contains(&Said::Have(0)), "{said:?}");
    // It has that, and there was nothing else to show.
    engine.hear(Message::Have(0));
    let said = only(engine.input(Input::PieceFound { piece: 1 }));
    assert!(said.contains(&Said::Have(1)), "{said:?}");
}

/// A storm of losses costs the one who makes it the connection, before it costs us much.
#[test]
fn nobody_becomes_a_seed_again_and_again() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, ALL);
    let said = (0..100).find_map(|_| {
        let payload = &0u32.to_be_bytes();
        let said = engine.hear(Message::HaveAll);
        engine.hear(Message::Extended { id: 3, payload });
        said.contains(&Said::Close(CloseReason::ClaimFlood))
            .then_some(said)
    });
    assert!(said.is_some(), "it goes on for ever");
}

/// As many pieces as a peer has lost, as many seconds would its other ones have to wait.
#[test]
fn a_peer_that_rejects_what_it_has_lost_is_asked_for_the_rest_at_once() {
    let (mut engine, requested) = Engine::fetching(ALL);
    let gone = requested[0].piece;
    let payload = &gone.to_be_bytes();
    engine.hear(Message::Extended { id: 3, payload });
    for &block in requested.iter().filter(|block| block.piece == gone) {
        engine.hear(Message::Reject(block));
    }
    let said = engine.wait(seconds(1));
    let asked = requests(&only(said));
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|block| block.piece != gone));
}
