//! Peers come, hide behind NATs, and go.

use crate::{LEECHER, SEED, acquaint, bytes_done, completion, seconds, swarm};
use simulations::{Role, address};

const BEHIND_NAT: Role = Role {
    accepts: false,
    ..LEECHER
};

#[test]
fn a_peer_behind_a_nat_dials_and_is_not_dialled() {
    let mut swarm = swarm(8, &[SEED, BEHIND_NAT, LEECHER]);
    swarm.introduce(address(2), &[address(1)]);
    swarm.run_for(seconds(60)).unwrap();
    assert_eq!(swarm.progress(address(2)).unwrap().connected, 0);
    swarm.introduce(address(1), &[address(0), address(2)]);
    // Those whom it dials it serves as well.
    completion(&mut swarm, 1..2, seconds(30));
    swarm.leave(address(0));
    swarm.run_for(seconds(30)).unwrap();
    assert!(swarm.is_finished(address(2)));
}

#[test]
fn who_leaves_when_it_is_done_leaves_nobody_behind() {
    let hasty = Role {
        leaves: true,
        ..LEECHER
    };
    let mut roles = vec![SEED];
    roles.extend([hasty; 12]);
    let mut swarm = swarm(16, &roles);
    acquaint(&mut swarm, 13);
    completion(&mut swarm, 1..13, seconds(120));
    swarm.run_for(seconds(1)).unwrap();
    assert_eq!(swarm.progress(address(0)).unwrap().connected, 0);
    assert_eq!(swarm.findings().completions.len(), 12);
}

#[test]
fn a_peer_that_left_comes_back_and_begins_anew() {
    let mut swarm = swarm(16, &[SEED, LEECHER]);
    acquaint(&mut swarm, 2);
    swarm.run_for(seconds(3)).unwrap();
    assert!(bytes_done(&swarm, 1) > 0);
    swarm.leave(address(1));
    swarm.run_for(seconds(10)).unwrap();
    swarm.join(address(1), LEECHER);
    assert_eq!(bytes_done(&swarm, 1), 0);
    acquaint(&mut swarm, 2);
    completion(&mut swarm, 1..2, seconds(30));
}

#[test]
fn what_was_sent_to_the_vanished_is_dropped_and_counted() {
    let mut swarm = swarm(16, &[SEED, LEECHER, LEECHER]);
    acquaint(&mut swarm, 3);
    swarm.run_for(seconds(2)).unwrap();
    swarm.vanish(address(2));
    for _ in 0..100 {
        swarm.run_for(seconds(1) / 10).unwrap();
        let traffic = swarm.traffic();
        assert_eq!(
            traffic.sent,
            traffic.received + traffic.dropped + traffic.in_flight
        );
    }
    assert!(swarm.traffic().dropped > 0);
    completion(&mut swarm, 1..2, seconds(30));
}
