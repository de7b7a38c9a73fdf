//! Nobody is there, or nobody has it: each end says which, and has its exit code.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use crate::support::{Conversation, Desk, FakeDhtNode, FakePeer, Gate, Running, UNKNOWN};

#[test]
fn an_info_hash_with_a_typing_error_is_explained() {
    let desk = Desk::new();
    for (wrong, words) in [
        (&UNKNOWN[1..], &["info-hash", "39"][..]),
        (&UNKNOWN.replace('9', "g"), &["info-hash", "'g'"]),
        (&"a".repeat(33), &["info-hash", "33"]),
        (&"1".repeat(32), &["info-hash", "'1'"]),
    ] {
        for command in ["get", "lookup"] {
            desk.run(&[command, wrong]).assert_refused(2, words);
        }
    }
}

#[test]
fn a_bootstrap_name_that_does_not_resolve_is_named() {
    let desk = Desk::new();
    let host = "nowhere.invalid:6881";
    for command in ["get", "lookup"] {
        desk.run(&[command, UNKNOWN, "--bootstrap", host, "--timeout", "5"])
            .assert_refused(5, &[host]);
    }
}

#[test]
fn one_name_that_does_not_resolve_is_no_reason_not_to_ask_the_others() {
    let desk = Desk::new();
    desk.write("share/film.mkv", vec![1; 50_000]);
    let mut seed = desk.start(&["seed", "share/film.mkv"]);
    let (info_hash, address) = (seed.seeding(), seed.address());
    let hosts = format!("nowhere.invalid:6881,{address}");
    let get = desk.run(&[
        "get",
        &info_hash,
        "--bootstrap",
        &hosts,
        "--peer",
        "nobody.invalid:1",
        "-o",
        "out",
    ]);
    get.assert_done();
    assert!(get.stderr.contains("nobody.invalid:1"), "{get}");
}

#[test]
fn a_bootstrap_node_that_does_not_answer_is_named() {
    let desk = Desk::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    for command in ["get", "lookup"] {
        desk.run(&[command, UNKNOWN, "--bootstrap", &address, "--timeout", "1"])
            .assert_refused(5, &["no DHT node answered", &address]);
    }
}

#[test]
fn who_does_not_stay_asks_not_to_be_remembered() {
    let desk = Desk::new();
    let announce = ["announce", UNKNOWN, "--port", "1", "--timeout", "1"];
    for (more, is_read_only) in [(&["--once"][..], true), (&[], false)] {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let patience = Some(Duration::from_secs(20));
        silent.set_read_timeout(patience).unwrap();
        let address = silent.local_addr().unwrap().to_string();
        let how = [&announce[..], &["--bootstrap", &address], more].concat();
        let running = desk.start(&how);
        let mut datagram = [0; 1500];
        let length = silent.recv(&mut datagram).unwrap();
        let question = String::from_utf8_lossy(&datagram[..length]).into_owned();
        assert_eq!(question.contains("2:roi1e"), is_read_only, "{question}");
        running.end().assert_code(5);
    }
}

/// A way into the network that does not know the questions of its users.
#[test]
fn what_nobody_answers_ends_with_its_timeout() {
    let desk = Desk::new();
    let dht = FakeDhtNode::answering(|method, _| matches!(method, "ping" | "find_node"));
    let address = dht.address();
    desk.run(&["item", "key", "me.key"]).assert_code(0);
    desk.write("hashes.txt", format!("{UNKNOWN}\n{}\n", "7".repeat(40)));
    let key = "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e";
    let link = format!("magnet:?xs=urn:btpk:{key}");
    let questions = [
        &["lookup", UNKNOWN][..],
        &["lookup", UNKNOWN, "--trace"],
        &["lookup", "--batch", "hashes.txt"],
        &["announce", UNKNOWN, "--port", "1", "--once"],
        &["announce", "--batch", "hashes.txt", "--port", "1", "--once"],
        &["scrape", UNKNOWN],
        &["sample", UNKNOWN, "--within", "0"],
        &["item", "get", UNKNOWN],
        &["item", "get", "--public-key", key],
        &["item", "put", "x"],
        &["item", "put", "x", "--key", "me.key"],
        &["item", "put", "x", "--key", "me.key", "--seq", "1"],
        &["get", &link],
    ];
    let running = questions.map(|question| {
        let how = ["--bootstrap", &address, "--timeout", "1"];
        desk.start(&[question, &how].concat())
    });
    for ended in running.into_iter().map(Running::end) {
        ended.assert_refused(5, &["no DHT node answered"]);
    }
}

#[test]
fn a_network_that_falls_silent_is_not_estimated() {
    let desk = Desk::new();
    let dht = FakeDhtNode::answering(|_, before| before == 0);
    let bootstrap = ["--bootstrap", &dht.address(), "--timeout", "1"];
    desk.run(&[&["estimate"], &bootstrap[..]].concat())
        .assert_refused(5, &["no DHT node answered"]);
}

#[test]
fn without_anybody_to_ask_the_flags_that_help_are_named() {
    let desk = Desk::new();
    desk.run(&["get", UNKNOWN])
        .assert_refused(5, &["--bootstrap", "--peer"]);
}

#[test]
fn a_network_where_nobody_has_it_says_so() {
    let desk = Desk::new();
    let mut node = desk.start(&["node"]);
    let address = node.address();
    // A get would announce itself as one who wants to have it.
    desk.run(&["lookup", UNKNOWN, "--bootstrap", &address])
        .assert_refused(3, &["nobody has announced", UNKNOWN]);
    let get = desk.run(&[
        "get",
        UNKNOWN,
        "--bootstrap",
        &address,
        "--timeout",
        "1",
        "-o",
        "out",
    ]);
    get.assert_refused(3, &["no peers", UNKNOWN]);
    assert!(!desk.path("out").exists());
}

#[test]
fn peers_without_metadata_are_not_taken_for_no_peers() {
    let desk = Desk::new();
    let greeted = Gate::default();
    let met = greeted.clone();
    let peer = FakePeer::start(move |conversation| {
        conversation.greet()?;
        met.open();
        conversation.hangs_up().map(drop)
    });
    let dht = FakeDhtNode::naming(&[peer.socket_address()]);
    let get = desk.run(&[
        "get",
        UNKNOWN,
        "--bootstrap",
        &dht.address(),
        "--timeout",
        "1",
        "-o",
        "out",
    ]);
    get.assert_refused(4, &["no metadata", UNKNOWN, "1 peer is known, 1 connected"]);
    assert!(greeted.pass());
    assert!(!desk.path("out").exists());
}

/// Nobody is waited for any longer because it keeps coming back.
#[test]
fn a_peer_that_comes_and_goes_is_no_progress() {
    let desk = Desk::new();
    let peer = FakePeer::start(Conversation::greet);
    desk.run(&[
        "get",
        UNKNOWN,
        "--peer",
        &peer.address(),
        "--timeout",
        "2",
        "-o",
        "out",
    ])
    .assert_refused(4, &["no metadata", UNKNOWN, "1 peer is known, 1 connected"]);
}

#[test]
fn a_peer_that_is_not_there_is_no_peer_that_connected() {
    let desk = Desk::new();
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    desk.run(&[
        "get",
        UNKNOWN,
        "--peer",
        &gone,
        "--timeout",
        "1",
        "-o",
        "out",
    ])
    .assert_refused(
        4,
        &[
            "no metadata",
            UNKNOWN,
            "1 peer is known, none could be connected",
        ],
    );
}

#[test]
fn a_port_that_is_taken_is_named() {
    let desk = Desk::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    for taken in [tcp.local_addr().unwrap(), udp.local_addr().unwrap()] {
        let taken = taken.to_string();
        for command in [&["node"][..], &["get", UNKNOWN]] {
            desk.run(&[command, &["--listen", &taken]].concat())
                .assert_refused(1, &[&taken, "in use", "--listen"]);
        }
    }
}

/// They stay, and say what is the matter; who asks nobody is not told that nobody answers.
#[test]
fn who_stays_says_that_nobody_answers_and_what_to_do() {
    let desk = Desk::new();
    desk.write("share/film.mkv", vec![1; 50_000]);
    desk.run(&["item", "key", "me.key"]).assert_code(0);
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let commands = [
        &["seed", "share/film.mkv"][..],
        &["publish", "me.key", "share/film.mkv"],
        &["node"],
    ];
    let alone = desk.start(&["seed", "share/film.mkv", "--bootstrap", "none"]);
    let start = |host: &str| {
        let start = |command| desk.start(&[command, &["--bootstrap", host][..]].concat());
        commands.map(start)
    };
    let unresolved = start("nowhere.invalid:6881");
    let unanswered = start(&address);
    for (running, words) in [
        (unresolved, ["nowhere.invalid:6881", "check the name"]),
        (
            unanswered,
            ["no DHT node answered within 15 s", "check the bootstrap"],
        ),
    ] {
        for mut running in running {
            let told = running.wait_for("unanswered");
            running.signal("TERM");
            let ended = running.end();
            for word in words {
                assert!(told["reason"].as_str().unwrap().contains(word), "{told}");
                assert!(ended.stderr.contains(word), "{ended}");
            }
        }
    }
    alone.signal("TERM");
    let alone = alone.end();
    assert!(!alone.stderr.contains("no DHT node"), "{alone}");
}
