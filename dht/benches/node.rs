//! What answering a thousand queries costs a node whose table is full; half of them come from its contacts.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    Body, Config, Event, Id, Input, Message, Method, Node, Outbox, Query, Response, TransactionId,
    Want, Wishes,
};
use divan::Bencher;
use divan::counter::ItemsCount;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

fn main() {
    divan::main();
}

const NOW: Duration = Duration::from_secs(1);

/// Keeps the last message; while the table fills, the queries that are to be answered.
#[derive(Default)]
struct Out {
    queries: Vec<(SocketAddr, Message)>,
    answer: Option<Message>,
}

impl Outbox for Out {
    fn transmit(&mut self, to: SocketAddr, message: Message) {
        if matches!(message.body, Body::Query(_)) {
            self.queries.push((to, message));
        } else {
            self.answer = Some(message);
        }
    }

    fn event(&mut self, _: Event) {}
}

/// A node that a hundred thousand others have answered, and some of those it knows by that.
fn full(config: &Config, rng: &mut Xoshiro256PlusPlus) -> (Node, Vec<(SocketAddr, Id)>) {
    let mut node = Node::new(None, rng);
    let mut out = Out::default();
    for _ in 0..100_000 {
        let address = SocketAddr::from((
            rng.random_range(0x0b00_0000..0x7000_0000u32).to_be_bytes(),
            6881,
        ));
        let _ = node.handle(config, NOW, rng, Input::Ping(address), &mut out);
        // The lookups for its own neighbours go unanswered.
        let Some((_, query)) = out.queries.drain(..).find(|(to, _)| *to == address) else {
            continue;
        };
        let response = Response::new(Id::random(rng));
        let message = Message {
            transaction: query.transaction,
            version: None,
            external: None,
            body: Body::Response(response),
        };
        let _ = node.handle(
            config,
            NOW,
            rng,
            Input::Receive {
                from: address,
                message: &message,
            },
            &mut out,
        );
        out.queries.clear();
    }
    let _ = node.handle(
        config,
        NOW + Duration::from_secs(10),
        rng,
        Input::Timeout,
        &mut out,
    );
    let known = node
        .contacts()
        .map(|contact| (contact.address, contact.id))
        .collect();
    (node, known)
}

fn queries(
    method: fn(Id) -> Method,
    known: &[(SocketAddr, Id)],
    rng: &mut Xoshiro256PlusPlus,
) -> Vec<(SocketAddr, Message)> {
    let mut query = |strange: bool| {
        let stranger = (SocketAddr::from(([8, 8, 8, 8], 6881)), Id::random(rng));
        let (from, id) = if strange {
            stranger
        } else {
            known[rng.random_range(0..known.len())]
        };
        let body = Body::Query(Query {
            id,
            read_only: false,
            method: method(Id::random(rng)),
        });
        (
            from,
            Message {
                transaction: TransactionId::from(7),
                version: None,
                external: None,
                body,
            },
        )
    };
    (0..1000).map(|number| query(number % 2 == 0)).collect()
}

fn find_node(target: Id) -> Method {
    Method::FindNode {
        target,
        want: Want::UNSAID,
    }
}

fn get_peers(info_hash: Id) -> Method {
    Method::GetPeers {
        info_hash,
        want: Want::UNSAID,
        wishes: Wishes::NONE,
    }
}

fn serve(bencher: Bencher<'_, '_>, method: fn(Id) -> Method, bytes: bool) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let config = Config::default();
    let (mut node, known) = full(&config, &mut rng);
    let queries = queries(method, &known, &mut rng);
    let datagrams: Vec<_> = queries
        .iter()
        .map(|(_, message)| {
            let mut datagram = Vec::new();
            dht::encode(message, &mut datagram);
            datagram
        })
        .collect();
    let mut out = Out::default();
    let mut buffer = Vec::with_capacity(2048);
    let now = NOW + Duration::from_secs(10);
    bencher
        .counter(ItemsCount::new(queries.len()))
        .bench_local(|| {
            for ((from, message), datagram) in queries.iter().zip(&datagrams) {
                let decoded;
                let message = if bytes {
                    decoded = dht::decode(datagram).expect("a query");
                    &decoded
                } else {
                    message
                };
                let input = Input::Receive {
                    from: *from,
                    message,
                };
                black_box(node.handle(&config, now, &mut rng, input, &mut out));
                if let (true, Some(answer)) = (bytes, &out.answer) {
                    buffer.clear();
                    dht::encode(answer, &mut buffer);
                }
            }
        });
}

#[divan::bench]
fn find_node_message_to_message(bencher: Bencher<'_, '_>) {
    serve(bencher, find_node, false);
}

#[divan::bench]
fn find_node_bytes_to_bytes(bencher: Bencher<'_, '_>) {
    serve(bencher, find_node, true);
}

#[divan::bench]
fn get_peers_message_to_message(bencher: Bencher<'_, '_>) {
    serve(bencher, get_peers, false);
}

#[divan::bench]
fn get_peers_bytes_to_bytes(bencher: Bencher<'_, '_>) {
    serve(bencher, get_peers, true);
}
