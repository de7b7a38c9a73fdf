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

    // As with GNU parallel, which is not everywhere.
    let shards = format!(
        "printf '1\\n2\\n' | xargs -P 2 -I % \"$TRACKLESS\" {SWEEP} --out shard-% --shard %/2"
    );
    desk.shell(&format!("{shards} > /dev/null")).assert_code(0);
    let merged = desk.run(&["merge", "shard-1", "shard-2", "-o", "merged"]);
    merged.assert_code(0);
    assert_eq!(merged.event("merged")["runs"], 4);

    let table = timeless(&desk.read("merged/summary.csv"));
    assert_eq!(table, timeless(&desk.read("whole/summary.csv")));
    assert_eq!(table.len(), 5, "{table:?}");
    assert!(desk.read("merged/sweep.html").contains("dht.alpha"));
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
