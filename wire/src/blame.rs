//! Who may have sent bad data.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::culprit::Culprit;

/// Suspects remembered; with more than that, the whole swarm is suspect.
const MAX_SUSPECTS: usize = 4096;

/// What follows from a piece that failed its check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// One peer sent all of it.
    Guilty(SocketAddr),
    /// One of several did: they are on parole.
    Unclear,
}

/// The peers on parole: each fetches pieces alone, until one of these proves it good or bad.
#[derive(Debug, Default)]
pub(crate) struct Blame {
    suspects: BTreeSet<Culprit>,
}

impl Blame {
    pub(crate) fn is_suspect(&self, address: SocketAddr) -> bool {
        self.suspects.contains(&Culprit::at(address))
    }

    /// A piece failed its check.
    pub(crate) fn failed(&mut self, contributors: &[SocketAddr]) -> Verdict {
        if let Some(only) = only(contributors) {
            self.suspects.remove(&Culprit::at(only));
            return Verdict::Guilty(only);
        }
        for &contributor in contributors {
            if self.suspects.len() < MAX_SUSPECTS {
                self.suspects.insert(Culprit::at(contributor));
            }
        }
        Verdict::Unclear
    }

    /// A piece passed its check. Returns whether that ends somebody's parole.
    pub(crate) fn passed(&mut self, contributors: &[SocketAddr]) -> bool {
        only(contributors).is_some_and(|only| self.suspects.remove(&Culprit::at(only)))
    }
}

/// The one peer that sent all of it, if it was one: maybe over several connections.
fn only(contributors: &[SocketAddr]) -> Option<SocketAddr> {
    let (&first, others) = contributors.split_first()?;
    let same = |&other: &SocketAddr| Culprit::at(other) == Culprit::at(first);
    others.iter().all(same).then_some(first)
}
