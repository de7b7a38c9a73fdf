//! Seeds whose files are changed while they serve them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use wire::{CloseReason, Config, Reserved};

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

/// A leecher that knows BEP 3 and nothing else.
fn plain(swarm: &Swarm) -> Joining {
    Joining {
        reserved: Reserved::default(),
        info: Some(Arc::clone(&swarm.info)),
        ..Joining::leecher()
    }
}

#[test]
fn a_peer_that_cannot_be_told_what_is_lost_comes_back_and_sees_it() {
    let mut swarm = Swarm::new(PIECES, PIECE_LENGTH);
    let seed = swarm.join(swarm.seed());
    let leecher = swarm.join(plain(&swarm));
    swarm.nodes[seed].unreadable = BTreeSet::from([5]);
    swarm.introduce(leecher, &[seed]);
    let left = u64::from(PIECES - 1) * u64::from(PIECE_LENGTH);
    swarm.run_until(Duration::from_secs(60), |swarm| {
        swarm.bytes_done(leecher) == left
    });
    let address = swarm.nodes[leecher].address;
    let gone = CloseReason::PieceGone { piece: 5 };
    assert_eq!(swarm.nodes[seed].closed, [(address, gone)]);
    assert!(swarm.is_connected(leecher, seed));
}

#[test]
fn a_peer_that_asks_for_what_was_lost_before_is_not_left_waiting() {
    let mut swarm = Swarm::new(PIECES, PIECE_LENGTH);
    let seed = swarm.join(Joining {
        bytes_per_second: 1e6,
        ..swarm.seed()
    });
    let leechers = [0, 1].map(|_| swarm.join(plain(&swarm)));
    for leecher in leechers {
        swarm.introduce(leecher, &[seed]);
    }
    swarm.run_until(Duration::from_secs(60), |swarm| {
        leechers.map(|leecher| swarm.bytes_done(leecher) > 0) == [true; 2]
    });
    let both_have = |swarm: &Swarm, piece| {
        leechers.map(|leecher| swarm.nodes[leecher].torrent.have().unwrap().get(piece))
            == [false; 2]
    };
    let lost = (0..PIECES).filter(|&piece| both_have(&swarm, piece));
    let lost: Vec<_> = lost.take(2).collect();
    swarm.nodes[seed].unreadable = lost.iter().copied().collect();
    let left = u64::from(PIECES - 2) * u64::from(PIECE_LENGTH);
    swarm.run_until(Duration::from_secs(300), |swarm| {
        leechers.map(|leecher| swarm.bytes_done(leecher)) == [left; 2]
    });
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
