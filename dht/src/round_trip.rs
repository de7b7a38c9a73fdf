use std::net::SocketAddr;
use std::time::Duration;

use arrayvec::ArrayVec;

use crate::address::{is_public, network};
use crate::config::Config;
use crate::transaction::Patience;

const SAMPLES: usize = 24;

/// The round trips of lookups observed last, one a network, and how long an answer is worth waiting for.
///
/// Those whom lookups ask are many and stand in many networks. So nobody makes us wait by answering slowly: not by asking us often, not with
/// many answers, and not from as many addresses as one network has.
#[derive(Default)]
pub(crate) struct RoundTrips {
    /// In the order of arrival; `next` is the one to be overwritten when it is full.
    samples: Vec<Sample>,
    next: u8,
}

#[derive(Clone, Copy)]
struct Sample {
    /// Of the network that it comes from, so many bits as are told apart.
    origin: u16,
    millis: u16,
}

impl Sample {
    fn of(from: &SocketAddr, round_trip: Duration) -> Self {
        let ip = from.ip();
        let whole = if is_public(ip) {
            network(ip)
        } else {
            u64::from(from.port())
        };
        // The upper bits of a product depend on all of its factor's.
        let mixed = whole.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            origin: (mixed >> 48) as u16,
            millis: u16::try_from(round_trip.as_millis()).unwrap_or(u16::MAX),
        }
    }
}

impl RoundTrips {
    /// Takes note of an answer to a query of a lookup.
    pub(crate) fn record(&mut self, from: &SocketAddr, round_trip: Duration) {
        let sample = Sample::of(from, round_trip);
        let mut samples = self.samples.iter_mut();
        if let Some(earlier) = samples.find(|earlier| earlier.origin == sample.origin) {
            *earlier = sample;
        } else if self.samples.len() < SAMPLES {
            self.samples.reserve_exact(1);
            self.samples.push(sample);
        } else {
            if let Some(oldest) = self.samples.get_mut(usize::from(self.next)) {
                *oldest = sample;
            }
            self.next = (self.next + 1) % SAMPLES as u8;
        }
    }

    /// After this time a query stalls: the slowest tenth, but not sooner than 100 ms after the fastest tenth.
    fn stall(&self, config: &Config) -> Duration {
        let millis = self.samples.iter().map(|sample| sample.millis);
        let mut sorted: ArrayVec<_, SAMPLES> = millis.collect();
        sorted.sort_unstable();
        let quantile = |tenths: usize| sorted.get(sorted.len().saturating_sub(1) * tenths / 10);
        match (quantile(1), quantile(9)) {
            (Some(&fast), Some(&slow)) => {
                let stall = u64::from(slow).max(u64::from(fast) + 100);
                Duration::from_millis(stall).clamp(config.min_stall, config.max_stall)
            }
            _ => config.max_stall,
        }
    }

    /// A query that stalls is waited for three times as long before it is late: who is merely farther away than most is heard.
    pub(crate) fn patience(&self, config: &Config) -> Patience {
        let stall = self.stall(config);
        Patience {
            stall,
            late: (3 * stall).min(config.max_stall).max(stall),
            timeout: config.query_timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Host number `host` of public network number `network`.
    fn node(network: u8, host: u8) -> SocketAddr {
        SocketAddr::from(([11, 1, network, host], 6881))
    }

    #[test]
    fn waits_as_long_as_the_network_deserves() {
        let config = Config::default();
        let mut trips = RoundTrips::default();
        assert_eq!(trips.stall(&config), config.max_stall);
        trips.record(&node(0, 1), Duration::from_millis(1));
        assert_eq!(trips.stall(&config), Duration::from_millis(150));
        for network in 0..100 {
            trips.record(&node(network, 1), Duration::from_millis(80));
        }
        assert_eq!(trips.stall(&config), Duration::from_millis(180));
        for network in 100..200 {
            trips.record(&node(network, 1), Duration::from_secs(5));
        }
        assert_eq!(trips.stall(&config), config.max_stall);
    }

    #[test]
    fn two_networks_that_answer_late_on_purpose_do_not_make_anybody_wait() {
        let config = Config::default();
        let mut trips = RoundTrips::default();
        for network in 0..100 {
            trips.record(&node(network, 1), Duration::from_millis(80));
        }
        for host in 0..=255 {
            trips.record(&node(200, host), Duration::from_secs(9));
            trips.record(&node(201, host), Duration::from_secs(9));
        }
        assert_eq!(trips.stall(&config), Duration::from_millis(180));
    }
}
