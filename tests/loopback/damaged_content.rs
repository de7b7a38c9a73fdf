//! What lies in the place of a download already: what is right is kept, the rest fetched, nothing lost.

use std::fs;

use crate::support::{Desk, Ended, FakePeer, assert_same, noise};

const LENGTH: usize = 500_000;
const PIECE: u64 = 16_384;

/// Fetches a film over what is there already.
fn get_over(desk: &Desk, there: &[u8]) -> Ended {
    desk.write("share/film.mkv", noise(60, LENGTH));
    let seed = FakePeer::honest(&desk.torrent_with("share/film.mkv", &["--force"]));
    desk.write("out/film.mkv", there);
    let get = desk.get("film.mkv.torrent", &seed.address(), &[]);
    get.assert_done();
    let film = fs::read(desk.path("out/film.mkv")).unwrap();
    assert!(film == noise(60, LENGTH), "{} bytes", film.len());
    get
}

#[test]
fn a_file_that_is_shorter_is_continued() {
    let desk = Desk::new();
    for length in [LENGTH - 1, LENGTH / 2, 20_000] {
        let downloaded = get_over(&desk, &noise(60, length)).downloaded();
        let missing = (LENGTH - length) as u64;
        assert!(
            (missing..missing + PIECE).contains(&downloaded),
            "{downloaded} for {missing}"
        );
        assert_same(&desk.path("share"), &desk.path("out"));
    }
}

#[test]
fn a_file_that_is_longer_is_cut_and_a_copy_of_it_kept() {
    let desk = Desk::new();
    let longer = [noise(60, LENGTH), noise(61, 10_000)].concat();
    let mut longer_and_wrong = longer.clone();
    longer_and_wrong[0] ^= 1;
    for (there, missing) in [(longer, 0), (longer_and_wrong, PIECE)] {
        let get = get_over(&desk, &there);
        assert_eq!(get.downloaded(), missing);
        let old = desk.path("out/film.mkv.old");
        assert!(get.stderr.contains("out/film.mkv.old"), "{get}");
        assert!(fs::read(&old).unwrap() == there);
        fs::remove_file(&old).unwrap();
        assert_same(&desk.path("share"), &desk.path("out"));
    }
}

#[test]
fn of_a_corrupt_file_only_the_wrong_pieces_are_fetched() {
    let desk = Desk::new();
    let mut corrupt = noise(60, LENGTH);
    for at in [0, 100_000, LENGTH - 1] {
        corrupt[at] ^= 1;
    }
    let downloaded = get_over(&desk, &corrupt).downloaded();
    let last = LENGTH as u64 % PIECE;
    assert_eq!(downloaded, 2 * PIECE + last);
    assert_same(&desk.path("share"), &desk.path("out"));
}

#[test]
fn a_file_of_somebody_elses_is_renamed_and_not_lost() {
    let desk = Desk::new();
    let theirs = noise(62, 30_000);
    let get = get_over(&desk, &theirs);
    assert_eq!(get.downloaded(), LENGTH as u64);
    let aside = get.event("set_aside");
    assert!(
        aside["to"].as_str().unwrap().ends_with("film.mkv.old"),
        "{aside}"
    );
    assert!(get.stderr.contains("film.mkv.old"), "{get}");
    assert_eq!(fs::read(desk.path("out/film.mkv.old")).unwrap(), theirs);
}

#[test]
fn a_seed_of_damaged_content_says_how_to_repair_it() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(60, LENGTH));
    desk.torrent("share/film.mkv");
    desk.write("share/film.mkv", noise(60, LENGTH - 1));
    desk.run(&["seed", "film.mkv.torrent", "--data", "share"])
        .assert_refused(7, &["film.mkv", "30 of 31 pieces", "trackless get"]);
    desk.run(&["verify", "film.mkv.torrent", "share"])
        .assert_refused(7, &["1 of 31 pieces"]);
}

/// It is the user's own doing, and may be undone.
#[test]
fn a_seed_whose_content_is_cut_off_stays_and_serves_it_when_it_is_back() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(60, LENGTH));
    desk.torrent("share/film.mkv");
    let mut seed = desk.start(&["seed", "film.mkv.torrent", "--data", "share"]);
    seed.wait_for("seeding");
    let peer = seed.address();
    let get = |patience| desk.get("film.mkv.torrent", &peer, &["--timeout", patience]);

    let content = fs::OpenOptions::new()
        .write(true)
        .open(desk.path("share/film.mkv"));
    content.unwrap().set_len(LENGTH as u64 / 2).unwrap();
    get("2").assert_refused(7, &["film.mkv", "resumes"]);

    desk.write("share/film.mkv", noise(60, LENGTH));
    // The seed looks now and then whether it is back.
    get("20").assert_done();
    assert!(seed.is_alive());
    assert_same(&desk.path("share"), &desk.path("out"));
}
