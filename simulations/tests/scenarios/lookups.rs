//! Lookups among living nodes.

use dht::{Id, Outcome};
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
            for number in 0..10 {
                let (holder, seeker) = (number % count, (number + count / 2) % count);
                assert!(
                    is_found(&mut world, address(holder), address(seeker), hash(number)),
                    "announce {number} among {count} on a network with {conditions:?}"
                );
            }
        }
    }
}

#[test]
fn a_lookup_in_a_static_faultless_net_finds_the_nodes_that_the_oracle_names() {
    for count in [2, 8, 100] {
        let mut world = World::grown(Network::new(7, Conditions::default()), count);
        world.run_for(10 * MINUTE);
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

#[test]
fn first_peers_come_within_two_round_trips_and_a_lookup_ends_within_a_second() {
    let mut world = World::grown(Network::new(8, Conditions::default()), 100);
    let torrent = Id::new([9; 20]);
    assert!(is_found(&mut world, address(1), address(99), torrent));
    for number in 20..40 {
        let found = world.look_up(address(number), Goal::GetPeers(torrent));
        let elapsed = found.expect("a lookup ends").report.elapsed;
        assert!(elapsed.as_millis() < 1000, "{elapsed:?}");
    }
}
