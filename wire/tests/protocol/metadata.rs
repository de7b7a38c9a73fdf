//! The info dictionary.

use std::sync::Arc;

use wire::{
    Bitfield, CloseReason, Event, ExtensionHandshake, InfoBuilder, Input, METADATA_PIECE_LENGTH,
    Message, MetadataMessage, Torrent,
};

use crate::engine::{ALL, Engine, LINK, PIECES, Said, only, peer_id, requests, seconds};

#[test]
fn what_a_peer_has_is_remembered_until_the_metadata_comes() {
    let mut engine = Engine::blank();
    engine.connect(LINK, ALL);
    let mut some = Bitfield::new(PIECES);
    some.set(3);
    // Whatever it has, we want it.
    assert_eq!(
        engine.hear(Message::Bitfield(some.as_bytes())),
        [Said::Interested]
    );
    engine.hear(Message::Have(5));
    fetch_metadata(&mut engine);
    assert_eq!(
        engine.input(Input::Start {
            have: Bitfield::new(PIECES)
        }),
        []
    );
    let mut pieces: Vec<_> = requests(&engine.hear(Message::Unchoke))
        .iter()
        .map(|block| block.piece)
        .collect();
    pieces.sort_unstable();
    assert_eq!(pieces, [3, 3, 3, 3, 5, 5, 5, 5]);
}

#[test]
fn what_the_disk_held_is_told_to_those_who_brought_the_metadata() {
    let mut engine = Engine::blank();
    engine.connect(LINK, ALL);
    fetch_metadata(&mut engine);
    let mut have = Bitfield::new(PIECES);
    have.set(3);
    have.set(5);
    let said = only(engine.input(Input::Start { have }));
    assert_eq!(said, [Said::Have(3), Said::Have(5)]);
}

#[test]
fn a_peer_is_not_flooded_with_what_the_disk_held() {
    let pieces = 3000;
    let info = InfoBuilder::single_file("many", u64::from(pieces) << 14)
        .piece_length(1 << 14)
        .build(&vec![[0; 20]; pieces as usize]);
    let info = Arc::new(info.expect("the torrent is well formed"));
    let mut engine = Engine::blank();
    engine.torrent = Torrent::new(info.hash(), peer_id(100), None);
    engine.info = info;
    engine.connect(LINK, ALL);
    fetch_metadata(&mut engine);
    let have = Bitfield::full(pieces);
    let said = only(engine.input(Input::Start { have }));
    assert_eq!(said, [Said::Close(CloseReason::TooMuchNews)]);
}

#[test]
fn claims_that_do_not_fit_the_metadata_end_the_connection() {
    let mut engine = Engine::blank();
    engine.connect(LINK, ALL);
    engine.hear(Message::Have(PIECES + 1));
    let said = fetch_metadata(&mut engine);
    let reason = CloseReason::NoSuchPiece {
        piece: PIECES + 1,
        pieces: PIECES,
    };
    assert_eq!(said, [Said::Close(reason)]);
}

/// The peer offers the metadata and answers the request for it.
fn fetch_metadata(engine: &mut Engine) -> Vec<Said> {
    let mut handshake = ExtensionHandshake {
        metadata_size: Some(engine.info.raw().len() as u32),
        ..Default::default()
    };
    handshake.ids.ut_metadata = Some(9);
    let mut said = engine.hear(Message::Extended {
        id: 0,
        payload: &handshake.encode(),
    });
    let request = MetadataMessage::Request { piece: 0 }.encode();
    assert_eq!(said.first(), Some(&Said::Extended(9, request)));
    let info = Arc::clone(&engine.info);
    for (piece, data) in (0..).zip(info.raw().chunks(METADATA_PIECE_LENGTH as usize)) {
        let data = MetadataMessage::Data {
            piece,
            total_size: info.raw().len() as u32,
            data,
        }
        .encode();
        said = engine.hear(Message::Extended {
            id: 1,
            payload: &data,
        });
    }
    assert!(
        engine
            .record
            .events
            .iter()
            .any(|event| matches!(event, Event::Metadata(_)))
    );
    said
}

/// Connects a peer who takes metadata messages under the id 9.
fn connect(engine: &mut Engine) {
    engine.connect(LINK, ALL);
    let mut handshake = ExtensionHandshake::default();
    handshake.ids.ut_metadata = Some(9);
    engine.hear(Message::Extended {
        id: 0,
        payload: &handshake.encode(),
    });
}

#[test]
fn metadata_is_served_and_not_endlessly() {
    let mut engine = Engine::seed();
    connect(&mut engine);
    let request = MetadataMessage::Request { piece: 0 }.encode();
    let mut answers = Vec::new();
    while answers.len() < 5000 {
        let mut said = engine.hear(Message::Extended {
            id: 1,
            payload: &request,
        });
        if said.is_empty() {
            said = only(engine.wait(seconds(1)));
        }
        let Said::Extended(9, payload) = &said[0] else {
            assert_eq!(said, [Said::Close(CloseReason::MetadataFlood)]);
            break;
        };
        let answer = MetadataMessage::decode(payload).expect("our own answer is sound");
        answers.push(matches!(answer, Some(MetadataMessage::Data { .. })));
    }
    assert!(answers[0]);
    assert!(
        !answers[answers.len() - 1],
        "the same peer is served for ever"
    );
    assert!(answers.len() < 5000, "the connection is never ended");
}

#[test]
fn large_metadata_is_not_queued_whole_for_one_peer() {
    let pieces = 100_000u32;
    let info = InfoBuilder::single_file("many", u64::from(pieces) << 14)
        .piece_length(1 << 14)
        .build(&vec![[0; 20]; pieces as usize]);
    let mut engine = Engine::blank();
    engine.info = Arc::new(info.expect("the torrent is well formed"));
    engine.torrent = Torrent::new(
        engine.info.hash(),
        peer_id(100),
        Some(Arc::clone(&engine.info)),
    );
    connect(&mut engine);
    let all = engine
        .info
        .raw()
        .len()
        .div_ceil(METADATA_PIECE_LENGTH as usize);
    let mut sent = 0;
    for piece in 0..all {
        let request = MetadataMessage::Request {
            piece: piece as u32,
        }
        .encode();
        let message = Message::Extended {
            id: 1,
            payload: &request,
        };
        sent += engine.hear(message).len();
    }
    assert_eq!(sent, 16, "of {all}");
    sent += engine.wait(seconds(1)).len();
    assert_eq!(sent, all, "what waits is sent soon");
}

#[test]
fn metadata_that_we_lack_is_refused() {
    let mut engine = Engine::blank();
    connect(&mut engine);
    let request = MetadataMessage::Request { piece: 0 }.encode();
    let reject = MetadataMessage::Reject { piece: 0 }.encode();
    assert_eq!(
        engine.hear(Message::Extended {
            id: 1,
            payload: &request
        }),
        [Said::Extended(9, reject)]
    );
}
