//! A torrent that is fetched by many at once.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units;

/// A torrent that is fetched by many at once, found through the simulated DHT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SwarmPlan {
    /// Those that want it; 0: there is no torrent.
    pub leechers: u32,
    /// Those that have it.
    pub seeds: u32,
    /// Bytes of content.
    #[serde(with = "units::Size")]
    pub length: u64,
    /// Bytes of a piece; a power of two.
    #[serde(with = "units::Size")]
    pub piece_length: u64,
    /// What a seed can send.
    #[serde(with = "units::Rate")]
    pub seed_up: u64,
    /// What a leecher can send.
    #[serde(with = "units::Rate")]
    pub up: u64,
    /// What a leecher can receive.
    #[serde(with = "units::Rate")]
    pub down: u64,
    /// When the leechers come, counted from the start of the measurement.
    #[serde(with = "units::Time")]
    pub at: Duration,
    /// How long it takes until the last one came.
    #[serde(with = "units::Time")]
    pub within: Duration,
    /// The share of leechers that send wrong payload.
    #[serde(with = "units::Share")]
    pub liars: f64,
    /// The share of leechers that serve nobody.
    #[serde(with = "units::Share")]
    pub freeloaders: f64,
    /// The share of leechers that leave when they have everything; the others stay and serve.
    #[serde(with = "units::Share")]
    pub leave: f64,
    /// In which order those who fetch begin pieces.
    pub order: PieceOrder,
    /// Peers that each serves at once; 0: as many as it finds right.
    pub slots: u32,
    /// Whom a seed serves when more want to be served than can be.
    pub choice: SeedChoice,
    /// The seeds show each peer one piece at a time (BEP 16).
    pub super_seeding: bool,
}

/// In which order pieces are begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PieceOrder {
    /// Those that fewest have: what people run.
    #[default]
    Rarest,
    /// From the first one on.
    Sequential,
}

/// Whom a seed serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SeedChoice {
    /// Each in turn: what people run.
    #[default]
    RoundRobin,
    /// Those that take fastest.
    Fastest,
}

impl Default for SwarmPlan {
    fn default() -> Self {
        Self {
            leechers: 0,
            seeds: 1,
            length: 64 << 20,
            piece_length: 256 << 10,
            seed_up: 4_000_000,
            up: 1_000_000,
            down: 10_000_000,
            at: Duration::from_secs(60),
            within: Duration::from_secs(10),
            liars: 0.0,
            freeloaders: 0.0,
            leave: 0.0,
            order: PieceOrder::default(),
            slots: 0,
            choice: SeedChoice::default(),
            super_seeding: false,
        }
    }
}
