//! Every query ends exactly once.

use std::net::SocketAddr;
use std::time::Duration;

use dht::TransactionId;

use super::Fault;

const ENDS_ONCE: &str = "every query ends exactly once";

/// The queries of a node that have not ended, oldest first.
#[derive(Default)]
pub(super) struct Queries(Vec<Query>);

pub(super) struct Query {
    pub(super) to: SocketAddr,
    pub(super) transaction: TransactionId,
    sent: Duration,
}

impl Queries {
    /// One was sent.
    pub(super) fn begin(
        &mut self,
        to: SocketAddr,
        transaction: &TransactionId,
        now: Duration,
    ) -> Result<(), Fault> {
        if self.position(to, transaction).is_some() {
            let what = format!(
                "{to} was asked twice with transaction {:02x?}",
                transaction.as_bytes()
            );
            return Err(("queries in flight differ", what));
        }
        let transaction = transaction.clone();
        self.0.push(Query {
            to,
            transaction,
            sent: now,
        });
        Ok(())
    }

    /// A message came that may end one. Whether it does.
    pub(super) fn end(&mut self, from: SocketAddr, transaction: &TransactionId) -> bool {
        let position = self.position(from, transaction);
        position.map(|position| self.0.remove(position)).is_some()
    }

    /// Ends those that nobody answered. Returns whom they were sent to.
    pub(super) fn expire(&mut self, now: Duration, timeout: Duration) -> Vec<SocketAddr> {
        let in_time = self.0.partition_point(|query| query.sent + timeout <= now);
        self.0.drain(..in_time).map(|query| query.to).collect()
    }

    /// The last one that was sent and has not ended.
    pub(super) fn last(&self) -> Option<&Query> {
        self.0.last()
    }

    /// `in_flight` is what the node says.
    pub(super) fn check(&self, in_flight: usize) -> Result<(), Fault> {
        if in_flight == self.0.len() {
            return Ok(());
        }
        let what = format!(
            "the node waits for {in_flight} answers, and {} queries have not ended",
            self.0.len()
        );
        Err((ENDS_ONCE, what))
    }

    fn position(&self, to: SocketAddr, transaction: &TransactionId) -> Option<usize> {
        self.0
            .iter()
            .position(|query| query.to == to && query.transaction == *transaction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_that_the_node_forgot_or_ended_twice_is_noticed() {
        let mut queries = Queries::default();
        let to = "20.0.0.1:6881".parse().unwrap();
        let at = Duration::from_secs;
        queries.begin(to, &1.into(), at(1)).unwrap();
        queries.begin(to, &2.into(), at(2)).unwrap();
        assert_eq!(
            queries.begin(to, &2.into(), at(2)).unwrap_err().0,
            "queries in flight differ"
        );
        assert_eq!(queries.check(2), Ok(()));
        assert_eq!(queries.check(1).unwrap_err().0, ENDS_ONCE);
        assert!(queries.end(to, &2.into()) && !queries.end(to, &2.into()));
        assert_eq!(queries.check(2).unwrap_err().0, ENDS_ONCE);
        assert!(queries.expire(at(10), at(10)).is_empty());
        assert_eq!(queries.expire(at(11), at(10)), [to]);
        assert_eq!(queries.check(0), Ok(()));
    }
}
