//! Every lookup ends once and within a bound, and asks as many at once as the policy allows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use dht::{Config, Id, LookupId, Step};

use super::Fault;

const ENDS_ONCE: &str = "every lookup ends once";
const ENDS_IN_TIME: &str = "every lookup ends in time";
const PARALLEL: &str = "a lookup waits for no more answers at once than its policy allows";

/// No lookup takes longer: one that nobody answers ends after a minute, and then as many stalls follow one another as there are steps.
pub(crate) fn longest_lookup(max_stall: Duration) -> Duration {
    Duration::from_secs(60) + 30 * max_stall
}

/// The lookups of a node that have a name and have not ended.
#[derive(Default)]
pub(super) struct Lookups(BTreeMap<LookupId, Lookup>);

struct Lookup {
    target: Id,
    began: Duration,
    /// Those whose answers it waits for.
    waits_for: BTreeSet<SocketAddr>,
    has_peers: bool,
}

impl Lookups {
    /// One begins, by a name that none had before.
    pub(super) fn begin(&mut self, name: LookupId, target: Id, now: Duration) {
        let lookup = Lookup {
            target,
            began: now,
            waits_for: BTreeSet::new(),
            has_peers: false,
        };
        self.0.insert(name, lookup);
    }

    /// It found peers. Returns what it looks for.
    pub(super) fn found(&mut self, name: LookupId) -> Result<Id, Fault> {
        let lookup = self.running(name)?;
        lookup.has_peers = true;
        Ok(lookup.target)
    }

    /// It took a step.
    pub(super) fn step(
        &mut self,
        name: LookupId,
        address: SocketAddr,
        step: Step,
        config: &Config,
    ) -> Result<(), Fault> {
        let lookup = self.running(name)?;
        if !matches!(step, Step::Asked { .. }) {
            lookup.waits_for.remove(&address);
            return Ok(());
        }
        let is_new = lookup.waits_for.insert(address);
        let most = if lookup.has_peers {
            config.initial_queries
        } else {
            config.max_parallel
        };
        let count = lookup.waits_for.len();
        if !is_new {
            return Err((
                PARALLEL,
                format!("lookup {} asked {address} again before it answered", name.0),
            ));
        }
        if count > most {
            return Err((
                PARALLEL,
                format!(
                    "lookup {} waits for {count} answers, {most} are allowed",
                    name.0
                ),
            ));
        }
        Ok(())
    }

    /// It ended.
    pub(super) fn end(&mut self, name: LookupId) -> Result<(), Fault> {
        self.running(name)?;
        self.0.remove(&name);
        Ok(())
    }

    /// `lookups` is how many the node says it has, its own included.
    pub(super) fn check(
        &self,
        now: Duration,
        lookups: usize,
        config: &Config,
    ) -> Result<(), Fault> {
        if lookups < self.0.len() {
            let what = format!(
                "{} have not ended, and the node has {lookups}",
                self.0.len()
            );
            return Err((ENDS_ONCE, what));
        }
        let longest = longest_lookup(config.max_stall);
        match self
            .0
            .iter()
            .find(|(_, lookup)| now > lookup.began + longest)
        {
            Some((name, lookup)) => Err((
                ENDS_IN_TIME,
                format!(
                    "lookup {}, begun after {:?}, has not ended",
                    name.0, lookup.began
                ),
            )),
            None => Ok(()),
        }
    }

    fn running(&mut self, name: LookupId) -> Result<&mut Lookup, Fault> {
        let lookup = self.0.get_mut(&name);
        lookup.ok_or_else(|| {
            (
                ENDS_ONCE,
                format!("lookup {} was over, and goes on", name.0),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: LookupId = LookupId(7);

    fn address(number: u8) -> SocketAddr {
        SocketAddr::from(([20, 0, 0, number], 6881))
    }

    fn asks(lookups: &mut Lookups, count: u8) -> Result<(), Fault> {
        (0..count).try_for_each(|number| {
            lookups.step(
                NAME,
                address(number),
                Step::Asked { named_by: None },
                &Config::default(),
            )
        })
    }

    #[test]
    fn a_lookup_that_ends_twice_or_vanishes_or_never_ends_is_noticed() {
        let mut lookups = Lookups::default();
        lookups.begin(NAME, Id::new([7; 20]), Duration::ZERO);
        let config = Config::default();
        let longest = longest_lookup(config.max_stall);
        let check = |now, count| lookups.check(now, count, &config);
        assert_eq!(check(longest, 1), Ok(()));
        assert_eq!(check(longest, 0).unwrap_err().0, ENDS_ONCE);
        assert_eq!(check(2 * longest, 1).unwrap_err().0, ENDS_IN_TIME);
        assert_eq!(lookups.end(NAME), Ok(()));
        assert_eq!(lookups.end(NAME).unwrap_err().0, ENDS_ONCE);
        assert_eq!(lookups.found(NAME).unwrap_err().0, ENDS_ONCE);
    }

    #[test]
    fn a_lookup_that_asks_too_many_at_once_is_noticed() {
        let mut lookups = Lookups::default();
        lookups.begin(NAME, Id::new([7; 20]), Duration::ZERO);
        assert_eq!(asks(&mut lookups, 10), Ok(()));
        for step in [Step::Stalled, Step::TimedOut, Step::Refused { code: 202 }] {
            lookups
                .step(NAME, address(3), step, &Config::default())
                .unwrap();
        }
        assert_eq!(asks(&mut lookups, 1).unwrap_err().0, PARALLEL);
        lookups
            .step(
                NAME,
                address(20),
                Step::Asked { named_by: None },
                &Config::default(),
            )
            .unwrap();
        let eleventh = lookups.step(
            NAME,
            address(21),
            Step::Asked { named_by: None },
            &Config::default(),
        );
        assert_eq!(eleventh.unwrap_err().0, PARALLEL);
    }

    #[test]
    fn a_lookup_that_hurries_though_it_has_peers_is_noticed() {
        let mut lookups = Lookups::default();
        lookups.begin(NAME, Id::new([7; 20]), Duration::ZERO);
        lookups.found(NAME).unwrap();
        assert_eq!(asks(&mut lookups, 5).unwrap_err().0, PARALLEL);
    }
}
