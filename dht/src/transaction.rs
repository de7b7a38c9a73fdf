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
    /// When it counts as stalled; `None` once it does, and where nobody waits.
    stalls: Option<Duration>,
    expires: Duration,
}

/// What a query was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To enter the network, through an address that we were given.
    Bootstrap,
    /// To learn whether a node lives: a newcomer, or a contact that was silent for long.
    Verify,
    /// A step of a lookup.
    Lookup(u32),
    /// The announce that ends a lookup.
    Announce(u32),
}

/// How long a query is waited for, and how long its answer is welcome.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) stall: Option<Duration>,
    pub(crate) timeout: Duration,
}

impl Transactions {
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
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
        let (stalls, expires) = (
            patience.stall.map(|stall| now + stall),
            now + patience.timeout,
        );
        if self.pending.is_empty() {
            // Maintenance has one query in flight now and then; the vector's own growth starts at four.
            self.pending.reserve_exact(1);
        }
        self.pending.push(Transaction {
            number,
            to,
            id,
            purpose,
            sent: now,
            stalls,
            expires,
        });
        let deadline = stalls.unwrap_or(expires);
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

    /// The next query that nobody will wait for any longer, though its answer is still welcome. Each is returned once.
    pub(crate) fn stall(&mut self, now: Duration) -> Option<(SocketAddr, Option<Id>, Purpose)> {
        let transaction = self
            .pending
            .iter_mut()
            .find(|transaction| transaction.stalls.is_some_and(|stalls| stalls <= now))?;
        transaction.stalls = None;
        let stalled = (transaction.to, transaction.id, transaction.purpose);
        self.note_deadline();
        Some(stalled)
    }

    /// The next query that has failed.
    pub(crate) fn expire(&mut self, now: Duration) -> Option<Transaction> {
        let position = self
            .pending
            .iter()
            .position(|transaction| transaction.expires <= now)?;
        Some(self.take(position))
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    fn note_deadline(&mut self) {
        self.deadline = self
            .pending
            .iter()
            .map(|transaction| transaction.stalls.unwrap_or(transaction.expires))
            .min();
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
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_query_stalls_once_and_is_answered_once_by_the_one_who_was_asked() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut transactions = Transactions::default();
        let (asked, other) = ("1.2.3.4:5".parse().unwrap(), "1.2.3.4:6".parse().unwrap());
        let patience = Patience {
            stall: Some(SECOND),
            timeout: 10 * SECOND,
        };
        let id = transactions.begin(asked, None, Purpose::Verify, SECOND, patience, &mut rng);
        assert_eq!(transactions.deadline(), Some(2 * SECOND));
        assert!(transactions.stall(SECOND).is_none());
        assert!(transactions.stall(2 * SECOND).is_some());
        assert!(transactions.stall(2 * SECOND).is_none());
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
}
