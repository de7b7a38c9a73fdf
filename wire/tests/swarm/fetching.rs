use std::time::Duration;

use wire::{Bitfield, Event};

use crate::network::{Joining, Swarm};

const MIB: u32 = 1 << 20;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_leecher_that_knows_the_info_hash_fetches_everything() {
    let mut swarm = Swarm::new(64, 256 << 10);
    let seed = swarm.join(swarm.seed());
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[seed]);
    let time = swarm.run_until(seconds(60), |swarm| swarm.is_finished(leecher));
    assert!(
        time < Duration::from_millis(2200),
        "16 MiB at 10 MB/s took {time:?}"
    );
    let events = &swarm.nodes[leecher].events;
    assert!(
        events
            .iter()
            .any(|(_, event)| matches!(event, Event::Finished))
    );
    let completed = events
        .iter()
        .filter(|(_, event)| matches!(event, Event::PieceCompleted { .. }))
        .count();
    assert_eq!(completed, 64);
    assert_eq!(swarm.nodes[leecher].wasted, 0);
    swarm.run_for(seconds(1));
    assert!(
        !swarm.is_connected(leecher, seed),
        "two seeds stay connected"
    );
}

#[test]
fn the_first_block_comes_without_waiting_for_a_round() {
    let mut swarm = Swarm::new(64, 256 << 10);
    let seed = swarm.join(swarm.seed());
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[seed]);
    let time = swarm.run_until(seconds(60), |swarm| {
        swarm.nodes[leecher].torrent.progress(swarm.now).downloaded > 0
    });
    // Dial, extension handshake, metadata, interest, request: five round trips of 40 ms at most, and a block's 2 ms.
    assert!(
        time < Duration::from_millis(205),
        "the first block took {time:?}"
    );
}

#[test]
fn a_fast_link_is_filled() {
    let mut swarm = Swarm::new(256, MIB);
    let seed = swarm.join(Joining {
        bytes_per_second: 100e6,
        ..swarm.seed()
    });
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[seed]);
    let time = swarm.run_until(seconds(60), |swarm| swarm.is_finished(leecher));
    assert!(
        time < Duration::from_millis(3300),
        "256 MiB at 100 MB/s and 40 ms took {time:?}"
    );
}

#[test]
fn a_slow_link_has_a_short_queue() {
    let mut swarm = Swarm::new(64, 256 << 10);
    let seed = swarm.join(Joining {
        bytes_per_second: 50e3,
        ..swarm.seed()
    });
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[seed]);
    swarm.run_for(seconds(30));
    let outstanding = swarm.nodes[leecher]
        .torrent
        .links(swarm.now)
        .next()
        .expect("they are connected")
        .outstanding;
    assert!(
        (1..=4).contains(&outstanding),
        "{outstanding} requests are queued at 50 kB/s"
    );
}

#[test]
fn seeder_disappears_mid_piece() {
    let mut swarm = Swarm::new(32, MIB);
    let seeds = [swarm.join(swarm.seed()), swarm.join(swarm.seed())];
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &seeds);
    swarm.run_until(seconds(60), |swarm| swarm.bytes_done(leecher) > 4 << 20);
    swarm.vanish(seeds[0]);
    let time = swarm.run_until(seconds(60), |swarm| swarm.is_finished(leecher));
    assert!(
        time < seconds(8),
        "the rest, 3 s for one seed, took {time:?}"
    );
}

#[test]
fn the_only_seeder_is_reset_and_another_one_comes() {
    let mut swarm = Swarm::new(32, MIB);
    let first = swarm.join(swarm.seed());
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[first]);
    swarm.run_until(seconds(60), |swarm| swarm.bytes_done(leecher) > 4 << 20);
    swarm.reset(first);
    swarm.run_for(seconds(20));
    let calls = swarm.nodes[leecher]
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::NeedPeers))
        .count();
    assert!((1..=3).contains(&calls), "{calls} calls for peers in 20 s");
    let second = swarm.join(swarm.seed());
    swarm.introduce(leecher, &[second]);
    let time = swarm.run_until(seconds(60), |swarm| swarm.is_finished(leecher));
    assert!(time < seconds(4), "{time:?}");
}

#[test]
fn slow_peer_does_not_hold_the_last_piece() {
    let mut swarm = Swarm::new(16, MIB);
    let fast = swarm.join(swarm.seed());
    let slow = swarm.join(Joining {
        bytes_per_second: 20e3,
        ..swarm.seed()
    });
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[slow]);
    swarm.run_for(seconds(2));
    swarm.introduce(leecher, &[fast]);
    let time = swarm.run_until(seconds(60), |swarm| swarm.is_finished(leecher));
    assert!(
        time < Duration::from_millis(2200),
        "16 MiB at 10 MB/s took {time:?}"
    );
    let wasted = swarm.nodes[leecher].wasted;
    assert!(wasted <= 4 << 14, "{wasted} bytes came twice");
}

#[test]
fn two_seeds_are_twice_as_fast() {
    let mut swarm = Swarm::new(64, MIB);
    let seeds = [swarm.join(swarm.seed()), swarm.join(swarm.seed())];
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &seeds);
    let time = swarm.run_until(seconds(60), |swarm| swarm.is_finished(leecher));
    assert!(
        time < Duration::from_millis(3800),
        "64 MiB at 20 MB/s took {time:?}"
    );
    assert!(
        swarm.nodes[leecher].wasted <= 1 << 20,
        "{} bytes came twice",
        swarm.nodes[leecher].wasted
    );
}

#[test]
fn what_is_there_is_not_fetched_again() {
    let mut swarm = Swarm::new(64, 256 << 10);
    let seed = swarm.join(swarm.seed());
    let mut have = Bitfield::new(64);
    (0..48).for_each(|piece| {
        have.set(piece);
    });
    let leecher = swarm.join(Joining {
        have: Some(have),
        ..Joining::leecher()
    });
    swarm.introduce(leecher, &[seed]);
    swarm.run_until(seconds(60), |swarm| swarm.is_finished(leecher));
    assert_eq!(
        swarm.nodes[leecher].torrent.progress(swarm.now).downloaded,
        16 * (256 << 10)
    );
}

#[test]
fn a_crowd_spreads_what_one_seed_has() {
    let mut swarm = Swarm::new(64, 256 << 10);
    let seed = swarm.join(Joining {
        bytes_per_second: 1e6,
        ..swarm.seed()
    });
    let crowd: Vec<_> = (0..12)
        .map(|_| {
            swarm.join(Joining {
                bytes_per_second: 1e6,
                ..Joining::leecher()
            })
        })
        .collect();
    for &leecher in &crowd {
        swarm.introduce(leecher, &[seed]);
        swarm.introduce(leecher, &crowd);
    }
    let time = swarm.run_until(seconds(300), |swarm| {
        crowd.iter().all(|&leecher| swarm.is_finished(leecher))
    });
    // One copy takes the seed 17 s; twelve of them by itself 200 s.
    assert!(time < seconds(50), "twelve leechers took {time:?}");
    let from_seed: u64 = swarm.nodes[seed].sent_to.values().sum();
    assert!(
        from_seed < 3 * (16 << 20),
        "the seed sent {from_seed} bytes"
    );
}

#[test]
fn both_sides_dial_at_once_and_one_connection_stays() {
    let mut swarm = Swarm::new(64, 256 << 10);
    let one = swarm.join(Joining::leecher());
    let other = swarm.join(Joining::leecher());
    swarm.introduce(one, &[other]);
    swarm.introduce(other, &[one]);
    swarm.run_for(seconds(2));
    for node in [one, other] {
        assert_eq!(swarm.nodes[node].torrent.progress(swarm.now).connected, 1);
    }
}
