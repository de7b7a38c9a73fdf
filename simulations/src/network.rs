//! What lies between two nodes.

mod addresses;
mod bandwidth;
mod draw;
mod latency;
mod loss;
mod matrix;
mod nat;
mod partition;
mod planet;

pub use matrix::{Matrix, MatrixError};
pub use nat::Nat;
pub use planet::{Fate, PlanetNetwork};

use std::collections::BTreeSet;
use std::hash::Hash;
use std::net::SocketAddr;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoroshiro64StarStar;

use crate::digest::hash_of;

/// How much later a packet comes that others are to overtake, at most.
const HELD_BACK: Duration = Duration::from_millis(500);

/// The generator of a node or of a packet: 8 bytes, named, so that runs stay what they are when a library changes its default.
pub(crate) type Generator = Xoroshiro64StarStar;

/// Whole microseconds since the start of a run, or of them between two moments.
pub type Micros = u64;

/// A duration in whole microseconds; the longest ones there are, if it is longer.
pub(crate) fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

/// How well packets travel. The default is a world without faults. Shares are between 0 and 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// The shortest time from one node to another. Each pair of nodes has its own latency, in both directions the same.
    pub min_latency: Duration,
    /// The longest one, not below the shortest.
    pub max_latency: Duration,
    /// What single packets take beyond that, at most.
    pub jitter: Duration,
    /// The share of packets that get lost.
    pub loss: f64,
    /// The share of packets that come twice.
    pub duplication: f64,
    /// The share of packets that are held back for up to half a second, so that later ones overtake them.
    pub reordering: f64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            min_latency: Duration::from_millis(10),
            max_latency: Duration::from_millis(60),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
        }
    }
}

/// The paths between all addresses. Whatever happens on them follows from the seed.
#[derive(Clone, Debug)]
pub struct Network {
    seed: u64,
    conditions: Conditions,
    /// Those that are cut off from all others, but not from one another.
    island: BTreeSet<SocketAddr>,
}

impl Network {
    /// A network in one piece.
    pub fn new(seed: u64, conditions: Conditions) -> Self {
        Self {
            seed,
            conditions,
            island: BTreeSet::new(),
        }
    }

    /// Changes how well packets travel from now on.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// Cuts the network in two: nothing gets from these addresses to others, nor back. An earlier cut heals.
    pub fn part(&mut self, island: impl IntoIterator<Item = SocketAddr>) {
        self.island = island.into_iter().collect();
    }

    /// Joins the network again.
    pub fn reunite(&mut self) {
        self.island.clear();
    }

    /// Whether there is a path at all.
    pub(crate) fn connects(&self, from: SocketAddr, to: SocketAddr) -> bool {
        self.island.contains(&from) == self.island.contains(&to)
    }

    /// How long it takes from one to the other at least.
    pub(crate) fn latency(&self, from: SocketAddr, to: SocketAddr) -> Duration {
        let (min, max) = (self.conditions.min_latency, self.conditions.max_latency);
        self.generator((from.min(to), from.max(to)))
            .random_range(min..=max)
    }

    /// After how long the packets arrive that become of one, which is the `sequence`-th of its source: none, one or two.
    pub(crate) fn carry(
        &self,
        from: SocketAddr,
        to: SocketAddr,
        sequence: u64,
    ) -> impl Iterator<Item = Duration> + use<> {
        let Conditions {
            jitter,
            loss,
            duplication,
            reordering,
            ..
        } = self.conditions;
        let latency = self.latency(from, to);
        let mut draw = self.generator((from, to, sequence));
        let arrives = !draw.random_bool(loss);
        let comes_twice = draw.random_bool(duplication);
        let copies = usize::from(arrives) * (1 + usize::from(comes_twice));
        (0..copies).map(move |_| {
            let is_held_back = draw.random_bool(reordering);
            let most = jitter
                + if is_held_back {
                    HELD_BACK
                } else {
                    Duration::ZERO
                };
            latency + draw.random_range(Duration::ZERO..=most)
        })
    }

    /// The generator for one thing in this network.
    pub(crate) fn generator(&self, thing: impl Hash) -> Generator {
        Generator::seed_from_u64(hash_of((self.seed, thing)))
    }
}

/// The public address of the `number`-th node, each in a /24 of its own. There are five million.
///
/// # Panics
/// If `number` is not below 80 × 65,536.
pub fn address(number: u32) -> SocketAddr {
    assert!(number < 80 << 16, "there is no address number {number}");
    let [_, first, second, third] = number.to_be_bytes();
    SocketAddr::from(([20 + first, second, third, 7], 6881))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_fare_as_the_conditions_say() {
        let conditions = Conditions {
            jitter: Duration::from_millis(5),
            loss: 0.1,
            duplication: 0.2,
            reordering: 0.3,
            ..Conditions::default()
        };
        let network = Network::new(1, conditions);
        let (from, to) = (address(1), address(2));
        let latency = network.latency(to, from);
        let mut copies = [0; 3];
        let mut late = 0;
        for sequence in 0..10_000 {
            let delays: Vec<_> = network.carry(from, to, sequence).collect();
            assert!(delays.iter().all(|delay| *delay >= latency));
            let is_late = |delay: &&Duration| **delay > latency + Duration::from_millis(5);
            late += delays.iter().filter(is_late).count();
            copies[delays.len()] += 1;
        }
        assert!((900..1100).contains(&copies[0]), "{copies:?}");
        assert!((1650..1950).contains(&copies[2]), "{copies:?}");
        // 30 % of 9,000 packets and 1,800 copies, nearly all for longer than the jitter.
        assert!((3000..3400).contains(&late), "{late}");
    }

    #[test]
    fn every_address_is_in_a_network_of_its_own() {
        assert_eq!(address(0), "20.0.0.7:6881".parse().unwrap());
        assert_eq!(
            address((80 << 16) - 1),
            "99.255.255.7:6881".parse().unwrap()
        );
    }
}
