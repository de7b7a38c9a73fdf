//! The queries that an enemy sends beside those of the node that it is.

use dht::{Body, Id, Message, Method, Query, TransactionId};
use rand::{Rng, RngExt};

/// What such a query is for. It stands in the transaction, so that its answer is known without a list of queries: those of a
/// `dht::Node` have four bytes, these have one more in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// To learn a token.
    Bait,
    /// To be believed.
    Forgery,
    /// To be a burden.
    Flood,
}

impl Errand {
    const ALL: [Self; 3] = [Self::Bait, Self::Forgery, Self::Flood];

    const fn mark(self) -> u8 {
        match self {
            Self::Bait => b'b',
            Self::Forgery => b'f',
            Self::Flood => b'l',
        }
    }

    /// A query of the node `id`.
    pub(super) fn query(self, id: Id, method: Method, rng: &mut impl Rng) -> Message {
        let mut transaction: [u8; 5] = rng.random();
        transaction[0] = self.mark();
        Message {
            transaction: TransactionId::new(&transaction).unwrap_or_default(),
            version: None,
            external: None,
            body: Body::Query(Query {
                id,
                read_only: false,
                method,
            }),
        }
    }

    /// What such a query, or the answer to one, is about.
    pub(super) fn of(message: &Message) -> Option<Self> {
        let [mark, _, _, _, _] = message.transaction.as_bytes() else {
            return None;
        };
        Self::ALL.into_iter().find(|errand| errand.mark() == *mark)
    }
}
