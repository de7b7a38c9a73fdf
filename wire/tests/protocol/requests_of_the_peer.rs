//! What a peer requests of us.

use wire::{BLOCK_LENGTH, Block, CloseReason, Input, Message};

use crate::engine::{Engine, FAST, LINK, PIECE_LENGTH, PIECES, PLAIN, Said, block};

#[test]
fn request_out_of_range() {
    let bad = [
        Block {
            piece: PIECES,
            offset: 0,
            length: BLOCK_LENGTH,
        },
        Block {
            piece: 0,
            offset: PIECE_LENGTH,
            length: 1,
        },
        Block {
            piece: 0,
            offset: u32::MAX,
            length: u32::MAX,
        },
        Block {
            piece: 0,
            offset: 0,
            length: 0,
        },
        Block {
            piece: 0,
            offset: 0,
            length: BLOCK_LENGTH + 1,
        },
    ];
    let mut engine = Engine::seed();
    for block in bad {
        engine.connect(LINK, PLAIN);
        engine.hear(Message::Interested);
        assert_eq!(
            engine.hear(Message::Request(block)),
            [Said::Close(CloseReason::RequestOutOfRange(block))]
        );
    }
}

#[test]
fn an_interested_peer_is_unchoked_at_once_and_served() {
    let mut engine = Engine::seed();
    engine.connect(LINK, FAST);
    assert_eq!(engine.hear(Message::Interested), [Said::Unchoke]);
    assert_eq!(
        engine.hear(Message::Request(block(3, 1))),
        [Said::Upload(block(3, 1))]
    );
    let part = Block {
        piece: 3,
        offset: 5,
        length: 100,
    };
    assert_eq!(engine.hear(Message::Request(part)), [Said::Upload(part)]);
    engine.input(Input::Uploaded {
        link: LINK,
        block: block(3, 1),
    });
    assert_eq!(
        engine.torrent.progress(engine.now).uploaded,
        u64::from(BLOCK_LENGTH)
    );
}

#[test]
fn a_cancelled_request_is_rejected_if_it_is_not_too_late() {
    let mut engine = Engine::seed();
    engine.connect(LINK, FAST);
    engine.hear(Message::Interested);
    engine.hear(Message::Request(block(3, 1)));
    assert_eq!(
        engine.hear(Message::Cancel(block(3, 1))),
        [Said::CancelUpload(block(3, 1), true)]
    );
    assert_eq!(engine.hear(Message::Cancel(block(3, 1))), []);
}

#[test]
fn request_while_choked() {
    let mut engine = Engine::seed();
    engine.config.unchoke_slots = 0;
    engine.connect(LINK, PLAIN);
    assert_eq!(engine.hear(Message::Request(block(0, 0))), []);
    engine.connect(LINK, FAST);
    assert_eq!(
        engine.hear(Message::Request(block(0, 0))),
        [Said::Reject(block(0, 0))]
    );
    let closed = (0..5000)
        .map(|_| engine.hear(Message::Request(block(0, 0))))
        .find(|said| said.contains(&Said::Close(CloseReason::RequestFlood)));
    assert!(
        closed.is_some(),
        "thousands of requests while choked are suffered"
    );
}

#[test]
fn the_queue_of_requests_is_bounded_as_advertised() {
    let mut engine = Engine::seed();
    engine.connect(LINK, FAST);
    engine.hear(Message::Interested);
    for _ in 0..1000 {
        assert_eq!(
            engine.hear(Message::Request(block(0, 0))),
            [Said::Upload(block(0, 0))]
        );
    }
    assert_eq!(
        engine.hear(Message::Request(block(0, 0))),
        [Said::Reject(block(0, 0))]
    );
}

#[test]
fn a_choke_takes_back_what_was_requested_and_has_it_rejected() {
    for (reserved, rejects) in [(FAST, true), (PLAIN, false)] {
        let mut engine = Engine::seed();
        engine.connect(LINK, reserved);
        engine.hear(Message::Interested);
        engine.hear(Message::Request(block(0, 0)));
        let said = engine.hear(Message::NotInterested);
        assert_eq!(
            said,
            [Said::Choke, Said::CancelUpload(block(0, 0), rejects)]
        );
    }
}

#[test]
fn a_block_that_left_before_the_choke_counts_as_sent() {
    let mut engine = Engine::seed();
    engine.connect(LINK, FAST);
    engine.hear(Message::Interested);
    engine.hear(Message::Request(block(0, 0)));
    engine.hear(Message::NotInterested);
    let (link, block) = (LINK, block(0, 0));
    assert_eq!(engine.input(Input::Uploaded { link, block }), []);
    assert_eq!(
        engine.torrent.progress(engine.now).uploaded,
        u64::from(BLOCK_LENGTH)
    );
}

#[test]
fn a_piece_that_is_not_there_is_not_served() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, FAST);
    engine.hear(Message::Interested);
    assert_eq!(
        engine.hear(Message::Request(block(0, 0))),
        [Said::Reject(block(0, 0))]
    );
}
