//! Ctrl-C and kill -9: what was computed is there, and nothing pretends to be whole.

use crate::desk::{Desk, SMALL};

/// A world that nobody waits for.
const ENDLESS: [&str; 7] = [
    "baseline", "--nodes", "300", "--for", "1000h", "--out", "run",
];

#[test]
fn ctrl_c_writes_what_was_computed_and_marks_it() {
    let desk = Desk::new();
    let mut run = desk.start(&ENDLESS);
    let progress = run.wait_for("progress");
    run.signal("INT");
    let ended = run.end();
    ended.assert_refused(130, &["interrupted", "unfinished"]);
    assert_eq!(ended.event("report")["state"], "interrupted");

    let manifest = desk.manifest("run");
    assert_eq!(manifest["state"], "interrupted");
    assert_eq!(manifest["is_finished"], false);
    let simulated = manifest["simulated_s"].as_f64().unwrap();
    assert!(simulated >= progress["simulated"].as_f64().unwrap());
    assert!(simulated < 1000.0 * 3600.0);
    assert!(desk.read("run/report.html").contains("</html>"));
}

#[test]
fn what_was_finished_is_not_lost_to_what_was_not() {
    let desk = Desk::new();
    let small = [&["baseline", "--out", "run"], SMALL.as_slice()].concat();
    desk.run(&small).assert_code(0);
    let finished = desk.manifest("run");
    let mut run = desk.start(&ENDLESS);
    run.wait_for("progress");
    assert_eq!(desk.manifest("run"), finished);
    run.signal("INT");
    let ended = run.end();
    ended.assert_refused(130, &["interrupted"]);
    assert_eq!(ended.event("report")["path"], "run-2");
    assert_eq!(desk.manifest("run-2")["state"], "interrupted");
    assert_eq!(desk.manifest("run"), finished);
    assert!(desk.read("run/report.html").contains("</html>"));

    let mut run = desk.start(&ENDLESS);
    run.wait_for("progress");
    run.signal("KILL");
    run.end();
    assert_eq!(desk.manifest("run"), finished);

    desk.run(&[small, vec!["--seed", "2"]].concat())
        .assert_code(0);
    assert_eq!(desk.manifest("run")["seed"], 2);
}

#[test]
fn a_run_that_was_killed_does_not_look_finished() {
    let desk = Desk::new();
    let mut run = desk.start(&ENDLESS);
    run.wait_for("progress");
    run.signal("KILL");
    assert_eq!(run.end().code, None);
    let manifest = desk.manifest("run");
    assert_eq!(manifest["state"], "begun");
    assert_eq!(manifest["is_finished"], false);
}

#[test]
fn progress_has_figures_that_grow() {
    let desk = Desk::new();
    let mut run = desk.start(&ENDLESS);
    let first = run.wait_for("progress");
    let second = run.wait_for("progress");
    for figure in ["simulated", "events"] {
        let figure = |event: &serde_json::Value| event[figure].as_f64().unwrap();
        assert!(figure(&second) > figure(&first), "{first} {second}");
    }
    assert!(first["online"].as_u64().unwrap() > 0);
}
