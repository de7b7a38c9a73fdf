//! What an event costs a scheduler that drives more nodes than the caches hold, with the hints of `Node::prefetch` and without.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    Body, Config, Event, Id, Input, Message, Method, Node, NodeInfo, Outbox, Query, TransactionId,
    Want,
};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

fn main() {
    divan::main();
}

const NOW: Duration = Duration::from_secs(10_000);
const EVENTS: usize = 100_000;
/// Events from a hint to the next stage, and from that to the event.
const AHEAD: usize = 6;

/// Throws everything away.
struct Nowhere;

impl Outbox for Nowhere {
    fn transmit(&mut self, to: SocketAddr, message: Message) {
        black_box((to, &message));
    }

    fn event(&mut self, _: Event) {}
}

struct World {
    config: Config,
    nodes: Vec<Node>,
    /// Who asks whom what.
    events: Vec<(usize, SocketAddr, Message)>,
}

/// Nodes that know of each distance as many as a bucket holds, and queries between those who know each other.
fn world(count: usize) -> World {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let config = Config {
        first_buckets: &[],
        ..Config::default()
    };
    let mut everybody: Vec<_> = (0..count as u32)
        .map(|number| NodeInfo {
            id: Id::random(&mut rng),
            address: SocketAddr::from(((0x0b00_0000 + (number << 8)).to_be_bytes(), 6881)),
        })
        .collect();
    everybody.sort_unstable_by_key(|node| node.id);
    let contacts = |own: &Id, rng: &mut Xoshiro256PlusPlus| {
        let mut contacts = Vec::new();
        for bits in 0..40 {
            // Where ids that share just so many bits begin and end.
            let inside = own.random_at(bits, rng);
            let start = everybody
                .partition_point(|node| node.id < inside && node.id.shared_prefix(&inside) <= bits);
            let nodes = everybody.get(start..).unwrap_or_default();
            let length = nodes.partition_point(|node| node.id.shared_prefix(&inside) > bits);
            let range = &nodes[..length];
            for _ in 0..Config::K.min(length) {
                let silent_for = Duration::from_secs(rng.random_range(0..300));
                contacts.push((
                    range[rng.random_range(0..length)],
                    NOW.saturating_sub(silent_for),
                ));
            }
        }
        contacts
    };
    let nodes: Vec<_> = everybody
        .iter()
        .map(|node| {
            let contacts = contacts(&node.id, &mut rng);
            Node::established(node.id, contacts, &config, NOW, &mut rng)
        })
        .collect();
    let events = (0..EVENTS).map(|_| {
        let to = rng.random_range(0..count);
        let known = nodes[to].stats().contacts_v4;
        let asker = nodes[to]
            .contacts()
            .nth(rng.random_range(0..known))
            .expect("a contact");
        let method = Method::FindNode {
            target: Id::random(&mut rng),
            want: Want::UNSAID,
        };
        let message = Message {
            transaction: TransactionId::from(7),
            version: None,
            external: None,
            body: Body::Query(Query {
                id: asker.id,
                read_only: false,
                method,
            }),
        };
        (to, asker.address, message)
    });
    let events = events.collect();
    World {
        config,
        nodes,
        events,
    }
}

fn serve(bencher: Bencher<'_, '_>, count: usize, is_hinted: bool) {
    let World {
        config,
        mut nodes,
        events,
    } = world(count);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    bencher
        .counter(ItemsCount::new(events.len()))
        .bench_local(|| {
            for (batch, events_now) in events.chunks(AHEAD).enumerate() {
                if is_hinted {
                    let ahead = |batches: usize| {
                        let start = (batch + batches) * AHEAD;
                        events
                            .get(start..events.len().min(start + AHEAD))
                            .unwrap_or_default()
                    };
                    for (to, ..) in ahead(2) {
                        nodes[*to].prefetch();
                    }
                    for (to, from, message) in ahead(1) {
                        let from = *from;
                        nodes[*to].prefetch_for(&Input::Receive { from, message });
                    }
                }
                for (to, from, message) in events_now {
                    let input = Input::Receive {
                        from: *from,
                        message,
                    };
                    black_box(nodes[*to].handle(&config, NOW, &mut rng, input, &mut Nowhere));
                }
            }
        });
}

#[divan::bench(args = [1_000, 200_000], sample_count = 20, sample_size = 1)]
fn plain(bencher: Bencher<'_, '_>, nodes: usize) {
    serve(bencher, nodes, false);
}

#[divan::bench(args = [1_000, 200_000], sample_count = 20, sample_size = 1)]
fn hinted(bencher: Bencher<'_, '_>, nodes: usize) {
    serve(bencher, nodes, true);
}
