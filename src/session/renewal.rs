//! When a torrent is announced again.

use std::time::Duration;

use rand::{Rng, RngExt};

/// An announce holds for 45 minutes at most nodes, 30 at some.
const INTERVAL: Duration = Duration::from_secs(15 * 60);
/// The same where the network is so small that not even those who hold it remember for sure.
const FEW_INTERVAL: Duration = Duration::from_secs(60);
/// BEP 5: an announce goes to the k closest nodes.
pub(super) const ENOUGH: usize = dht::Config::K;

/// How long after an announce that so many nodes took the next one goes out: at most an interval, and up to a third less. So the torrents of a node that began
/// in one moment, or had to be announced anew in one moment, do not come in one beat.
pub(super) fn pause(holders: usize, rng: &mut impl Rng) -> Duration {
    let interval = if holders < ENOUGH {
        FEW_INTERVAL
    } else {
        INTERVAL
    };
    rng.random_range(interval * 2 / 3..=interval)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_thousand_torrents_that_begin_at_once_are_never_announced_in_one_beat_again() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut announced: BTreeMap<u64, u32> = BTreeMap::new();
        for _ in 0..1000 {
            let mut at = Duration::ZERO;
            while at < Duration::from_secs(4 * 3600) {
                at += pause(ENOUGH, &mut rng);
                *announced.entry(at.as_secs()).or_default() += 1;
            }
        }
        // Spread evenly they would be 1.3 a second, and 3.3 in the first of the later beats.
        let most = announced.values().max();
        assert!(most <= Some(&16), "{most:?} in one second");
    }

    #[test]
    fn no_announce_is_forgotten_before_the_next_and_none_comes_much_too_early() {
        let mut rng = StdRng::seed_from_u64(7);
        for _ in 0..1000 {
            let minutes = pause(ENOUGH, &mut rng).as_secs_f64() / 60.0;
            assert!((10.0..=15.0).contains(&minutes), "{minutes}");
            let seconds = pause(ENOUGH - 1, &mut rng).as_secs_f64();
            assert!((40.0..=60.0).contains(&seconds), "{seconds}");
        }
    }
}
