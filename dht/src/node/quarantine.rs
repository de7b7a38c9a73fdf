use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use super::impostors::Impostors;
use crate::address::Endpoint;
use crate::config::Config;
use crate::message::NodeInfo;

/// Nodes that are remembered, in each family.
const MAX_SUSPECTS: usize = 32;

/// The nodes that did not answer, and those that go by false names. Both are left in peace for a while: [`Config::quarantine`].
///
/// Empty, it takes no memory outside itself.
#[derive(Default)]
pub(super) struct Quarantine {
    v4: Suspects<SocketAddrV4>,
    v6: Suspects<SocketAddrV6>,
    impostors: Impostors,
}

/// Those of one family, oldest failure first.
struct Suspects<A>(Vec<Suspect<A>>);

struct Suspect<A> {
    address: A,
    /// Time-outs in a row.
    failures: u8,
    /// The end of its quarantine, if there were enough of them; in seconds of the driver's clock.
    until: u32,
}

impl Quarantine {
    /// A node did not answer. If it does so too often it stays here until the given time.
    pub(super) fn suspect(&mut self, address: SocketAddr, until: Duration) {
        match address {
            SocketAddr::V4(address) => self.v4.suspect(address, until),
            SocketAddr::V6(address) => self.v6.suspect(address, until),
        }
    }

    /// It did.
    pub(super) fn acquit(&mut self, address: SocketAddr) {
        match address {
            SocketAddr::V4(address) => self.v4.acquit(address),
            SocketAddr::V6(address) => self.v6.acquit(address),
        }
    }

    /// It did, and it is not who it was said to be.
    pub(super) fn unmask(&mut self, node: NodeInfo, now: Duration, config: &Config) {
        self.impostors.unmask(node, now, config);
    }

    /// Whether a node that somebody names has failed too often to be asked again so soon, or is known to be somebody else.
    pub(super) fn holds(&self, named: &NodeInfo, now: Duration, config: &Config) -> bool {
        let failed = match named.address {
            SocketAddr::V4(address) => self.v4.holds(address, now, config),
            SocketAddr::V6(address) => self.v6.holds(address, now, config),
        };
        failed || self.impostors.include(named, now)
    }
}

impl<A: Endpoint> Suspects<A> {
    fn suspect(&mut self, address: A, until: Duration) {
        let before = self.position(address).map(|place| self.0.remove(place));
        if self.0.len() >= MAX_SUSPECTS {
            self.0.remove(0);
        }
        self.0.reserve_exact(1);
        self.0.push(Suspect {
            address,
            failures: before.map_or(1, |suspect| suspect.failures.saturating_add(1)),
            until: until.as_secs() as u32,
        });
    }

    fn acquit(&mut self, address: A) {
        if let Some(place) = self.position(address) {
            self.0.remove(place);
            if self.0.is_empty() {
                self.0 = Vec::new();
            }
        }
    }

    fn holds(&self, address: A, now: Duration, config: &Config) -> bool {
        let suspect = self.position(address).and_then(|place| self.0.get(place));
        suspect.is_some_and(|suspect| {
            suspect.failures >= config.max_failures && now.as_secs() < suspect.until.into()
        })
    }

    fn position(&self, address: A) -> Option<usize> {
        self.0.iter().position(|suspect| suspect.address == address)
    }
}

impl<A> Default for Suspects<A> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    fn named(address: SocketAddr) -> NodeInfo {
        let id = Id::new([7; Id::LENGTH]);
        NodeInfo { id, address }
    }

    #[test]
    fn two_failures_in_a_row_are_needed_and_time_heals_them() {
        let (config, at) = (Config::default(), Duration::from_secs);
        let mut quarantine = Quarantine::default();
        let address = "1.2.3.4:5".parse().unwrap();
        let suspect = |quarantine: &mut Quarantine, second| {
            quarantine.suspect(address, at(second) + config.quarantine);
        };
        suspect(&mut quarantine, 0);
        assert!(!quarantine.holds(&named(address), at(0), &config));
        quarantine.acquit(address);
        suspect(&mut quarantine, 1);
        assert!(!quarantine.holds(&named(address), at(1), &config));
        suspect(&mut quarantine, 2);
        assert!(quarantine.holds(&named(address), at(2), &config));
        assert!(!quarantine.holds(&named(address), at(2) + config.quarantine, &config));
        // Once more is enough from then on.
        suspect(&mut quarantine, 500);
        assert!(quarantine.holds(&named(address), at(500), &config));
    }

    #[test]
    fn it_remembers_the_last_in_little_room() {
        let config = Config::default();
        let mut quarantine = Quarantine::default();
        let address = |host: u8| SocketAddr::from(([1, 2, 3, host], 5));
        for host in (0..100).flat_map(|host| [host, host]) {
            quarantine.suspect(address(host), config.quarantine);
        }
        let held = |host| quarantine.holds(&named(address(host)), Duration::ZERO, &config);
        assert!((0..68).all(|host| !held(host)) && (68..100).all(held));
        assert!(size_of_val(quarantine.v4.0.as_slice()) <= 400);
    }
}
