//! A link that stays while what it leads to changes. BEP 46.

use crate::support::{Desk, Running, UNKNOWN, assert_same, noise};

fn publish(desk: &Desk, address: &str, path: &str) -> (Running, String) {
    let mut publisher = desk.start(&["publish", "me.key", path, "--bootstrap", address]);
    publisher.wait_for("item_stored");
    let event = publisher.wait_for("publishing");
    (publisher, event["publisher"].as_str().unwrap().to_owned())
}

#[test]
fn who_has_the_link_gets_what_was_published_last() {
    let desk = Desk::new();
    let mut first = desk.start(&["node"]);
    let address = first.address();
    desk.run(&["item", "key", "me.key"]).assert_code(0);
    desk.write("site/index", noise(200, 40_000));
    let (mut publisher, link) = publish(&desk, &address, "site");
    let seeded = publisher.seeding();
    let got = desk.run(&["get", &link, "-o", "one", "--bootstrap", &address]);
    got.assert_done();
    assert_eq!(got.event("newest")["info_hash"], seeded);
    let version = got.event("newest")["seq"].as_i64();
    assert_same(&desk.path("site"), &desk.path("one/site"));
    publisher.signal("TERM");
    publisher.end().assert_code(0);

    desk.write("site/index", noise(201, 50_000));
    let (_publisher, same_link) = publish(&desk, &address, "site");
    assert_eq!(same_link, link);
    let got = desk.run(&["get", &link, "-o", "two", "--bootstrap", &address]);
    got.assert_done();
    assert!(got.event("newest")["seq"].as_i64() > version, "{got}");
    assert_same(&desk.path("site"), &desk.path("two/site"));
}

#[test]
fn who_follows_gets_what_is_published_next_and_serves_it() {
    let desk = Desk::new();
    let mut first = desk.start(&["node"]);
    let address = first.address();
    desk.run(&["item", "key", "me.key"]).assert_code(0);
    desk.write("monday/index", noise(200, 40_000));
    desk.write("tuesday/index", noise(201, 50_000));
    let (publisher, link) = publish(&desk, &address, "monday");
    let follow = ["get", &link, "--follow", "--every", "0.5", "-o", "out"];
    let mut follower = desk.start(&[&follow[..], &["--bootstrap", &address]].concat());
    follower.wait_for("done");
    publisher.signal("TERM");
    publisher.end().assert_code(0);

    let (mut publisher, same_link) = publish(&desk, &address, "tuesday");
    assert_eq!(same_link, link);
    let second = publisher.seeding();
    let older = follower.wait_for("newest")["seq"].as_i64();
    let newer = follower.wait_until("a newer version", |event| {
        event["event"] == "newest" && event["info_hash"] == *second
    });
    assert!(newer["seq"].as_i64() > older, "{newer}");
    follower.wait_until("that it is there", |event| {
        event["event"] == "done" && event["path"].as_str().unwrap().ends_with("tuesday")
    });
    publisher.signal("TERM");
    publisher.end().assert_code(0);
    for version in ["monday", "tuesday"] {
        let name = format!("out/{version}");
        assert_same(&desk.path(version), &desk.path(name));
    }

    // The publisher has gone: who comes now has it from the follower.
    let address = follower.address();
    let got = desk.run(&["get", &link, "-o", "late", "--bootstrap", &address]);
    got.assert_done();
    assert_same(&desk.path("tuesday"), &desk.path("late/tuesday"));
    follower.signal("TERM");
    follower.end().assert_code(0);
}

#[test]
fn only_a_publisher_can_be_followed() {
    let desk = Desk::new();
    desk.run(&["get", UNKNOWN, "--follow"])
        .assert_refused(2, &["publisher", "btpk"]);
}

#[test]
fn a_link_that_leads_nowhere_is_told_from_a_damaged_one() {
    let desk = Desk::new();
    let mut first = desk.start(&["node"]);
    let address = first.address();
    let get = |link: &str| desk.run(&["get", link, "--bootstrap", &address]);
    let key = UNKNOWN.repeat(2)[..64].to_owned();
    get(&format!("magnet:?xs=urn:btpk:{key}")).assert_refused(3, &["publisher"]);
    get("magnet:?xs=urn:btpk:abc").assert_refused(2, &["damaged", "64"]);
    get(&format!("magnet:?xs=urn:btpk:{key}&s=x")).assert_refused(2, &["salt"]);
}
