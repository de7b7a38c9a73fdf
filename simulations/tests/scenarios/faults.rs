//! Nodes that are dead, silent, cut off, or lie.

use std::collections::BTreeSet;
use std::time::Duration;

use dht::Event;
use simulations::{Fate, Goal, Network, PartitionPlan, World};

use crate::{MINUTE, hash, is_found, plan, rough};

#[test]
fn announces_are_found_though_a_third_of_the_nodes_died_just_now() {
    for fault in [World::leave, World::freeze] {
        for count in [8, 100] {
            let mut world = World::grown(&plan(11, count));
            for number in (1..count).step_by(3) {
                fault(&mut world, number);
            }
            for number in 0..10 {
                let (holder, seeker) = (number * 3 % count, (number * 3 + 6) % count);
                let (holder, seeker) = (holder - holder % 3, seeker - seeker % 3);
                assert!(
                    is_found(&mut world, holder, seeker, hash(number)),
                    "announce {number} among {count}"
                );
            }
        }
    }
}

#[test]
fn every_lookup_ends_though_nodes_die_beneath_it() {
    let mut plan = plan(12, 100);
    plan.network = rough();
    let mut world = World::grown(&plan);
    world.take_notes();
    let mut begun = BTreeSet::new();
    for number in 0..60 {
        let goal = match number % 3 {
            0 => Goal::FindNode(hash(number)),
            1 => Goal::GetPeers(hash(number)),
            _ => Goal::Announce(hash(number)),
        };
        begun.insert(world.begin(number % 10, goal));
        let fault = if number % 2 == 0 {
            World::leave
        } else {
            World::freeze
        };
        fault(&mut world, 10 + number);
        world.run_for(MINUTE / 1000);
    }
    world.run_for(2 * MINUTE);
    let mut ended = Vec::new();
    for note in world.take_notes() {
        if let Event::LookupEnded { lookup, .. } = note.event {
            ended.push(lookup);
        }
    }
    assert_eq!(ended.len(), 60, "each ends once");
    assert_eq!(ended.into_iter().collect::<BTreeSet<_>>(), begun);
}

#[test]
fn a_net_that_was_cut_in_two_is_one_again_soon_after() {
    let mut plan = plan(13, 40);
    let begins = Duration::from_secs(40);
    plan.network.partitions = vec![PartitionPlan {
        at: begins,
        lasts: 10 * MINUTE,
        ..PartitionPlan::default()
    }];
    let network = Network::new(&plan, plan.nodes, None);
    let is_beside_the_first =
        |node: &u32| network.fate(begins.as_micros() as u64, 0, *node, 1) != Fate::Cut;
    let (here, there): (Vec<u32>, Vec<u32>) = (0..plan.nodes).partition(is_beside_the_first);
    assert!(here.len() > 5 && there.len() > 5);

    let mut world = World::grown(&plan);
    world.run_for(begins.saturating_sub(world.now()));
    assert!(!is_found(&mut world, here[1], there[1], hash(1)));
    assert!(is_found(&mut world, here[2], here[4], hash(2)));
    assert!(is_found(&mut world, there[2], there[4], hash(3)));
    assert!(world.now() < begins + 10 * MINUTE);
    world.run_for((begins + 15 * MINUTE).saturating_sub(world.now()));
    assert!(world.traffic().cut > 0);
    for (number, (&holder, &seeker)) in (100..110).zip(here.iter().zip(&there)) {
        assert!(
            is_found(&mut world, holder, seeker, hash(number)),
            "{number}"
        );
    }
}

#[test]
fn a_node_that_stood_still_for_an_hour_finds_and_is_found() {
    let mut world = World::grown(&plan(14, 20));
    world.freeze(5);
    world.run_for(60 * MINUTE);
    world.thaw(5);
    assert!(is_found(&mut world, 5, 6, hash(1)));
    assert!(is_found(&mut world, 6, 5, hash(2)));
}
