//! What all residents of a world have in common. Nothing of it changes while it lives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dht::{Config, Id, id_for};
use rand::RngExt;

use super::Codec;
use crate::network::Network;
use crate::{Buckets, DhtPlan, NatPlan, Plan};

pub(crate) struct Scene {
    pub(super) network: Arc<Network>,
    pub(super) nat: NatPlan,
    pub(super) codec: Codec,
    pub(super) bootstrap: Vec<SocketAddr>,
    configs: [Config; 2],
    shards: usize,
}

/// A lookup that nobody answers ends after so long, so that every lookup ends.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(60);

/// Bootstrap nodes that a node knows.
const KNOWN_HOSTS: usize = 3;

impl Scene {
    pub(super) fn new(network: Network, plan: &Plan, codec: Codec, shards: usize) -> Self {
        let reachable = config(&plan.dht);
        let read_only = Config {
            read_only: true,
            ..reachable.clone()
        };
        let host = |node| SocketAddr::V4(network.address(node));
        Self {
            nat: plan.nat.clone(),
            codec,
            bootstrap: (0..plan.life.bootstrap_nodes).map(host).collect(),
            configs: [reachable, read_only],
            network: Arc::new(network),
            shards,
        }
    }

    /// The shard of a node, and its place there.
    pub(super) fn place(&self, node: u32) -> (usize, u32) {
        let shards = self.shards as u32;
        ((node % shards) as usize, node / shards)
    }

    /// The node at a place of a shard.
    pub(super) fn number(&self, shard: usize, place: u32) -> u32 {
        place * self.shards as u32 + shard as u32
    }

    /// The numbers that nodes live by.
    pub(super) fn config(&self, is_read_only: bool) -> &Config {
        &self.configs[usize::from(is_read_only)]
    }

    /// The hosts that a node knows to enter through, none of which is itself: all, or of many some that are drawn.
    pub(super) fn hosts_for(&self, node: u32, hosts: &[SocketAddr]) -> Vec<SocketAddr> {
        let own = SocketAddr::V4(self.network.address(node));
        let start = self
            .network
            .generator((node, "hosts"))
            .random_range(0..hosts.len().max(1));
        let (before, after) = hosts.split_at(start);
        let others = after
            .iter()
            .chain(before)
            .copied()
            .filter(|host| *host != own);
        others.take(KNOWN_HOSTS).collect()
    }

    /// Whether a node behind a NAT says so.
    pub(super) fn is_aware_of_its_nat(&self, node: u32) -> bool {
        let mut draw = self.network.generator((node, "read-only"));
        draw.random_bool(self.nat.read_only)
    }

    /// The id that a node has when the world begins with it: one that fits its address. BEP 42.
    pub(crate) fn native_id(&self, node: u32) -> Id {
        let mut draw = self.network.generator((node, "id"));
        id_for((*self.network.address(node).ip()).into(), &mut draw)
    }
}

fn config(plan: &DhtPlan) -> Config {
    Config {
        first_buckets: match plan.buckets {
            Buckets::Wide => Config::default().first_buckets,
            Buckets::Narrow => &[],
        },
        spares: plan.spares,
        initial_queries: plan.alpha,
        max_parallel: plan.max_parallel,
        queries_per_response: plan.queries_per_response,
        region: plan.region,
        min_stall: plan.min_stall,
        max_stall: plan.max_stall,
        query_timeout: plan.query_timeout,
        maintenance_interval: plan.maintenance_interval,
        refresh_interval: plan.refresh_interval,
        questionable_after: plan.questionable_after,
        peer_lifetime: plan.peer_lifetime,
        lookup_patience: Some(LOOKUP_PATIENCE),
        ..Config::default()
    }
}
