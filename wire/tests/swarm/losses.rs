//! Seeds whose files are changed while they serve them.

use std::collections::BTreeSet;
use std::time::Duration;

use wire::Config;

use crate::network::{Joining, Swarm};

const PIECES: u32 = 64;
const PIECE_LENGTH: u32 = 256 << 10;

/// A seed, and a leecher that is told of it.
fn pair(swarm: &mut Swarm, config: Config) -> [usize; 2] {
    let seed = swarm.join(Joining {
        config,
        ..swarm.seed()
    });
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[seed]);
    [seed, leecher]
}

/// How long a leecher takes to everything that is left.
fn time_without(lost: &[u32]) -> Duration {
    let mut swarm = Swarm::new(PIECES, PIECE_LENGTH);
    let [seed, leecher] = pair(&mut swarm, Config::default());
    swarm.nodes[seed].unreadable = lost.iter().copied().collect();
    let left = u64::from(PIECES - lost.len() as u32) * u64::from(PIECE_LENGTH);
    let time = swarm.run_until(Duration::from_secs(600), |swarm| {
        swarm.bytes_done(leecher) == left
    });
    // With nothing left to fetch they part.
    assert!(lost.is_empty() || swarm.is_connected(leecher, seed));
    assert!(swarm.nodes[seed].closed.is_empty());
    time
}

#[test]
fn whatever_a_seed_has_left_comes_as_fast_as_if_nothing_were_missing() {
    let whole = time_without(&[]);
    for lost in [vec![5], (10..30).collect()] {
        let time = time_without(&lost);
        assert!(
            time <= whole + Duration::from_millis(200),
            "{time:?} without {lost:?}, {whole:?} with it"
        );
    }
}

#[test]
fn what_a_seed_has_lost_is_fetched_from_another_one() {
    let mut swarm = Swarm::new(PIECES, PIECE_LENGTH);
    let [seed, leecher] = pair(&mut swarm, Config::default());
    let other = swarm.join(Joining {
        bytes_per_second: 1e6,
        ..swarm.seed()
    });
    swarm.introduce(leecher, &[other]);
    swarm.run_until(Duration::from_secs(60), |swarm| {
        swarm.bytes_done(leecher) > u64::from(PIECES / 2 * PIECE_LENGTH)
    });
    swarm.nodes[seed].unreadable = (0..PIECES).collect();
    swarm.run_until(Duration::from_secs(60), |swarm| swarm.is_finished(leecher));
}

#[test]
fn two_seeds_that_have_lost_different_pieces_make_up_for_each_other() {
    let mut swarm = Swarm::new(PIECES, PIECE_LENGTH);
    let [one, leecher] = pair(&mut swarm, Config::default());
    let other = swarm.join(swarm.seed());
    swarm.introduce(leecher, &[other]);
    swarm.nodes[one].unreadable = (0..PIECES / 2).collect();
    swarm.nodes[other].unreadable = (PIECES / 2..PIECES).collect();
    let time = swarm.run_until(Duration::from_secs(60), |swarm| swarm.is_finished(leecher));
    assert!(time < Duration::from_secs(5), "it took {time:?}");
}

#[test]
fn a_super_seed_goes_on_with_what_it_has_left() {
    let mut swarm = Swarm::new(PIECES, PIECE_LENGTH);
    let config = Config {
        super_seeding: true,
        ..Config::default()
    };
    let [seed, leecher] = pair(&mut swarm, config);
    swarm.nodes[seed].unreadable = BTreeSet::from([1, 20, 40]);
    let left = u64::from(PIECES - 3) * u64::from(PIECE_LENGTH);
    swarm.run_until(Duration::from_secs(60), |swarm| {
        swarm.bytes_done(leecher) == left
    });
    assert!(swarm.is_connected(leecher, seed));
}
