//! Torrents that are marked private (BEP 27) are never looked up or announced in the DHT.

use crate::support::{Desk, FakeDhtNode, Sample, assert_same, noise};

/// The same content as a private torrent, and another one that is not private, to show that the DHT is in use.
fn torrents(desk: &Desk) -> (Sample, Sample) {
    desk.write("share/private", noise(80, 100_000));
    desk.write("share/public", noise(81, 100_000));
    let private = desk.torrent_with("share/private", &["--private"]);
    (private, desk.torrent("share/public"))
}

#[test]
fn a_private_torrent_is_served_without_a_word_in_the_dht() {
    let desk = Desk::new();
    let (private, public) = torrents(&desk);
    let dht = FakeDhtNode::naming(&[]);
    let mut seed = desk.start(&[
        "seed",
        "private.torrent",
        "public.torrent",
        "--data",
        "share",
        "--bootstrap",
        &dht.address(),
    ]);
    dht.wait_for("announce_peer", &public.info_hash());

    for torrent in ["private.torrent", "public.torrent"] {
        let bootstrap = ["--bootstrap", &dht.address()];
        desk.get(torrent, &seed.address(), &bootstrap).assert_done();
    }
    assert_same(&desk.path("share"), &desk.path("out"));
    assert_eq!(dht.asked_about(&private.info_hash()), []);
}

#[test]
fn without_a_peer_a_private_torrent_says_what_it_needs() {
    let desk = Desk::new();
    let (private, _) = torrents(&desk);
    let dht = FakeDhtNode::naming(&[]);
    desk.run(&[
        "get",
        "private.torrent",
        "-o",
        "out",
        "--bootstrap",
        &dht.address(),
    ])
    .assert_refused(3, &["private", "never looked up", "--peer"]);
    assert_eq!(dht.asked_about(&private.info_hash()), []);
}

/// From an info-hash alone nobody can know, so it is looked up; but nobody is told before the metadata say that they may be.
#[test]
fn a_torrent_that_turns_out_to_be_private_is_not_announced() {
    let desk = Desk::new();
    let (private, public) = torrents(&desk);
    let torrents = ["private.torrent", "public.torrent"];
    let mut seed = desk.start(&["seed", torrents[0], torrents[1], "--data", "share"]);
    let peer = seed.address();
    let dht = FakeDhtNode::naming(&[]);
    let mut fetching = Vec::new();
    for sample in [&private, &public] {
        let mut get = desk.start(&[
            "get",
            &sample.info_hash(),
            "-o",
            "out",
            "--bootstrap",
            &dht.address(),
            "--peer",
            &peer,
            "--keep-seeding",
        ]);
        get.wait_for("done");
        fetching.push(get);
    }
    dht.wait_for("announce_peer", &public.info_hash());
    let asked = dht.asked_about(&private.info_hash());
    assert!(
        asked.iter().all(|query| query.method != "announce_peer"),
        "{asked:?}"
    );
}
