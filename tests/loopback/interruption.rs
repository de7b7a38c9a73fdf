//! Ctrl-C, kill -9, and a second process in the same place: what was verified is kept, and the same command goes on.

use std::fs;

use crate::support::{Desk, Ended, FakePeer, Gate, Running, Sample, assert_same, noise};

/// Blocks that a seed gives before it stops, half of the film.
const SERVED: usize = 60;
const BLOCK: usize = 16_384;
const LENGTH: usize = 2 * SERVED * BLOCK;

fn film(desk: &Desk) -> Sample {
    desk.write("share/film.mkv", noise(70, LENGTH));
    desk.torrent("share/film.mkv")
}

/// Begins a download that stops half way, at a seed that gives no more before `gate` is open.
fn half_way(desk: &Desk, sample: &Sample, gate: &Gate, what: &str) -> (Running, FakePeer) {
    let slow = FakePeer::seeding_until(sample, SERVED, gate);
    let mut get = desk.start(&[
        "get",
        what,
        "-o",
        "out",
        "--peer",
        &slow.address(),
        "--state-dir",
        "state",
    ]);
    get.wait_until("that half is there", |event| {
        event["pieces_done"].as_u64() == Some(SERVED as u64)
    });
    (get, slow)
}

/// Goes on where the first one ended, and fetches no more than was missing.
fn resume(desk: &Desk, sample: &Sample, what: &str) -> Ended {
    let seed = FakePeer::honest(sample);
    let get = desk.get(what, &seed.address(), &["--state-dir", "state"]);
    get.assert_done();
    assert_eq!(get.downloaded(), (LENGTH - SERVED * BLOCK) as u64, "{get}");
    assert_same(&desk.path("share"), &desk.path("out"));
    get
}

#[test]
fn ctrl_c_keeps_what_was_fetched() {
    let desk = Desk::new();
    let sample = film(&desk);
    let (get, _slow) = half_way(&desk, &sample, &Gate::default(), "film.mkv.torrent");
    get.signal("INT");
    get.end()
        .assert_refused(130, &["interrupted", "kept", "resumes"]);
    resume(&desk, &sample, "film.mkv.torrent");
}

#[test]
fn kill_9_keeps_what_was_fetched() {
    let desk = Desk::new();
    let sample = film(&desk);
    let (get, _slow) = half_way(&desk, &sample, &Gate::default(), "film.mkv.torrent");
    get.signal("KILL");
    assert_eq!(get.end().code, None);
    resume(&desk, &sample, "film.mkv.torrent");
}

/// The metadata are kept with the rest: the phase that people complain of most is not gone through twice.
#[test]
fn a_download_by_info_hash_resumes_without_asking_for_the_metadata_again() {
    let desk = Desk::new();
    let sample = film(&desk);
    let info_hash = sample.info_hash();
    let (get, _slow) = half_way(&desk, &sample, &Gate::default(), &info_hash);
    get.signal("KILL");
    get.end();
    let get = resume(&desk, &sample, &info_hash);
    assert!(
        !get.events.iter().any(|event| event["phase"] == "metadata"),
        "{get}"
    );
    assert!(fs::read_dir(desk.path("state")).unwrap().all(|entry| {
        let path = entry.unwrap().path();
        path.extension().is_none_or(|extension| extension != "info")
    }));
}

#[test]
fn ctrl_c_before_there_is_anybody() {
    let desk = Desk::new();
    let sample = film(&desk);
    let mut node = desk.start(&["node"]);
    let mut get = desk.start(&[
        "get",
        &sample.info_hash(),
        "--bootstrap",
        &node.address(),
        "-o",
        "out",
    ]);
    get.wait_until("the lookup", |event| event["phase"] == "lookup");
    get.signal("INT");
    get.end().assert_refused(130, &["interrupted"]);
    node.signal("TERM");
    node.end().assert_code(0);
}

#[test]
fn a_download_that_stands_still_ends_unfinished_and_resumes() {
    let desk = Desk::new();
    let sample = film(&desk);
    let slow = FakePeer::seeding_until(&sample, SERVED, &Gate::default());
    let patience = ["--timeout", "1", "--state-dir", "state"];
    let get = desk.get("film.mkv.torrent", &slow.address(), &patience);
    let done = (SERVED * BLOCK).to_string();
    get.assert_refused(7, &["film.mkv", &done, "resumes"]);
    resume(&desk, &sample, "film.mkv.torrent");
}

#[test]
fn a_second_get_into_the_same_directory_leaves_the_first_one_alone() {
    let desk = Desk::new();
    let sample = film(&desk);
    let gate = Gate::default();
    let (first, slow) = half_way(&desk, &sample, &gate, "film.mkv.torrent");

    let second = desk.get(&sample.info_hash(), &slow.address(), &[]);
    second.assert_refused(6, &["film.mkv", "another process"]);

    gate.open();
    first.end().assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
}

#[test]
fn ctrl_c_of_several_seeds_is_told_once() {
    let desk = Desk::new();
    desk.write("one", noise(73, BLOCK));
    desk.write("two", noise(74, BLOCK));
    let mut seed = desk.start(&["seed", "one", "two"]);
    seed.wait_until("that both are there", |event| {
        event["event"] == "seeding" && event["name"] == "two"
    });
    seed.signal("INT");
    let ended = seed.end();
    ended.assert_refused(130, &["interrupted"]);
    assert_eq!(ended.stderr.matches("interrupted").count(), 1, "{ended}");
}
