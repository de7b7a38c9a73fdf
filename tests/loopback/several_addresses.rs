//! A host with several addresses: a DHT node on each. BEP 45.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Desk, UNKNOWN};

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn each_address_is_a_node_of_its_own_and_answers_for_itself() {
    let desk = Desk::new();
    let listen = ["--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"];
    let mut node = desk.start(&[&["node"], &listen[..]].concat());
    let listening = ["127.0.0.1:", "127.0.0.2:"].map(|prefix| {
        node.wait_until(prefix, |event| {
            event["event"] == "listening" && text(&event["addr"]).starts_with(prefix)
        })
    });
    let ids: BTreeSet<_> = listening.iter().map(|one| text(&one["node_id"])).collect();
    assert_eq!(ids.len(), 2);
    for one in &listening {
        // An answer from the other address would be nobody's.
        let pong = desk.run(&["ping", &text(&one["addr"]), "--listen", "127.0.0.9:0"]);
        pong.assert_code(0);
        assert_eq!(pong.event("pong")["node_id"], one["node_id"], "{pong}");
    }

    let first = text(&listening[0]["addr"]);
    let bootstraps = ["--bootstrap", &first];
    let mut other = desk.start(&[&["node"], &bootstraps[..]].concat());
    other.wait_for("bootstrapped");
    let from_both = ["--listen", "127.0.0.3:0", "--listen", "127.0.0.4:0"];
    let announce = ["announce", UNKNOWN, "--port", "4711", "--once"];
    let announced = desk.run(&[&announce[..], &from_both, &bootstraps].concat());
    announced.assert_code(0);
    let found = desk.run(&[&["lookup", UNKNOWN], &bootstraps[..]].concat());
    found.assert_code(0);
    let told = found
        .events
        .iter()
        .filter(|event| event["event"] == "peers");
    let peers = told.flat_map(|event| event["peers"].as_array().unwrap());
    let peers: BTreeSet<_> = peers.map(text).collect();
    let expected = ["127.0.0.3:4711", "127.0.0.4:4711"].map(str::to_owned);
    assert_eq!(peers, BTreeSet::from(expected), "{announced}\n{found}");
}

#[test]
fn the_ids_of_all_addresses_stay_the_same() {
    let desk = Desk::new();
    let run = || {
        let several = ["--listen", "127.0.0.1:0,127.0.0.2:0,127.0.0.3:0"];
        let keep = ["node", "--state-dir", "state", "--keep-stored"];
        let mut node = desk.start(&[&keep[..], &several].concat());
        node.wait_until("the last id", |event| {
            event["event"] == "listening" && text(&event["addr"]).starts_with("127.0.0.3:")
        });
        node.signal("TERM");
        let node = node.end();
        node.assert_code(0);
        let said = node
            .events
            .iter()
            .filter(|event| event["event"] == "listening");
        said.map(|event| text(&event["node_id"]))
            .collect::<BTreeSet<_>>()
    };
    // The first run draws them, the second one derives them from the one that was kept.
    run();
    let ids = run();
    assert_eq!(ids.len(), 3);
    assert_eq!(run(), ids);
}
