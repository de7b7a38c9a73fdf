//! A file that is read while it is fetched.

use std::io::{Read, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::time::timeout;
use trackless::{GetOptions, Node, Selection, Torrent};
use wire::FileSet;

use crate::support::{Desk, FakePeer, FileSystem, Gate, PATIENCE, Running, Sample, noise};

const FILM: usize = 3_000_000;

/// A film of a few megabytes beside a smaller file, in pieces of 16 KiB.
fn films(desk: &Desk) -> Sample {
    desk.write("share/films/film", noise(70, FILM));
    desk.write("share/films/subtitles", noise(71, 40_000));
    desk.torrent("share/films")
}

/// What the program writes and says as people see it.
fn run(desk: &Desk, arguments: &[&str]) -> Output {
    human(desk, arguments).output().unwrap()
}

fn human(desk: &Desk, arguments: &[&str]) -> Command {
    let mut command = desk.trackless(arguments);
    command.env_remove("TRACKLESS_JSON").stdin(Stdio::null());
    command
}

/// `get -o -` of the film from a seed, with more arguments; nobody reads what comes yet.
fn stream(desk: &Desk, sample: &Sample, seed: &mut Running, more: &[&str]) -> Child {
    let (hash, peer) = (sample.info_hash(), seed.address());
    let get = ["get", &hash, "--peer", &peer, "-o", "-", "--select", "film"];
    human(desk, &[&get[..], more].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Where the film of a stream lies, once all of it is there.
fn streamed_film(desk: &Desk) -> PathBuf {
    let film = noise(70, FILM);
    let begun = Instant::now();
    loop {
        let mut files = std::fs::read_dir(desk.path("")).unwrap().flatten();
        let place = files.find(|file| file.file_name().to_string_lossy().starts_with("trackless-"));
        if let Some(path) = place.map(|place| place.path().join("content/films/film"))
            && std::fs::read(&path).is_ok_and(|content| content == film)
        {
            return path;
        }
        assert!(begun.elapsed() < PATIENCE, "the film does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Nothing of a stream is left.
fn assert_clean(desk: &Desk) {
    let entries = std::fs::read_dir(desk.path("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = names
        .filter(|name| name.starts_with("trackless-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_file_comes_to_standard_output_in_order_and_nothing_else_does() {
    let desk = Desk::new();
    let sample = films(&desk);
    let mut seed = desk.start(&["seed", "films.torrent", "--data", "share"]);
    let (hash, peer) = (sample.info_hash(), seed.address());
    let get = ["get", &hash, "--peer", &peer, "-o", "-", "--select", "film"];
    let streamed = run(&desk, &get);
    let said = String::from_utf8_lossy(&streamed.stderr);
    assert_eq!(streamed.status.code(), Some(0), "{said}");
    assert!(streamed.stdout == noise(70, FILM), "{said}");
    assert!(said.contains("written and verified"), "{said}");
    assert_clean(&desk);

    // Of several it has to be said which, and programs want the output for themselves.
    let several = run(&desk, &["get", &hash, "--peer", &peer, "-o", "-"]);
    assert_eq!(several.status.code(), Some(2));
    assert!(several.stdout.is_empty());
    desk.run(&get).assert_code(2);
    assert_clean(&desk);
}

#[test]
fn whoever_has_seen_enough_of_a_stream_ends_it_without_a_word() {
    let desk = Desk::new();
    let sample = films(&desk);
    let mut seed = desk.start(&["seed", "films.torrent", "--data", "share"]);
    let mut stream = stream(&desk, &sample, &mut seed, &["-q"]);
    let mut beginning = vec![0; 100_000];
    let mut output = stream.stdout.take().unwrap();
    output.read_exact(&mut beginning).unwrap();
    assert!(beginning == noise(70, FILM)[..100_000]);
    drop(output);
    let ended = stream.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(0));
    assert_clean(&desk);
}

#[cfg(target_os = "linux")]
#[test]
fn a_stream_that_cannot_be_written_ends_with_a_word() {
    let desk = Desk::new();
    let sample = films(&desk);
    let mut seed = desk.start(&["seed", "films.torrent", "--data", "share"]);
    let (hash, peer) = (sample.info_hash(), seed.address());
    let get = ["get", &hash, "--peer", &peer, "-o", "-", "--select", "film"];
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut get = human(&desk, &get);
    let ended = get.stdout(full.unwrap()).stderr(Stdio::piped()).output();
    let ended = ended.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(6), "{said}");
    assert!(said.contains("cannot write to standard output"), "{said}");
    assert_clean(&desk);
}

#[test]
fn a_stream_ends_with_a_word_if_its_file_is_taken_away() {
    let desk = Desk::new();
    let sample = films(&desk);
    let mut seed = desk.start(&["seed", "films.torrent", "--data", "share"]);
    let mut stream = stream(&desk, &sample, &mut seed, &[]);
    let film = streamed_film(&desk);
    let film = std::fs::File::options().write(true).open(film).unwrap();
    film.set_len(0).unwrap();
    let mut output = stream.stdout.take().unwrap();
    std::io::copy(&mut output, &mut std::io::sink()).unwrap();
    let ended = stream.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(6), "{said}");
    assert!(said.contains("films/film"), "{said}");
    assert_clean(&desk);
}

#[test]
fn a_stream_whose_file_is_written_over_ends_before_the_first_wrong_byte_and_says_why() {
    let desk = Desk::new();
    let sample = films(&desk);
    let mut seed = desk.start(&["seed", "films.torrent", "--data", "share"]);
    let mut stream = stream(&desk, &sample, &mut seed, &[]);
    let path = streamed_film(&desk);
    let spoilt = std::fs::File::options().write(true).open(path).unwrap();
    // A change within a step of the clock need not show.
    std::thread::sleep(Duration::from_millis(20));
    spoilt.write_all_at(b"EVIL", 2_000_000).unwrap();
    let mut output = Vec::new();
    stream
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut output)
        .unwrap();
    let ended = stream.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(6), "{said}");
    assert!(said.contains("film was changed"), "{said}");
    assert!(
        noise(70, FILM)[..2_000_000].starts_with(&output),
        "{} bytes",
        output.len()
    );
    assert_clean(&desk);
}

#[test]
fn what_a_stream_leaves_that_was_killed_the_next_one_removes() {
    let desk = Desk::new();
    let sample = films(&desk);
    let mut seed = desk.start(&["seed", "films.torrent", "--data", "share"]);
    let mut killed = stream(&desk, &sample, &mut seed, &[]);
    let film = streamed_film(&desk);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(film.exists());

    // What needs no place looks for none.
    let (hash, peer) = (sample.info_hash(), seed.address());
    let get = ["get", &hash, "--peer", &peer, "-o", "-"];
    let refused = run(&desk, &[&get[..], &["--play"]].concat());
    assert_eq!(refused.status.code(), Some(2));
    let listed = run(&desk, &[&get[..], &["--list"]].concat());
    assert_eq!(listed.status.code(), Some(0));
    assert!(film.exists());

    // Users have directories with such names, too.
    let notes = desk.path("trackless-stream-notes");
    desk.write("trackless-stream-notes/thesis", "all of it");
    let mut next = stream(&desk, &sample, &mut seed, &[]);
    let mut output = Vec::new();
    let mut standard_output = next.stdout.take().unwrap();
    standard_output.read_to_end(&mut output).unwrap();
    assert!(output == noise(70, FILM));
    assert!(next.wait().unwrap().success());
    assert!(notes.join("thesis").exists());
    std::fs::remove_dir_all(notes).unwrap();
    assert_clean(&desk);
}

#[test]
fn a_stream_that_has_no_room_says_so_before_it_begins() {
    let desk = Desk::new();
    let sample = films(&desk);
    let mut seed = desk.start(&["seed", "films.torrent", "--data", "share"]);
    let (hash, peer) = (sample.info_hash(), seed.address());
    let get = ["get", &hash, "--peer", &peer, "-o", "-", "--select", "film"];
    let below = |place: &Path| {
        let streamed = human(&desk, &get).env("TMPDIR", place).output().unwrap();
        assert_eq!(streamed.status.code(), Some(6));
        assert!(streamed.stdout.is_empty());
        let said = String::from_utf8_lossy(&streamed.stderr).into_owned();
        assert!(
            said.contains("TMPDIR") && !said.contains("resumes"),
            "{said}"
        );
        said
    };
    let said = below(&desk.path("nowhere"));
    assert_eq!(said.matches("nowhere").count(), 1, "{said}");
    if let Some(small) = FileSystem::mount("size=1m") {
        let said = below(small.path());
        assert!(said.contains("2.9 MiB are needed"), "{said}");
        assert_eq!(std::fs::read_dir(small.path()).unwrap().count(), 0);
    }
}

/// The peer serves the pieces that are wanted first, and no more before the test has seen them.
#[test]
fn a_player_can_begin_long_before_the_film_is_there() {
    let desk = Desk::new();
    desk.write("share/film", noise(72, 16 << 20));
    let sample = desk.torrent("share/film");
    let gate = Gate::default();
    let peer = FakePeer::seeding_until(&sample, 200, &gate);
    let hash = sample.info_hash();
    let mut get = desk.start(&[
        "get",
        &hash,
        "--peer",
        &peer.address(),
        "-o",
        "out",
        "--play",
    ]);
    let playable = get.wait_for("playable");
    assert_eq!(playable["path"], "out/film");
    let metadata = get.wait_for("metadata");
    let seconds = |event: &serde_json::Value| event["seconds"].as_f64().unwrap();
    assert!(seconds(&playable) - seconds(&metadata) < 5.0);
    let bytes = std::fs::read(desk.path("out/film")).unwrap();
    let whole = noise(72, 16 << 20);
    assert!(bytes[..1 << 20] == whole[..1 << 20]);
    let tail = (16 << 20) - (256 << 10);
    assert!(bytes[tail..] == whole[tail..]);
    gate.open();
    get.end().assert_done();
}

#[test]
fn a_film_that_is_there_already_can_be_played_at_once() {
    let desk = Desk::new();
    let sample = films(&desk);
    let peer = FakePeer::honest(&sample);
    let get = ["get", "films.torrent", "--peer", &peer.address(), "--play"];
    for out in ["share", "out"] {
        // The rest is no more than a player wants, or less.
        let select = ["-o", out, "--select", "subtitles"];
        let got = desk.run(&[&get[..], &select].concat());
        got.assert_done();
        let path = format!("{out}/films/subtitles");
        assert_eq!(got.event("playable")["path"], path.as_str(), "{got}");
    }
    let got = desk.run(&[&get[..], &["-o", "share"]].concat());
    got.assert_done();
    assert_eq!(got.event("playable")["path"], "share/films/film", "{got}");
}

async fn node() -> Node {
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    Node::builder().listen(loopback).start().await.unwrap()
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}

async fn fetch(node: &Node, desk: &Desk, sample: &Sample, peer: &FakePeer) -> Torrent {
    let options = GetOptions {
        directory: desk.path("out"),
        peers: vec![peer.socket_address()],
        selection: Selection::Only(FileSet::from_iter([1])),
        ..GetOptions::default()
    };
    node.get(sample.info.hash(), options).await.unwrap()
}

#[tokio::test]
async fn a_reader_goes_wherever_it_likes() {
    let desk = Desk::new();
    let sample = films(&desk);
    let peer = FakePeer::honest(&sample);
    let node = node().await;
    let torrent = fetch(&node, &desk, &sample, &peer).await;
    // That file was not wanted before somebody reads it.
    let mut film = within(torrent.reader(0)).await.unwrap();
    assert_eq!(film.len(), FILM as u64);
    let whole = noise(70, FILM);
    let mut bytes = vec![0; 70_000];
    for to in [
        SeekFrom::End(-70_000),
        SeekFrom::Start(123_456),
        SeekFrom::Current(500_000),
        SeekFrom::Start(0),
    ] {
        let at = film.seek(to).await.unwrap() as usize;
        within(film.read_exact(&mut bytes)).await.unwrap();
        assert!(bytes == whole[at..at + 70_000], "{to:?}");
    }
    let mut rest = Vec::new();
    within(film.read_to_end(&mut rest)).await.unwrap();
    assert!(rest == whole[70_000..]);
    assert!(
        film.seek(SeekFrom::Current(-(FILM as i64) - 1))
            .await
            .is_err()
    );
    film.seek(SeekFrom::End(5)).await.unwrap();
    assert_eq!(film.read(&mut bytes).await.unwrap(), 0);
    assert!(within(torrent.reader(2)).await.is_err());
    within(torrent.stop()).await;
}

/// The peer gives no more than a few pieces: those that are waited for.
#[tokio::test]
async fn what_is_waited_for_is_fetched_first_and_the_end_of_the_torrent_ends_the_waiting() {
    let desk = Desk::new();
    let sample = films(&desk);
    let gate = Gate::default();
    let peer = FakePeer::seeding_until(&sample, 60, &gate);
    let node = node().await;
    let torrent = fetch(&node, &desk, &sample, &peer).await;
    let mut film = within(torrent.reader(0)).await.unwrap();
    let mut bytes = vec![0; 100_000];
    film.seek(SeekFrom::Start(2_000_000)).await.unwrap();
    within(film.read_exact(&mut bytes)).await.unwrap();
    assert!(bytes == noise(70, FILM)[2_000_000..2_100_000]);

    film.seek(SeekFrom::Start(1_000_000)).await.unwrap();
    let waiting = timeout(Duration::from_millis(100), film.read_to_end(&mut bytes)).await;
    assert!(waiting.is_err(), "{waiting:?}");
    within(torrent.stop()).await;
    let error = within(film.read_to_end(&mut bytes)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
    gate.open();
}
