//! Peers that come to a seed: it hangs up on them, stays, and serves whoever means well.

use std::io;
use std::thread;
use std::time::Duration;

use crate::support::{Block, Conversation, Desk, assert_same, id, noise};

type Misbehaviour = fn(&mut Conversation, [u8; 20]) -> io::Result<()>;

/// Introduces itself as one who is interested.
fn greet(conversation: &mut Conversation, info_hash: [u8; 20]) -> io::Result<()> {
    conversation.send_handshake(info_hash)?;
    conversation.read_handshake()?;
    conversation.send(id::INTERESTED, &[])
}

fn request(conversation: &mut Conversation, info_hash: [u8; 20], block: Block) -> io::Result<()> {
    greet(conversation, info_hash)?;
    while conversation.receive()?.0 != id::UNCHOKE {}
    conversation.send(id::REQUEST, &block.to_bytes())
}

#[test]
fn a_seed_hangs_up_on_whoever_misbehaves_and_serves_the_others() {
    const CASES: [(&str, Misbehaviour); 13] = [
        ("another protocol", |with, _| {
            with.send_raw(
                &b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a browser that is lost\r\n\r\n"
                    [..],
            )
        }),
        ("a torrent that is not here", |with, _| {
            with.send_handshake([7; 20])
        }),
        ("a message before the handshake", |with, _| {
            with.send(id::UNCHOKE, &[0; 80])
        }),
        ("4 GiB before the handshake", |with, _| {
            with.send_raw(&[0xff; 100])
        }),
        ("a message of 4 GiB", |with, hash| {
            greet(with, hash)?;
            with.send_raw(&[0xff, 0xff, 0xff, 0xff, id::PIECE])
        }),
        ("a bitfield that is too short", |with, hash| {
            greet(with, hash)?;
            with.send(id::BITFIELD, &[0])
        }),
        ("a bitfield that is too long", |with, hash| {
            greet(with, hash)?;
            with.send(id::BITFIELD, &[0; 60_000])
        }),
        ("a request past the last piece", |with, hash| {
            request(with, hash, Block::new(1_000, 0, 16_384))
        }),
        ("a request past the end of the piece", |with, hash| {
            request(with, hash, Block::new(0, 1, 16_384))
        }),
        ("a request for nothing", |with, hash| {
            request(with, hash, Block::new(0, 0, 0))
        }),
        ("a request for 4 GiB", |with, hash| {
            request(with, hash, Block::new(0, 0, u32::MAX))
        }),
        ("a request that overflows", |with, hash| {
            request(with, hash, Block::new(u32::MAX, u32::MAX, 16_384))
        }),
        ("a request of seven bytes", |with, hash| {
            greet(with, hash)?;
            with.send(id::REQUEST, &[0; 7])
        }),
    ];
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(40, 600_000));
    let sample = desk.torrent("share/film.mkv");
    let mut seed = desk.start(&["seed", "film.mkv.torrent", "--data", "share"]);
    let address = seed.address();
    let info_hash = *sample.info.hash().as_bytes();

    let silent = Conversation::with(&address);
    let mut idle = Conversation::with(&address);
    greet(&mut idle, info_hash).unwrap();
    for (name, misbehave) in CASES {
        let mut conversation = Conversation::with(&address);
        misbehave(&mut conversation, info_hash).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            conversation.hangs_up().unwrap(),
            "{name}: the connection stays"
        );
        assert!(seed.is_alive(), "{name}");
    }

    // Those who say nothing, at once or after their greeting, are in nobody's way.
    let get = desk.get(&sample.info_hash(), &address, &[]);
    get.assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
    drop((silent, idle));
}

#[test]
fn those_who_request_without_end_and_read_nothing_keep_nobody_waiting() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(42, 8 << 20));
    let sample = desk.torrent("share/film.mkv");
    let mut seed = desk.start(&["seed", "film.mkv.torrent", "--data", "share"]);
    let address = seed.address();
    let info_hash = *sample.info.hash().as_bytes();

    let deaf: Vec<_> = (0..4)
        .map(|_| {
            let mut conversation = Conversation::with(&address);
            let first = Block::new(0, 0, 16_384);
            request(&mut conversation, info_hash, first).unwrap();
            for number in 0..20_000 {
                let block = Block::new(number % sample.pieces(), 0, 16_384);
                // Whoever goes on where nothing more is taken is hung up on.
                if conversation.send(id::REQUEST, &block.to_bytes()).is_err() {
                    break;
                }
            }
            conversation
        })
        .collect();
    let get = desk.get(&sample.info_hash(), &address, &[]);
    get.assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
    assert!(seed.is_alive());
    drop(deaf);
}

#[test]
fn one_that_resets_the_connection_while_it_is_served() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(43, 600_000));
    let sample = desk.torrent("share/film.mkv");
    let mut seed = desk.start(&["seed", "film.mkv.torrent", "--data", "share"]);
    let address = seed.address();
    let info_hash = *sample.info.hash().as_bytes();
    for _ in 0..10 {
        let mut conversation = Conversation::with(&address);
        for piece in 0..10 {
            let block = Block::new(piece, 0, 16_384);
            if piece == 0 {
                request(&mut conversation, info_hash, block).unwrap();
            } else {
                conversation.send(id::REQUEST, &block.to_bytes()).unwrap();
            }
        }
        while conversation.receive().unwrap().0 != id::PIECE {}
        conversation.reset();
    }
    let get = desk.get(&sample.info_hash(), &address, &[]);
    get.assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
    assert!(seed.is_alive());
}

#[test]
fn a_handshake_that_trickles_is_not_waited_for() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(44, 100_000));
    let sample = desk.torrent("share/film.mkv");
    let mut seed = desk.start(&["seed", "film.mkv.torrent", "--data", "share"]);
    let mut conversation = Conversation::with(&seed.address());
    let mut handshake = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".to_vec();
    handshake.extend(sample.info.hash().as_bytes());
    // One byte a second: it would take a minute.
    let trickled = handshake.iter().take(30).take_while(|&&byte| {
        thread::sleep(Duration::from_secs(1));
        conversation.send_raw(&[byte]).is_ok()
    });
    let trickled = trickled.count();
    assert!(trickled < 30, "it is listened to for {trickled} s");
}
