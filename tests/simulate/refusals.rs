//! Wrong plans, keys and values get a sentence that says what to write instead.

use crate::desk::Desk;

#[test]
fn a_wrong_key_gets_the_nearest_right_one() {
    let desk = Desk::new();
    let run = desk.run(&["baseline", "--set", "dht.alfa=3"]);
    run.assert_refused(2, &["dht.alfa", "dht.alpha"]);
    let sweep = desk.run(&["baseline", "--sweep", "dht.alfa=1,3"]);
    sweep.assert_refused(2, &["dht.alfa", "dht.alpha"]);
    assert!(!desk.path("runs").exists());
}

#[test]
fn a_wrong_value_is_named_with_what_it_should_be() {
    let desk = Desk::new();
    let run = desk.run(&["baseline", "--set", "network.loss.random=3"]);
    run.assert_refused(2, &["network.loss.random", "3"]);
    let run = desk.run(&["baseline", "--set", "alpha"]);
    run.assert_code(2);
}

#[test]
fn a_wrong_plan_gets_the_name_of_the_right_one() {
    let desk = Desk::new();
    desk.run(&["basline"])
        .assert_refused(2, &["basline", "did you mean baseline", "--list"]);
    desk.run(&["mine.toml"]).assert_refused(2, &["mine.toml"]);
    desk.write("mine.toml", "nodes = 100\nseeds = 3\n");
    desk.run(&["mine.toml"])
        .assert_refused(2, &["mine.toml", "line 2", "seeds"]);
}

#[test]
fn without_a_plan_there_is_nothing_to_change() {
    let desk = Desk::new();
    for flags in [
        &["--nodes", "500"][..],
        &["--repeat", "3"],
        &["--out", "run"],
    ] {
        desk.run(flags).assert_refused(2, &["no plan", "--list"]);
    }
    desk.run(&["--list", "--nodes", "500"]).assert_code(0);
}

#[test]
fn a_sweep_of_which_one_run_cannot_be_run_does_not_begin() {
    let desk = Desk::new();
    let last = i64::MAX.to_string();
    let line = ["baseline", "--seed", &last, "--repeat", "2"];
    desk.run(&line).assert_refused(2, &["seed", "out of range"]);
    assert!(!desk.path("runs").exists());
}

#[test]
fn a_node_that_is_not_there_cannot_be_watched() {
    let desk = Desk::new();
    desk.small(&["baseline", "--out", "run"]);
    let line = ["replay", "run", "--node", "200", "--at", "90s"];
    desk.run(&line).assert_refused(2, &["200 nodes"]);
}

#[test]
fn a_matrix_is_looked_for_beside_its_plan() {
    let desk = Desk::new();
    desk.write(
        "plans/mine.toml",
        "[network.latency]\nmatrix = \"regions.csv\"\n",
    );
    desk.run(&["plans/mine.toml"])
        .assert_refused(2, &["plans/regions.csv"]);
}

#[test]
fn a_run_that_does_not_break_cannot_be_shrunk() {
    let desk = Desk::new();
    let line = [
        &["shrink", "baseline", "-o", "small.toml"],
        crate::desk::SMALL.as_slice(),
    ]
    .concat();
    desk.run(&line).assert_refused(2, &["does not break"]);
    assert!(!desk.path("small.toml").exists());
}

#[test]
fn without_a_plan_the_library_is_shown() {
    let desk = Desk::new();
    for line in [&[][..], &["--list"]] {
        let list = desk.run(line);
        list.assert_code(0);
        let plans = list.all("plan");
        for name in [
            "baseline",
            "churn",
            "nat",
            "loss",
            "sybil",
            "partition",
            "million",
        ] {
            assert!(
                plans.iter().any(|plan| plan["name"] == name),
                "{name}\n{list}"
            );
        }
        assert!(
            plans
                .iter()
                .all(|plan| plan["about"].as_str().unwrap().len() > 10)
        );
    }
    let keys = desk.run(&["--keys"]);
    keys.assert_code(0);
    assert!(keys.all("key").iter().any(|key| key["key"] == "dht.alpha"));
}
