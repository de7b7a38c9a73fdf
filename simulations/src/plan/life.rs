//! Who comes and goes, and when.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units;

/// Who comes and goes, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LifePlan {
    /// Nodes that never go and that newcomers know.
    pub bootstrap_nodes: u32,
    /// The median session; 0: nobody goes.
    #[serde(with = "units::Time")]
    pub session: Duration,
    /// The shape of the Weibull distribution of sessions: below 1, who has stayed long stays on.
    pub shape: f64,
    /// The median absence, exponentially distributed.
    #[serde(with = "units::Time")]
    pub absence: Duration,
    /// The share of those that come back who still have the table they went with.
    #[serde(with = "units::Share")]
    pub stale: f64,
    /// How much sooner those who are away come back at the peak of their region's day than on average, as a share of that pace: 0 to 1.
    #[serde(with = "units::Share")]
    pub diurnal: f64,
    /// Crowds that come at once.
    pub crowds: Vec<CrowdPlan>,
}

impl Default for LifePlan {
    fn default() -> Self {
        Self {
            bootstrap_nodes: 8,
            session: Duration::ZERO,
            shape: 0.6,
            absence: Duration::from_secs(60 * 60),
            stale: 0.5,
            diurnal: 0.0,
            crowds: Vec::new(),
        }
    }
}

/// A crowd that comes at once and stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CrowdPlan {
    /// How many, beside [`Plan::nodes`].
    pub nodes: u32,
    /// When the first comes, counted from the start of the measurement.
    #[serde(with = "units::Time")]
    pub at: Duration,
    /// How long it takes until the last one came.
    #[serde(with = "units::Time")]
    pub within: Duration,
    /// They all look up the first info-hash as they come.
    pub looks_up: bool,
}

impl Default for CrowdPlan {
    fn default() -> Self {
        Self {
            nodes: 1_000,
            at: Duration::from_secs(60),
            within: Duration::from_secs(10),
            looks_up: true,
        }
    }
}
