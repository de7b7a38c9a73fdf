//! What is done to files while they are at work: nobody gets a wrong byte, and the user hears of it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use crate::support::{
    Block, Conversation, Desk, FakePeer, Gate, Running, Sample, assert_same, id, noise,
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
        let mut conversation = Conversation::with(&seed.address());
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
