//! `trackless demo`: the first thing that anybody sees.

use std::path::PathBuf;
use std::thread;

use crate::support::{Desk, tree};

#[test]
fn the_demo_ends_by_itself_and_leaves_nothing_behind() {
    let desk = Desk::new();
    let demo = desk.run(&["demo", "--nodes", "8", "--size", "2"]);
    demo.assert_code(0);
    let steps: Vec<&str> = demo
        .events
        .iter()
        .filter_map(|event| event["step"].as_str())
        .collect();
    for step in ["network", "content", "announce", "download", "compare"] {
        assert!(steps.contains(&step), "{step} is not in {steps:?}");
    }
    assert_eq!(files(&desk), Vec::<PathBuf>::new());
}

#[test]
fn ctrl_c_ends_the_demo_and_leaves_nothing_behind() {
    let desk = Desk::new();
    let mut demo = desk.start(&["demo", "--nodes", "4", "--size", "64"]);
    // Nobody says so while the content is being written: it shows on the disk.
    while !tree(&desk.path(""))
        .values()
        .any(|content| !content.is_empty())
    {
        assert!(demo.is_alive());
        thread::yield_now();
    }
    demo.signal("INT");
    demo.end().assert_code(130);
    assert_eq!(files(&desk), Vec::<PathBuf>::new());
}

/// What is left on a desk.
fn files(desk: &Desk) -> Vec<PathBuf> {
    tree(&desk.path("")).into_keys().collect()
}
