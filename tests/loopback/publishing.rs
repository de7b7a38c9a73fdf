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

#[test]
fn a_newer_version_writes_over_nothing_of_the_users() {
    let desk = Desk::new();
    let mut first = desk.start(&["node"]);
    let address = first.address();
    desk.run(&["item", "key", "me.key"]).assert_code(0);
    let page = noise(210, 20_000);
    desk.write("site/a-page", &page);
    for name in ["changed", "longer", "same"] {
        desk.write(format!("site/{name}"), noise(211, 500));
    }
    let (publisher, link) = publish(&desk, &address, "site");
    let get = ["get", &link, "-o", "out", "--state-dir", "state"];
    let get = [&get[..], &["--bootstrap", &address]].concat();
    desk.run(&get).assert_done();
    publisher.signal("TERM");
    publisher.end().assert_code(0);

    // The user adds a line, has words of his own, of another length and of the same, and a file that the next version has, too.
    let own = [
        ("a-page", [&page[..], b"a line of mine"].concat()),
        ("longer", b"my own words".to_vec()),
        ("news", b"my own news".to_vec()),
        ("same", noise(212, 500)),
    ];
    for (name, content) in &own {
        desk.write(format!("out/site/{name}"), content);
    }
    for name in ["changed", "news"] {
        desk.write(format!("site/{name}"), noise(213, 700));
    }
    let (_publisher, _) = publish(&desk, &address, "site");
    let newer = desk.run(&get);
    newer.assert_done();
    for (name, content) in &own {
        let old = format!("out/site/{name}.old");
        assert_eq!(&std::fs::read(desk.path(&old)).unwrap(), content, "{name}");
        let said = match *name {
            "a-page" => "copied",
            _ => "set_aside",
        };
        let is_told = |event: &serde_json::Value| event["event"] == said && event["to"] == *old;
        assert!(newer.events.iter().any(is_told), "{name}: {newer}");
        assert!(newer.stderr.contains(&old), "{name}: {newer}");
    }
    // What was the last version's is renamed, too: nobody knows whose it is.
    assert!(desk.path("out/site/changed.old").exists());
    for name in ["a-page", "changed", "longer", "news", "same"] {
        let read = |name: String| std::fs::read(desk.path(name)).unwrap();
        assert!(
            read(format!("site/{name}")) == read(format!("out/site/{name}")),
            "{name}"
        );
    }
}

#[test]
fn who_publishes_and_who_seeds_hear_once_that_they_can_be_found() {
    let desk = Desk::new();
    let mut first = desk.start(&["node"]);
    let address = first.address();
    desk.run(&["item", "key", "me.key"]).assert_code(0);
    desk.write("site/index", noise(200, 40_000));
    for command in [&["publish", "me.key", "site"][..], &["seed", "site"]] {
        let how = [command, &["--bootstrap", &address]].concat();
        let mut running = desk.start(&how);
        assert_eq!(running.wait_for("announced")["nodes"], 1);
        running.signal("TERM");
        let ended = running.end();
        let told = ended.stderr.matches("announced to 1 node: site").count();
        assert_eq!(told, 1, "{ended}");
        assert!(!ended.stderr.contains("no DHT node"), "{ended}");
    }
}
