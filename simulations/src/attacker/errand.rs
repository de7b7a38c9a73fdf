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

    /// What a message answers, if it answers such a query.
    pub(super) fn answered_by(message: &Message) -> Option<Self> {
        match (&message.body, message.transaction.as_bytes()) {
            (Body::Response(_) | Body::Error(_), [mark, _, _, _, _]) => {
                Self::ALL.into_iter().find(|errand| errand.mark() == *mark)
            }
            _ => None,
        }
    }
}
