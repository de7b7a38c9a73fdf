//! What lies between the nodes.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units;

/// What lies between the nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkPlan {
    /// Parts of the world, each around a centre of its own. Cuts can go between them.
    pub regions: u16,
    /// How many nodes share a /24, on average; 1 to 200.
    pub hosts_per_network: u16,
    /// How long packets take.
    pub latency: LatencyPlan,
    /// Which packets get lost.
    pub loss: LossPlan,
    /// The share of packets that come twice.
    #[serde(with = "units::Share")]
    pub duplication: f64,
    /// The share of packets that are held back, so that later ones overtake them.
    #[serde(with = "units::Share")]
    pub reordering: f64,
    /// How long those are held back, at most.
    #[serde(with = "units::Time")]
    pub reordering_delay: Duration,
    /// How much a node can send.
    pub bandwidth: BandwidthPlan,
    /// What is cut off from what, and when.
    pub partitions: Vec<PartitionPlan>,
}

impl Default for NetworkPlan {
    fn default() -> Self {
        Self {
            regions: 6,
            hosts_per_network: 2,
            latency: LatencyPlan::default(),
            loss: LossPlan::default(),
            duplication: 0.0,
            reordering: 0.0,
            reordering_delay: Duration::from_millis(500),
            bandwidth: BandwidthPlan::default(),
            partitions: Vec::new(),
        }
    }
}

/// How long packets take: nodes lie in a plane, in clusters, each behind an access line of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LatencyPlan {
    /// A CSV file: a square of one-way milliseconds between regions, which replaces the plane. Empty: the plane.
    pub matrix: String,
    /// The median round trip between two nodes; the plane is scaled to it.
    #[serde(with = "units::Time")]
    pub median_round_trip: Duration,
    /// No packet takes less, one way. It is also the slot of the timing wheel: 1 ms to 50 ms.
    #[serde(with = "units::Time")]
    pub minimum: Duration,
    /// What single packets take beyond the latency of their path, at most.
    #[serde(with = "units::Time")]
    pub jitter: Duration,
}

impl Default for LatencyPlan {
    fn default() -> Self {
        Self {
            matrix: String::new(),
            median_round_trip: Duration::from_millis(80),
            minimum: Duration::from_millis(5),
            jitter: Duration::from_millis(5),
        }
    }
}

/// Which packets get lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LossPlan {
    /// The share of packets that get lost anywhere at any time.
    #[serde(with = "units::Share")]
    pub random: f64,
    /// The share of the time in which a node's line is bad.
    #[serde(with = "units::Share")]
    pub bursts: f64,
    /// How long a line is bad at a time.
    #[serde(with = "units::Time")]
    pub burst_length: Duration,
    /// The share of packets that get lost while it is.
    #[serde(with = "units::Share")]
    pub burst_loss: f64,
}

impl Default for LossPlan {
    fn default() -> Self {
        Self {
            random: 0.0,
            bursts: 0.0,
            burst_length: Duration::from_secs(5),
            burst_loss: 0.8,
        }
    }
}

/// How much a node can send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BandwidthPlan {
    /// A node's way out, in bytes a second; 0: without a limit.
    #[serde(with = "units::Rate")]
    pub up: u64,
    /// That of a bootstrap node; 0: without a limit.
    #[serde(with = "units::Rate")]
    pub bootstrap_up: u64,
    /// A packet that would have to wait for longer is dropped.
    #[serde(with = "units::Time")]
    pub queue: Duration,
}

impl Default for BandwidthPlan {
    fn default() -> Self {
        Self {
            up: 0,
            bootstrap_up: 0,
            queue: Duration::from_millis(500),
        }
    }
}

/// A cut through the network that heals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PartitionPlan {
    /// The regions on one side, from 0. Empty: `share` says it.
    pub regions: Vec<u16>,
    /// The share of the nodes on one side, drawn by the seed.
    #[serde(with = "units::Share")]
    pub share: f64,
    /// Packets to the other side pass, those from there do not.
    pub one_way: bool,
    /// When it begins, counted from the start of the measurement.
    #[serde(with = "units::Time")]
    pub at: Duration,
    /// How long it lasts.
    #[serde(with = "units::Time", rename = "for")]
    pub lasts: Duration,
}

impl Default for PartitionPlan {
    fn default() -> Self {
        Self {
            regions: Vec::new(),
            share: 0.5,
            one_way: false,
            at: Duration::ZERO,
            lasts: Duration::from_secs(10 * 60),
        }
    }
}
