//! Lookups among living nodes.

use dht::Outcome;
use simulations::{Conditions, Goal, Network, World, address};

use crate::{MINUTE, hash, is_found, lossy, rough};

#[test]
fn announces_are_found_in_nets_of_2_8_and_100_whatever_becomes_of_packets() {
    for (seed, conditions) in [
        (1, Conditions::default()),
        (2, lossy()),
        (
            3,
            Conditions {
                duplication: 0.3,
                ..Conditions::default()
            },
        ),
        (
            4,
            Conditions {
                reordering: 0.3,
                ..Conditions::default()
            },
        ),
        (5, rough()),
    ] {
        for count in [2, 8, 100] {
            let mut world = World::grown(Network::new(seed, conditions.clone()), count);
            // Where there is only one to ask, a lost packet is all it takes; but drivers repeat their announces.
            let attempts = if count == 2 { 4 } else { 1 };
            for number in 0..6 {
                let holder = address(number % count);
                let seeker = address((number + count / 2) % count);
                let is_found = (0..attempts).any(|attempt| {
                    world.run_for(15 * MINUTE * attempt.min(1));
                    is_found(&mut world, holder, seeker, hash(number))
                });
                assert!(
                    is_found,
                    "announce {number} among {count} on a network with {conditions:?}"
                );
            }
        }
    }
}

#[test]
fn a_lookup_in_a_settled_faultless_net_finds_the_nodes_that_the_oracle_names() {
    for count in [2, 8, 100] {
        let mut world = World::grown(Network::new(7, Conditions::default()), count);
        world.run_for(60 * MINUTE);
        for number in 0..30 {
            let asker = address(number % count);
            let target = hash(number);
            let found = world.look_up(asker, Goal::FindNode(target));
            let report = found.expect("a lookup ends").report;
            let closest: Vec<_> = report.closest.iter().map(|node| node.address).collect();
            assert_eq!(
                closest,
                world.nearest(&target, asker, 8),
                "node {asker} looks for {target} among {count}"
            );
            assert_eq!(report.outcome, Outcome::Converged);
        }
    }
}
