//! What the user has where a download's files go is his, whatever an earlier run of the same torrent has left elsewhere or here.

use std::fs;

use crate::support::{Desk, Ended, FakePeer, Gate, Sample, noise};

const BLOCK: usize = 16_384;

/// Bytes of the larger file; the smaller one is in its last piece.
const LARGE: usize = 40 * BLOCK + 5_000;
/// Blocks that come before a download is interrupted.
const SERVED: usize = 20;
const DIARY: &[u8] = b"my own diary";

fn photos(desk: &Desk) -> Sample {
    desk.write("share/photos/big.bin", noise(80, LARGE));
    desk.write("share/photos/notes.txt", noise(81, 3_000));
    desk.torrent("share/photos")
}

fn get(desk: &Desk, sample: &Sample, out: &str, more: &[&str]) -> Ended {
    let seed = FakePeer::honest(sample);
    let get = ["get", "photos.torrent", "--state-dir", "state", "-o", out];
    let get = desk.run(&[&get[..], &["--peer", &seed.address()], more].concat());
    get.assert_done();
    get
}

/// A download that is interrupted half way, in order.
fn interrupted(desk: &Desk, sample: &Sample, out: &str) {
    let slow = FakePeer::seeding_until(sample, SERVED, &Gate::default());
    let get = ["get", "photos.torrent", "--state-dir", "state", "-o", out];
    let mut get = desk.start(&[&get[..], &["--peer", &slow.address()]].concat());
    get.wait_until("that half is there", |event| {
        event["pieces_done"].as_u64() == Some(SERVED as u64)
    });
    get.signal("INT");
    get.end().assert_code(130);
}

fn read(desk: &Desk, path: &str) -> Vec<u8> {
    fs::read(desk.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn a_download_that_was_interrupted_makes_no_file_elsewhere_its_own() {
    let desk = Desk::new();
    let sample = photos(&desk);
    interrupted(&desk, &sample, "one");
    desk.write("other/photos/big.bin", DIARY);
    let get = get(&desk, &sample, "other", &[]);
    assert!(get.stderr.contains("big.bin.old"), "{get}");
    assert_eq!(read(&desk, "other/photos/big.bin.old"), DIARY);
    assert!(read(&desk, "other/photos/big.bin") == noise(80, LARGE));
}

#[test]
fn a_choice_that_was_fetched_makes_no_file_elsewhere_its_own() {
    let desk = Desk::new();
    let sample = photos(&desk);
    get(&desk, &sample, "one", &["--select", "notes.txt"]);
    desk.write("other/photos/notes.txt", DIARY);
    get(&desk, &sample, "other", &[]);
    assert_eq!(read(&desk, "other/photos/notes.txt.old"), DIARY);
    assert!(read(&desk, "other/photos/notes.txt") == noise(81, 3_000));
}

#[test]
fn a_file_that_is_left_out_stays_as_it_is_though_its_like_was_begun_elsewhere() {
    let desk = Desk::new();
    let sample = photos(&desk);
    interrupted(&desk, &sample, "one");
    desk.write("other/photos/big.bin", DIARY);
    get(&desk, &sample, "other", &["--select", "notes.txt"]);
    assert_eq!(read(&desk, "other/photos/big.bin"), DIARY);
    assert!(!desk.path("other/photos/big.bin.old").exists());
}

#[test]
fn what_the_user_puts_in_the_place_of_a_file_between_two_runs_is_kept() {
    for begin in [interrupted, |desk: &Desk, sample: &Sample, out: &str| {
        get(desk, sample, out, &["--select", "notes.txt"]);
    }] {
        let desk = Desk::new();
        let sample = photos(&desk);
        begin(&desk, &sample, "out");
        desk.write("out/photos/notes.txt", DIARY);
        get(&desk, &sample, "out", &[]);
        assert_eq!(read(&desk, "out/photos/notes.txt.old"), DIARY);
        assert!(read(&desk, "out/photos/notes.txt") == noise(81, 3_000));
        assert!(read(&desk, "out/photos/big.bin") == noise(80, LARGE));
    }
}

#[test]
fn what_is_added_to_a_file_while_it_comes_is_kept_in_a_copy() {
    let desk = Desk::new();
    let sample = photos(&desk);
    let gate = Gate::default();
    let slow = FakePeer::seeding_until(&sample, SERVED, &gate);
    let mut running = desk.start(&[
        "get",
        "photos.torrent",
        "-o",
        "out",
        "--peer",
        &slow.address(),
    ]);
    running.wait_until("that half is there", |event| {
        event["pieces_done"].as_u64() == Some(SERVED as u64)
    });
    let longer = [noise(80, LARGE), DIARY.to_vec()].concat();
    let theirs = fs::File::options()
        .write(true)
        .open(desk.path("out/photos/big.bin"));
    std::os::unix::fs::FileExt::write_all_at(&theirs.unwrap(), DIARY, LARGE as u64).unwrap();
    gate.open();
    let get = running.end();
    get.assert_done();
    assert!(
        get.event("copied")["to"]
            .as_str()
            .unwrap()
            .ends_with("big.bin.old"),
        "{get}"
    );
    assert!(get.stderr.contains("is a copy"), "{get}");
    assert!(read(&desk, "out/photos/big.bin.old") == longer);
    assert!(read(&desk, "out/photos/big.bin") == noise(80, LARGE));
}
