//! Enemies of all kinds in a world of their own.

use std::time::Duration;

use crate::{Codec, EnemyPlan, Experiment, Findings, LifePlan, Means, Options, Plan};

fn findings(threads: usize, codec: Codec) -> Findings {
    let plan = Plan {
        nodes: 150,
        settle: Duration::from_secs(20),
        duration: Duration::from_secs(20),
        life: LifePlan {
            bootstrap_nodes: 4,
            ..LifePlan::default()
        },
        enemies: EnemyPlan {
            sybils: 0.06,
            sybils_at_target: 8,
            targets: 1,
            poisoners: 0.06,
            dead_namers: 0.06,
            innocent_namers: 0.06,
            swallowers: 0.06,
            forgers: 0.06,
            flooders: 0.06,
            flood_rate: 20,
            limits: true,
        },
        ..Plan::default()
    };
    let options = Options {
        means: Means { threads, codec },
        check: true,
        watch: None,
    };
    let mut experiment = Experiment::new(plan, None, options).unwrap();
    while !experiment.advance().unwrap().is_over {}
    experiment.findings()
}

#[test]
fn a_world_with_all_kinds_of_enemies_lives_and_can_be_repeated() {
    let found = findings(1, Codec::Structured);
    let came_of = |kind| {
        let row = found.attacks.iter().find(|row| row.kind == kind);
        let row = row.unwrap_or_else(|| panic!("there is no {kind}"));
        assert!(row.tried > 0, "{row:?}");
        row.succeeded
    };
    assert_eq!(came_of("forger"), 0);
    assert_eq!(came_of("poisoner"), 0);
    for kind in ["sybil", "sybil at target", "swallower", "flooder"] {
        assert!(came_of(kind) > 0, "{kind}");
    }
    let again = findings(2, Codec::Bytes);
    assert_eq!(found.digest, again.digest);
    assert_eq!(found.attacks, again.attacks);
}
