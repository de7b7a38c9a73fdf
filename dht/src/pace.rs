use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::address::{host, is_public, number};
use crate::cell_rate::{CellRate, nanos};
use crate::config::Config;
use crate::transaction::Purpose;

/// Addresses that were written to in one half of the memory; more of them are forgotten early.
const MAX_RECENT: usize = 8192;
/// How long a half lasts: a NAT remembers an address for half a minute at least, and so do we.
const HALF: Duration = Duration::from_secs(30);

/// How fast a node writes to addresses of the public network that it has not written to lately.
///
/// A NAT remembers each address that was written to for half a minute to some minutes, and a small one forgets everybody's, not only ours, when its
/// table is full; another datagram to an address that it remembers costs it nothing. Lookups and newcomers have a rate of their own each, so
/// that nobody who asks us, or names others to us, keeps our lookups from asking.
#[derive(Default)]
pub(crate) struct Pace {
    /// When what lookups and surveys have spent is paid off.
    lookups: u64,
    /// When what newcomers have cost is.
    newcomers: u64,
    /// Somebody was told to wait.
    is_awaited: bool,
    recent: Option<Box<Recent>>,
}

impl Pace {
    /// A query goes to this address.
    pub(crate) fn spend(
        &mut self,
        to: &SocketAddr,
        purpose: Purpose,
        now: Duration,
        config: &Config,
    ) {
        if !is_public(to.ip()) {
            return;
        }
        let recent = self.recent.get_or_insert_default();
        let is_known = recent.note(to, now);
        let now_nanos = nanos(now);
        if purpose.is_of_newcomer() {
            recent.note(&host(*to), now);
            self.newcomers = of_newcomers(config).spend_capped(self.newcomers, now_nanos);
        } else if purpose.is_of_lookup() && !is_known {
            self.lookups = of_lookups(config).spend_capped(self.lookups, now_nanos);
        }
    }

    /// Whether a lookup or a survey may ask one more. If not, there is a deadline after which it may try again.
    pub(crate) fn allows(&mut self, now: Duration, config: &Config) -> bool {
        let allows = of_lookups(config).admits(self.lookups, nanos(now));
        self.is_awaited |= !allows;
        allows
    }

    /// Whether somebody who is not known yet may be asked for a sign of life.
    pub(crate) fn allows_newcomer(&self, now: Duration, config: &Config) -> bool {
        of_newcomers(config).admits(self.newcomers, nanos(now))
    }

    /// Whether somebody else at this public IP, behind another port, was asked for a sign of life as a newcomer in the last half minute.
    pub(crate) fn has_met_another(&self, address: &SocketAddr) -> bool {
        let has_met =
            |recent: &Recent| recent.contains(&host(*address)) && !recent.contains(address);
        is_public(address.ip()) && self.recent.as_deref().is_some_and(has_met)
    }

    /// Whether those who were told to wait may go on. It is said once.
    pub(crate) fn is_over(&mut self, now: Duration, config: &Config) -> bool {
        let is_over = self.is_awaited && of_lookups(config).admits(self.lookups, nanos(now));
        self.is_awaited &= !is_over;
        is_over
    }

    /// When it will be over, if anybody waits for that.
    pub(crate) fn deadline(&self, config: &Config) -> Option<Duration> {
        let opens = of_lookups(config).opens(self.lookups);
        self.is_awaited.then(|| Duration::from_nanos(opens))
    }
}

fn of_lookups(config: &Config) -> CellRate {
    let interval = config.query_interval;
    CellRate::new(interval, interval * config.query_burst)
}

fn of_newcomers(config: &Config) -> CellRate {
    let interval = config.newcomer_interval;
    CellRate::new(interval, interval * config.newcomer_burst)
}

/// Addresses that were written to in the last half minute, and some that were in the one before.
#[derive(Default)]
struct Recent {
    current: BTreeSet<u64>,
    former: BTreeSet<u64>,
    /// When the current ones become the former ones.
    turn: Duration,
}

impl Recent {
    /// Notes that an address is written to. Whether it was lately.
    fn note(&mut self, address: &SocketAddr, now: Duration) -> bool {
        if now >= self.turn || self.current.len() >= MAX_RECENT {
            self.former = std::mem::take(&mut self.current);
            if now >= self.turn + HALF {
                self.former = BTreeSet::new();
            }
            self.turn = now + HALF;
        }
        let key = number(address);
        !self.current.insert(key) || self.former.contains(&key)
    }

    fn contains(&self, address: &SocketAddr) -> bool {
        let key = number(address);
        self.current.contains(&key) || self.former.contains(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::LookupKey;

    fn of_lookup() -> Purpose {
        Purpose::Lookup(LookupKey::default())
    }

    fn config() -> Config {
        Config {
            query_interval: Duration::from_secs(1),
            query_burst: 3,
            newcomer_interval: Duration::from_secs(1),
            newcomer_burst: 3,
            ..Config::default()
        }
    }

    fn stranger(number: u32) -> SocketAddr {
        SocketAddr::from((std::net::Ipv4Addr::from(0x0b00_0000 + number), 6881))
    }

    #[test]
    fn a_burst_passes_and_then_a_steady_stream_to_the_public_network_only() {
        let (config, private) = (config(), "10.0.0.1:1".parse().unwrap());
        let mut pace = Pace::default();
        let mut strangers = (0..).map(stranger);
        let mut sent_until = |end: u64| {
            let times = (100..end).map(Duration::from_secs);
            let sent = times.map(|now| {
                let mut sent = 0;
                while sent < 50 && pace.allows(now, &config) {
                    pace.spend(&strangers.next().unwrap(), of_lookup(), now, &config);
                    pace.spend(&private, of_lookup(), now, &config);
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

    #[test]
    fn an_address_that_was_written_to_lately_is_free() {
        let (config, now) = (config(), Duration::from_secs(100));
        let mut pace = Pace::default();
        for _ in 0..1000 {
            pace.spend(&stranger(1), of_lookup(), now, &config);
        }
        assert!(pace.allows(now, &config));
        // As long as it is written to again and again.
        for second in 0..300 {
            let now = now + Duration::from_secs(second);
            pace.spend(&stranger(1), of_lookup(), now, &config);
        }
        let now = now + Duration::from_secs(300);
        let before = pace.lookups;
        pace.spend(&stranger(1), of_lookup(), now, &config);
        assert_eq!(pace.lookups, before);
        pace.spend(&stranger(1), of_lookup(), now + 2 * HALF, &config);
        assert!(pace.lookups > before);
    }

    #[test]
    fn neither_newcomers_nor_those_who_do_not_wait_keep_lookups_waiting() {
        let (config, now) = (config(), Duration::from_secs(100));
        let mut pace = Pace::default();
        for number in 0..1000 {
            pace.spend(&stranger(number), Purpose::Meet, now, &config);
            pace.spend(&stranger(number), Purpose::Bootstrap, now, &config);
        }
        assert!(pace.allows(now, &config) && !pace.allows_newcomer(now, &config));
        // However many there were, it is over soon.
        assert!(pace.allows_newcomer(now + Duration::from_secs(1), &config));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (config, mut now) = (config(), Duration::from_secs(100));
        let mut pace = Pace::default();
        for number in 0..100_000 {
            now += Duration::from_micros(1);
            pace.spend(&stranger(number), of_lookup(), now, &config);
        }
        let recent = pace.recent.unwrap();
        assert!(recent.current.len() + recent.former.len() <= 2 * MAX_RECENT);
    }
}
