//! Many info-hashes at once: `announce --batch` and `lookup --batch`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Desk, Ended, UNKNOWN};

/// So many info-hashes, one a line, out of order.
fn list(count: u32) -> String {
    let hashes = (0..count).map(|number| format!("{:040x}\n", number.wrapping_mul(0x9e37_79b9)));
    format!("# announced\n\n{}", hashes.collect::<String>())
}

/// What was said of each info-hash, under one name.
fn said(ended: &Ended, name: &str) -> BTreeMap<String, Value> {
    let events = ended.events.iter().filter(|event| event["event"] == name);
    let named = events.map(|event| {
        let info_hash = event["info_hash"].as_str().unwrap().to_owned();
        (info_hash, event.clone())
    });
    named.collect()
}

#[test]
fn what_one_batch_announces_another_finds() {
    let desk = Desk::new();
    let mut first = desk.start(&["node"]);
    let address = first.address();
    let bootstrap = ["--bootstrap", &address];
    let mut second = desk.start(&[&["node"], &bootstrap[..]].concat());
    second.wait_for("bootstrapped");
    desk.write("announced.txt", list(60));
    desk.write("wanted.txt", format!("{UNKNOWN}\n{}", list(60)));

    let announce = ["announce", "--batch", "announced.txt", "--port", "4711"];
    let announced = desk.run(&[&announce[..], &["--once"], &bootstrap[..]].concat());
    announced.assert_code(0);
    let held = said(&announced, "batch_announced");
    assert_eq!(held.len(), 60, "{announced}");
    assert!(held.values().all(|one| one["nodes"] == 2), "{announced}");
    assert_eq!(
        announced.event("batch_ended")["holders"],
        120,
        "{announced}"
    );

    let found = desk.run(&[&["lookup", "--batch", "wanted.txt"], &bootstrap[..]].concat());
    found.assert_code(0);
    let mut looked_up = said(&found, "looked_up");
    let nobody = looked_up.remove(UNKNOWN).unwrap();
    assert_eq!(nobody["peers"].as_array().unwrap().len(), 0, "{found}");
    assert!(looked_up.keys().eq(held.keys()), "{found}");
    for one in looked_up.values() {
        assert_eq!(one["peers"][0], "127.0.0.1:4711", "{one}");
        assert!(one["queried"].as_u64().unwrap() <= 3, "{one}");
    }
    let ended = found.event("batch_ended");
    let figures = ["info_hashes", "successes", "peers"].map(|name| ended[name].as_u64());
    assert_eq!(figures, [61, 60, 60].map(Some), "{found}");
}

#[test]
fn a_list_that_nobody_knows_or_that_is_none_is_refused() {
    let desk = Desk::new();
    let mut node = desk.start(&["node"]);
    let address = node.address();
    desk.write("unknown.txt", UNKNOWN);
    desk.run(&["lookup", "--batch", "unknown.txt", "--bootstrap", &address])
        .assert_refused(3, &["nobody", "1 info-hash"]);

    desk.write("wrong.txt", format!("{UNKNOWN}\nhello\nworld\n"));
    let wrong = ["wrong.txt", "line 2", "1 more", "number 3"];
    desk.run(&["lookup", "--batch", "wrong.txt"])
        .assert_refused(2, &wrong);
    desk.run(&["announce", "--batch", "nowhere.txt", "--port", "1"])
        .assert_refused(2, &["nowhere.txt"]);
    desk.run(&["lookup", "--batch", "-"])
        .assert_refused(2, &["no info-hash"]);
}
