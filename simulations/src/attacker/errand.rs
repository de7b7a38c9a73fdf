//! The queries that an enemy sends beside those of the node that it is.

use dht::{Body, Id, Message, Method, Query, TransactionId};
use rand::{Rng, RngExt};

/// What such a query is for. It stands in the transaction, so that its answer is known without a list of queries: those of a
/// `dht::Node` have four bytes, these have eight.
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

    const fn mark(self) -> &'static [u8; 4] {
        match self {
            Self::Bait => b"bait",
            Self::Forgery => b"forg",
            Self::Flood => b"load",
        }
    }

    /// A query of the node `id`.
    pub(super) fn query(self, id: Id, method: Method, rng: &mut impl Rng) -> Message {
        let [a, b, c, d] = *self.mark();
        let [e, f, g, h] = rng.random::<[u8; 4]>();
        Message {
            transaction: TransactionId::new(&[a, b, c, d, e, f, g, h]).unwrap_or_default(),
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
        if matches!(message.body, Body::Query(_)) {
            return None;
        }
        let (mark, rest) = message.transaction.as_bytes().split_first_chunk::<4>()?;
        (rest.len() == 4).then(|| Self::ALL.into_iter().find(|errand| errand.mark() == mark))?
    }
}
