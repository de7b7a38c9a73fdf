//! How a connection begins, and what does not belong there.

use std::collections::BTreeSet;
use std::sync::Arc;

use wire::{
    Bitfield, BitfieldError, CloseReason, Event, ExtensionHandshake, InfoBuilder, Input, Link,
    Message, Source, Torrent,
};

use crate::engine::{
    ALL, Engine, FAST, LINK, PIECES, PLAIN, Said, address, block, only, peer_id, requests,
};

#[test]
fn a_connection_begins_with_the_extension_handshake_and_the_pieces() {
    let mut engine = Engine::seed();
    engine.config.dht_port = Some(6881);
    assert_eq!(engine.connect(Link(1), PLAIN), [Said::Bitfield]);
    assert_eq!(engine.connect(Link(2), FAST), [Said::HaveAll]);
    let said = engine.connect(Link(3), ALL);
    let [Said::Extended(0, payload), Said::HaveAll, Said::Port(6881)] = &said[..] else {
        panic!("{said:?}")
    };
    let handshake = ExtensionHandshake::decode(payload).expect("our own handshake is sound");
    assert_eq!(
        handshake.metadata_size,
        Some(engine.info.raw().len() as u32)
    );
    assert_eq!(handshake.request_queue, Some(1000));
    let mut engine = Engine::leecher();
    assert_eq!(engine.connect(Link(1), PLAIN), []);
    assert_eq!(engine.connect(Link(2), FAST), [Said::HaveNone]);
}

#[test]
fn who_comes_during_the_check_is_told_our_pieces_after_it() {
    let mut engine = Engine::checking();
    engine.input(Input::Candidates(&[address(9)], Source::Dht));
    assert_eq!(engine.record.dialled, [], "nobody is dialled yet");
    let said = engine.connect(LINK, ALL);
    assert!(matches!(said[..], [Said::Extended(0, _)]), "{said:?}");
    assert_eq!(engine.hear(Message::HaveAll), []);
    let mut have = Bitfield::full(PIECES);
    have.clear(7);
    let said = only(engine.input(Input::Start { have }));
    assert_eq!(said, [Said::Bitfield, Said::Interested]);
    assert_eq!(engine.record.dialled, [address(9)]);
}

#[test]
fn wrong_bitfield() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, PLAIN);
    let said = engine.hear(Message::Bitfield(&[0xff; 4]));
    let reason = CloseReason::Bitfield(BitfieldError::Length {
        pieces: PIECES,
        bytes: 4,
    });
    assert_eq!(said, [Said::Close(reason)]);
    engine.connect(LINK, PLAIN);
    assert_eq!(
        engine.hear(Message::Bitfield(&[0xff; 3])),
        [Said::Close(CloseReason::Bitfield(BitfieldError::SpareBits))]
    );
}

#[test]
fn a_bitfield_in_place_of_many_haves() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, FAST);
    engine.hear(Message::HaveNone);
    assert_eq!(engine.hear(Message::Have(3)), [Said::Interested]);
    assert_eq!(engine.hear(Message::Bitfield(&[0b1000_0000, 0, 0])), []);
    // What it had it still has.
    assert_eq!(engine.hear(Message::HaveNone), []);
    let requested: BTreeSet<u32> = requests(&engine.hear(Message::Unchoke))
        .iter()
        .map(|block| block.piece)
        .collect();
    assert_eq!(requested, [0, 3].into());
}

#[test]
fn pieces_that_do_not_exist() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, FAST);
    let reason = CloseReason::NoSuchPiece {
        piece: PIECES,
        pieces: PIECES,
    };
    assert_eq!(
        engine.hear(Message::Have(PIECES)),
        [Said::Close(reason.clone())]
    );
    engine.connect(LINK, FAST);
    assert_eq!(
        engine.hear(Message::AllowedFast(PIECES)),
        [Said::Close(reason)]
    );
}

#[test]
fn messages_of_extensions_that_were_not_agreed_on() {
    let mut engine = Engine::leecher();
    for message in [
        Message::HaveAll,
        Message::HaveNone,
        Message::Reject(block(0, 0)),
        Message::AllowedFast(0),
    ] {
        engine.connect(LINK, PLAIN);
        assert_eq!(
            engine.hear(message),
            [Said::Close(CloseReason::FastNotAgreed)]
        );
    }
    engine.connect(LINK, PLAIN);
    let extended = Message::Extended {
        id: 0,
        payload: b"de",
    };
    assert_eq!(
        engine.hear(extended),
        [Said::Close(CloseReason::ExtensionNotAgreed)]
    );
}

#[test]
fn a_seed_does_not_keep_seeds() {
    let mut engine = Engine::seed();
    engine.connect(LINK, FAST);
    assert_eq!(
        engine.hear(Message::HaveAll),
        [Said::Close(CloseReason::NothingToExchange)]
    );
    engine.connect(LINK, ALL);
    let upload_only = ExtensionHandshake {
        upload_only: Some(true),
        ..Default::default()
    }
    .encode();
    let said = engine.hear(Message::Extended {
        id: 0,
        payload: &upload_only,
    });
    assert_eq!(said, [Said::Close(CloseReason::NothingToExchange)]);
}

#[test]
fn an_empty_torrent_is_finished_when_it_starts() {
    let info = Arc::new(
        InfoBuilder::single_file("empty", 0)
            .build(&[])
            .expect("an empty file is a torrent"),
    );
    let mut engine = Engine::blank();
    engine.torrent = Torrent::new(info.hash(), peer_id(100), Some(Arc::clone(&info)));
    engine.input(Input::Start {
        have: Bitfield::new(0),
    });
    assert!(
        engine
            .record
            .events
            .iter()
            .any(|event| matches!(event, Event::Finished))
    );
    assert_eq!(engine.connect(LINK, FAST), [Said::HaveNone]);
}
