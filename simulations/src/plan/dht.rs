//! The nodes' own numbers.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units;

/// The numbers of [`dht::Config`] that experiments vary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DhtPlan {
    /// The sizes of the first buckets.
    pub buckets: Buckets,
    /// Verified contacts kept for full buckets.
    pub spares: usize,
    /// Queries in flight at the start of a lookup, and once it has found peers.
    pub alpha: usize,
    /// Queries in flight at most; not below `alpha`.
    pub max_parallel: usize,
    /// New queries at most for each answer.
    pub queries_per_response: usize,
    /// Queries at most beyond convergence where the nearest stand suspiciously. 0: a lookup ends with the nearest, whoever they are.
    pub region: usize,
    /// The shortest time after which a lookup stops waiting for an answer.
    #[serde(with = "units::Time")]
    pub min_stall: Duration,
    /// The longest one. Equal to `min_stall`: a fixed time-out.
    #[serde(with = "units::Time")]
    pub max_stall: Duration,
    /// After this time an unanswered query has failed.
    #[serde(with = "units::Time")]
    pub query_timeout: Duration,
    /// The pace of maintenance.
    #[serde(with = "units::Time")]
    pub maintenance_interval: Duration,
    /// How often the buckets are looked after.
    #[serde(with = "units::Time")]
    pub refresh_interval: Duration,
    /// How long a contact may be silent before it is asked for a sign of life.
    #[serde(with = "units::Time")]
    pub questionable_after: Duration,
    /// The life of an announced peer.
    #[serde(with = "units::Time")]
    pub peer_lifetime: Duration,
}

impl Default for DhtPlan {
    fn default() -> Self {
        let config = dht::Config::default();
        Self {
            buckets: Buckets::default(),
            spares: config.spares,
            alpha: config.initial_queries,
            max_parallel: config.max_parallel,
            queries_per_response: config.queries_per_response,
            region: config.region,
            min_stall: config.min_stall,
            max_stall: config.max_stall,
            query_timeout: config.query_timeout,
            maintenance_interval: config.maintenance_interval,
            refresh_interval: config.refresh_interval,
            questionable_after: config.questionable_after,
            peer_lifetime: config.peer_lifetime,
        }
    }
}

/// The sizes of the first buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Buckets {
    /// 128, 64, 32, 16, then 8: what people run.
    #[default]
    Wide,
    /// 8 each.
    Narrow,
}
