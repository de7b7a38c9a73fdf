//! What is looked up and announced.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units;

/// What is looked up and announced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorkloadPlan {
    /// Info-hashes that there are peers for.
    pub info_hashes: u32,
    /// Nodes that announce each of them, within the last half of the settling time.
    pub announcers: u32,
    /// Announces are repeated so often; 0: never, which is how the recall of one announce is measured.
    #[serde(with = "units::Time")]
    pub reannounce: Duration,
    /// `get_peers` lookups a minute, by nodes drawn from those online, for info-hashes drawn from those announced.
    pub lookups_per_minute: u32,
    /// `find_node` lookups a minute, for random points.
    pub find_nodes_per_minute: u32,
    /// Announces a minute of new info-hashes, each of which is looked up again after `recall_after`.
    pub announces_per_minute: u32,
    /// How long after an announce it is looked for.
    #[serde(with = "units::Time")]
    pub recall_after: Duration,
}

impl Default for WorkloadPlan {
    fn default() -> Self {
        Self {
            info_hashes: 100,
            announcers: 10,
            reannounce: Duration::from_secs(15 * 60),
            lookups_per_minute: 120,
            find_nodes_per_minute: 30,
            announces_per_minute: 0,
            recall_after: Duration::from_secs(30 * 60),
        }
    }
}
