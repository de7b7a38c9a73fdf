//! A small network of honest nodes that all know each other, and the torrent that they know a peer of.

use std::net::{SocketAddr, SocketAddrV4};

use dht::{Body, Id, Message, Method, NodeInfo, Query, Response, Token};

const NODES: u8 = 20;

pub const INFO_HASH: Id = Id::new([0x5a; 20]);

pub fn peer() -> SocketAddr {
    ([90, 1, 2, 3], 5555).into()
}

/// Each in a network of its own.
fn node(index: u8) -> NodeInfo<SocketAddrV4> {
    let mut id = [index.wrapping_mul(37); 20];
    id[0] = index.wrapping_mul(13) << 3 | 5;
    NodeInfo {
        id: Id::new(id),
        address: SocketAddrV4::new([70 + index, 1, 1, 1].into(), 6881),
    }
}

pub fn entrance() -> SocketAddr {
    node(0).address.into()
}

/// What an honest node at `address` says; `None` if there is none.
pub fn answer(address: SocketAddr, asker: SocketAddr, message: &Message) -> Option<Message> {
    let own = (0..NODES)
        .map(node)
        .find(|node| SocketAddr::V4(node.address) == address)?;
    let Body::Query(Query { method, .. }) = &message.body else {
        return None;
    };
    let mut response = Response::new(own.id);
    match method {
        Method::FindNode { target, .. } | Method::SampleInfohashes { target, .. } => response.nodes = Some(closest(target).collect()),
        Method::GetPeers { info_hash, .. } => {
            response.nodes = Some(closest(info_hash).collect());
            response.token = Some(Token::from([7; 8]));
            if *info_hash == INFO_HASH && closest(info_hash).any(|node| node.id == own.id) {
                response.values = vec![peer()];
            }
        }
        Method::Get { target, .. } => {
            response.nodes = Some(closest(target).collect());
            response.token = Some(Token::from([7; 8]));
        }
        Method::Ping | Method::AnnouncePeer { .. } | Method::Other { .. } | Method::Put(_) => {}
    }
    Some(Message {
        transaction: message.transaction.clone(),
        version: None,
        external: Some(asker),
        body: Body::Response(response),
    })
}

fn closest(target: &Id) -> impl Iterator<Item = NodeInfo<SocketAddrV4>> {
    let mut nodes: Vec<_> = (0..NODES).map(node).collect();
    nodes.sort_by_key(|node| node.id.distance(target));
    nodes.into_iter().take(8)
}
