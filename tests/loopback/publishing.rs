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
    assert_eq!(got.event("newest")["seq"], 1);
    assert_same(&desk.path("site"), &desk.path("one/site"));
    publisher.signal("TERM");
    publisher.end().assert_code(0);

    desk.write("site/index", noise(201, 50_000));
    let (_publisher, same_link) = publish(&desk, &address, "site");
    assert_eq!(same_link, link);
    let got = desk.run(&["get", &link, "-o", "two", "--bootstrap", &address]);
    got.assert_done();
    assert_eq!(got.event("newest")["seq"], 2);
    assert_same(&desk.path("site"), &desk.path("two/site"));
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
