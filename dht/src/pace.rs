use std::net::SocketAddr;
use std::time::Duration;

use crate::address::is_public;
use crate::config::Config;

/// How fast a node writes to the public network when it has much to ask.
///
/// A NAT remembers each address that was written to for half a minute to some minutes, and a small one forgets everybody's, not only ours, when its
/// table is full. (The generic cell rate algorithm.)
#[derive(Default)]
pub(crate) struct Pace {
    /// When all queries so far are paid off at the allowed rate.
    paid_off: Duration,
    /// Somebody was told to wait.
    is_awaited: bool,
}

impl Pace {
    /// A query goes to this address.
    pub(crate) fn spend(&mut self, to: &SocketAddr, now: Duration, config: &Config) {
        if is_public(to.ip()) {
            self.paid_off = self.paid_off.max(now) + config.query_interval;
        }
    }

    /// Whether one more may go out for somebody who can wait. If not, there is a deadline after which he may ask again.
    pub(crate) fn allows(&mut self, now: Duration, config: &Config) -> bool {
        let allows = self.next(config) <= now;
        self.is_awaited |= !allows;
        allows
    }

    /// Whether those who were told to wait may go on. It is said once.
    pub(crate) fn is_over(&mut self, now: Duration, config: &Config) -> bool {
        let is_over = self.is_awaited && self.next(config) <= now;
        self.is_awaited &= !is_over;
        is_over
    }

    /// When it will be over, if anybody waits for that.
    pub(crate) fn deadline(&self, config: &Config) -> Option<Duration> {
        self.is_awaited.then(|| self.next(config))
    }

    fn next(&self, config: &Config) -> Duration {
        let burst = config.query_interval * config.query_burst;
        self.paid_off.saturating_sub(burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_a_steady_stream_to_the_public_network_only() {
        let config = Config {
            query_interval: Duration::from_secs(1),
            query_burst: 3,
            ..Config::default()
        };
        let (public, private) = ("9.9.9.9:1".parse().unwrap(), "10.0.0.1:1".parse().unwrap());
        let mut pace = Pace::default();
        let mut sent_until = |end: u64| {
            let times = (100..end).map(Duration::from_secs);
            let sent = times.map(|now| {
                let mut sent = 0;
                while sent < 50 && pace.allows(now, &config) {
                    pace.spend(&public, now, &config);
                    pace.spend(&private, now, &config);
                    sent += 1;
                }
                sent
            });
            sent.collect::<Vec<_>>()
        };
        // The one that reaches the bound passes too.
        assert_eq!(sent_until(103), [4, 1, 1]);
        assert_eq!(pace.deadline(&config), Some(Duration::from_secs(103)));
        assert!(!pace.is_over(Duration::from_secs(102), &config));
        assert!(pace.is_over(Duration::from_secs(103), &config));
        assert_eq!(pace.deadline(&config), None);
    }
}
