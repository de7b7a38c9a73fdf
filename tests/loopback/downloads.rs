//! What the program is for, as a new user tries it.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Desk, FakeDhtNode, Running, UNKNOWN, assert_same, noise};

/// A DHT node that is up.
fn node(desk: &Desk, arguments: &[&str]) -> (Running, String) {
    let mut node = desk.start(&[&["node"], arguments].concat());
    let address = node.address();
    (node, address)
}

/// A directory with all that names and lengths can be.
fn album(desk: &Desk) {
    desk.write("share/Ünïcödé 専辑/01 – début.flac", noise(1, 300_000));
    desk.write(
        "share/Ünïcödé 専辑/booklet/страница 1.png",
        noise(2, 16_384),
    );
    desk.write("share/Ünïcödé 専辑/booklet/one byte", [42]);
    desk.write("share/Ünïcödé 専辑/empty.txt", []);
}

#[test]
fn three_terminals_a_node_a_seed_and_a_get() {
    let desk = Desk::new();
    album(&desk);
    let (_node, first) = node(&desk, &[]);
    let mut seed = desk.start(&["seed", "share/Ünïcödé 専辑", "--bootstrap", &first]);
    let info_hash = seed.seeding();
    seed.wait_for("announced");

    let get = desk.run(&["get", &info_hash, "--bootstrap", &first, "-o", "out"]);
    get.assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
    let done = get.event("done");
    assert_eq!(done["bytes"], 316_385);
    assert!(
        done["path"].as_str().unwrap().ends_with("Ünïcödé 専辑"),
        "{done}"
    );
    assert_eq!(get.event("metadata")["files"], 4);

    // The user waits for these two. They take milliseconds; the bound is one that no busy machine breaks.
    let connected = get
        .events
        .iter()
        .find(|event| event["event"] == "connected");
    let first_peer = connected.unwrap()["seconds"].as_f64().unwrap();
    let metadata = get.event("metadata")["seconds"].as_f64().unwrap();
    assert!(
        first_peer < 5.0 && metadata < 5.0,
        "{first_peer} {metadata}"
    );

    let phases: Vec<&str> = get
        .events
        .iter()
        .filter_map(|event| event["phase"].as_str())
        .collect();
    assert!(
        phases.is_sorted_by_key(|phase| {
            [
                "bootstrap",
                "lookup",
                "connect",
                "metadata",
                "verify",
                "download",
                "seed",
            ]
            .iter()
            .position(|known| known == phase)
            .unwrap()
        }),
        "{phases:?}"
    );
}

#[test]
fn two_nodes_are_a_network() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(3, 1_000_000));
    let mut seed = desk.start(&["seed", "share/film.mkv"]);
    let (info_hash, address) = (seed.seeding(), seed.address());

    let get = desk.run(&["get", &info_hash, "--bootstrap", &address, "-o", "out"]);
    get.assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
}

/// The only node that held the seed's announce is gone when the second one asks.
#[test]
fn two_nodes_are_a_network_again_after_one_of_them_was_another() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(9, 300_000));
    let mut seed = desk.start(&["seed", "share/film.mkv"]);
    let (info_hash, address) = (seed.seeding(), seed.address());
    for out in ["first", "second", "third"] {
        let get = desk.run(&["get", &info_hash, "--bootstrap", &address, "-o", out]);
        get.assert_done();
        assert_same(&desk.path("share"), &desk.path(out));
    }
}

#[test]
fn a_get_that_comes_before_the_seed_finds_it_when_it_comes() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(4, 100_000));
    let sample = desk.torrent("share/film.mkv");
    let (_node, first) = node(&desk, &[]);
    let mut get = desk.start(&[
        "get",
        &sample.info_hash(),
        "--bootstrap",
        &first,
        "-o",
        "out",
    ]);
    get.wait_until("the lookup", |event| event["phase"] == "lookup");

    let _seed = desk.start(&[
        "seed",
        "film.mkv.torrent",
        "--data",
        "share",
        "--bootstrap",
        &first,
    ]);
    get.end().assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
}

#[test]
fn the_magnet_link_of_a_seed_is_enough_without_any_dht() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(5, 200_000));
    let mut seed = desk.start(&["seed", "share/film.mkv"]);
    let seeding = seed.wait_for("seeding");

    let get = desk.run(&["get", seeding["magnet"].as_str().unwrap(), "-o", "out"]);
    get.assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
}

#[test]
fn a_torrent_file_is_fetched_and_verified_and_served_again_by_the_one_who_fetched_it() {
    let desk = Desk::new();
    album(&desk);
    desk.torrent("share/Ünïcödé 専辑");
    let torrent = "Ünïcödé 専辑.torrent";
    let (_node, first) = node(&desk, &[]);
    let mut seed = desk.start(&["seed", torrent, "--data", "share", "--bootstrap", &first]);
    seed.wait_for("announced");

    let mut leecher = desk.start(&[
        "get",
        torrent,
        "--bootstrap",
        &first,
        "-o",
        "one",
        "--keep-seeding",
    ]);
    leecher.wait_for("done");
    leecher.wait_for("announced");
    drop(seed);

    let get = desk.run(&["get", torrent, "--peer", &leecher.address(), "-o", "two"]);
    get.assert_done();
    assert_same(&desk.path("share"), &desk.path("two"));
    desk.run(&["verify", torrent, "two"]).assert_code(0);

    leecher.signal("INT");
    leecher.end().assert_code(130);
}

#[test]
fn several_torrents_are_served_by_one_node() {
    let desk = Desk::new();
    desk.write("share/one", noise(6, 100_000));
    desk.write("share/two", noise(7, 100_000));
    let mut seed = desk.start(&["seed", "share/one", "share/two"]);
    let hash_of = |seed: &mut Running, name: &str| {
        let event = seed.wait_until(name, |event| {
            event["event"] == "seeding" && event["name"] == name
        });
        event["info_hash"].as_str().unwrap().to_owned()
    };
    let (one, two) = (hash_of(&mut seed, "one"), hash_of(&mut seed, "two"));
    let address = seed.address();
    for info_hash in [one, two] {
        desk.get(&info_hash, &address, &[]).assert_done();
    }
    assert_same(&desk.path("share"), &desk.path("out"));
}

#[test]
fn what_is_complete_already_is_only_checked() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(8, 100_000));
    desk.torrent("share/film.mkv");
    let get = desk.run(&[
        "get",
        "film.mkv.torrent",
        "-o",
        "share",
        "--peer",
        "127.0.0.1:9",
    ]);
    get.assert_done();
    assert_eq!(
        fs::read(desk.path("share/film.mkv")).unwrap(),
        noise(8, 100_000)
    );
}

#[test]
fn a_torrent_of_nothing_but_an_empty_file_is_there_at_once() {
    let desk = Desk::new();
    desk.write(
        "a.torrent",
        "d4:infod6:lengthi0e4:name5:empty12:piece lengthi16384e6:pieces0:ee",
    );
    desk.get("a.torrent", "127.0.0.1:9", &[]).assert_done();
    assert_eq!(fs::read(desk.path("out/empty")).unwrap(), b"");
}

#[test]
fn everything_works_over_ipv6() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        // A machine without IPv6 has nothing to test.
        return;
    }
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(9, 300_000));
    let (_node, first) = node(&desk, &["--listen", "[::1]:0"]);
    assert!(first.starts_with("[::1]:"), "{first}");
    let mut seed = desk.start(&[
        "seed",
        "share/film.mkv",
        "--listen",
        "[::1]:0",
        "--bootstrap",
        &first,
    ]);
    let info_hash = seed.seeding();
    seed.wait_for("announced");

    let get = desk.run(&[
        "get",
        &info_hash,
        "--listen",
        "[::1]:0",
        "--bootstrap",
        &first,
        "-o",
        "out",
    ]);
    get.assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
}

#[test]
fn a_lookup_names_those_who_have_it() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(10, 50_000));
    let (_node, first) = node(&desk, &[]);
    let mut seed = desk.start(&["seed", "share/film.mkv", "--bootstrap", &first]);
    let info_hash = seed.seeding();
    seed.wait_for("announced");

    let lookup = desk.run(&["lookup", &info_hash, "--bootstrap", &first, "--trace"]);
    lookup.assert_code(0);
    assert_eq!(lookup.event("lookup_ended")["peers"], 1);
    assert_eq!(lookup.event("peers")["peers"][0], seed.address());
    let asked = |event: &&serde_json::Value| event["step"] == "asked";
    assert!(lookup.events.iter().any(|event| asked(&event)), "{lookup}");
}

/// For a popular torrent every node names somebody: that says nothing of our announce.
#[test]
fn a_holder_that_names_others_only_confirms_nothing() {
    let desk = Desk::new();
    let dht = FakeDhtNode::naming(&["192.0.2.1:4711".parse().unwrap()]);
    let announce = ["announce", UNKNOWN, "--port", "4711", "--once"];
    let announced = desk.run(&[&announce[..], &["--bootstrap", &dht.address()]].concat());
    announced.assert_code(0);
    let holder = announced.event("holder");
    assert_eq!(holder["testimony"], "names_others", "{announced}");
    let confirmed = announced.event("confirmed");
    assert_eq!(
        (&confirmed["nodes"], &confirmed["of"]),
        (&0.into(), &1.into())
    );
}

#[test]
fn an_announce_gets_a_receipt_and_is_found() {
    let desk = Desk::new();
    let (_first, first) = node(&desk, &[]);
    let others = (0..10).map(|_| node(&desk, &["--bootstrap", &first]));
    let _others: Vec<_> = others.collect();
    let info_hash = "0123456789abcdef0123456789abcdef01234567";
    let announce = ["announce", info_hash, "--port", "4711", "--once"];
    let announced = desk.run(&[announce.as_slice(), &["--bootstrap", &first]].concat());
    announced.assert_code(0);
    let holders = announced.events.iter();
    let holders = holders.filter(|event| event["event"] == "holder").count();
    assert!(holders >= 8, "{announced}");
    assert_eq!(announced.event("confirmed")["of"], holders);
    assert_eq!(announced.event("confirmed")["nodes"], holders);

    let lookup = desk.run(&["lookup", info_hash, "--bootstrap", &first]);
    lookup.assert_code(0);
    assert_eq!(lookup.event("peers")["peers"][0], "127.0.0.1:4711");
}

#[test]
fn pieces_of_any_size_and_a_last_one_of_a_single_byte() {
    let desk = Desk::new();
    for (piece_length, length) in [
        ("16K", 3 * 16_384 + 1),
        ("256K", 262_144),
        ("16M", (1 << 24) + 1),
    ] {
        let name = format!("share/{piece_length}");
        desk.write(&name, noise(11, length));
        let torrent = format!("{piece_length}.torrent");
        let create = [
            "create",
            &name,
            "-o",
            &torrent,
            "--piece-length",
            piece_length,
        ];
        desk.run(&create).assert_code(0);
        let mut seed = desk.start(&["seed", &torrent, "--data", "share"]);
        let peer = seed.address();
        desk.get(&torrent, &peer, &[]).assert_done();
    }
    assert_same(&desk.path("share"), &desk.path("out"));
}

/// As `verify` finds it.
#[test]
fn content_of_another_name_is_served() {
    let desk = Desk::new();
    desk.write("album/one", noise(11, 100_000));
    desk.write("album/two", noise(12, 20_000));
    desk.write("notes.txt", noise(13, 5_000));
    for (content, more) in [("album", "share"), ("notes.txt", "shared.txt")] {
        let sample = desk.torrent_with(content, &["--name", more]);
        let torrent = format!("{content}.torrent");
        desk.run(&["verify", &torrent, content]).assert_code(0);
        let mut seed = desk.start(&["seed", &torrent, "--data", content]);
        let address = seed.address();
        let get = ["get", &sample.info_hash(), "--peer", &address, "-o", "out"];
        desk.run(&get).assert_done();
    }
    assert_same(&desk.path("album"), &desk.path("out/share"));
    let arrived = fs::read(desk.path("out/shared.txt")).unwrap();
    assert!(arrived == noise(13, 5_000));
}

#[test]
fn a_torrent_file_is_looked_up_by_its_info_hash() {
    let desk = Desk::new();
    desk.write("share/film", noise(14, 10_000));
    let sample = desk.torrent("share/film");
    let (_node, first) = node(&desk, &[]);
    let announce = ["announce", "film.torrent", "--port", "4711", "--once"];
    let announced = desk.run(&[&announce[..], &["--bootstrap", &first]].concat());
    announced.assert_code(0);
    for what in ["film.torrent", &sample.info_hash()] {
        let lookup = desk.run(&["lookup", what, "--bootstrap", &first]);
        lookup.assert_code(0);
        assert_eq!(lookup.event("peers")["peers"][0], "127.0.0.1:4711");
    }
}

#[test]
fn a_download_that_fails_says_why_and_not_how_long_it_took() {
    let desk = Desk::new();
    let (_node, first) = node(&desk, &[]);
    let get = ["get", UNKNOWN, "--bootstrap", &first, "--timeout", "0.5"];
    let mut get = desk.trackless(&get);
    let failed = get.env_remove("TRACKLESS_JSON").output().unwrap();
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(3), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("error: no peers for "), "{said}");
    assert!(!said.contains("total"), "{said}");
}

/// It was named, so it may lead anywhere.
#[test]
fn a_link_is_seeded_under_its_own_name() {
    let desk = Desk::new();
    desk.write("far/album/song", noise(15, 30_000));
    fs::create_dir(desk.path("share")).unwrap();
    symlink("../far/album", desk.path("share/mine")).unwrap();
    let mut seed = desk.start(&["seed", "share/mine"]);
    let (hash, address) = (seed.seeding(), seed.address());
    let get = ["get", &hash, "--peer", &address, "-o", "out"];
    desk.run(&get).assert_done();
    assert_same(&desk.path("far/album"), &desk.path("out/mine"));
}
