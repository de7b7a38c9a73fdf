//! Somebody waits for certain pieces.

use std::time::Duration;

use wire::Bitfield;

use super::network::{Joining, Swarm};

const PIECES: u32 = 256;

/// A leecher that needs two pieces next, half a second after a slow seed was asked for them, when a fast one comes. Returns how long they took from then on, and the blocks
/// that came twice.
fn rescue(is_urgent: bool) -> (Duration, u64) {
    let mut swarm = Swarm::new(PIECES, 4 * wire::BLOCK_LENGTH);
    let slow = swarm.join(Joining {
        bytes_per_second: 20e3,
        ..swarm.seed()
    });
    let fast = swarm.join(Joining {
        bytes_per_second: 2e6,
        ..swarm.seed()
    });
    let leecher = swarm.join(Joining {
        info: Some(swarm.info.clone()),
        ..Joining::leecher()
    });
    let needed = [10, 11];
    swarm.hurry(leecher, &needed);
    swarm.introduce(leecher, &[slow]);
    swarm.run_for(Duration::from_millis(500));
    if !is_urgent {
        swarm.hurry(leecher, &[]);
    }
    swarm.introduce(leecher, &[fast]);
    let has = |swarm: &Swarm, piece| {
        let have = swarm.nodes[leecher].torrent.have();
        have.is_some_and(|have: &Bitfield| have.get(piece))
    };
    let time = swarm.run_until(Duration::from_secs(60), |swarm| {
        needed.iter().all(|&piece| has(swarm, piece))
    });
    (time, swarm.nodes[leecher].wasted)
}

#[test]
fn what_a_slow_peer_owes_is_fetched_from_a_fast_one_if_somebody_waits_for_it() {
    let (patient, _) = rescue(false);
    let (urgent, wasted) = rescue(true);
    assert!(patient > Duration::from_secs(4), "{patient:?}");
    assert!(urgent < Duration::from_secs(2), "{urgent:?}");
    assert!(wasted <= 4 * u64::from(wire::BLOCK_LENGTH), "{wasted}");
}

#[test]
fn what_is_urgent_before_the_disk_was_checked_is_urgent_after_it() {
    let mut swarm = Swarm::new(PIECES, 4 * wire::BLOCK_LENGTH);
    let seed = swarm.join(swarm.seed());
    let leecher = swarm.join(Joining::leecher());
    swarm.hurry(leecher, &[200]);
    swarm.introduce(leecher, &[seed]);
    swarm.run_until(Duration::from_secs(60), |swarm| {
        swarm.bytes_done(leecher) > 0
    });
    let have = swarm.nodes[leecher].torrent.have();
    assert!(have.is_some_and(|have| have.get(200)));
}
