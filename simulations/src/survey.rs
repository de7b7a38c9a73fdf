//! A world as tables and plots show it.

use std::time::Duration;

use dht::Family;

use crate::findings::{BucketRow, Findings, Kind, LookupRow, NodeRow, Sample, Success, Traffic};
use crate::population::Population;
use crate::world::World;

/// Nodes whose tables are looked at for a sample.
const SURVEYED: u32 = 500;

/// Takes a sample every minute, and counts what happened between two.
#[derive(Default)]
pub(crate) struct Survey {
    before: Traffic,
    bytes_before: u64,
    samples: Vec<Sample>,
}

impl Survey {
    /// What happened before this is in no sample.
    pub(crate) fn begin(&mut self, world: &World) {
        self.before = world.traffic();
        self.bytes_before = bytes(world);
    }

    /// Notes how the world is; what lookups of the last minute achieved is known later only.
    pub(crate) fn take(&mut self, world: &World, population: &Population) {
        let traffic = world.traffic();
        let bytes = bytes(world);
        let (mut nodes, mut contacts, mut dead) = (0u32, 0u32, 0u32);
        for node in evenly(world.residents(), SURVEYED) {
            let Some(state) = world.node(node) else {
                continue;
            };
            nodes += 1;
            for contact in state.contacts() {
                contacts += 1;
                let is_alive = world.number(contact.address).is_some_and(|number| {
                    population.is_online(number) && !world.network().is_behind_nat(number)
                });
                dead += u32::from(!is_alive);
            }
        }
        self.samples.push(Sample {
            at: world.now(),
            online: population.online(),
            sent: traffic.sent - self.before.sent,
            delivered: traffic.delivered - self.before.delivered,
            bytes: bytes - self.bytes_before,
            contacts: ratio(contacts, nodes),
            dead_contacts: ratio(dead, contacts),
            ..Sample::default()
        });
        self.before = traffic;
        self.bytes_before = bytes;
    }

    /// The samples, with what the lookups begun in the minute before each achieved.
    pub(crate) fn samples(&self, lookups: &[LookupRow]) -> Vec<Sample> {
        let mut samples = self.samples.clone();
        for row in lookups.iter().filter(|row| row.success != Success::Void) {
            let Some(sample) = samples.iter_mut().find(|sample| row.at < sample.at) else {
                continue;
            };
            let succeeded = u32::from(row.success == Success::Yes);
            match row.kind {
                Kind::GetPeers => {
                    sample.lookups += 1;
                    sample.lookups_succeeded += succeeded;
                }
                Kind::Recall => {
                    sample.recalls += 1;
                    sample.recalls_succeeded += succeeded;
                }
                Kind::FindNode | Kind::Announce => {}
            }
        }
        samples
    }
}

fn bytes(world: &World) -> u64 {
    world.messages().map(|(_, count)| count.bytes).sum()
}

/// Rows of nodes, evenly spread over all.
pub(crate) fn nodes(world: &World, population: &Population) -> Vec<NodeRow> {
    let row = |node| {
        let (sent, received) = world.load(node);
        let stats = world.node(node).map(dht::Node::stats).unwrap_or_default();
        NodeRow {
            node,
            address: world.address(node),
            part: population.part(node).name(),
            is_behind_nat: world.network().is_behind_nat(node),
            is_online: population.is_online(node),
            sent,
            received,
            contacts: stats.contacts_v4 as u32,
            peers: stats.peers as u32,
        }
    };
    evenly(world.residents(), Findings::MAX_NODES as u32)
        .map(row)
        .collect()
}

/// How full the buckets are, as a mean over nodes that are online.
pub(crate) fn buckets(world: &World) -> Vec<BucketRow> {
    let config = world.config(0);
    let (mut nodes, mut sums) = (0, Vec::<u32>::new());
    for node in evenly(world.residents(), SURVEYED) {
        let Some(state) = world.node(node) else {
            continue;
        };
        nodes += 1;
        let view = state.table(Family::V4, Duration::ZERO, config);
        if sums.len() < view.len() {
            sums.resize(view.len(), 0);
        }
        for (sum, bucket) in sums.iter_mut().zip(&view) {
            *sum += bucket.contacts.len() as u32;
        }
    }
    let row = |(bucket, &sum): (usize, &u32)| BucketRow {
        shared_bits: bucket as u8,
        contacts: ratio(sum, nodes),
        capacity: config.bucket_size(bucket) as u32,
    };
    sums.iter().enumerate().map(row).collect()
}

/// At most `most` of the numbers below `all`, as far from one another as they can be.
fn evenly(all: u32, most: u32) -> impl Iterator<Item = u32> {
    let count = all.min(most);
    (0..u64::from(count)).map(move |place| (place * u64::from(all) / u64::from(count)) as u32)
}

fn ratio(part: u32, whole: u32) -> f64 {
    if whole == 0 {
        0.0
    } else {
        f64::from(part) / f64::from(whole)
    }
}
