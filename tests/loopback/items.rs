//! Values put into a DHT by one process and found by another. BEP 44.

use std::fs;

use serde_json::Value;

use crate::support::{Desk, Ended, Running, UNKNOWN};

/// A network of nodes that all start from the first.
fn network(desk: &Desk, count: usize) -> (Vec<Running>, String) {
    let mut first = desk.start(&["node"]);
    let address = first.address();
    let mut nodes = vec![first];
    for _ in 1..count {
        let mut node = desk.start(&["node", "--bootstrap", &address]);
        node.wait_for("bootstrapped");
        nodes.push(node);
    }
    (nodes, address)
}

fn run(desk: &Desk, address: &str, arguments: &[&str]) -> Ended {
    let arguments = [&["item"], arguments, &["--bootstrap", address]].concat();
    desk.run(&arguments)
}

/// The value that a search printed last.
fn last_item(ended: &Ended) -> &Value {
    ended.assert_code(0);
    let mut latest_first = ended.events.iter().rev();
    let item = latest_first.find(|event| event["event"] == "item");
    item.unwrap_or_else(|| panic!("no item\n{ended}"))
}

#[test]
fn what_one_process_puts_another_one_gets() {
    let desk = Desk::new();
    let (_nodes, address) = network(&desk, 4);
    let put = run(&desk, &address, &["put", "Hello World!"]);
    put.assert_code(0);
    let stored = put.event("item_stored");
    // Vector 3 of BEP 44.
    let target = "e5f96f6f38320f0f33959cb4d3d656452117aadb";
    assert_eq!(stored["target"], target);
    assert_eq!(stored["nodes"].as_array().unwrap().len(), 4);
    let got = run(&desk, &address, &["get", target]);
    let item = last_item(&got);
    assert_eq!(item["text"], "Hello World!");
    assert_eq!(item["seq"], Value::Null);
}

#[test]
fn the_owner_of_a_key_replaces_its_value() {
    let desk = Desk::new();
    let (_nodes, address) = network(&desk, 4);
    let made = desk.run(&["item", "key", "me.key"]);
    made.assert_code(0);
    let key = made.event("item_key")["public_key"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(made.event("item_key")["is_new"], true);
    let shown = desk.run(&["item", "key", "me.key"]);
    assert_eq!(shown.event("item_key")["public_key"], key);
    assert_eq!(shown.event("item_key")["is_new"], false);

    let sign = ["--key", "me.key", "--salt", "weather"];
    let put = |text: &str, more: &[&str]| {
        run(&desk, &address, &[&["put", text][..], &sign, more].concat())
    };
    let get = || {
        run(
            &desk,
            &address,
            &["get", "--public-key", &key, "--salt", "weather"],
        )
    };
    let mut versions = Vec::new();
    for text in ["It rains.", "It snows.", "It snows."] {
        let stored = put(text, &[]);
        stored.assert_code(0);
        let seq = stored.event("item_stored")["seq"].as_i64().unwrap();
        versions.push(seq);
        let got = get();
        assert_eq!(last_item(&got)["text"], text);
        assert_eq!(last_item(&got)["seq"], seq);
        assert_eq!(got.event("item_search_ended")["copies"], 4);
    }
    let [first, second, same] = versions[..] else {
        panic!("{versions:?}")
    };
    // Newer than anything that was published before this test was written, whether anybody has kept it or not.
    assert!(first > 1_700_000_000 && second > first && same == second);
    let is_known = format!("version {second}");
    put("It rained.", &["--seq", "1"]).assert_refused(1, &[&is_known]);
    put("It hails.", &["--cas", "1"]).assert_refused(1, &["not the current one"]);
    put("It hails.", &["--cas", &second.to_string()]).assert_code(0);
    assert_eq!(last_item(&get())["text"], "It hails.");
    // Without the salt it is another value, which nobody has.
    run(&desk, &address, &["get", "--public-key", &key]).assert_refused(3, &["nobody has"]);
}

#[test]
fn any_bytes_survive_the_way_through_the_network() {
    let desk = Desk::new();
    let (_nodes, address) = network(&desk, 2);
    let bytes: Vec<u8> = (0..996u32).map(|number| (number * 7) as u8).collect();
    desk.write("value", &bytes);
    let put = run(&desk, &address, &["put", "--file", "value"]);
    put.assert_code(0);
    let target = put.event("item_stored")["target"]
        .as_str()
        .unwrap()
        .to_owned();
    run(&desk, &address, &["get", &target, "--save", "copy"]).assert_code(0);
    assert_eq!(fs::read(desk.path("copy")).unwrap(), bytes);

    let list = "l5:applei7ee";
    let put = run(&desk, &address, &["put", "--bencoded", list]);
    let target = put.event("item_stored")["target"]
        .as_str()
        .unwrap()
        .to_owned();
    let got = run(&desk, &address, &["get", &target]);
    assert_eq!(last_item(&got)["bencoded"], hex::encode(list));
    assert_eq!(last_item(&got)["text"], Value::Null);
}

#[test]
fn what_cannot_be_an_item_is_refused_before_anybody_is_asked() {
    let desk = Desk::new();
    desk.write("large", [b'x'; 997]);
    desk.write("no.key", "a secret");
    let long_salt = "x".repeat(65);
    run(&desk, "none", &["put", "--file", "large"]).assert_refused(2, &["1001 bytes"]);
    run(&desk, "none", &["put", "--bencoded", "i01e"]).assert_refused(2, &["canonical"]);
    run(&desk, "none", &["put", "--bencoded", "x"]).assert_refused(2, &["bencoded"]);
    run(&desk, "none", &["put", "x", "--key", "no.key"]).assert_refused(2, &["no.key"]);
    run(&desk, "none", &["put", "x", "--key", "gone.key"]).assert_refused(2, &["gone.key"]);
    desk.run(&["item", "key", "me.key"]).assert_code(0);
    let salted = ["put", "x", "--key", "me.key", "--salt", &long_salt];
    run(&desk, "none", &salted).assert_refused(2, &["65 bytes"]);
    for wrong in [
        &["put"][..],
        &["put", "x", "--seq", "1"],
        &["put", "x", "--key", "me.key", "--seq", "-1"],
        &["get"],
        &["get", "abc"],
        &["get", "--public-key", UNKNOWN],
    ] {
        run(&desk, "none", wrong).assert_code(2);
    }
}

#[test]
fn nobody_to_ask_and_nobody_who_has_it_are_told_apart() {
    let desk = Desk::new();
    let (_nodes, address) = network(&desk, 2);
    run(&desk, &address, &["get", UNKNOWN]).assert_refused(3, &["nobody has", "2 DHT nodes"]);
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let nowhere = silent.local_addr().unwrap().to_string();
    for arguments in [["get", UNKNOWN], ["put", "x"]] {
        let arguments = [&arguments[..], &["--timeout", "0.3"]].concat();
        run(&desk, &nowhere, &arguments).assert_refused(5, &["no DHT node answered"]);
    }
}

/// A script that saves the value must not take an empty file for it.
#[cfg(target_os = "linux")]
#[test]
fn a_value_that_cannot_be_written_is_not_got() {
    let desk = Desk::new();
    let (_nodes, address) = network(&desk, 2);
    run(&desk, &address, &["put", "Hello World!"]).assert_code(0);
    let target = "e5f96f6f38320f0f33959cb4d3d656452117aadb";
    let get = ["item", "get", target, "--bootstrap", &address];
    for json in ["0", "1"] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = desk.trackless(&get);
        let failed = command.env("TRACKLESS_JSON", json).stdout(full).output();
        let failed = failed.unwrap();
        let said = String::from_utf8(failed.stderr).unwrap();
        assert_eq!(failed.status.code(), Some(6), "{said}");
        assert!(said.contains("cannot write to standard output"), "{said}");
    }
}

#[test]
fn who_stays_puts_his_item_until_a_signal_comes() {
    let desk = Desk::new();
    let (_nodes, address) = network(&desk, 3);
    let mut keeper = desk.start(&["item", "put", "kept", "--stay", "--bootstrap", &address]);
    keeper.wait_for("item_stored");
    assert!(keeper.is_alive());
    keeper.signal("TERM");
    keeper.end().assert_code(0);
}
