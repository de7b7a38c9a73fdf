//! Nodes that come and go, and nodes that nobody reaches unasked.

use std::time::Duration;

use simulations::{Dependence, Goal, Means, Network, Traffic, World};

use crate::{MINUTE, hash, is_found, plan};

#[test]
fn a_bootstrap_node_that_is_gone_does_not_keep_newcomers_out() {
    let mut plan = plan(41, 40);
    plan.life.bootstrap_nodes = 3;
    let mut world = World::grown(&plan);
    world.leave(39);
    world.leave(0);
    world.leave(1);
    world.run_for(MINUTE);
    world.join(39);
    world.run_for(MINUTE);
    assert!(is_found(&mut world, 39, 20, hash(1)));
    assert!(is_found(&mut world, 20, 39, hash(2)));
}

#[test]
fn who_comes_while_no_bootstrap_node_is_there_enters_when_one_is() {
    let mut world = World::new(&plan(42, 20), 20, Means::default());
    for node in 0..19 {
        world.join(node);
        world.run_for(MINUTE / 10);
    }
    world.leave(0);
    world.join(19);
    world.run_for(5 * MINUTE);
    assert_eq!(world.node(19).map(|node| node.contacts().count()), Some(0));
    world.join_through(0, &[7]);
    world.run_for(5 * MINUTE);
    assert!(is_found(&mut world, 19, 11, hash(1)));
}

#[test]
fn nodes_behind_nats_find_and_are_found_and_those_that_know_it_are_in_nobodys_way() {
    let mut plan = plan(43, 60);
    plan.nat.share = 0.4;
    plan.nat.filtering = Dependence::AddressAndPortDependent;
    plan.nat.read_only = 1.0;
    let mut world = World::grown(&plan);
    world.run_for(10 * MINUTE);
    let network = Network::new(&plan, 60, None);
    let (hidden, open): (Vec<u32>, Vec<u32>) =
        (0..60).partition(|&node| network.is_behind_nat(node));
    assert!(hidden.len() > 10 && open.len() > 10);
    for node in 0..60 {
        let node = world.node(node).expect("all are online");
        let is_hidden = |address| {
            hidden
                .iter()
                .any(|&hidden| world.address(hidden) == address)
        };
        assert!(!node.contacts().any(|contact| is_hidden(contact.address)));
    }
    assert!(is_found(&mut world, hidden[0], open[3], hash(1)));
    assert!(is_found(&mut world, open[4], hidden[1], hash(2)));
}

#[test]
fn a_nat_lets_nobody_in_whom_its_node_did_not_ask() {
    let mut plan = plan(45, 60);
    plan.nat.share = 0.4;
    let mut world = World::grown(&plan);
    world.run_for(30 * MINUTE);
    let Traffic { filtered, lost, .. } = world.traffic();
    assert!(filtered > 100 && lost == 0, "{filtered} filtered");
    let answers = |filtering| {
        let mut plan = plan.clone();
        plan.nat.filtering = filtering;
        let mut world = World::grown(&plan);
        world.run_for(30 * MINUTE);
        world.traffic().filtered
    };
    // One that filters nothing still loses what comes to a mapping that is gone.
    assert!(answers(Dependence::EndpointIndependent) < filtered / 2);
}

#[test]
fn a_mapping_expires_and_the_next_packet_makes_another() {
    let mut plan = plan(44, 30);
    plan.nat.share = 0.5;
    plan.nat.expiry = Duration::from_secs(2);
    let mut world = World::grown(&plan);
    let network = Network::new(&plan, 30, None);
    let hidden = (0..30)
        .find(|&node| network.is_behind_nat(node))
        .expect("half of them are");
    // Its maintenance sends a packet every six seconds: it is forgotten in between, and a lookup of its own works all the same.
    world.run_for(10 * MINUTE);
    let report = world
        .look_up(hidden, Goal::FindNode(hash(1)))
        .expect("a lookup ends")
        .report;
    assert!(report.answered >= 8, "{report:?}");
}
