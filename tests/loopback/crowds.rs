//! Many connections from one place: those from elsewhere are served all the same.

use std::io;

use crate::support::{Conversation, Desk, assert_same, id, noise};

/// As many as no torrent takes, and more than may be there without having said what they want.
const CROWD: usize = 300;
/// Attempts in all.
const ATTEMPTS: usize = 10_000;

/// Opens so many connections to a seed, of which the last ones stay, while somebody with another address fetches from it.
fn fetch_beside_a_crowd(open: impl Fn(&str, [u8; 20]) -> io::Result<Conversation>) {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(41, 600_000));
    let sample = desk.torrent("share/film.mkv");
    let seed = [
        "seed",
        "film.mkv.torrent",
        "--data",
        "share",
        "--listen",
        "127.0.0.1:0",
    ];
    let mut seed = desk.start(&seed);
    let address = seed.address();
    let info_hash = *sample.info.hash().as_bytes();

    let mut crowd = std::collections::VecDeque::new();
    for _ in 0..ATTEMPTS {
        // Whom it turns away at once is no less of a crowd.
        crowd.extend(open(&address, info_hash));
        if crowd.len() > CROWD {
            crowd.pop_front();
        }
    }
    let get = [
        "get",
        "film.mkv.torrent",
        "--peer",
        &address,
        "--listen",
        "127.0.0.9:0",
        "-o",
        "out",
    ];
    desk.run(&get).assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
    assert!(seed.is_alive());
}

#[test]
fn ten_thousand_silent_connections_from_one_address() {
    fetch_beside_a_crowd(|seed, _| Ok(Conversation::with(seed)));
}

#[test]
fn ten_thousand_connections_from_one_address_that_want_to_be_served() {
    fetch_beside_a_crowd(|seed, info_hash| {
        let mut conversation = Conversation::with(seed);
        conversation.send_handshake(info_hash)?;
        conversation.send(id::INTERESTED, &[])?;
        Ok(conversation)
    });
}
