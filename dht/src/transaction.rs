use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use rand::{Rng, RngExt};

use crate::id::Id;
use crate::message::TransactionId;

/// The queries that are in flight, oldest first. Every one of them ends exactly once: by [`Transactions::finish`] or [`Transactions::expire`].
#[derive(Default)]
pub(crate) struct Transactions {
    pending: Vec<Transaction>,
    /// Of the first one to stall or expire, so that serving others need not look for it.
    deadline: Option<Duration>,
}

/// A query in flight.
pub(crate) struct Transaction {
    number: u32,
    pub(crate) to: SocketAddr,
    /// Who is expected to answer, where that is known.
    pub(crate) id: Option<Id>,
    pub(crate) purpose: Purpose,
    pub(crate) sent: Duration,
    delay: Delay,
    patience: Patience,
}

/// How long an answer has been waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delay {
    /// Not long.
    None,
    /// So long that somebody else is asked as well.
    Stalled,
    /// So long that nothing waits for it any more; it is welcome still.
    Late,
}

/// A lookup, the node's own included: [`LookupId`](crate::LookupId) names only those of the application, and may be used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LookupKey(u32);

/// A survey, or a question of the application to one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SurveyKey(u32);

impl LookupKey {
    pub(crate) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl SurveyKey {
    pub(crate) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// What a query was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To enter the network, through an address that we were given.
    Bootstrap,
    /// To learn whether one lives who answered us once: a contact that was silent for long, or a node of an earlier run.
    Revisit,
    /// To learn whether a newcomer lives whom others named.
    Verify,
    /// To learn whether a node that has just asked us lives.
    Meet,
    /// A step of a lookup.
    Lookup(LookupKey),
    /// To learn who stands around a node, where the target of a lookup is crowded.
    Explore(LookupKey),
    /// The announce that ends a lookup.
    Announce(LookupKey),
    /// A step of a survey.
    Sample(SurveyKey),
    /// To tell the application who is there.
    Probe(SurveyKey),
}

impl Purpose {
    /// Whether a lookup or a survey waits for the answer, and asks somebody else when it takes long.
    pub(crate) const fn is_of_lookup(self) -> bool {
        match self {
            Self::Lookup(_) | Self::Explore(_) | Self::Announce(_) | Self::Sample(_) => true,
            Self::Bootstrap | Self::Revisit | Self::Verify | Self::Meet | Self::Probe(_) => false,
        }
    }

    /// Whether it is somebody else's choice who is asked: who asks us, or names others to us.
    pub(crate) const fn is_of_newcomer(self) -> bool {
        matches!(self, Self::Verify | Self::Meet)
    }
}

/// What became of a query that is in flight still.
pub(crate) struct Delayed {
    pub(crate) to: SocketAddr,
    pub(crate) id: Option<Id>,
    pub(crate) purpose: Purpose,
    pub(crate) delay: Delay,
}

/// When a query stalls and is late, and how long its answer is welcome; counted from when it was sent.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) stall: Duration,
    pub(crate) late: Duration,
    pub(crate) timeout: Duration,
}

impl Patience {
    /// That of somebody who does nothing else meanwhile.
    pub(crate) const fn plain(timeout: Duration) -> Self {
        Self {
            stall: timeout,
            late: timeout,
            timeout,
        }
    }
}

impl Transaction {
    /// When something has to be done about it.
    fn deadline(&self) -> Duration {
        self.sent
            + match self.delay {
                Delay::None => self.patience.stall,
                Delay::Stalled => self.patience.late,
                Delay::Late => self.patience.timeout,
            }
    }
}

impl Transactions {
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Newcomers that are asked right now.
    pub(crate) fn newcomers(&self) -> usize {
        let purposes = self.pending.iter().map(|transaction| transaction.purpose);
        purposes.filter(|purpose| purpose.is_of_newcomer()).count()
    }

    /// Begins to load what [`finish`](Self::finish) will look at.
    pub(crate) fn prefetch(&self) {
        black_box(self.pending.first().map(|transaction| transaction.number));
    }

    /// Whether something is asked of this address right now.
    pub(crate) fn is_asking(&self, address: &SocketAddr) -> bool {
        self.pending
            .iter()
            .any(|transaction| transaction.to == *address)
    }

    /// Draws the id of a new query: nobody who does not see the query can guess it.
    pub(crate) fn begin(
        &mut self,
        to: SocketAddr,
        id: Option<Id>,
        purpose: Purpose,
        now: Duration,
        patience: Patience,
        rng: &mut impl Rng,
    ) -> TransactionId {
        let number = rng.random();
        if self.pending.len() < 4 {
            // Maintenance has a query in flight now and then; the vector's own growth starts at four.
            self.pending.reserve_exact(1);
        }
        let transaction = Transaction {
            number,
            to,
            id,
            purpose,
            sent: now,
            delay: if purpose.is_of_lookup() {
                Delay::None
            } else {
                Delay::Late
            },
            patience,
        };
        let deadline = transaction.deadline();
        self.pending.push(transaction);
        self.deadline = Some(self.deadline.map_or(deadline, |first| first.min(deadline)));
        number.into()
    }

    /// The query that a message answers: the id and the address have to be right.
    pub(crate) fn finish(&mut self, id: &TransactionId, from: SocketAddr) -> Option<Transaction> {
        let number = u32::from_be_bytes(id.as_bytes().try_into().ok()?);
        let position = self
            .pending
            .iter()
            .position(|transaction| transaction.number == number && transaction.to == from)?;
        Some(self.take(position))
    }

    /// The next query of a lookup that has stalled, or is late. Each is returned once for either.
    pub(crate) fn delay(&mut self, now: Duration) -> Option<Delayed> {
        let transaction = self.pending.iter_mut().find(|transaction| {
            transaction.delay != Delay::Late && transaction.deadline() <= now
        })?;
        transaction.delay = match transaction.delay {
            Delay::None => Delay::Stalled,
            Delay::Stalled | Delay::Late => Delay::Late,
        };
        let delayed = Delayed {
            to: transaction.to,
            id: transaction.id,
            purpose: transaction.purpose,
            delay: transaction.delay,
        };
        self.note_deadline();
        Some(delayed)
    }

    /// The next query that has failed.
    pub(crate) fn expire(&mut self, now: Duration) -> Option<Transaction> {
        let position = self
            .pending
            .iter()
            .position(|transaction| transaction.sent + transaction.patience.timeout <= now)?;
        Some(self.take(position))
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    fn note_deadline(&mut self) {
        self.deadline = self.pending.iter().map(Transaction::deadline).min();
    }

    fn take(&mut self, position: usize) -> Transaction {
        let transaction = self.pending.remove(position);
        if self.pending.is_empty() {
            // An idle node keeps nothing for the busy one that it was.
            self.pending = Vec::new();
        }
        self.note_deadline();
        transaction
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn begin(
        transactions: &mut Transactions,
        to: SocketAddr,
        patience: Patience,
        rng: &mut Xoshiro256PlusPlus,
    ) -> TransactionId {
        let purpose = Purpose::Lookup(LookupKey(1));
        transactions.begin(to, None, purpose, SECOND, patience, rng)
    }

    #[test]
    fn a_query_stalls_once_is_late_once_and_is_answered_once_by_the_one_who_was_asked() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut transactions = Transactions::default();
        let (asked, other) = ("1.2.3.4:5".parse().unwrap(), "1.2.3.4:6".parse().unwrap());
        let patience = Patience {
            stall: SECOND,
            late: 3 * SECOND,
            timeout: 10 * SECOND,
        };
        let id = begin(&mut transactions, asked, patience, &mut rng);
        assert_eq!(transactions.deadline(), Some(2 * SECOND));
        let mut delay = |at| transactions.delay(at).map(|delayed| delayed.delay);
        assert_eq!(delay(SECOND), None);
        assert_eq!(delay(2 * SECOND), Some(Delay::Stalled));
        assert_eq!(delay(2 * SECOND), None);
        assert_eq!(delay(4 * SECOND), Some(Delay::Late));
        assert_eq!(delay(10 * SECOND), None);
        assert_eq!(transactions.deadline(), Some(11 * SECOND));
        assert!(transactions.finish(&id, other).is_none());
        assert!(
            transactions
                .finish(&TransactionId::default(), asked)
                .is_none()
        );
        assert!(transactions.expire(10 * SECOND).is_none());
        assert!(transactions.finish(&id, asked).is_some());
        assert!(transactions.finish(&id, asked).is_none());
        assert!(transactions.expire(11 * SECOND).is_none());
        assert_eq!(transactions.deadline(), None);
    }

    #[test]
    fn who_has_seen_a_thousand_ids_does_not_know_the_next() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let mut transactions = Transactions::default();
        let asked = "1.2.3.4:5".parse().unwrap();
        let patience = Patience::plain(SECOND);
        let ids: Vec<_> = (0..1000)
            .map(|_| begin(&mut transactions, asked, patience, &mut rng))
            .map(|id| u32::from_be_bytes(id.as_bytes().try_into().unwrap()))
            .collect();
        let steps: BTreeSet<_> = (ids.iter().zip(&ids[1..]))
            .map(|(one, next)| next.wrapping_sub(*one))
            .collect();
        assert_eq!(steps.len(), 999);
        // Neither high nor low bits stand still.
        for bit in 0..32 {
            let set = ids.iter().filter(|&id| id & (1 << bit) != 0).count();
            assert!((400..600).contains(&set), "bit {bit} is set {set} times");
        }
    }
}
