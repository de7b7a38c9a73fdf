//! Downloads that may not go as fast as they could.

use std::time::Duration;

use wire::{Allowance, BLOCK_LENGTH};

use crate::network::{Joining, Swarm};

/// Allows a node so many bytes a second for so long, a block at a time and no more than it has use for.
fn ration(swarm: &mut Swarm, node: usize, bytes_per_second: u64, time: Duration) {
    let tick = Duration::from_millis(10);
    let (end, mut saved) = (swarm.now + time, 0);
    swarm.allow(node, Allowance::More(0));
    while swarm.now < end {
        swarm.run_for(tick);
        saved += bytes_per_second;
        let block = 100 * u64::from(BLOCK_LENGTH);
        let short = swarm.nodes[node].torrent.shortage() > 0;
        while short && saved >= block {
            saved -= block;
            swarm.allow(node, Allowance::More(u64::from(BLOCK_LENGTH)));
        }
        saved = saved.min(2 * block);
    }
}

fn received_from(swarm: &Swarm, seed: usize, leecher: usize) -> u64 {
    let sent = &swarm.nodes[seed].sent_to;
    sent.get(&swarm.nodes[leecher].address)
        .copied()
        .unwrap_or(0)
}

#[test]
fn a_download_keeps_to_its_rate_and_asks_all_in_turn() {
    let mut swarm = Swarm::new(64, 1 << 20);
    let seeds = [(); 4].map(|()| swarm.join(swarm.seed()));
    let leecher = swarm.join(Joining::leecher());
    swarm.allow(leecher, Allowance::More(0));
    swarm.introduce(leecher, &seeds);
    ration(&mut swarm, leecher, 1_000_000, Duration::from_secs(30));
    let received = seeds.map(|seed| received_from(&swarm, seed, leecher));
    let total: u64 = received.iter().sum();
    assert!(
        (29_000_000..=30_100_000).contains(&total),
        "{total} in 30 s"
    );
    for bytes in received {
        assert!(bytes * 5 > total, "not in turn: {received:?}");
    }
}

#[test]
fn nobody_is_taken_for_slow_because_of_our_own_limit() {
    let mut swarm = Swarm::new(64, 256 << 10);
    let seeds = [(); 8].map(|()| swarm.join(swarm.seed()));
    let leecher = swarm.join(Joining::leecher());
    swarm.allow(leecher, Allowance::More(0));
    swarm.introduce(leecher, &seeds);
    // A block every three seconds, from one of the eight.
    ration(&mut swarm, leecher, 5_000, Duration::from_secs(900));
    let total: u64 = seeds
        .iter()
        .map(|&seed| received_from(&swarm, seed, leecher))
        .sum();
    assert!((4_300_000..=4_550_000).contains(&total), "{total} in 900 s");
    assert_eq!(swarm.nodes[leecher].wasted, 0);
    assert!(seeds.iter().all(|&seed| swarm.is_connected(leecher, seed)));

    swarm.allow(leecher, Allowance::Unlimited);
    let time = swarm.run_until(Duration::from_secs(60), |swarm| swarm.is_finished(leecher));
    assert!(
        time < Duration::from_secs(2),
        "12 MiB from eight seeds took {time:?}"
    );
}

#[test]
fn a_peer_that_takes_requests_and_sends_nothing_does_not_keep_the_allowance() {
    let mut swarm = Swarm::new(16, 256 << 10);
    let stubborn = swarm.join(Joining {
        bytes_per_second: 1.0,
        ..swarm.seed()
    });
    let honest = swarm.join(swarm.seed());
    let leecher = swarm.join(Joining::leecher());
    swarm.allow(leecher, Allowance::More(0));
    swarm.introduce(leecher, &[stubborn, honest]);
    ration(&mut swarm, leecher, 200_000, Duration::from_secs(60));
    assert!(
        swarm.is_finished(leecher),
        "{} bytes",
        swarm.bytes_done(leecher)
    );
}
