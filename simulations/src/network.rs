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
pub use planet::{Fate, Network};

use std::net::SocketAddr;
use std::time::Duration;

use rand_xoshiro::Xoroshiro64StarStar;

/// The generator of a node or of a packet: 8 bytes, named, so that runs stay what they are when a library changes its default.
pub(crate) type Generator = Xoroshiro64StarStar;

/// Whole microseconds since the start of a run, or of them between two moments.
pub type Micros = u64;

/// A duration in whole microseconds; the longest ones there are, if it is longer.
pub(crate) fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
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
    fn every_address_is_in_a_network_of_its_own() {
        assert_eq!(address(0), "20.0.0.7:6881".parse().unwrap());
        assert_eq!(
            address((80 << 16) - 1),
            "99.255.255.7:6881".parse().unwrap()
        );
    }
}
