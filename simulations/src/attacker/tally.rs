//! What attacks came to.

use std::mem::discriminant;
use std::ops::AddAssign;

use super::{Attacker, Part};
use crate::AttackRow;

/// What an enemy tried, and what it could see itself of what came of it. [`rows`] says what is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) tried: u64,
    pub(crate) succeeded: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.tried += other.tried;
        self.succeeded += other.succeeded;
    }
}

/// What came of the attacks whose end enemies do not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Harm {
    /// Contacts in the tables of honest nodes that are invented: [`Scene::is_invented`](super::Scene::is_invented).
    pub(crate) invented_contacts: u64,
    /// Packets sent to addresses that nobody has.
    pub(crate) packets_to_nobody: u64,
    /// Packets that [`Scene::victim`](super::Scene::victim) got, beyond what an honest node got on average.
    pub(crate) packets_to_victim: u64,
}

/// Every kind of enemy, with what is counted: what was tried, and what came of it.
const KINDS: [(Part, &str); 8] = [
    (
        Part::Sybil,
        "tokens given beside the names of other Sybils; announces that were swallowed",
    ),
    (
        Part::SybilAtTarget(0),
        "tokens given beside the names of other Sybils; announces that were swallowed",
    ),
    (
        Part::Poisoner,
        "invented nodes named; invented contacts in tables of honest nodes",
    ),
    (
        Part::DeadNamer,
        "dead addresses named; packets that went to addresses of nobody",
    ),
    (
        Part::InnocentNamer,
        "times that the innocent was named; packets that it got beyond what others get",
    ),
    (
        Part::Swallower,
        "tokens given; announces that were swallowed",
    ),
    (
        Part::Forger,
        "announces with tokens that were not given for them; those that were accepted",
    ),
    (Part::Flooder, "queries of floods; those that were answered"),
];

/// A row for each kind of enemy that there is.
pub(crate) fn rows<'a>(
    attackers: impl IntoIterator<Item = &'a Attacker>,
    harm: &Harm,
) -> Vec<AttackRow> {
    let mut sums = KINDS.map(|_| (0, Tally::default()));
    for attacker in attackers {
        for ((part, _), (enemies, total)) in KINDS.iter().zip(&mut sums) {
            if discriminant(part) == discriminant(&attacker.part()) {
                *enemies += 1;
                *total += attacker.tally();
            }
        }
    }
    let row = |((part, what), (enemies, total)): ((Part, &str), (u32, Tally))| {
        (enemies > 0).then(|| AttackRow {
            kind: part.name(),
            enemies,
            what: what.to_owned(),
            tried: total.tried,
            succeeded: match part {
                Part::Poisoner => harm.invented_contacts,
                Part::DeadNamer => harm.packets_to_nobody,
                Part::InnocentNamer => harm.packets_to_victim,
                _ => total.succeeded,
            },
        })
    };
    KINDS.into_iter().zip(sums).filter_map(row).collect()
}
