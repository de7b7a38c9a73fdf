//! Who means no good.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units;

/// Who means no good. Shares are of [`Plan::nodes`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EnemyPlan {
    /// The share of Sybils spread at random: they name one another, swallow announces and name no peers.
    #[serde(with = "units::Share")]
    pub sybils: f64,
    /// Sybils next to each attacked info-hash.
    pub sybils_at_target: u32,
    /// Info-hashes that are attacked, from the first.
    pub targets: u32,
    /// The share of nodes that name invented nodes near whatever is asked for.
    #[serde(with = "units::Share")]
    pub poisoners: f64,
    /// The share of nodes that name dead addresses.
    #[serde(with = "units::Share")]
    pub dead_namers: f64,
    /// The share of nodes that name one innocent address again and again.
    #[serde(with = "units::Share")]
    pub innocent_namers: f64,
    /// The share of nodes that acknowledge announces and store nothing.
    #[serde(with = "units::Share")]
    pub swallowers: f64,
    /// The share of nodes that announce others with tokens they made up.
    #[serde(with = "units::Share")]
    pub forgers: f64,
    /// The share of nodes that flood others with queries.
    #[serde(with = "units::Share")]
    pub flooders: f64,
    /// Queries a second of a flooder.
    pub flood_rate: u32,
    /// Nodes read no more than [`dht::Limits`] allows.
    pub limits: bool,
}
