//! More files than a process may have open.

use std::process::Stdio;

use crate::support::{Desk, Running, assert_same, noise};

/// 1,200 files of eight torrents, and 400 descriptors for them and everything else.
#[test]
fn a_node_serves_more_files_than_it_may_have_open() {
    let desk = Desk::new();
    let torrents: Vec<_> = (0..8).map(|number| format!("share/{number}")).collect();
    for (seed, torrent) in torrents.iter().enumerate() {
        for file in 0..150 {
            let content = noise((150 * seed + file) as u64, 40);
            desk.write(format!("{torrent}/{file:03}"), content);
        }
    }
    let mut arguments = vec!["seed"];
    arguments.extend(torrents.iter().map(String::as_str));
    let limited = desk.trackless_after("ulimit -n 400", &arguments);
    let mut seed = Running::start(limited);
    let address = seed.address();
    for torrent in &torrents {
        let name = torrent.trim_start_matches("share/");
        let seeding = seed.wait_until("that all are served", |event| {
            event["event"] == "seeding" && event["name"] == name
        });
        let info_hash = seeding["info_hash"].as_str().unwrap();
        desk.run(&["get", info_hash, "--peer", &address, "-o", "out"])
            .assert_done();
    }
    assert_same(&desk.path("share"), &desk.path("out"));
}

#[test]
fn whoever_may_open_few_files_has_some_connections_even_so_and_hears_why_they_are_few() {
    let desk = Desk::new();
    desk.write("share/film", noise(1, 300_000));
    let sample = desk.torrent("share/film");
    let limited = |arguments: &[&str]| {
        let mut command = desk.trackless_after("ulimit -n 100", arguments);
        command.stderr(Stdio::piped());
        command
    };
    let mut seed = Running::start(limited(&["seed", "share/film"]));
    seed.wait_for("seeding");
    let (hash, peer) = (sample.info_hash(), seed.address());
    let get = ["get", &hash, "--peer", &peer, "-o", "out"];
    let fetched = limited(&get).output().unwrap();
    let said = String::from_utf8_lossy(&fetched.stderr);
    assert!(fetched.status.success(), "{said}");
    assert!(
        said.contains("only 100 files") && said.contains("`ulimit -n`"),
        "{said}"
    );
    assert_same(&desk.path("share"), &desk.path("out"));
}
