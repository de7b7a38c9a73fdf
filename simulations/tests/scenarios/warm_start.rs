//! A world that was made at once is like one that grew.

use std::time::Duration;

use simulations::{Codec, Findings, Kind, Plan, Start, Success};

use crate::{MINUTE, run};

/// A world that has lived for an hour when it is measured, or was made so.
fn measured(start: Start) -> Findings {
    let settle = match start {
        Start::Organic => 60 * MINUTE,
        Start::Warm => 5 * MINUTE,
    };
    let mut plan = Plan {
        seed: 51,
        nodes: 1_500,
        start,
        settle,
        duration: 5 * MINUTE,
        ..Plan::default()
    };
    plan.workload.find_nodes_per_minute = 120;
    run(&plan, 1, Codec::Structured)
}

/// The mean of the hops of searches for nodes, and the median of the time that they took.
fn lookups(findings: &Findings) -> (f64, Duration) {
    let ended = findings
        .lookups
        .iter()
        .filter(|row| row.kind == Kind::FindNode && row.success != Success::Void);
    let (mut hops, mut times) = (0.0, Vec::new());
    for row in ended {
        hops += f64::from(row.hops);
        times.extend(row.elapsed);
    }
    times.sort_unstable();
    (hops / times.len() as f64, times[times.len() / 2])
}

#[test]
fn a_warm_world_is_like_one_that_has_grown_for_an_hour() {
    let (warm, grown) = (measured(Start::Warm), measured(Start::Organic));
    for (warm, grown) in warm.buckets.iter().zip(&grown.buckets) {
        // Of the deepest buckets few nodes have one.
        let is_alike = (warm.contacts - grown.contacts).abs() <= 0.1 * grown.contacts.max(1.0);
        assert!(is_alike, "{warm:?} and {grown:?}");
    }
    let ((warm_hops, warm_time), (hops, time)) = (lookups(&warm), lookups(&grown));
    assert!(
        (warm_hops - hops).abs() <= 0.3,
        "{warm_hops} and {hops} hops"
    );
    assert!(
        warm_time.abs_diff(time) <= time / 10,
        "{warm_time:?} and {time:?}"
    );
}
