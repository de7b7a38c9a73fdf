//! A response that nobody asked for changes nothing.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    Body, BucketView, Config, Event, Family, Id, Input, Message, Node, NodeInfo, Outbox, Response,
    Stats,
};
use rand::SeedableRng;

use super::Fault;
use super::queries::Query;
use crate::network::Generator;

const FOREIGN: &str = "a foreign response changes nothing";

/// What can be seen of a node.
#[derive(PartialEq, Eq)]
pub(super) struct Face {
    id: Id,
    stats: Stats,
    table: Vec<BucketView>,
    deadline: Option<Duration>,
}

impl Face {
    pub(super) fn of(
        node: &Node,
        deadline: Option<Duration>,
        now: Duration,
        config: &Config,
    ) -> Self {
        Self {
            id: node.id(),
            stats: node.stats(),
            table: node.table(Family::V4, now, config),
            deadline,
        }
    }

    /// Compares it with the one of after.
    pub(super) fn check(&self, after: &Self) -> Result<(), Fault> {
        if self == after {
            return Ok(());
        }
        let (before, after) = (self.stats, after.stats);
        Err((
            FOREIGN,
            format!("it changed the node: from {before:?} to {after:?}"),
        ))
    }
}

/// An outbox for a node that has nothing to say.
#[derive(Default)]
struct Silence {
    is_broken: bool,
}

impl Outbox for Silence {
    fn transmit(&mut self, _: SocketAddr, _: Message) {
        self.is_broken = true;
    }

    fn event(&mut self, _: Event) {
        self.is_broken = true;
    }
}

/// Tells an idle node what somebody would like it to believe who has seen its last query. If it believes nothing of it the world goes on as it would have.
pub(super) fn forge(
    node: &mut Node,
    deadline: Option<Duration>,
    now: Duration,
    config: &Config,
    seen: Option<&Query>,
) -> Result<(), Fault> {
    let Some(Query {
        to, transaction, ..
    }) = seen
    else {
        return Ok(());
    };
    let mut neighbor = *to;
    neighbor.set_port(to.port() ^ 1);
    let stranger = SocketAddr::from(([203, 0, 113, 9], 6881));
    let cases = [
        (neighbor, transaction.clone()),
        (stranger, transaction.clone()),
        (*to, dht::TransactionId::new(b"never").unwrap_or_default()),
    ];
    let before = Face::of(node, deadline, now, config);
    for (from, transaction) in cases {
        let message = lie(transaction);
        let mut out = Silence::default();
        let mut rng = Generator::seed_from_u64(0);
        let input = Input::Receive {
            from,
            message: &message,
        };
        let deadline = node.handle(config, now, &mut rng, input, &mut out);
        before.check(&Face::of(node, deadline, now, config))?;
        if out.is_broken {
            return Err((FOREIGN, format!("the node answered to one of {from}")));
        }
    }
    Ok(())
}

/// All that somebody would like to be believed.
fn lie(transaction: dht::TransactionId) -> Message {
    let node = |number: u8| NodeInfo {
        id: Id::new([number; 20]),
        address: std::net::SocketAddrV4::new([203, 0, 113, number].into(), 6881),
    };
    let response = Response {
        nodes: Some((1..=8).map(node).collect()),
        token: Some([1; 8].into()),
        values: vec![SocketAddr::from(([203, 0, 113, 9], 6881))],
        ..Response::new(Id::new([0xee; 20]))
    };
    Message {
        transaction,
        version: None,
        external: Some(SocketAddr::from(([203, 0, 113, 10], 6881))),
        body: Body::Response(response),
    }
}
