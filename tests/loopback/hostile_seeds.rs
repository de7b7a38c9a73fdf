//! Peers that a download comes upon: it survives them, and ends with the right bytes from an honest seed.

use std::io;
use std::net::TcpListener;
use std::thread;

use crate::support::{
    Block, Conversation, Desk, Ended, FakePeer, Gate, Relay, Sample, assert_same, id, noise,
};

/// What the program does about a peer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It ends the connection.
    HangsUp,
    /// It makes do with others; the connection may stay.
    GoesOn,
}

/// Fetches from a peer that misbehaves, and from an honest seed that says nothing before the other one has done its worst.
/// Returns the address of the former, too.
fn download_beside(
    misbehaviour: impl Fn(&mut Conversation, &Sample) -> io::Result<()> + Send + Sync + 'static,
    expected: Answer,
) -> (Ended, String) {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(30, 600_000));
    let sample = desk.torrent("share/film.mkv");
    let mut seed = desk.start(&["seed", "film.mkv.torrent", "--data", "share"]);
    let honest = Relay::to(&seed.address());
    let (misbehaved, hung_up) = (Gate::default(), Gate::default());
    let (worst, end) = (misbehaved.clone(), hung_up.clone());
    let culprit = FakePeer::start(move |conversation| {
        let result = misbehaviour(conversation, &sample);
        worst.open();
        if result.is_err() || conversation.hangs_up()? {
            end.open();
        }
        Ok(())
    });

    let get = desk.start(&[
        "get",
        "film.mkv.torrent",
        "--peer",
        &culprit.address(),
        "--peer",
        &honest.address(),
        "-o",
        "out",
    ]);
    assert!(misbehaved.pass(), "the peer was not spoken to");
    assert!(
        expected != Answer::HangsUp || hung_up.pass(),
        "the connection stays"
    );
    honest.open();
    let get = get.end();
    get.assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
    (get, culprit.address())
}

/// Claims to have everything and to serve.
fn greet_as_seed(conversation: &mut Conversation) -> io::Result<()> {
    conversation.greet()?;
    conversation.send(id::HAVE_ALL, &[])?;
    conversation.send(id::UNCHOKE, &[])
}

/// The next block that is asked for.
fn next_request(conversation: &mut Conversation) -> io::Result<Block> {
    loop {
        if let (id::REQUEST, payload) = conversation.receive()? {
            return Ok(Block::read(&payload));
        }
    }
}

#[test]
fn one_that_sends_wrong_pieces_is_banned() {
    let (get, liar) = download_beside(
        |conversation, _| {
            greet_as_seed(conversation)?;
            loop {
                let block = next_request(conversation)?;
                conversation.send_block(
                    block.piece,
                    block.offset,
                    &noise(99, block.length as usize),
                )?;
            }
        },
        Answer::HangsUp,
    );
    let banned = get.event("banned");
    assert_eq!(banned["peer"], liar);
    assert!(
        banned["reason"].as_str().unwrap().contains("piece"),
        "{banned}"
    );
}

#[test]
fn one_that_sends_blocks_of_wrong_lengths() {
    download_beside(
        |conversation, sample| {
            greet_as_seed(conversation)?;
            for change in [-1, 1, -16_000] {
                let Block {
                    piece,
                    offset,
                    length,
                } = next_request(conversation)?;
                let length = length.saturating_add_signed(change) as usize;
                conversation.send_block(piece, offset, &sample.bytes[..length])?;
            }
            let Block { piece, offset, .. } = next_request(conversation)?;
            conversation.send_block(piece, offset, &[])
        },
        Answer::GoesOn,
    );
}

#[test]
fn one_that_sends_blocks_of_a_megabyte() {
    download_beside(
        |conversation, _| {
            greet_as_seed(conversation)?;
            let block = next_request(conversation)?;
            conversation.send_block(block.piece, block.offset, &vec![0; 1 << 20])
        },
        Answer::HangsUp,
    );
}

#[test]
fn one_that_sends_what_nobody_asked_for() {
    download_beside(
        |conversation, sample| {
            greet_as_seed(conversation)?;
            for piece in [0, 1, sample.pieces(), u32::MAX] {
                for offset in [1, 16_384, u32::MAX] {
                    conversation.send_block(piece, offset, &sample.bytes[..16_384])?;
                }
            }
            Ok(())
        },
        Answer::GoesOn,
    );
}

#[test]
fn one_that_takes_requests_and_sends_nothing() {
    download_beside(
        |conversation, _| {
            greet_as_seed(conversation)?;
            next_request(conversation).map(drop)
        },
        Answer::GoesOn,
    );
}

#[test]
fn one_that_requests_what_is_out_of_range() {
    for block in [
        Block::new(0, 0, 0),
        Block::new(0, 0, u32::MAX),
        Block::new(0, 16_384, 16_384),
        Block::new(0, u32::MAX, 16_384),
        Block::new(u32::MAX, 0, 16_384),
    ] {
        download_beside(
            move |conversation, _| {
                greet_as_seed(conversation)?;
                conversation.send(id::INTERESTED, &[])?;
                conversation.send(id::REQUEST, &block.to_bytes())
            },
            Answer::HangsUp,
        );
    }
}

#[test]
fn one_whose_bitfield_has_the_wrong_size() {
    for length in [0, 1, 4, 6, 1 << 17] {
        download_beside(
            move |conversation, sample| {
                assert_eq!(sample.pieces().div_ceil(8), 5);
                conversation.greet()?;
                conversation.send(id::BITFIELD, &vec![0; length])
            },
            Answer::HangsUp,
        );
    }
}

#[test]
fn one_whose_bitfield_has_pieces_past_the_last() {
    download_beside(
        |conversation, _| {
            conversation.greet()?;
            conversation.send(id::BITFIELD, &[0xff; 5])
        },
        Answer::HangsUp,
    );
}

#[test]
fn one_that_has_a_piece_past_the_last() {
    download_beside(
        |conversation, sample| {
            conversation.greet()?;
            conversation.send(id::BITFIELD, &[0; 5])?;
            conversation.send(id::HAVE, &sample.pieces().to_be_bytes())
        },
        Answer::HangsUp,
    );
}

#[test]
fn one_that_speaks_before_the_handshake() {
    download_beside(
        |conversation, _| {
            conversation.send(id::UNCHOKE, &[])?;
            conversation.send(id::HAVE_ALL, &[])?;
            conversation.send_raw(&[0; 100])
        },
        Answer::HangsUp,
    );
}

#[test]
fn one_that_answers_for_another_torrent() {
    download_beside(
        |conversation, _| conversation.send_handshake([7; 20]),
        Answer::HangsUp,
    );
}

#[test]
fn one_that_announces_messages_of_4_gib() {
    for message in [id::PIECE, id::BITFIELD, id::EXTENDED, 99] {
        download_beside(
            move |conversation, _| {
                greet_as_seed(conversation)?;
                conversation.send_raw(&[0xff, 0xff, 0xff, 0xff, message])?;
                conversation.send_raw(&[0; 4096])
            },
            Answer::HangsUp,
        );
    }
}

#[test]
fn one_that_sends_an_extension_handshake_nested_100_000_deep() {
    download_beside(
        |conversation, _| {
            conversation.greet()?;
            conversation.send(id::EXTENDED, &[&b"\0"[..], &b"l".repeat(100_000)].concat())
        },
        Answer::HangsUp,
    );
}

#[test]
fn one_that_says_nothing_at_all() {
    download_beside(
        |conversation, _| conversation.read_handshake().map(drop),
        Answer::GoesOn,
    );
}

#[test]
fn one_that_hangs_up_at_once_and_again() {
    download_beside(
        |_, _| Err(io::ErrorKind::ConnectionAborted.into()),
        Answer::GoesOn,
    );
}

#[test]
fn one_that_sends_every_block_twice() {
    download_beside(
        |conversation, sample| {
            greet_as_seed(conversation)?;
            for _ in 0..4 {
                let block = next_request(conversation)?;
                conversation.serve(sample, block)?;
                conversation.serve(sample, block)?;
            }
            Ok(())
        },
        Answer::GoesOn,
    );
}

#[test]
fn one_that_sends_the_same_block_without_end() {
    download_beside(
        |conversation, sample| {
            greet_as_seed(conversation)?;
            let block = next_request(conversation)?;
            for _ in 0..200 {
                conversation.serve(sample, block)?;
            }
            Ok(())
        },
        Answer::HangsUp,
    );
}

#[test]
fn one_that_never_unchokes() {
    download_beside(
        |conversation, _| {
            conversation.greet()?;
            conversation.send(id::HAVE_ALL, &[])?;
            while conversation.receive()?.0 != id::INTERESTED {}
            Ok(())
        },
        Answer::GoesOn,
    );
}

#[test]
fn one_that_sends_a_block_a_byte_at_a_time() {
    download_beside(
        |conversation, sample| {
            greet_as_seed(conversation)?;
            let Block { piece, offset, .. } = next_request(conversation)?;
            let head = [0, 0, 0x40, 9, id::PIECE];
            conversation.send_raw(&head)?;
            conversation.send_raw(&[piece, offset].map(u32::to_be_bytes).concat())?;
            for byte in sample.block(piece, offset, 5) {
                conversation.send_raw(&[*byte])?;
            }
            Ok(())
        },
        Answer::GoesOn,
    );
}

#[test]
fn one_that_resets_the_connection_in_the_middle_of_a_block() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(31, 600_000));
    let sample = desk.torrent("share/film.mkv");
    let mut seed = desk.start(&["seed", "film.mkv.torrent", "--data", "share"]);
    let honest = Relay::to(&seed.address());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let culprit = listener.local_addr().unwrap().to_string();
    let has_reset = Gate::default();
    let told = has_reset.clone();
    let resetting = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut conversation = Conversation::over(stream);
        greet_as_seed(&mut conversation).unwrap();
        let Block { piece, offset, .. } = next_request(&mut conversation).unwrap();
        conversation.send_raw(&[0, 0, 0x40, 9, id::PIECE]).unwrap();
        let head = [piece, offset].map(u32::to_be_bytes).concat();
        conversation.send_raw(&head).unwrap();
        conversation
            .send_raw(sample.block(piece, offset, 8_000))
            .unwrap();
        conversation.reset();
        told.open();
    });
    let peers = ["--peer", &culprit, "--peer", &honest.address()];
    let get = desk.start(&[&["get", "film.mkv.torrent", "-o", "out"][..], &peers].concat());
    assert!(has_reset.pass(), "the peer was not spoken to");
    honest.open();
    get.end().assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
    resetting.join().unwrap();
}
