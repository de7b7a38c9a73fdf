//! Lookups among living nodes.

use std::time::Duration;

use dht::{NodeInfo, Outcome};
use simulations::{Goal, NetworkPlan, World};

use crate::{MINUTE, hash, is_found, lossy, plan, rough};

#[test]
fn announces_are_found_in_nets_of_2_8_and_100_whatever_becomes_of_packets() {
    let doubled = NetworkPlan {
        duplication: 0.3,
        ..NetworkPlan::default()
    };
    let disordered = NetworkPlan {
        reordering: 0.3,
        ..NetworkPlan::default()
    };
    let networks = [
        NetworkPlan::default(),
        lossy(),
        doubled,
        disordered,
        rough(),
    ];
    for (seed, network) in (1..).zip(networks) {
        for count in [2, 8, 100] {
            let mut plan = plan(seed, count);
            plan.network = network.clone();
            let mut world = World::grown(&plan);
            // Where there is only one to ask, a lost packet is all it takes; but drivers repeat their announces.
            let attempts = if count == 2 { 4 } else { 1 };
            for number in 0..6 {
                let holder = number % count;
                let seeker = (number + count / 2) % count;
                let is_found = (0..attempts).any(|attempt| {
                    world.run_for(15 * MINUTE * attempt.min(1));
                    is_found(&mut world, holder, seeker, hash(number))
                });
                assert!(is_found, "announce {number} among {count} on {network:?}");
            }
        }
    }
}

#[test]
fn a_lookup_in_a_settled_faultless_net_finds_the_nearest_nodes() {
    for count in [2, 8, 100] {
        let mut plan = plan(7, count);
        // Nobody is so far away that a lookup does not wait for him.
        plan.network.latency.median_round_trip = Duration::from_millis(20);
        plan.dht.min_stall = Duration::from_secs(2);
        let mut world = World::grown(&plan);
        world.run_for(60 * MINUTE);
        for number in 0..30 {
            let asker = number % count;
            let target = hash(number);
            let others = (0..count).filter(|node| *node != asker);
            let mut nearest: Vec<_> = others
                .map(|node| NodeInfo {
                    id: world.node(node).expect("all are online").id(),
                    address: world.address(node),
                })
                .collect();
            nearest.sort_by_key(|node| node.id.distance(&target));
            nearest.truncate(8);
            let found = world.look_up(asker, Goal::FindNode(target));
            let report = found.expect("a lookup ends").report;
            assert_eq!(
                report.closest, nearest,
                "node {asker} looks for {target} among {count}"
            );
            assert_eq!(report.outcome, Outcome::Converged);
        }
    }
}
