use std::time::Duration;

use arrayvec::ArrayVec;

use crate::config::Config;
use crate::transaction::Patience;

const SAMPLES: usize = 24;

/// The round trips observed last, and how long an answer is worth waiting for.
#[derive(Default)]
pub(crate) struct RoundTrips {
    /// Milliseconds, in the order of arrival; `next` is the one to be overwritten when it is full.
    samples: ArrayVec<u16, SAMPLES>,
    next: u8,
}

impl RoundTrips {
    pub(crate) fn record(&mut self, round_trip: Duration) {
        let sample = u16::try_from(round_trip.as_millis()).unwrap_or(u16::MAX);
        if self.samples.try_push(sample).is_err() {
            if let Some(oldest) = self.samples.get_mut(usize::from(self.next)) {
                *oldest = sample;
            }
            self.next = (self.next + 1) % SAMPLES as u8;
        }
    }

    /// After this time a query stalls: the slowest tenth, but not sooner than 100 ms after the fastest tenth.
    fn stall(&self, config: &Config) -> Duration {
        let mut sorted = self.samples.clone();
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

    #[test]
    fn waits_as_long_as_the_network_deserves() {
        let config = Config::default();
        let mut trips = RoundTrips::default();
        assert_eq!(trips.stall(&config), config.max_stall);
        trips.record(Duration::from_millis(1));
        assert_eq!(trips.stall(&config), Duration::from_millis(150));
        for _ in 0..SAMPLES {
            trips.record(Duration::from_millis(80));
        }
        assert_eq!(trips.stall(&config), Duration::from_millis(180));
        for _ in 0..SAMPLES {
            trips.record(Duration::from_secs(5));
        }
        assert_eq!(trips.stall(&config), config.max_stall);
    }
}
