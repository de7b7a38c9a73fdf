//! What is simulated: every number that an experiment varies, with its unit, in one structure.
//!
//! A plan is data. It is written as TOML, and whoever needs a part of it takes that part: the network [`NetworkPlan`], the
//! people [`LifePlan`], and so on.

mod check;
mod dht;
mod enemies;
mod error;
mod keys;
mod library;
mod life;
mod nat;
mod network;
mod quantity;
mod residents;
mod shape;
mod simpler;
mod swarm;
mod text;
pub(crate) mod units;
mod workload;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::dht::{Buckets, DhtPlan};
pub use enemies::EnemyPlan;
pub use error::PlanError;
pub use keys::{Key, keys};
pub use library::plans;
pub use life::{CrowdPlan, LifePlan};
pub use nat::{Dependence, NatPlan};
pub use network::{BandwidthPlan, LatencyPlan, LossPlan, NetworkPlan, PartitionPlan};
pub use quantity::Quantity;
pub use swarm::{PieceOrder, SeedChoice, SwarmPlan};
pub use workload::WorkloadPlan;

/// A whole experiment. `plans/*.toml` are such.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// One line: what this experiment shows.
    pub about: String,
    /// Everything that is left to chance follows from it.
    pub seed: u64,
    /// Nodes that are online at once, on average; sybils among them, the bootstrap nodes too.
    pub nodes: u32,
    /// Virtual time before anything is measured.
    #[serde(with = "units::Time")]
    pub settle: Duration,
    /// Virtual time that is measured.
    #[serde(with = "units::Time")]
    pub duration: Duration,
    /// How the world comes to be.
    pub start: Start,
    /// The nodes' own numbers.
    pub dht: DhtPlan,
    /// What lies between the nodes.
    pub network: NetworkPlan,
    /// Who is behind a NAT, and what kind.
    pub nat: NatPlan,
    /// Who comes and goes, and when.
    pub life: LifePlan,
    /// What is looked up and announced.
    pub workload: WorkloadPlan,
    /// Who means no good.
    pub enemies: EnemyPlan,
    /// A torrent that is fetched; none if nobody fetches it.
    pub swarm: SwarmPlan,
}

/// How a world comes to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Every node joins through the bootstrap nodes, spread over half of the settling time.
    Organic,
    /// Every node has the table that a long life would have given it, made from the sorted ids. For large worlds.
    #[default]
    Warm,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            about: String::new(),
            seed: 1,
            nodes: 10_000,
            settle: Duration::from_secs(10 * 60),
            duration: Duration::from_secs(30 * 60),
            start: Start::default(),
            dht: DhtPlan::default(),
            network: NetworkPlan::default(),
            nat: NatPlan::default(),
            life: LifePlan::default(),
            workload: WorkloadPlan::default(),
            enemies: EnemyPlan::default(),
            swarm: SwarmPlan::default(),
        }
    }
}

impl Plan {
    /// Reads a plan from TOML. What it does not say has its default.
    ///
    /// # Errors
    /// If it is not TOML, or has a key that there is not, or a value that cannot be; with the line.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        text::read(text)
    }

    /// The whole plan as TOML, defaults included: [`Plan::parse`] makes the same of it.
    ///
    /// # Panics
    /// If the seed is not below 2⁶³, which TOML cannot write and [`Plan::check`] refuses.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a plan is tables of numbers and texts")
    }

    /// Sets one parameter: `plan.set("dht.alpha", "3")`. The value is written as in a file; quotes can be left out. Entries of lists are
    /// numbered from 0, as in `network.partitions.0.for`, and one more than there are begins a new one.
    ///
    /// Only this value is judged: when all are set, [`Plan::check`] tells whether they go together.
    ///
    /// # Errors
    /// If there is no such key, or it cannot have this value. Then nothing has changed.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), PlanError> {
        let path: Vec<&str> = key.trim().split('.').collect();
        let mut whole = toml::Value::Table(self.to_table());
        shape::set(shape::plan(), "", &mut whole, &path, value.trim())?;
        *self = text::plan_of(whole)?;
        Ok(())
    }

    fn to_table(&self) -> toml::Table {
        toml::Table::try_from(self).expect("a plan is tables of numbers and texts")
    }
}
