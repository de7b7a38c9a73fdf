//! What lies between nodes that are known by their numbers.

use std::hash::Hash;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use rand::SeedableRng;

use super::addresses::Addresses;
use super::bandwidth::Uplink;
use super::draw::{Share, below, draw};
use super::latency::{Latency, Site};
use super::loss::Loss;
use super::partition::Partitions;
use super::{Generator, Matrix, Micros, micros};
use crate::Plan;
use crate::digest::hash_of;

/// What draws are for: each has a seed of its own, so that no two depend on one another.
const ADDRESSES: u64 = 1;
const PORTS: u64 = 2;
const LATENCY: u64 = 3;
const SAMPLE: u64 = 4;
const NATS: u64 = 5;
const LOSS: u64 = 6;
const PARTITIONS: u64 = 7;
const PACKETS: u64 = 8;

/// What a packet's draws are for, beside its loss.
const COMES_TWICE: u64 = 0;
const FIRST_COPY: u64 = 0x20;
const SECOND_COPY: u64 = 0x30;
const JITTER: u64 = 1;
const IS_HELD_BACK: u64 = 2;
const FOR_HOW_LONG: u64 = 3;

/// Pairs of nodes from which the median latency is estimated.
const PAIRS: u64 = 1 << 16;

/// The paths between all nodes of an experiment. It does not change: all that happens on them is a function of the seed, the
/// source, the destination, the number of the packet and the time. Time is counted in microseconds from the start of the run.
#[derive(Clone, Debug)]
pub struct PlanetNetwork {
    seed: u64,
    slot: Micros,
    addresses: Addresses,
    ports: u64,
    /// Nodes with numbers below are bootstrap nodes.
    bootstrap_nodes: u32,
    latency: Latency,
    nats: u64,
    behind_nat: Share,
    packets: u64,
    partitions: Partitions,
    loss: Loss,
    duplication: Share,
    jitter: Micros,
    reordering: Share,
    reordering_delay: Micros,
    /// Whether every packet arrives once, after the latency of its path.
    is_calm: bool,
    uplink: Uplink,
    bootstrap_uplink: Uplink,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It gets lost on the way.
    Lost,
    /// A partition lies between.
    Cut,
    /// It arrives.
    Arrives {
        /// So much later.
        after: Micros,
        /// So much later a second copy does.
        again_after: Option<Micros>,
    },
}

impl PlanetNetwork {
    /// The network of a plan, for so many nodes. A matrix takes the place of the plan's regions and median round trip.
    ///
    /// # Panics
    /// If there are more than eight million nodes.
    pub fn new(plan: &Plan, residents: u32, matrix: Option<Matrix>) -> Self {
        let network = &plan.network;
        let seed = draw(plan.seed, 0);
        let slot = micros(network.latency.minimum).max(1);
        let addresses = Addresses::new(draw(seed, ADDRESSES), residents, network.hosts_per_network);
        let latency = match matrix {
            Some(matrix) => Latency::matrix(draw(seed, LATENCY), slot, matrix),
            None => Latency::plane(
                draw(seed, LATENCY),
                slot,
                network.regions,
                micros(network.latency.median_round_trip),
                pairs(draw(seed, SAMPLE), residents, &addresses),
            ),
        };
        let partitions = Partitions::new(
            draw(seed, PARTITIONS),
            plan.settle,
            latency.regions(),
            &network.partitions,
        );
        let loss = Loss::new(draw(seed, LOSS), &network.loss);
        let duplication = Share::new(network.duplication);
        let reordering = Share::new(network.reordering);
        let jitter = micros(network.latency.jitter);
        let bandwidth = &network.bandwidth;
        Self {
            seed: plan.seed,
            slot,
            addresses,
            ports: draw(seed, PORTS),
            bootstrap_nodes: plan.life.bootstrap_nodes,
            nats: draw(seed, NATS),
            behind_nat: Share::new(plan.nat.share),
            packets: draw(seed, PACKETS),
            is_calm: !loss.is_some()
                && !duplication.is_some()
                && !reordering.is_some()
                && jitter == 0,
            latency,
            partitions,
            loss,
            duplication,
            jitter,
            reordering,
            reordering_delay: micros(network.reordering_delay),
            uplink: Uplink::new(bandwidth.up, bandwidth.queue),
            bootstrap_uplink: Uplink::new(bandwidth.bootstrap_up, bandwidth.queue),
        }
    }

    /// The time in which no packet arrives that was not on its way before: the least latency.
    pub fn slot(&self) -> Micros {
        self.slot
    }

    /// The generator for one thing in this network.
    pub fn generator(&self, thing: impl Hash) -> Generator {
        Generator::seed_from_u64(hash_of((self.seed, thing)))
    }

    /// Where a node is on the public network; behind a NAT, where its NAT is. Bootstrap nodes have port 6881.
    #[inline]
    pub fn address(&self, node: u32) -> SocketAddrV4 {
        let port = if node < self.bootstrap_nodes {
            6881
        } else {
            1024 + below(draw(self.ports, u64::from(node)), 64_512) as u16
        };
        SocketAddrV4::new(self.addresses.ip(node), port)
    }

    /// The node at an IP.
    #[inline]
    pub fn resident(&self, ip: Ipv4Addr) -> Option<u32> {
        self.addresses.resident(ip)
    }

    /// The node at an address, whatever its port.
    pub fn number(&self, address: SocketAddr) -> Option<u32> {
        match address {
            SocketAddr::V4(address) => self.resident(*address.ip()),
            SocketAddr::V6(_) => None,
        }
    }

    /// A public address that no node has, another one for each draw.
    pub fn nobody(&self, draw: u64) -> SocketAddrV4 {
        self.addresses.nobody(draw)
    }

    /// The region of a node, from 0. Nodes of one /24 are in one region.
    #[inline]
    pub fn region(&self, node: u32) -> u16 {
        self.latency.region(self.addresses.network(node))
    }

    /// Whether a node is behind a NAT. No bootstrap node is.
    #[inline]
    pub fn is_behind_nat(&self, node: u32) -> bool {
        node >= self.bootstrap_nodes && self.behind_nat.holds(draw(self.nats, u64::from(node)))
    }

    /// How long packets take between two nodes, one way and without jitter: in both directions the same, and no less than a
    /// slot.
    #[inline]
    pub fn latency(&self, a: u32, b: u32) -> Micros {
        let site = |node| Site {
            node,
            network: self.addresses.network(node),
        };
        self.latency.between(site(a), site(b))
    }

    /// What becomes of a packet that is sent now, the `sequence`-th of its source.
    #[inline]
    pub fn fate(&self, now: Micros, from: u32, to: u32, sequence: u32) -> Fate {
        if self.partitions.cut(now, from, to, |node| self.region(node)) {
            return Fate::Cut;
        }
        if self.is_calm {
            return Fate::Arrives {
                after: self.latency(from, to),
                again_after: None,
            };
        }
        let path = draw(self.packets, u64::from(from) << 32 | u64::from(to));
        let packet = draw(path, u64::from(sequence));
        if self.loss.takes(now, from, to, packet) {
            return Fate::Lost;
        }
        let latency = self.latency(from, to);
        let comes_twice =
            self.duplication.is_some() && self.duplication.holds(draw(packet, COMES_TWICE));
        Fate::Arrives {
            after: latency + self.delay(packet, FIRST_COPY),
            again_after: comes_twice.then(|| latency + self.delay(packet, SECOND_COPY)),
        }
    }

    /// What a copy of a packet takes beyond the latency of its path.
    #[inline]
    fn delay(&self, packet: u64, copy: u64) -> Micros {
        let mut delay = 0;
        if self.jitter > 0 {
            delay += below(draw(packet, copy + JITTER), self.jitter + 1);
        }
        if self.reordering.is_some() && self.reordering.holds(draw(packet, copy + IS_HELD_BACK)) {
            delay += below(draw(packet, copy + FOR_HOW_LONG), self.reordering_delay + 1);
        }
        delay
    }

    /// After how long a packet of so many bytes has left its node, if it is sent now. `free_at` is kept with the node, 0 at
    /// first: when its line is done with what it has. `None`: the line is congested, and the packet dropped.
    #[inline]
    pub fn leave(
        &self,
        node: u32,
        now: Micros,
        bytes: u32,
        free_at: &mut Micros,
    ) -> Option<Micros> {
        let uplink = if node < self.bootstrap_nodes {
            self.bootstrap_uplink
        } else {
            self.uplink
        };
        uplink.leave(now, bytes, free_at)
    }
}

/// Pairs of different nodes, if there are two.
fn pairs(
    seed: u64,
    residents: u32,
    addresses: &Addresses,
) -> impl Iterator<Item = (Site, Site)> + '_ {
    let residents = residents.max(1);
    (0..PAIRS).map(move |number| {
        let drawn = draw(seed, number);
        let one = below(drawn, u64::from(residents)) as u32;
        let away = 1 + below(draw(drawn, 0), u64::from(residents.max(2) - 1));
        let other = (u64::from(one) + away) % u64::from(residents);
        [one, other as u32]
            .map(|node| Site {
                node,
                network: addresses.network(node),
            })
            .into()
    })
}
