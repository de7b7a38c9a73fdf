//! Nobody sends or receives more than its line carries, and connections share it.

use std::ops::Range;

use crate::{LEECHER, SEED, acquaint, bytes_done, completion, seconds, swarm};
use simulations::{Manner, Role, address};

/// It has next to nothing to give.
const POOR: Role = Role::leecher(2_000, 0);

#[test]
fn connections_share_the_way_out_of_a_seed() {
    let mut swarm = swarm(128, &[SEED, POOR, POOR, POOR, POOR]);
    acquaint(&mut swarm, 5);
    swarm.run_for(seconds(60)).unwrap();
    let shares = [1, 2, 3, 4].map(|number| bytes_done(&swarm, number));
    // A fourth of 60 MB each, but for what is not a whole piece yet.
    for share in shares {
        assert!((13_000_000..16_000_000).contains(&share), "{shares:?}");
    }
    assert!(swarm.findings().seed_bytes <= 60 * 1_000_000);
}

#[test]
fn a_slow_way_in_is_as_slow_with_many_that_send() {
    let slow = Role {
        down: 500_000,
        ..LEECHER
    };
    let mut swarm = swarm(32, &[SEED, SEED, SEED, slow]);
    acquaint(&mut swarm, 4);
    let done = completion(&mut swarm, 3..4, seconds(60));
    // 8,388,608 bytes at 500,000 a second.
    assert!(
        (seconds(16)..seconds(20)).contains(&done),
        "it took {done:?}"
    );
}

#[test]
fn who_gives_much_gets_more_than_who_gives_little() {
    let mean = Role::leecher(100_000, 0);
    let mut roles = vec![SEED];
    roles.extend([LEECHER; 12]);
    roles.extend([mean; 24]);
    let mut swarm = swarm(64, &roles);
    acquaint(&mut swarm, 37);
    swarm.run_for(seconds(30)).unwrap();
    let average = |numbers: Range<u32>| {
        let count = numbers.len() as u64;
        numbers
            .map(|number| bytes_done(&swarm, number))
            .sum::<u64>()
            / count
    };
    let (generous, mean) = (average(1..13), average(13..37));
    assert!(
        generous > mean * 5 / 4,
        "the generous have {generous} bytes, the others {mean}"
    );
}

#[test]
fn freeloaders_give_nothing_and_do_not_keep_the_others_from_completing() {
    let freeloader = Role {
        manner: Manner::Freeloader,
        ..LEECHER
    };
    let mut roles = vec![SEED];
    roles.extend([LEECHER; 16]);
    roles.extend([freeloader; 8]);
    let mut swarm = swarm(64, &roles);
    acquaint(&mut swarm, 25);
    completion(&mut swarm, 1..17, seconds(300));
    let sent = (17..25).map(|number| swarm.progress(address(number)).unwrap().uploaded);
    assert_eq!(sent.sum::<u64>(), 0);
}
