//! What always holds does, and looking whether it does changes nothing.

use std::time::Duration;

use simulations::{
    Codec, EnemyPlan, Experiment, LifePlan, Means, NatPlan, Options, Plan, Start, Watch,
};

use crate::{MINUTE, run};

/// Ten minutes in which everything goes wrong that may.
fn trouble(seed: u64) -> Plan {
    let mut plan = Plan {
        seed,
        nodes: 300,
        start: if seed.is_multiple_of(2) {
            Start::Organic
        } else {
            Start::Warm
        },
        settle: 3 * MINUTE,
        duration: 7 * MINUTE,
        nat: NatPlan {
            share: 0.3,
            read_only: 0.3,
            ..NatPlan::default()
        },
        life: LifePlan {
            session: 10 * MINUTE,
            absence: 5 * MINUTE,
            ..LifePlan::default()
        },
        ..Plan::default()
    };
    plan.network.loss.random = 0.02;
    plan.network.loss.bursts = 0.02;
    plan.network.duplication = 0.01;
    plan.network.reordering = 0.01;
    plan.workload.announces_per_minute = 20;
    plan.workload.recall_after = 2 * MINUTE;
    plan
}

#[test]
fn with_churn_loss_and_nats_everything_holds() {
    for seed in 1..=20 {
        let findings = run(&trouble(seed), 1, Codec::Structured);
        let traffic = findings.traffic;
        assert!(
            traffic.lost > 0 && traffic.offline > 0 && traffic.filtered > 0,
            "{traffic:?}"
        );
    }
}

#[test]
fn among_enemies_everything_holds() {
    for seed in 1..=3 {
        let mut plan = trouble(seed);
        plan.enemies = EnemyPlan {
            sybils: 0.05,
            sybils_at_target: 8,
            targets: 3,
            poisoners: 0.05,
            dead_namers: 0.05,
            innocent_namers: 0.05,
            swallowers: 0.05,
            forgers: 0.05,
            flooders: 0.01,
            flood_rate: 50,
            limits: true,
        };
        let findings = run(&plan, 1, Codec::Structured);
        assert!(findings.attacks.iter().any(|attack| attack.tried > 0));
    }
}

#[test]
fn in_a_world_without_faults_lookups_end_with_the_nearest_nodes() {
    for start in [Start::Warm, Start::Organic] {
        let mut plan = Plan {
            nodes: 500,
            start,
            settle: 10 * MINUTE,
            duration: 5 * MINUTE,
            ..Plan::default()
        };
        plan.workload.find_nodes_per_minute = 60;
        // The run itself looks at those of which each asked node answered in time.
        let findings = run(&plan, 1, Codec::Structured);
        let judged = findings
            .lookups
            .iter()
            .filter(|row| row.accuracy.is_some() && row.stalled == 0);
        assert!(judged.count() > 100);
    }
}

#[test]
fn looking_at_a_world_changes_nothing_of_it() {
    let plan = trouble(31);
    let watch = Watch {
        node: 0,
        from: 4 * MINUTE,
        to: 5 * MINUTE,
    };
    let mut digests = Vec::new();
    for (check, watch) in [(true, None), (false, Some(watch)), (false, None)] {
        let means = Means::default();
        let options = Options {
            means,
            check,
            watch,
        };
        let mut experiment = Experiment::new(plan.clone(), None, options).expect("the plan is one");
        let mut sights = Vec::new();
        while !experiment
            .advance()
            .expect("what always holds does")
            .is_over
        {
            sights.extend(experiment.take_sights());
        }
        assert_eq!(sights.is_empty(), watch.is_none());
        let is_in_time = |at: Duration| (4 * MINUTE..=5 * MINUTE).contains(&at);
        assert!(
            sights
                .iter()
                .all(|sight| sight.node == 0 && is_in_time(sight.at))
        );
        digests.push(experiment.findings().minutes);
    }
    assert_eq!(digests[0], digests[2], "checking");
    assert_eq!(digests[1], digests[2], "watching");
}
