//! Paths are cut, and heal.

use crate::{LEECHER, SEED, acquaint, bytes_done, completion, seconds, swarm};
use simulations::address;

#[test]
fn a_connection_is_silent_while_it_is_cut_and_goes_on_afterwards() {
    let mut swarm = swarm(32, &[SEED, LEECHER]);
    acquaint(&mut swarm, 2);
    swarm.paths_mut().island = vec![address(1)];
    swarm.paths_mut().cut = seconds(4)..seconds(30);
    swarm.run_to(seconds(5)).unwrap();
    let before = bytes_done(&swarm, 1);
    assert!(before > 0);
    swarm.run_to(seconds(30)).unwrap();
    assert_eq!(bytes_done(&swarm, 1), before);
    assert_eq!(swarm.progress(address(1)).unwrap().connected, 1);
    let done = completion(&mut swarm, 1..2, seconds(60));
    assert!(done < seconds(45), "it took until {done:?}");
}

#[test]
fn nobody_is_reached_across_a_cut_until_it_heals() {
    let mut swarm = swarm(8, &[SEED, LEECHER]);
    swarm.paths_mut().island = vec![address(1)];
    swarm.paths_mut().cut = seconds(0)..seconds(60);
    acquaint(&mut swarm, 2);
    swarm.run_to(seconds(60)).unwrap();
    assert_eq!(swarm.progress(address(1)).unwrap().connected, 0);
    completion(&mut swarm, 1..2, seconds(120));
}

#[test]
fn both_sides_of_a_cut_are_complete_after_it() {
    let mut roles = vec![SEED];
    roles.extend([LEECHER; 15]);
    let mut swarm = swarm(16, &roles);
    acquaint(&mut swarm, 16);
    swarm.paths_mut().island = (8..16).map(address).collect();
    swarm.paths_mut().cut = seconds(2)..seconds(10 * 60);
    let near = completion(&mut swarm, 1..8, seconds(120));
    swarm.run_to(seconds(10 * 60)).unwrap();
    assert!((8..16).all(|number| !swarm.is_finished(address(number))));
    let far = completion(&mut swarm, 8..16, seconds(15 * 60));
    assert!(near < far);
}

#[test]
fn a_leecher_that_never_gets_what_is_there_is_told_of() {
    let mut swarm = swarm(8, &[SEED, LEECHER, LEECHER]);
    swarm.introduce(address(1), &[address(0)]);
    let breach = swarm.run_to(seconds(60 * 60)).unwrap_err();
    assert_eq!(breach.invariant, "everybody completes");
    assert_eq!(breach.peer, address(2));
    assert!(breach.at > seconds(15 * 60) && breach.at < seconds(20 * 60));
    assert_eq!(swarm.run_to(seconds(60 * 60)), Err(breach));
}
