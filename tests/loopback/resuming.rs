//! What a run knows of the files that the one before left: those that look as they did are not read again, those that do not are.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime};

use crate::support::{Desk, Ended, FakePeer, Gate, Running, Sample, assert_same, noise};

const PIECE: usize = 16_384;
/// Pieces of each of the three films.
const PIECES: u64 = 20;
const LENGTH: usize = PIECES as usize * PIECE;

/// Three films. No piece lies in two of them.
fn films(desk: &Desk) -> Sample {
    for (name, seed) in [("a", 1), ("b", 2), ("c", 3)] {
        desk.write(format!("share/films/{name}"), noise(seed, LENGTH));
    }
    desk.torrent("share/films")
}

const GET: [&str; 6] = ["get", "films.torrent", "-o", "out", "--state-dir", "state"];

/// Fetches what is missing, to the end.
fn get(desk: &Desk, sample: &Sample, more: &[&str]) -> Ended {
    let seed = FakePeer::honest(sample);
    let get = desk.run(&[&GET[..], &["--peer", &seed.address()], more].concat());
    get.assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
    get
}

/// Pieces that are right and were not read, since the last run knew them.
fn known(run: &Ended) -> u64 {
    let known = run.events.iter().find(|event| event["event"] == "known");
    known.map_or(0, |known| known["pieces"].as_u64().unwrap())
}

/// Changes a byte of the first piece of a film, and makes the file look as old as before.
fn spoil_in_secret(desk: &Desk, name: &str) {
    let path = desk.path(name);
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 5).unwrap();
    file.write_all_at(&[!byte[0]], 5).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn a_download_that_is_done_is_not_read_again() {
    let desk = Desk::new();
    let sample = films(&desk);
    let first = get(&desk, &sample, &[]);
    assert_eq!((known(&first), first.downloaded()), (0, 3 * LENGTH as u64));
    for _ in 0..2 {
        let again = get(&desk, &sample, &[]);
        assert_eq!((known(&again), again.downloaded()), (3 * PIECES, 0));
    }
}

#[test]
fn a_film_that_was_changed_behind_our_back_is_noticed_and_repaired() {
    let desk = Desk::new();
    let sample = films(&desk);
    get(&desk, &sample, &[]);
    spoil_in_secret(&desk, "out/films/b");
    let repaired = get(&desk, &sample, &[]);
    assert_eq!(
        (known(&repaired), repaired.downloaded()),
        (2 * PIECES, PIECE as u64)
    );

    fs::remove_file(desk.path("out/films/c")).unwrap();
    let repaired = get(&desk, &sample, &[]);
    assert_eq!(
        (known(&repaired), repaired.downloaded()),
        (2 * PIECES, LENGTH as u64)
    );
}

#[test]
fn who_asks_for_a_check_gets_one() {
    let desk = Desk::new();
    let sample = films(&desk);
    get(&desk, &sample, &[]);
    assert_eq!(known(&get(&desk, &sample, &["--check"])), 0);
    assert_eq!(known(&get(&desk, &sample, &[])), 3 * PIECES);
}

/// Begins a download that stops after a film and a half, at a seed that gives no more.
fn half_way(desk: &Desk, sample: &Sample) -> (Running, FakePeer, u64) {
    let served = PIECES + PIECES / 2;
    let slow = FakePeer::seeding_until(sample, served as usize, &Gate::default());
    let mut get = desk.start(&[&GET[..], &["--peer", &slow.address()]].concat());
    get.wait_until("that half is there", |event| event["pieces_done"] == served);
    (get, slow, served)
}

#[test]
fn ctrl_c_leaves_nothing_to_be_read_again() {
    let desk = Desk::new();
    let sample = films(&desk);
    let (running, _slow, served) = half_way(&desk, &sample);
    running.signal("INT");
    running.end().assert_refused(130, &["interrupted"]);
    let resumed = get(&desk, &sample, &[]);
    let missing = (3 * PIECES - served) * PIECE as u64;
    assert_eq!((known(&resumed), resumed.downloaded()), (served, missing));
}

#[test]
fn a_damaged_and_a_newer_record_are_set_aside_and_said() {
    let desk = Desk::new();
    let sample = films(&desk);
    get(&desk, &sample, &[]);
    let record = format!("state/{}.resume", sample.info_hash());
    let whole = fs::read(desk.path(&record)).unwrap();
    let half = &whole[..whole.len() / 2];
    let newer = b"d4:mind5:blown7:versioni99ee";
    for (bytes, ending) in [(half, "damaged"), (newer, "newer")] {
        desk.write(&record, bytes);
        let again = get(&desk, &sample, &[]);
        assert_eq!((known(&again), again.downloaded()), (0, 0));
        assert!(
            again.stderr.contains(&format!("{record}.{ending}")),
            "{again}"
        );
        assert_eq!(known(&get(&desk, &sample, &[])), 3 * PIECES);
    }
}

/// Clocks jump, and programs set the times of files as they please.
#[test]
fn films_and_records_of_the_future_are_as_good_as_others() {
    let desk = Desk::new();
    let sample = films(&desk);
    get(&desk, &sample, &[]);
    let future = SystemTime::now() + Duration::from_secs(400 * 24 * 3600);
    let date = |path: &str| {
        let file = File::options().write(true).open(desk.path(path)).unwrap();
        file.set_modified(future).unwrap();
    };
    date("out/films/a");
    assert_eq!(known(&get(&desk, &sample, &[])), 2 * PIECES);
    assert_eq!(known(&get(&desk, &sample, &[])), 3 * PIECES);
    date(&format!("state/{}.resume", sample.info_hash()));
    assert_eq!(known(&get(&desk, &sample, &[])), 3 * PIECES);
}

const SEED: [&str; 6] = [
    "seed",
    "films.torrent",
    "--data",
    "share",
    "--state-dir",
    "state",
];

/// Seeds and ends by a signal, as soon as everything is served.
fn seed(desk: &Desk, more: &[&str]) -> Ended {
    let mut seed = desk.start(&[&SEED[..], more].concat());
    seed.wait_for("seeding");
    seed.signal("TERM");
    let seed = seed.end();
    seed.assert_code(0);
    seed
}

#[test]
fn a_seed_reads_its_content_once() {
    let desk = Desk::new();
    films(&desk);
    assert_eq!(known(&seed(&desk, &[])), 0);
    assert_eq!(known(&seed(&desk, &[])), 3 * PIECES);
    assert_eq!(known(&seed(&desk, &["--check"])), 0);

    spoil_in_secret(&desk, "share/films/a");
    desk.run(&SEED)
        .assert_refused(7, &["films", "59 of 60 pieces"]);
}
