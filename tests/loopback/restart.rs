//! What a node keeps between two runs.

use std::fs;

use crate::support::{Desk, Running, UNKNOWN, assert_same, noise};

#[test]
fn a_node_is_the_same_one_when_it_comes_back() {
    let desk = Desk::new();
    let run = || {
        let mut node = desk.start(&["node", "--state-dir", "state"]);
        let id = node.wait_for("listening")["node_id"].clone();
        node.signal("TERM");
        node.end().assert_code(0);
        id
    };
    assert_eq!(run(), run());
}

#[test]
fn two_that_share_a_state_directory_are_two_nodes() {
    let desk = Desk::new();
    let start = || {
        let mut node = desk.start(&["node", "--state-dir", "state"]);
        let id = node.wait_for("listening")["node_id"].clone();
        (node, id)
    };
    let ((_one, one), (_other, other)) = (start(), start());
    assert_ne!(one, other);
}

#[test]
fn nodes_known_from_the_last_run_are_the_way_into_the_network() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(100, 100_000));
    let mut first = desk.start(&["node"]);
    let address = first.address();
    let mut seed = desk.start(&["seed", "share/film.mkv", "--bootstrap", &address]);
    let info_hash = seed.seeding();
    seed.wait_for("announced");

    let mut earlier = desk.start(&["node", "--bootstrap", &address, "--state-dir", "state"]);
    earlier.wait_for("bootstrapped");
    earlier.signal("TERM");
    earlier.end().assert_code(0);

    let get = desk.run(&["get", &info_hash, "--state-dir", "state", "-o", "out"]);
    get.assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
}

#[test]
fn a_damaged_state_is_set_aside_and_said() {
    let desk = Desk::new();
    desk.write("state/node.benc", "d2:id3:abc");
    let mut node = desk.start(&["node", "--state-dir", "state"]);
    node.wait_for("listening");
    node.signal("TERM");
    let node = node.end();
    node.assert_code(0);
    assert!(node.stderr.contains("node.benc"), "{node}");
    assert_eq!(
        fs::read(desk.path("state/node.benc.damaged")).unwrap(),
        b"d2:id3:abc"
    );
}

#[test]
fn a_state_directory_that_cannot_be_one_is_named() {
    let desk = Desk::new();
    desk.write("state", "a file");
    desk.run(&["node", "--state-dir", "state"])
        .assert_refused(6, &["state", "--state-dir"]);
}

#[test]
fn a_state_of_a_newer_version_is_set_aside_and_said() {
    let desk = Desk::new();
    let newer = b"d4:mind5:blown7:versioni99ee";
    desk.write("state/node.benc", newer);
    let mut node = desk.start(&["node", "--state-dir", "state"]);
    node.wait_for("listening");
    node.signal("TERM");
    let node = node.end();
    node.assert_code(0);
    for words in ["node.benc.newer", "version 99", "newer trackless"] {
        assert!(node.stderr.contains(words), "{words:?}: {node}");
    }
    assert_eq!(fs::read(desk.path("state/node.benc.newer")).unwrap(), newer);
    assert!(desk.path("state/node.benc").exists());
}

#[test]
fn what_others_stored_survives_a_restart_if_it_is_to_be_kept() {
    let desk = Desk::new();
    let keep = ["node", "--keep-stored", "--state-dir", "state"];
    let end = |node: Running| {
        node.signal("TERM");
        node.end().assert_code(0);
    };
    let mut node = desk.start(&keep);
    let address = node.address();
    let bootstrap = ["--bootstrap", &address];
    let announce = ["announce", UNKNOWN, "--port", "4711", "--once"];
    desk.run(&[&announce[..], &bootstrap].concat())
        .assert_code(0);
    let put = desk.run(&[&["item", "put", "It rains."], &bootstrap[..]].concat());
    put.assert_code(0);
    let target = put.event("item_stored")["target"]
        .as_str()
        .unwrap()
        .to_owned();
    end(node);

    let mut node = desk.start(&keep);
    let address = node.address();
    let bootstrap = ["--bootstrap", &address];
    node.wait_until("its peers", |event| event["peers_stored"] == 1);
    let lookup = desk.run(&[&["lookup", UNKNOWN], &bootstrap[..]].concat());
    lookup.assert_code(0);
    assert_eq!(lookup.event("peers")["peers"][0], "127.0.0.1:4711");
    let get = desk.run(&[&["item", "get", &target], &bootstrap[..]].concat());
    get.assert_code(0);
    assert_eq!(get.event("item")["text"], "It rains.");
    end(node);

    // Without the flag it stays where it is.
    let mut node = desk.start(&["node", "--state-dir", "state"]);
    let address = node.address();
    desk.run(&["lookup", UNKNOWN, "--bootstrap", &address])
        .assert_refused(3, &["nobody has announced"]);
    end(node);
    assert!(desk.path("state/stored.benc").exists());
}

#[test]
fn a_damaged_store_is_set_aside_and_said() {
    let desk = Desk::new();
    desk.write("state/stored.benc", "d5:itemsle");
    let mut node = desk.start(&["node", "--keep-stored", "--state-dir", "state"]);
    // It listens before it has read that.
    node.wait_for_line("stored.benc.damaged");
    node.signal("TERM");
    node.end().assert_code(0);
    assert!(desk.path("state/stored.benc.damaged").exists());
}
