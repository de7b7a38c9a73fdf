//! Queries a lookup in a network in virtual time: many lookups by one node, each alone, and in key-space order with what it remembers of those before.
//!
//! `cargo bench -p trackless-dht --bench batches [-- NODES LOOKUPS]`. The same figures come out each time.

#[path = "../tests/scenarios/world.rs"]
#[expect(dead_code, reason = "the scenarios need more of it")]
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use dht::{Config, Event, Id, Input, LookupId};

use world::{World, public};

/// Stretches of the key space that are gone through in turn, as a driver does it.
const LANES: usize = 24;

fn main() {
    let numbers: Vec<usize> = std::env::args()
        .filter_map(|text| text.parse().ok())
        .collect();
    let nodes = numbers.first().map_or(4_000, |&nodes| nodes as u16);
    let lookups = numbers.get(1).copied().unwrap_or(10_000);
    println!("{lookups} lookups in a network of {nodes} nodes");
    for (name, recent_responders) in [("each alone", 0), ("as a batch", 1024)] {
        let (queries, time) = run(nodes, lookups, recent_responders);
        println!("{name}  {queries:.2} queries, {time:?} a lookup");
    }
}

fn run(nodes: u16, lookups: usize, recent_responders: usize) -> (f64, Duration) {
    let mut world = World::established(nodes, Config::default(), BTreeMap::new(), 1);
    world.config.recent_responders = recent_responders;
    let who = public(nodes);
    world.add(who, &[public(0)]);
    world.run_for(Duration::from_secs(60));
    let mut points: Vec<_> = (0..lookups).map(|_| Id::random(world.rng())).collect();
    points.sort_unstable();
    let length = points.len().div_ceil(LANES);
    let (mut asked, mut elapsed) = (0, Duration::ZERO);
    for place in 0..length {
        for lane in points.chunks(length) {
            let Some(&info_hash) = lane.get(place) else {
                continue;
            };
            let lookup = LookupId(1);
            world.input(who, Input::GetPeers { lookup, info_hash });
            let is_end = |event: &Event| matches!(event, Event::LookupEnded { .. });
            world.run_until(who, is_end).expect("lookups end");
            for member in world.nodes.values_mut() {
                member.sent = Vec::new();
            }
            let mut events = world.nodes[&who].events.iter().rev();
            let report = events.find_map(|(_, event)| match event {
                Event::LookupEnded { report, .. } => Some(report),
                _ => None,
            });
            let report = report.expect("it has just ended");
            asked += report.asked;
            elapsed += report.elapsed;
        }
    }
    let count = points.len().max(1);
    (asked as f64 / count as f64, elapsed / count as u32)
}
