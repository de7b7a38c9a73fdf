//! What a user finds out about the network itself: `sample`, `scrape`, `estimate`, `ping`, `table`.

use std::collections::BTreeSet;
use std::net::UdpSocket;

use serde_json::Value;
use trackless::Node;

use crate::support::{Desk, PATIENCE, Running, UNKNOWN};

/// A seed of some content of its own, once others hold its announce.
fn seed(desk: &Desk, name: &str, more: &[&str]) -> (Running, String) {
    let path = format!("share/{name}");
    desk.write(&path, name.repeat(1000));
    let mut seed = desk.start(&[&["seed", &path], more].concat());
    let info_hash = seed.seeding();
    seed.wait_for("announced");
    (seed, info_hash)
}

fn hashes(event: &Value) -> impl Iterator<Item = String> + '_ {
    let hashes = event["info_hashes"].as_array().unwrap().iter();
    hashes.map(|hash| hash.as_str().unwrap().to_owned())
}

#[test]
fn what_is_seeded_is_in_the_sample_of_the_network() {
    let desk = Desk::new();
    let mut node = desk.start(&["node"]);
    let address = node.address();
    let bootstrap = ["--bootstrap", &address];
    desk.run(&[&["sample"], &bootstrap[..]].concat())
        .assert_refused(3, &["no info-hash", "1 DHT node"]);

    let (_one, first) = seed(&desk, "one", &bootstrap);
    let (_two, second) = seed(&desk, "two", &bootstrap);
    let sample = desk.run(&[&["sample", &first], &bootstrap[..]].concat());
    sample.assert_code(0);
    let told = sample
        .events
        .iter()
        .filter(|event| event["event"] == "sample");
    let found: Vec<_> = told.flat_map(hashes).collect();
    let expected = BTreeSet::from([first, second]);
    assert_eq!(found.len(), 2, "each is told once: {sample}");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    let ended = sample.event("sample_ended");
    assert_eq!(
        (&ended["info_hashes"], &ended["responded"]),
        (&2.into(), &3.into()),
        "{sample}"
    );

    let one = desk.run(&[&["sample", "--limit", "1"], &bootstrap[..]].concat());
    one.assert_code(0);
    assert_eq!(one.event("sample_ended")["info_hashes"], 1, "{one}");
}

#[tokio::test(flavor = "multi_thread")]
async fn seeds_and_leechers_are_told_apart() {
    let desk = Desk::new();
    let mut node = desk.start(&["node"]);
    let address = node.address();
    let bootstrap = ["--bootstrap", &address];
    // Whoever shares an address counts as one.
    let (_one, info_hash) = seed(&desk, "film", &bootstrap);
    let elsewhere = [&bootstrap[..], &["--listen", "127.0.0.2:0"]].concat();
    let (_two, _) = seed(&desk, "film", &elsewhere);
    let leecher = Node::builder()
        .listen("127.0.0.3:0".parse().unwrap())
        .bootstrap(&address)
        .start()
        .await
        .unwrap();
    leecher.bootstrapped(PATIENCE).await.unwrap();
    leecher
        .announce(info_hash.parse().unwrap(), None)
        .await
        .unwrap();

    let scrape = desk.run(&[&["scrape", &info_hash], &bootstrap[..]].concat());
    scrape.assert_code(0);
    let counted = scrape.event("scrape");
    assert_eq!(
        (&counted["seeds"], &counted["leechers"]),
        (&2.into(), &1.into()),
        "{scrape}"
    );
    assert!(counted["nodes"].as_u64().unwrap() >= 3, "{scrape}");
    desk.run(&[&["scrape", UNKNOWN], &bootstrap[..]].concat())
        .assert_refused(3, &["nobody has announced", UNKNOWN]);
    leecher.shutdown().await;
}

#[test]
fn a_network_of_five_is_counted_and_its_table_shown() {
    let desk = Desk::new();
    let mut first = desk.start(&["node"]);
    let address = first.address();
    let bootstrap = ["--bootstrap", &address];
    let mut others: Vec<_> = (0..4)
        .map(|_| desk.start(&[&["node"], &bootstrap[..]].concat()))
        .collect();
    for node in &mut others {
        node.wait_for("bootstrapped");
    }
    let ids: BTreeSet<_> = others
        .iter_mut()
        .chain([&mut first])
        .map(|node| node.wait_for("listening")["node_id"].to_string())
        .collect();

    let estimate = desk.run(&[&["estimate", "--lookups", "3"], &bootstrap[..]].concat());
    estimate.assert_code(0);
    let size = estimate.event("estimate");
    assert_eq!(size["family"], "ipv4");
    for figure in ["nodes", "low", "high", "met"] {
        assert_eq!(size[figure], 5, "{figure}: {estimate}");
    }

    let table = desk.run(&[&["table"], &bootstrap[..]].concat());
    table.assert_code(0);
    let buckets = table
        .events
        .iter()
        .filter(|event| event["event"] == "bucket");
    let contacts = buckets.flat_map(|bucket| bucket["contacts"].as_array().unwrap());
    let known: BTreeSet<_> = contacts
        .map(|contact| contact["node_id"].to_string())
        .collect();
    assert_eq!(known, ids, "{table}");
    assert_eq!(table.event("table")["nodes_v4"], 5, "{table}");
}

#[test]
fn a_ping_says_who_is_there_and_how_far_away() {
    let desk = Desk::new();
    let mut node = desk.start(&["node"]);
    let listening = node.wait_for("listening");
    let address = node.address();
    let answered = desk.run(&["ping", &address]);
    answered.assert_code(0);
    let pong = answered.event("pong");
    assert_eq!(pong["node_id"], listening["node_id"], "{answered}");
    assert_eq!(pong["node"], listening["addr"], "{answered}");
    assert_eq!(pong["client"], "trackless", "{answered}");
    assert!(pong["milliseconds"].as_f64().unwrap() > 0.0, "{answered}");

    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let sentence = format!("{address} did not answer within 0.5 s: ");
    desk.run(&["ping", &address, "--timeout", "0.5"])
        .assert_refused(5, &[&sentence]);
    desk.run(&["ping", "127.0.0.1"]).assert_code(2);
    desk.run(&["ping", "nowhere.invalid:1"])
        .assert_refused(5, &["nowhere.invalid"]);
}

#[test]
fn without_a_network_every_survey_says_so() {
    let desk = Desk::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    for command in [
        &["sample"][..],
        &["scrape", UNKNOWN],
        &["estimate"],
        &["table"],
    ] {
        let more = ["--bootstrap", &address, "--timeout", "0.5"];
        desk.run(&[command, &more].concat())
            .assert_refused(5, &["no DHT node answered", &address]);
    }
}
