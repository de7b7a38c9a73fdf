//! Many runs on many machines, and one table of them.

use crate::desk::Desk;

const SWEEP: &str = "simulate baseline --nodes 100 --for 1min --set settle=1min --sweep dht.alpha=1,4 --repeat 2 --json";

/// The rows of a table without what differs from run to run: the time that it took.
fn timeless(table: &str) -> Vec<String> {
    let heads = table.lines().next().unwrap().split(',');
    let columns: Vec<bool> = heads.map(|head| head != "wall_s").collect();
    let row = |line: &str| {
        let cells = line.split(',').zip(&columns);
        let cells = cells.filter_map(|(cell, keep)| keep.then_some(cell));
        cells.collect::<Vec<_>>().join(",")
    };
    table.lines().map(row).collect()
}

#[test]
fn shards_that_run_side_by_side_come_to_the_same_as_the_whole() {
    let desk = Desk::new();
    let whole = desk.shell(&format!("\"$TRACKLESS\" {SWEEP} --out whole"));
    whole.assert_code(0);
    assert_eq!(whole.all("report").len(), 4);

    let shard = format!("\"$TRACKLESS\" {SWEEP} --out sweep --shard");
    let shards = format!(
        "if parallel --version 2>&1 | grep -q GNU; then parallel {shard} {{}}/2 ::: 1 2; \
         else printf '1\\n2\\n' | xargs -P 2 -I % {shard} %/2; fi"
    );
    desk.shell(&format!("{shards} > /dev/null")).assert_code(0);
    let merged = desk.run(&["merge", "sweep", "-o", "sweep"]);
    merged.assert_code(0);
    assert_eq!(merged.event("merged")["runs"], 4);

    let table = timeless(&desk.read("sweep/summary.csv"));
    assert_eq!(table, timeless(&desk.read("whole/summary.csv")));
    assert_eq!(table.len(), 5, "{table:?}");
    assert!(desk.read("sweep/sweep.html").contains("dht.alpha"));
}

#[test]
fn runs_that_were_not_finished_are_named() {
    let desk = Desk::new();
    desk.shell(&format!("\"$TRACKLESS\" {SWEEP} --out sweep"))
        .assert_code(0);
    let name = "sweep/dht.alpha=4,seed=2";
    let mut manifest = desk.manifest(name);
    manifest["is_finished"] = false.into();
    desk.write(&format!("{name}/manifest.json"), manifest.to_string());

    let merged = desk.run(&["merge", "sweep", "-o", "merged"]);
    merged.assert_code(0);
    assert_eq!(merged.event("merged")["runs"], 4);
    assert!(merged.stderr.contains("dht.alpha=4,seed=2"), "{merged}");
    desk.run(&["merge", "merged", "-o", "nothing"])
        .assert_refused(2, &["merged"]);
}

#[test]
fn the_same_sweep_of_another_world_replaces_nothing() {
    let desk = Desk::new();
    let sweep = |nodes: &'static str, rest: &[&'static str]| {
        let line = ["baseline", "--for=1min", "--set=settle=1min", "--repeat=2"];
        desk.run(&[&line[..], &["--nodes", nodes][..], rest].concat())
    };
    sweep("100", &[]).assert_code(0);
    sweep("100", &[]).assert_code(0);
    sweep("120", &[]).assert_code(0);
    let nodes = |folder: &str| desk.manifest(folder)["plan"]["nodes"].clone();
    assert_eq!(nodes("runs/baseline-seeds/seed=2"), 100);
    assert_eq!(nodes("runs/baseline-seeds-2/seed=2"), 120);
    assert!(!desk.path("runs/baseline-seeds-3").exists());

    let refused = sweep("120", &["--out", "runs/baseline-seeds"]);
    refused.assert_refused(2, &["seed=1", "--out"]);
    assert_eq!(nodes("runs/baseline-seeds/seed=1"), 100);
}
