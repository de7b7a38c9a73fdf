//! Who may have sent bad data.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::culprit::Culprit;

/// Peers remembered that had a part in bad pieces; with more than that, the whole swarm is suspect.
const MAX_RECORDS: usize = 4096;
/// The longest parole, in pieces: 2 to the power of this.
const MAX_DOUBLINGS: u32 = 10;

/// What follows from a piece that failed its check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// One peer sent all of it.
    Guilty(SocketAddr),
    /// One of several did: they are on parole.
    Unclear,
}

/// The peers on parole: each fetches pieces alone, until as many have proved it good as it owes, or one has proved it bad.
///
/// What a peer owes doubles with each bad piece that it had a part in, so that whoever spoils a piece now and then has to send ever more good ones
/// in between.
#[derive(Debug, Default)]
pub(crate) struct Blame {
    records: BTreeMap<Culprit, Record>,
}

#[derive(Debug, Default)]
struct Record {
    /// Bad pieces that it had a part in.
    failures: u32,
    /// Good pieces that it has to send alone.
    owed: u32,
}

impl Blame {
    pub(crate) fn is_suspect(&self, address: SocketAddr) -> bool {
        let record = self.records.get(&Culprit::at(address));
        record.is_some_and(|record| record.owed > 0)
    }

    /// A piece failed its check.
    pub(crate) fn failed(&mut self, contributors: &[SocketAddr]) -> Verdict {
        let culprits: BTreeSet<_> = contributors.iter().copied().map(Culprit::at).collect();
        if let (1, Some(&only)) = (culprits.len(), contributors.first()) {
            self.records.remove(&Culprit::at(only));
            return Verdict::Guilty(only);
        }
        for culprit in culprits {
            if self.records.len() >= MAX_RECORDS && !self.records.contains_key(&culprit) {
                self.records.retain(|_, record| record.owed > 0);
            }
            if self.records.len() < MAX_RECORDS || self.records.contains_key(&culprit) {
                let record = self.records.entry(culprit).or_default();
                record.owed = 1 << record.failures.min(MAX_DOUBLINGS);
                record.failures = record.failures.saturating_add(1);
            }
        }
        Verdict::Unclear
    }

    /// A piece passed its check. Returns whether that ends somebody's parole.
    pub(crate) fn passed(&mut self, contributors: &[SocketAddr]) -> bool {
        let Some(record) = only(contributors).and_then(|only| self.records.get_mut(&only)) else {
            return false;
        };
        let was_suspect = record.owed > 0;
        record.owed = record.owed.saturating_sub(1);
        was_suspect && record.owed == 0
    }
}

/// The one who sent all of it, if it was one: maybe over several connections.
fn only(contributors: &[SocketAddr]) -> Option<Culprit> {
    let (&first, others) = contributors.split_first()?;
    let first = Culprit::at(first);
    others
        .iter()
        .all(|&other| Culprit::at(other) == first)
        .then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([203, 0, 113, last], 6881))
    }

    #[test]
    fn the_only_contributor_is_guilty_and_several_are_suspect() {
        let mut blame = Blame::default();
        assert_eq!(blame.failed(&[address(1), address(2)]), Verdict::Unclear);
        assert!(blame.is_suspect(address(1)) && blame.is_suspect(address(2)));
        assert!(blame.passed(&[address(1)]), "it has proved itself");
        assert!(!blame.is_suspect(address(1)));
        let twice = [address(2), SocketAddr::new(address(2).ip(), 9)];
        assert_eq!(blame.failed(&twice), Verdict::Guilty(address(2)));
    }

    #[test]
    fn whoever_is_suspect_again_and_again_has_ever_more_to_prove() {
        let mut blame = Blame::default();
        for times in 0..14 {
            blame.failed(&[address(1), address(10 + times)]);
            let passed = (1..=2000)
                .find(|_| blame.passed(&[address(1)]))
                .expect("parole ends");
            assert_eq!(passed, 1 << times.min(10));
        }
        assert!(!blame.is_suspect(address(1)));
    }

    #[test]
    fn the_records_are_bounded_and_those_who_owe_nothing_make_room() {
        let mut blame = Blame::default();
        let number =
            |number: u32| SocketAddr::from((std::net::Ipv4Addr::from(0x0800_0000 + number), 1));
        for pair in 0..10_000 {
            blame.failed(&[number(2 * pair), number(2 * pair + 1)]);
        }
        assert_eq!(blame.records.len(), MAX_RECORDS);
        blame.passed(&[number(0)]);
        blame.failed(&[address(1), address(2)]);
        assert!(blame.is_suspect(address(1)));
        assert_eq!(blame.records.len(), MAX_RECORDS);
    }
}
