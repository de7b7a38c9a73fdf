//! A network of both kinds of nodes.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use mainline::Dht;
use mainline::async_dht::AsyncDht;
use tokio::time::timeout;
use trackless::Node;

/// Nothing that is waited for takes so long, even on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// Nodes of each kind.
const EACH: usize = 6;

/// The kind of the node that all others start from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum First {
    Ours,
    Theirs,
}

pub(crate) struct Network {
    pub(crate) ours: Vec<Node>,
    pub(crate) theirs: Vec<AsyncDht>,
}

impl Network {
    /// Starts one node and then all others, which know its address and nothing else.
    pub(crate) async fn start(first: First) -> Self {
        let mut network = Network {
            ours: Vec::new(),
            theirs: Vec::new(),
        };
        let entrance = match first {
            First::Ours => {
                network.ours.push(our_node(None).await);
                network.ours[0].local_address()
            }
            First::Theirs => {
                network.theirs.push(their_node(None));
                address(&network.theirs[0]).await.into()
            }
        };
        while network.ours.len() < EACH {
            let node = our_node(Some(entrance)).await;
            node.bootstrapped(PATIENCE).await.unwrap();
            network.ours.push(node);
        }
        while network.theirs.len() < EACH {
            let node = their_node(Some(entrance));
            assert!(within(node.bootstrapped()).await, "{first:?} first");
            network.theirs.push(node);
        }
        network
    }
}

pub(crate) async fn our_node(entrance: Option<SocketAddr>) -> Node {
    let mut builder = Node::builder().listen((Ipv4Addr::LOCALHOST, 0).into());
    if let Some(entrance) = entrance {
        builder = builder.bootstrap(entrance.to_string());
    }
    builder.start().await.unwrap()
}

/// One that answers, as most nodes of the public network do.
pub(crate) fn their_node(entrance: Option<SocketAddr>) -> AsyncDht {
    let mut builder = Dht::builder();
    builder.server_mode().bind_address(Ipv4Addr::LOCALHOST);
    match entrance {
        Some(entrance) => builder.bootstrap(&[entrance]),
        None => builder.no_bootstrap(),
    };
    builder.build().unwrap().as_async()
}

/// Where a node of theirs is reached.
pub(crate) async fn address(node: &AsyncDht) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, node.info().await.local_addr().port())
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}
