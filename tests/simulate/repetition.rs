//! Whoever repeats a run gets the same one, and sees in it what was not recorded.

use serde_json::{Value, json};

use crate::desk::{Desk, SMALL};

/// That of a small `baseline`, wherever, however and by whomever it is run. It changes with what nodes do, and with nothing else.
const DIGEST: &str = "23ee4405616adedb";

#[test]
fn the_digest_does_not_depend_on_threads_and_codec() {
    let desk = Desk::new();
    let line = [
        "verify",
        "baseline",
        "--threads",
        "1,2",
        "--codec",
        "structured,bytes",
    ];
    let verified = desk.small(&line);
    let verified = verified.event("verified");
    assert_eq!(verified["runs"], 4);
    assert_eq!(verified["minutes"], 2);
    assert_eq!(verified["digest"], DIGEST);

    let run = desk.small(&["baseline"]);
    assert_eq!(run.event("report")["digest"], verified["digest"]);
    let other = desk.small(&["baseline", "--seed", "2"]);
    assert_ne!(other.event("report")["digest"], verified["digest"]);
}

#[test]
fn an_earlier_run_is_verified_from_its_folder_alone() {
    let desk = Desk::new();
    desk.small(&["churn", "--out", "run"]);
    let verified = desk.run(&["verify", "run", "--threads", "1"]);
    verified.assert_code(0);
    assert_eq!(verified.event("verified")["runs"], 2);

    let again = desk.run(&["run", "--out", "again"]);
    again.assert_code(0);
    assert_eq!(
        again.event("report")["digest"],
        desk.manifest("run")["digest"]
    );
}

#[test]
fn a_run_that_says_nothing_is_not_compared_and_one_that_says_little_as_far_as_it_goes() {
    let desk = Desk::new();
    desk.small(&["baseline", "--out", "run"]);
    let whole = desk.manifest("run");
    let verify = |minutes: usize, is_finished: bool| {
        let mut manifest = whole.clone();
        manifest["is_finished"] = is_finished.into();
        let digests = manifest["digests_a_minute"].as_array_mut().unwrap();
        digests.truncate(minutes);
        desk.write("run/manifest.json", manifest.to_string());
        desk.run(&["verify", "run", "--threads", "1"])
    };
    for (known, compared) in [(0, 2), (1, 1), (2, 2)] {
        let verified = verify(known, false);
        verified.assert_code(0);
        assert_eq!(verified.event("verified")["runs"], 2);
        assert_eq!(verified.event("verified")["minutes"], compared);
    }
    verify(1, true).assert_refused(1, &["not the same", "minute 2"]);
}

#[test]
fn the_command_in_a_manifest_makes_the_same_run_again() {
    let desk = Desk::new();
    let line = [
        "baseline",
        "--nodes=100",
        "--for=1min",
        "--set=settle=30s",
        "--set=about=it's so",
        "--sweep=network.bandwidth.up=0 B/s,1 MB/s",
        "--repeat=2",
        "--out=sweep",
    ];
    desk.run(&line).assert_code(0);
    let run = desk.manifest("sweep/network.bandwidth.up=1_MB_s,seed=2");
    let command = run["command"].as_str().unwrap();
    let command = command.replacen("trackless", "\"$TRACKLESS\"", 1);
    desk.shell(&format!("{command} --json --out again"))
        .assert_code(0);
    let again = desk.manifest("again");
    assert_eq!(again["plan"], run["plan"]);
    assert_eq!(again["digest"], run["digest"]);
}

#[test]
fn the_first_minute_that_differs_is_named() {
    let desk = Desk::new();
    desk.small(&["baseline", "--out", "run"]);
    let mut manifest = desk.manifest("run");
    manifest["digests_a_minute"][1] = json!("0123456789abcdef");
    desk.write("run/manifest.json", manifest.to_string());
    desk.run(&["verify", "run", "--threads", "1"])
        .assert_refused(1, &["not the same", "minute 2"]);
}

#[test]
fn a_replay_prints_what_a_node_saw() {
    let desk = Desk::new();
    desk.small(&["baseline", "--out", "run"]);
    let replay = |at: &str, around: &str| {
        let line = [
            "replay", "run", "--node", "3", "--at", at, "--around", around,
        ];
        let replay = desk.run(&line);
        replay.assert_code(0);
        let sights = replay.all("sight").into_iter().cloned();
        sights.collect::<Vec<Value>>()
    };
    let minute = replay("90s", "30s");
    assert!(minute.len() > 1, "a node hears something within a minute");
    assert_eq!(minute, replay("1min 30s", "30s"), "every time the same");
    assert!(replay("90s", "1s").len() < minute.len());

    let line = ["replay", "nowhere", "--node", "3", "--at", "90s"];
    desk.run(&line).assert_refused(2, &["nowhere"]);
}

#[test]
fn a_plan_is_printed_with_every_number_and_can_be_run_from_its_file() {
    let desk = Desk::new();
    let shown = desk.shell("\"$TRACKLESS\" simulate show churn --nodes 150 > mine.toml");
    shown.assert_code(0);
    assert!(desk.read("mine.toml").contains("nodes = 150"));
    let line = [&["mine.toml", "--out", "run"], &SMALL[2..]].concat();
    desk.run(&line).assert_code(0);
    assert_eq!(desk.manifest("run")["name"], "mine");
    assert_eq!(desk.manifest("run")["plan"]["nodes"], 150);
}

#[test]
fn a_plan_that_is_printed_finds_its_matrix_from_wherever_it_lies() {
    let desk = Desk::new();
    desk.write("here/regions.csv", "10,40\n40,10\n");
    desk.write("there/empty", "");
    let line = "cd here && \"$TRACKLESS\" simulate show baseline --set network.latency.matrix=regions.csv > ../there/mine.toml";
    desk.shell(line).assert_code(0);
    let line = [&["there/mine.toml", "--out", "run"], SMALL.as_slice()].concat();
    desk.run(&line).assert_code(0);
    assert_eq!(desk.read("run/matrix.csv"), "10,40\n40,10\n");

    let shown = desk.shell("\"$TRACKLESS\" simulate show run > again.toml");
    shown.assert_code(0);
    desk.run(&["again.toml", "--out", "again"]).assert_code(0);
    assert_eq!(
        desk.manifest("again")["digest"],
        desk.manifest("run")["digest"]
    );
}
