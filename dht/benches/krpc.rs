//! What reading and writing one datagram costs.

use std::hint::black_box;

use dht::{
    AnnouncedPort, Body, Flag, Id, Message, Method, NodeInfo, Query, Response, Token,
    TransactionId, Want, Wishes,
};
use divan::Bencher;

fn main() {
    divan::main();
}

fn message(body: Body) -> Message {
    Message {
        transaction: TransactionId::from(7),
        version: Some(*b"TL01"),
        external: None,
        body,
    }
}

fn query(method: Method) -> Message {
    message(Body::Query(Query {
        id: Id::new([1; 20]),
        read_only: false,
        method,
    }))
}

/// Messages as they are most often seen, by name.
fn messages() -> [(&'static str, Message); 5] {
    let token = Token::from([7; 8]);
    let info_hash = Id::new([2; 20]);
    let node = |number: u8| NodeInfo {
        id: Id::new([number; 20]),
        address: std::net::SocketAddrV4::new([10, 0, 0, number].into(), 6881),
    };
    let response = Response {
        nodes: Some((0..8).map(node).collect()),
        token: Some(token.clone()),
        ..Response::new(Id::new([3; 20]))
    };
    let peers = (0..100).map(|number| ([10, 0, 1, number], 6881).into());
    let with_peers = Response {
        values: peers.collect(),
        ..response.clone()
    };
    let (want, port) = (Want::UNSAID, AnnouncedPort::Implied(6881));
    [
        ("ping", query(Method::Ping)),
        (
            "get_peers",
            query(Method::GetPeers {
                info_hash,
                want,
                wishes: Wishes::NONE,
            }),
        ),
        (
            "announce_peer",
            query(Method::AnnouncePeer {
                info_hash,
                port,
                token,
                seed: Flag(false),
            }),
        ),
        ("nodes", message(Body::Response(response))),
        ("100 peers", message(Body::Response(with_peers))),
    ]
}

fn names() -> impl Iterator<Item = &'static str> {
    messages().into_iter().map(|(name, _)| name)
}

fn named(name: &str) -> Message {
    let mut messages = messages().into_iter();
    messages
        .find(|(other, _)| *other == name)
        .expect("one of the names")
        .1
}

#[divan::bench(args = names())]
fn decode(bencher: Bencher<'_, '_>, name: &str) {
    let mut datagram = Vec::new();
    dht::encode(&named(name), &mut datagram);
    bencher.bench_local(|| dht::decode(black_box(&datagram)));
}

#[divan::bench(args = names())]
fn encode(bencher: Bencher<'_, '_>, name: &str) {
    let message = named(name);
    let mut datagram = Vec::with_capacity(2048);
    bencher.bench_local(|| {
        datagram.clear();
        dht::encode(black_box(&message), &mut datagram);
    });
}
