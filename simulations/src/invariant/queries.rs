//! Every query ends exactly once.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{Config, Method, TransactionId};

use super::Fault;

const ENDS_ONCE: &str = "every query ends exactly once";

/// The queries of a node that have not ended, oldest first.
#[derive(Default)]
pub(super) struct Queries(Vec<Query>);

pub(super) struct Query {
    pub(super) to: SocketAddr,
    pub(super) transaction: TransactionId,
    sent: Duration,
    /// It may be one that verifies a newcomer, who is waited for no longer than [`Config::newcomer_timeout`]. Nobody but the node knows.
    may_be_short: bool,
    /// It is one of these, and that time is over: it may have ended.
    is_doubtful: bool,
}

/// Whether it may be a newcomer who is asked this.
pub(super) fn may_verify(query: &dht::Query) -> bool {
    match &query.method {
        Method::Ping => true,
        Method::FindNode { target, .. } => *target == query.id,
        _ => false,
    }
}

impl Queries {
    /// One was sent.
    pub(super) fn begin(
        &mut self,
        to: SocketAddr,
        transaction: &TransactionId,
        may_be_short: bool,
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
            may_be_short,
            is_doubtful: false,
        });
        Ok(())
    }

    /// A message came that may end one. Whether it does.
    pub(super) fn end(&mut self, from: SocketAddr, transaction: &TransactionId) -> bool {
        let position = self.position(from, transaction);
        position.map(|position| self.0.remove(position)).is_some()
    }

    /// Ends those that nobody answered. Returns whom they were sent to, and those who may have been given up.
    pub(super) fn expire(&mut self, now: Duration, config: &Config) -> Vec<SocketAddr> {
        let ended = |query: &Query| query.sent + config.query_timeout <= now;
        let in_time = self.0.partition_point(ended);
        let mut silent: Vec<_> = self.0.drain(..in_time).map(|query| query.to).collect();
        let old = |query: &&mut Query| query.sent + config.newcomer_timeout <= now;
        for query in self.0.iter_mut().take_while(old) {
            if query.may_be_short && !query.is_doubtful {
                query.is_doubtful = true;
                silent.push(query.to);
            }
        }
        silent
    }

    /// The last one that was sent and has not ended.
    pub(super) fn last(&self) -> Option<&Query> {
        self.0.last()
    }

    /// `in_flight` is what the node says.
    pub(super) fn check(&self, in_flight: usize) -> Result<(), Fault> {
        let doubtful = self.0.iter().filter(|query| query.is_doubtful).count();
        if (self.0.len() - doubtful..=self.0.len()).contains(&in_flight) {
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
        let config = Config {
            query_timeout: at(10),
            newcomer_timeout: at(2),
            ..Config::default()
        };
        queries.begin(to, &1.into(), false, at(1)).unwrap();
        queries.begin(to, &2.into(), false, at(2)).unwrap();
        assert_eq!(
            queries.begin(to, &2.into(), false, at(2)).unwrap_err().0,
            "queries in flight differ"
        );
        assert_eq!(queries.check(2), Ok(()));
        assert_eq!(queries.check(1).unwrap_err().0, ENDS_ONCE);
        assert!(queries.end(to, &2.into()) && !queries.end(to, &2.into()));
        assert_eq!(queries.check(2).unwrap_err().0, ENDS_ONCE);
        assert!(queries.expire(at(10), &config).is_empty());
        assert_eq!(queries.expire(at(11), &config), [to]);
        assert_eq!(queries.check(0), Ok(()));
        // A newcomer may be given up sooner, and has to be in the end.
        queries.begin(to, &3.into(), true, at(11)).unwrap();
        assert_eq!(queries.check(0).unwrap_err().0, ENDS_ONCE);
        assert_eq!(queries.expire(at(13), &config), [to]);
        assert_eq!((queries.check(0), queries.check(1)), (Ok(()), Ok(())));
        assert_eq!(queries.expire(at(21), &config), [to]);
        assert_eq!(queries.check(1).unwrap_err().0, ENDS_ONCE);
    }
}
