//! Some files of a torrent, and not the others.

use std::fs;
use std::path::Path;

use tokio::time::timeout;
use trackless::{Error, Event, GetOptions, Node, Selection, Torrent};
use wire::FileSet;

use crate::support::{Desk, Ended, FakePeer, Gate, PATIENCE, Running, Sample, noise};

/// Files whose borders lie within pieces: none begins where a piece does.
const FILES: [(&str, u64, usize); 5] = [
    ("album/a/one", 61, 100_001),
    ("album/a/two", 62, 70_000),
    ("album/b/three", 63, 5),
    ("album/b/two", 64, 150_000),
    ("album/notes", 65, 3_000),
];

/// The torrent, and who has it.
fn album(desk: &Desk) -> (Sample, Running, String) {
    for (path, seed, length) in FILES {
        desk.write(format!("share/{path}"), noise(seed, length));
    }
    let sample = desk.torrent("share/album");
    let mut seed = desk.start(&["seed", "album.torrent", "--data", "share"]);
    let address = seed.address();
    (sample, seed, address)
}

/// Of the album only these files are below the directory, whole; the part file does not count.
fn assert_only(directory: &Path, numbers: &[usize]) {
    for (number, (path, seed, length)) in (1..).zip(FILES) {
        let found = fs::read(directory.join(path)).ok();
        let wanted = numbers.contains(&number).then(|| noise(seed, length));
        assert!(
            found == wanted,
            "{path}: {:?} bytes",
            found.map(|bytes| bytes.len())
        );
    }
}

fn part_file(desk: &Desk, sample: &Sample, out: &str) -> std::path::PathBuf {
    desk.path(format!("{out}/album/.{}.parts", sample.info_hash()))
}

/// Fetches more of what is here already.
fn get(desk: &Desk, sample: &Sample, peer: &str, more: &[&str]) -> Ended {
    let more = [&["--state-dir", "state"][..], more].concat();
    let get = desk.get(&sample.info_hash(), peer, &more);
    get.assert_done();
    get
}

#[test]
fn only_the_files_that_were_chosen_are_fetched_and_the_others_later() {
    let desk = Desk::new();
    let (sample, _seed, peer) = album(&desk);
    let get = |more: &[&str]| get(&desk, &sample, &peer, more);

    let first = get(&["--select", "2,4"]);
    assert_only(&desk.path("out"), &[2, 4]);
    let done = first.event("done");
    assert_eq!(done["bytes"], 220_000);
    assert_eq!(done["files"][0], "out/album/a/two");
    assert_eq!(done["files"][1], "out/album/b/two");
    assert!(part_file(&desk, &sample, "out").exists());

    let again = get(&["--select", "a/two,b/two"]);
    assert_eq!(again.downloaded(), 0, "{again}");
    assert_only(&desk.path("out"), &[2, 4]);

    get(&["--select", "notes,2-4"]);
    assert_only(&desk.path("out"), &[2, 3, 4, 5]);

    let rest = get(&[]);
    assert!(rest.event("done").get("files").is_none());
    assert_only(&desk.path("out"), &[1, 2, 3, 4, 5]);
    assert!(!part_file(&desk, &sample, "out").exists());
    // Not even the pieces at the borders came twice.
    assert!(rest.downloaded() <= 100_001 + 16_384, "{rest}");
}

#[test]
fn a_file_of_the_users_stays_until_its_place_is_chosen_and_then_gets_another_name() {
    let desk = Desk::new();
    let (sample, _seed, peer) = album(&desk);
    desk.write("out/album/a/two", b"my own diary");
    let get = |more: &[&str]| get(&desk, &sample, &peer, more);
    get(&["--select", "1"]);
    let diary = || fs::read(desk.path("out/album/a/two")).unwrap();
    assert_eq!(diary(), b"my own diary");
    get(&["--select", "3"]);
    assert_eq!(diary(), b"my own diary");

    let second = get(&["--select", "2"]);
    let aside = second.event("set_aside");
    assert!(
        aside["to"].as_str().unwrap().ends_with("two.old"),
        "{aside}"
    );
    assert_eq!(
        fs::read(desk.path("out/album/a/two.old")).unwrap(),
        b"my own diary"
    );
    assert_only(&desk.path("out"), &[1, 2, 3]);
}

#[test]
fn a_link_can_choose_files() {
    let desk = Desk::new();
    let (sample, _seed, peer) = album(&desk);
    let link = format!(
        "magnet:?xt=urn:btih:{}&x.pe={peer}&so=1,3-4",
        sample.info_hash()
    );
    desk.run(&["get", &link, "-o", "out"]).assert_done();
    assert_only(&desk.path("out"), &[2, 4, 5]);
    // What the user says goes before what the link says.
    desk.run(&["get", &link, "-o", "other", "--select", "1"])
        .assert_done();
    assert_only(&desk.path("other"), &[1]);
    let shown = desk.run(&["show", &link]);
    assert_eq!(shown.event("torrent")["select"], "1,3-4");
}

#[test]
fn a_torrent_is_listed_and_nothing_is_fetched() {
    let desk = Desk::new();
    let (sample, _seed, peer) = album(&desk);
    let hash = sample.info_hash();
    for torrent in [hash.as_str(), "album.torrent"] {
        let list = desk.get(torrent, &peer, &["--list"]);
        list.assert_code(0);
        let files = list.event("files");
        assert_eq!(files["length"], 323_006);
        let third = &files["files"][2];
        assert_eq!(third["number"], 3);
        assert_eq!(third["path"], "album/b/three");
        assert_eq!(third["length"], 5);
        assert!(!desk.path("out").exists());
    }
}

#[test]
fn a_choice_that_means_nothing_is_wrong_use_and_leaves_nothing_behind() {
    let desk = Desk::new();
    let (sample, _seed, peer) = album(&desk);
    for (choice, words) in [("6", "no file 6"), ("*.mp3", "*.mp3"), ("ask", "terminal")] {
        let hash = sample.info_hash();
        let get = desk.get(&hash, &peer, &["--select", choice]);
        get.assert_code(2);
        let message = get.event("error")["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{message}");
        assert!(!desk.path("out").exists());
    }
    let link = format!(
        "magnet:?xt=urn:btih:{}&x.pe={peer}&so=7",
        sample.info_hash()
    );
    desk.run(&["get", &link, "-o", "out"]).assert_code(2);
}

#[test]
fn who_has_some_files_serves_them_and_says_that_he_fetches_no_more() {
    let desk = Desk::new();
    let (sample, seed, peer) = album(&desk);
    let hash = sample.info_hash();
    let get = [
        "get",
        &hash,
        "--peer",
        &peer,
        "--keep-seeding",
        "-o",
        "some",
        "--select",
        "1-3",
    ];
    let mut some = desk.start(&get);
    some.wait_for("done");
    let address = some.address();
    drop(seed);
    let choose = ["--select", "a/two,three"];
    let get = ["get", &hash, "--peer", &address, "-o", "other"];
    desk.run(&[&get[..], &choose].concat()).assert_done();
    assert_only(&desk.path("other"), &[2, 3]);
}

#[test]
fn nothing_of_the_other_files_is_asked_for() {
    let desk = Desk::new();
    let (sample, _seed, _) = album(&desk);
    let needed = 100_001_u32 / 16_384..=170_001 / 16_384;
    let content = sample.clone();
    let peer = FakePeer::seeding(&sample, move |conversation, block| {
        assert!(needed.contains(&block.piece), "{block:?}");
        conversation.serve(&content, block)
    });
    let hash = sample.info_hash();
    desk.get(&hash, &peer.address(), &["--select", "2"])
        .assert_done();
    assert_only(&desk.path("out"), &[2]);
}

/// Waits until everything that is wanted is there.
async fn done(torrent: &mut Torrent) -> u64 {
    let done = async {
        while let Some(event) = torrent.next().await {
            if let Event::Done { bytes, .. } = event {
                return bytes;
            }
        }
        panic!("the torrent has ended");
    };
    timeout(PATIENCE, done).await.expect("it takes too long")
}

/// What was begun when it was wanted no more is gone on with when it is wanted again.
#[tokio::test]
async fn a_running_torrent_can_be_told_to_fetch_something_else() {
    let desk = Desk::new();
    for (path, seed, length) in FILES {
        desk.write(format!("share/{path}"), noise(seed, length));
    }
    // Pieces of several blocks, so that some are begun and not whole.
    let create = [
        "create",
        "share/album",
        "-o",
        "album.torrent",
        "--piece-length",
        "64K",
    ];
    desk.run(&create).assert_code(0);
    let sample = Sample::read(&desk.path("album.torrent"), &desk.path("share/album"));
    let gate = Gate::default();
    let peer = FakePeer::seeding_until(&sample, 3, &gate);
    let loopback = "127.0.0.1:0".parse().unwrap();
    let node = Node::builder().listen(loopback).start().await.unwrap();
    let options = GetOptions {
        directory: desk.path("out"),
        peers: vec![peer.socket_address()],
        ..GetOptions::default()
    };
    let mut torrent = node.get(sample.info.hash(), options).await.unwrap();
    let begun = async {
        while torrent.progress().downloaded < 3 * 16_384 {
            torrent.next().await.expect("the torrent goes on");
        }
    };
    timeout(PATIENCE, begun).await.expect("three blocks come");

    torrent.select(FileSet::from_iter([4])).await.unwrap();
    gate.open();
    assert_eq!(done(&mut torrent).await, 3_000);
    let nothing = torrent.select(FileSet::from_iter([5])).await;
    assert!(
        matches!(nothing, Err(Error::NothingWanted { files: 5, .. })),
        "{nothing:?}"
    );
    torrent.select(FileSet::from_iter([1, 4])).await.unwrap();
    assert_eq!(done(&mut torrent).await, 73_000);
    torrent.select(FileSet::all()).await.unwrap();
    assert_eq!(done(&mut torrent).await, 323_006);
    assert_only(&desk.path("out"), &[1, 2, 3, 4, 5]);
    assert!(!part_file(&desk, &sample, "out").exists());
    assert_eq!(torrent.progress().missing, 0);
    torrent.stop().await;
}

#[tokio::test]
async fn a_file_of_the_users_that_is_chosen_while_others_are_fetched_gets_another_name() {
    let desk = Desk::new();
    let (sample, _seed, peer) = album(&desk);
    desk.write("out/album/a/two", b"my own diary");
    let loopback = "127.0.0.1:0".parse().unwrap();
    let node = Node::builder().listen(loopback).start().await.unwrap();
    let options = GetOptions {
        directory: desk.path("out"),
        peers: vec![peer.parse().unwrap()],
        selection: Selection::Only(FileSet::from_iter([0])),
        ..GetOptions::default()
    };
    let mut torrent = node.get(sample.info.hash(), options).await.unwrap();
    assert_eq!(done(&mut torrent).await, 100_001);
    torrent.select(FileSet::from_iter([1])).await.unwrap();
    let old = desk.path("out/album/a/two.old");
    let told = async {
        loop {
            match torrent.next().await.expect("the torrent goes on") {
                Event::SetAside { to, .. } => return to,
                Event::Done { .. } => panic!("nobody was told"),
                _ => {}
            }
        }
    };
    assert_eq!(timeout(PATIENCE, told).await.expect("he is told"), old);
    assert_eq!(done(&mut torrent).await, 70_000);
    assert_eq!(fs::read(old).unwrap(), b"my own diary");
    assert_only(&desk.path("out"), &[1, 2]);
    torrent.stop().await;
}
