//! What is done to files while they are at work: nobody gets a wrong byte, and the user hears of it.

use std::fs::{self, File};
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

/// What the test's own peers call a message of BEP 54.
const DONT_HAVE: u8 = 7;

/// A peer that is served, and stays connected.
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

    /// Says that it takes messages of BEP 54.
    fn takes_dont_have(&mut self) {
        let handshake = format!("\0d1:md11:lt_donthavei{DONT_HAVE}eee");
        self.conversation
            .send(id::EXTENDED, handshake.as_bytes())
            .unwrap();
    }

    /// Whether it gets a piece, and not a reject. What it gets is right.
    fn gets(&mut self, piece: u32) -> bool {
        let block = Block::new(piece, 0, PIECE).to_bytes();
        self.conversation.send(id::REQUEST, &block).unwrap();
        loop {
            let (message, payload) = self.conversation.receive().unwrap();
            match message {
                id::PIECE => {
                    let right = self.sample.block(piece, 0, PIECE);
                    assert_eq!(&payload[8..], right, "piece {piece}");
                    return true;
                }
                id::REJECT => {
                    assert_eq!(payload, block);
                    return false;
                }
                _ => {}
            }
        }
    }

    /// Waits until it is told this.
    fn hears(&mut self, message: u8, payload: &[u8]) {
        let told = (message, payload.to_vec());
        while self.conversation.receive().unwrap() != told {}
    }

    /// Waits until it is told that a piece is there.
    fn hears_of(&mut self, piece: u32) {
        self.hears(id::HAVE, &piece.to_be_bytes());
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
    bystander.takes_dont_have();

    // In place, and no older or longer than before.
    let path = desk.path("share/films/a");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let film = File::options().write(true).open(&path).unwrap();
    film.write_all_at(b"cut", u64::from(5 * PIECE + 7)).unwrap();
    film.set_modified(modified).unwrap();
    let mut asking = Leecher::of(&sample, &mut seed);
    assert!(!asking.gets(5));
    let reason = reason(&mut seed);
    for words in ["films/a", "changed", "trackless get"] {
        assert!(reason.contains(words), "{reason}");
    }
    bystander.hears(id::EXTENDED, &[DONT_HAVE, 0, 0, 0, 5]);

    for piece in [4, 6, PIECES] {
        assert!(asking.gets(piece), "{piece}");
        assert!(bystander.gets(piece), "{piece}");
    }
    assert!(!bystander.gets(5));
    desk.write("share/films/a", noise(80, LENGTH));
    bystander.hears_of(5);
    assert!(bystander.gets(5));
    seed.signal("TERM");
    let seed = seed.end();
    seed.assert_code(0);
    assert!(seed.stderr.contains("films/a was changed"), "{seed}");
}

#[test]
fn damage_is_told_each_time_and_when_it_is_over() {
    let desk = Desk::new();
    let (sample, mut seed) = seed(&desk);
    let mut leecher = Leecher::of(&sample, &mut seed);
    assert!(leecher.gets(3));
    for _ in 0..2 {
        spoil(&desk.path("share/films/a"), 5);
        assert!(!leecher.gets(5));
        seed.wait_for_line("films/a was changed");
        desk.write("share/films/a", noise(80, LENGTH));
        seed.wait_for_line("films/a is served again");
        leecher.hears_of(5);
        assert!(leecher.gets(5));
    }
    seed.signal("TERM");
    let seed = seed.end();
    let named = |name: &str| {
        let events = seed.events.iter().filter(|event| event["event"] == name);
        events.count()
    };
    assert_eq!((named("unservable"), named("served_again")), (2, 2));
    let path = &seed
        .events
        .iter()
        .find(|event| event["event"] == "served_again")
        .unwrap()["path"];
    assert!(path.as_str().unwrap().ends_with("films/a"), "{path}");
}

#[test]
fn a_film_that_is_removed_or_cut_off_while_it_is_seeded_is_missed_and_the_other_one_served() {
    let desk = Desk::new();
    let (sample, mut seed) = seed(&desk);
    let mut leecher = Leecher::of(&sample, &mut seed);
    assert!(leecher.gets(3));
    fs::remove_file(desk.path("share/films/a")).unwrap();
    assert!(!leecher.gets(4));
    let said = reason(&mut seed);
    assert!(said.contains("films/a is missing"), "{said}");
    assert!(leecher.gets(PIECES));

    desk.write("share/films/a", noise(80, LENGTH / 2));
    let beyond = PIECES / 2;
    assert!(leecher.gets(beyond - 1));
    assert!(!leecher.gets(beyond));
    seed.wait_until("that it is short", |event| {
        let reason = event["reason"].as_str();
        reason.is_some_and(|reason| reason.contains("films/a is shorter"))
    });
    desk.write("share/films/a", noise(80, LENGTH));
    leecher.hears_of(beyond);
    assert!(leecher.gets(beyond));
}

#[test]
fn one_wrong_byte_costs_whoever_fetches_from_the_seed_that_piece_and_no_connection() {
    let desk = Desk::new();
    let whole = noise(85, LENGTH);
    desk.write("share/film", &whole);
    desk.torrent("share/film");
    let mut seed = desk.start(&["seed", "film.torrent", "--data", "share"]);
    seed.wait_for("seeding");
    spoil(&desk.path("share/film"), 30);
    let mut fetching = desk.start(&[
        "get",
        "film.torrent",
        "-o",
        "out",
        "--peer",
        &seed.address(),
    ]);
    let all_but_one = PIECES - 1;
    fetching.wait_until("that all but one is there", |event| {
        event["pieces_done"] == all_but_one
    });
    desk.write("share/film", &whole);
    let fetched = fetching.end();
    fetched.assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
    let connected = fetched.events.iter();
    let connected = connected.filter(|event| event["event"] == "connected");
    // Each of the two may have dialled the other.
    assert!(connected.count() <= 2, "{fetched}");
}

/// A download that has half of a film, and gets no more before the gate is open.
struct HalfFetched {
    sample: Sample,
    peer: FakePeer,
    gate: Gate,
    running: Running,
}

impl HalfFetched {
    fn new(desk: &Desk) -> Self {
        desk.write("share/film", noise(82, LENGTH));
        let sample = desk.torrent("share/film");
        let gate = Gate::default();
        let half = PIECES / 2;
        let peer = FakePeer::seeding_until(&sample, half as usize, &gate);
        let mut running = get(desk, &peer);
        running.wait_until("that half is there", |event| event["pieces_done"] == half);
        Self {
            sample,
            peer,
            gate,
            running,
        }
    }

    /// A piece that is there.
    fn fetched(&self, desk: &Desk) -> u32 {
        let bytes = fs::read(desk.path("out/film")).unwrap();
        let mut pieces = bytes.chunks(PIECE as usize).zip(0..);
        let fetched = pieces.find(|&(found, piece)| found == self.sample.block(piece, 0, PIECE));
        fetched.unwrap().1
    }

    /// The rest comes. What is wrong then is said, and the same command fetches it again.
    fn goes_on_and_is_refused(self, desk: &Desk, reason: &str) {
        self.gate.open();
        let ended = self.running.end();
        ended.assert_refused(6, &[reason, "fetch it again"]);
        get(desk, &self.peer).end().assert_done();
        // Beside it may lie what was put in its place.
        let read = |path: &str| fs::read(desk.path(path)).unwrap();
        assert!(read("share/film") == read("out/film"));
    }
}

fn get(desk: &Desk, peer: &FakePeer) -> Running {
    let address = peer.address();
    let get = ["get", "film.torrent", "-o", "out", "--state-dir", "state"];
    desk.start(&[&get[..], &["--peer", &address]].concat())
}

#[test]
fn a_film_that_is_removed_while_it_is_fetched_is_missed_before_the_end() {
    let desk = Desk::new();
    let half = HalfFetched::new(&desk);
    fs::remove_file(desk.path("out/film")).unwrap();
    half.goes_on_and_is_refused(&desk, "film is missing");
}

#[test]
fn a_film_that_is_written_over_while_it_is_fetched_is_not_said_to_be_there() {
    let desk = Desk::new();
    let half = HalfFetched::new(&desk);
    spoil(&desk.path("out/film"), half.fetched(&desk));
    half.goes_on_and_is_refused(&desk, "film was changed");
}

#[test]
fn a_film_that_is_moved_away_while_it_is_fetched_is_missed_before_the_end() {
    let desk = Desk::new();
    let half = HalfFetched::new(&desk);
    fs::rename(desk.path("out/film"), desk.path("elsewhere")).unwrap();
    half.goes_on_and_is_refused(&desk, "film is missing");
}

#[test]
fn a_film_that_another_one_replaces_while_it_is_fetched_is_not_said_to_be_there() {
    let desk = Desk::new();
    let half = HalfFetched::new(&desk);
    replace(&desk, "out/film", LENGTH);
    half.goes_on_and_is_refused(&desk, "film was changed");
}

#[test]
fn a_film_that_is_replaced_while_a_peer_asks_for_it_is_not_said_to_be_there_and_stays_locked() {
    let desk = Desk::new();
    let mut half = HalfFetched::new(&desk);
    let piece = half.fetched(&desk);
    let mut leecher = Leecher::of(&half.sample, &mut half.running);
    assert!(leecher.gets(piece));
    replace(&desk, "out/film", LENGTH);
    assert!(!leecher.gets(piece));
    desk.get("film.torrent", &half.peer.address(), &[])
        .assert_refused(6, &["out/film", "another process"]);
    half.goes_on_and_is_refused(&desk, "film was changed");
}

/// More files than are open at once, so that the one that is replaced has been closed by the end.
#[test]
fn of_many_files_one_that_is_replaced_when_it_was_fetched_is_not_said_to_be_there() {
    const FILES: u64 = 200;
    let desk = Desk::new();
    for file in 0..FILES {
        let content = noise(100 + file, PIECE as usize);
        desk.write(format!("share/album/{file}"), content);
    }
    let sample = desk.torrent("share/album");
    let gate = Gate::default();
    let peer = FakePeer::seeding_until(&sample, 1, &gate);
    let mut running = desk.start(&[
        "get",
        "album.torrent",
        "-o",
        "out",
        "--peer",
        &peer.address(),
    ]);
    running.wait_until("that one is there", |event| event["pieces_done"] == 1);
    let same = |name: &String| {
        let read = |root: &str| fs::read(desk.path(root).join(name)).unwrap();
        read("share/album") == read("out/album")
    };
    let fetched = (0..FILES).map(|file| file.to_string()).find(same).unwrap();
    replace(&desk, &format!("out/album/{fetched}"), PIECE as usize);
    gate.open();
    let name = format!("album/{fetched} was changed");
    running.end().assert_refused(6, &[&name]);
}

/// Moves another file over one.
fn replace(desk: &Desk, path: &str, length: usize) {
    desk.write("other", noise(86, length));
    fs::rename(desk.path("other"), desk.path(path)).unwrap();
}

#[test]
fn what_is_written_over_while_it_is_fetched_is_fetched_again_when_somebody_asks_for_it() {
    let desk = Desk::new();
    let mut half = HalfFetched::new(&desk);
    let piece = half.fetched(&desk);
    let mut leecher = Leecher::of(&half.sample, &mut half.running);
    assert!(leecher.gets(piece));
    spoil(&desk.path("out/film"), piece);
    assert!(!leecher.gets(piece));
    half.gate.open();
    half.running.end().assert_done();
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
