//! What is done to files while they are at work: nobody gets a wrong byte, and the user hears of it.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use trackless::{GetOptions, Node};

use crate::support::{
    Block, Conversation, Desk, FakePeer, Gate, PATIENCE, Running, Sample, assert_same, id, noise,
};

const PIECE: u32 = 16_384;
const PIECES: u32 = 40;
const LENGTH: usize = (PIECE * PIECES) as usize;

/// A seed of two films, whose first pieces are 0 and [`PIECES`].
fn seed(desk: &Desk) -> (Sample, Running) {
    desk.write("share/films/a", noise(80, LENGTH));
    desk.write("share/films/b", noise(81, LENGTH));
    let sample = desk.torrent("share/films");
    let mut seed = desk.start(&["seed", "films.torrent", "--data", "share"]);
    seed.wait_for("seeding");
    (sample, seed)
}

/// A peer that is served.
struct Leecher {
    conversation: Conversation,
    sample: Sample,
}

impl Leecher {
    fn of(sample: &Sample, seed: &mut Running) -> Self {
        Self::at(sample, &seed.address())
    }

    fn at(sample: &Sample, address: &str) -> Self {
        let mut conversation = Conversation::with(address);
        let info_hash = *sample.info.hash().as_bytes();
        conversation.send_handshake(info_hash).unwrap();
        conversation.read_handshake().unwrap();
        conversation.send(id::INTERESTED, &[]).unwrap();
        while conversation.receive().unwrap().0 != id::UNCHOKE {}
        Self {
            conversation,
            sample: sample.clone(),
        }
    }

    /// Whether it gets a piece. What it gets is right.
    fn gets(&mut self, piece: u32) -> bool {
        let block = Block::new(piece, 0, PIECE);
        let asked = self.conversation.send(id::REQUEST, &block.to_bytes());
        let answer = asked.and_then(|()| self.answer());
        let Ok(bytes) = answer else {
            return false;
        };
        assert_eq!(bytes, self.sample.block(piece, 0, PIECE), "piece {piece}");
        true
    }

    fn answer(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let (message, payload) = self.conversation.receive()?;
            if message == id::PIECE {
                return Ok(payload[8..].to_vec());
            }
        }
    }
}

/// What the seed said is the matter.
fn reason(seed: &mut Running) -> String {
    let event = seed.wait_for("unservable");
    event["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_film_that_is_written_over_while_it_is_seeded_is_not_served_where_it_is_wrong() {
    let desk = Desk::new();
    let (sample, mut seed) = seed(&desk);
    let mut bystander = Leecher::of(&sample, &mut seed);
    assert!(bystander.gets(3));

    // In place, and no older or longer than before.
    let path = desk.path("share/films/a");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let film = File::options().write(true).open(&path).unwrap();
    film.write_all_at(b"cut", u64::from(5 * PIECE + 7)).unwrap();
    film.set_modified(modified).unwrap();
    assert!(!Leecher::of(&sample, &mut seed).gets(5));
    let reason = reason(&mut seed);
    for words in ["films/a", "changed", "trackless get"] {
        assert!(reason.contains(words), "{reason}");
    }

    for piece in [4, 6, PIECES] {
        assert!(bystander.gets(piece), "{piece}");
    }
    desk.write("share/films/a", noise(80, LENGTH));
    assert!(bystander.gets(5));
    seed.signal("TERM");
    let seed = seed.end();
    seed.assert_code(0);
    assert!(seed.stderr.contains("films/a was changed"), "{seed}");
}

#[test]
fn a_film_that_is_removed_or_cut_off_while_it_is_seeded_is_missed_and_the_other_one_served() {
    let desk = Desk::new();
    let (sample, mut seed) = seed(&desk);
    let mut bystander = Leecher::of(&sample, &mut seed);
    assert!(bystander.gets(3));
    fs::remove_file(desk.path("share/films/a")).unwrap();
    assert!(!Leecher::of(&sample, &mut seed).gets(4));
    let said = reason(&mut seed);
    assert!(said.contains("films/a is missing"), "{said}");
    assert!(bystander.gets(PIECES));

    desk.write("share/films/a", noise(80, LENGTH / 2));
    let beyond = PIECES / 2;
    assert!(bystander.gets(beyond - 1));
    assert!(!Leecher::of(&sample, &mut seed).gets(beyond));
    seed.wait_until("that it is short", |event| {
        let reason = event["reason"].as_str();
        reason.is_some_and(|reason| reason.contains("films/a is shorter"))
    });
    desk.write("share/films/a", noise(80, LENGTH));
    assert!(bystander.gets(beyond));
}

#[test]
fn a_film_that_is_removed_while_it_is_fetched_is_missed_before_the_end() {
    let desk = Desk::new();
    desk.write("share/film", noise(82, LENGTH));
    let sample = desk.torrent("share/film");
    let gate = Gate::default();
    let half = PIECES / 2;
    let peer = FakePeer::seeding_until(&sample, half as usize, &gate);
    let address = peer.address();
    let get = ["get", "film.torrent", "-o", "out", "--state-dir", "state"];
    let get = [&get[..], &["--peer", &address]].concat();
    let mut fetching = desk.start(&get);
    fetching.wait_until("that half is there", |event| event["pieces_done"] == half);
    fs::remove_file(desk.path("out/film")).unwrap();
    gate.open();
    fetching
        .end()
        .assert_refused(6, &["film is missing", "trackless get"]);
    desk.run(&get).assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
}

/// Writes over one byte of a piece, in place.
fn spoil(path: &Path, piece: u32) {
    // A change within a step of the clock need not show.
    sleep(Duration::from_millis(20));
    let film = File::options().write(true).open(path).unwrap();
    film.write_all_at(b"x", u64::from(piece * PIECE + 7))
        .unwrap();
}

#[test]
fn a_film_that_is_written_over_while_it_is_fetched_is_not_said_to_be_there() {
    let desk = Desk::new();
    desk.write("share/film", noise(83, LENGTH));
    let sample = desk.torrent("share/film");
    let gate = Gate::default();
    let half = PIECES / 2;
    let peer = FakePeer::seeding_until(&sample, half as usize, &gate);
    let address = peer.address();
    let get = ["get", "film.torrent", "-o", "out", "--state-dir", "state"];
    let get = [&get[..], &["--peer", &address]].concat();
    let mut fetching = desk.start(&get);
    fetching.wait_until("that half is there", |event| event["pieces_done"] == half);
    let bytes = fs::read(desk.path("out/film")).unwrap();
    let whole = noise(83, LENGTH);
    let pieces = whole
        .chunks(PIECE as usize)
        .zip(bytes.chunks(PIECE as usize));
    let fetched = pieces
        .enumerate()
        .find(|(_, (right, found))| right == found);
    spoil(&desk.path("out/film"), fetched.unwrap().0 as u32);
    gate.open();
    fetching
        .end()
        .assert_refused(6, &["film was changed", "trackless get"]);
    desk.run(&get).assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
}

/// The node keeps no records.
#[tokio::test]
async fn a_film_that_is_written_over_after_it_was_fetched_is_neither_read_nor_served_where_it_is_wrong()
 {
    let desk = Desk::new();
    desk.write("share/film", noise(84, LENGTH));
    let sample = desk.torrent("share/film");
    let peer = FakePeer::honest(&sample);
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let node = Node::builder().listen(loopback).start().await.unwrap();
    let options = GetOptions {
        directory: desk.path("out"),
        peers: vec![peer.socket_address()],
        ..GetOptions::default()
    };
    let mut torrent = node.get(sample.info.hash(), options).await.unwrap();
    timeout(PATIENCE, torrent.finished())
        .await
        .unwrap()
        .unwrap();
    spoil(&desk.path("out/film"), 30);

    let mut film = torrent.reader(0).await.unwrap();
    let whole = noise(84, LENGTH);
    let mut read = Vec::new();
    let error = timeout(PATIENCE, film.read_to_end(&mut read))
        .await
        .unwrap();
    let error = error.unwrap_err().to_string();
    assert!(error.contains("film was changed"), "{error}");
    assert!(whole.starts_with(&read) && read.len() <= 30 * PIECE as usize);

    let address = node.local_address().to_string();
    let asking =
        spawn_blocking(move || [30, 31].map(|piece| Leecher::at(&sample, &address).gets(piece)));
    assert_eq!(asking.await.unwrap(), [false, true]);
    timeout(PATIENCE, torrent.stop()).await.unwrap();
}
