//! What is simulated: every number that an experiment varies, with its unit, in one structure.
//!
//! A plan is data. It is written as TOML, and whoever needs a part of it takes that part: the network [`NetworkPlan`], the
//! people [`LifePlan`], and so on.

pub(crate) mod units;

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A whole experiment. `plans/*.toml` are such.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// One line: what this experiment shows.
    pub about: String,
    /// Everything that is left to chance follows from it.
    pub seed: u64,
    /// Nodes that are online at once, on average; sybils among them, the bootstrap nodes too.
    pub nodes: u32,
    /// Virtual time before anything is measured.
    #[serde(with = "units::duration")]
    pub settle: Duration,
    /// Virtual time that is measured.
    #[serde(with = "units::duration")]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Every node joins through the bootstrap nodes, spread over half of the settling time.
    Organic,
    /// Every node has the table that a long life would have given it, made from the sorted ids. For large worlds.
    #[default]
    Warm,
}

/// The numbers of [`dht::Config`] that experiments vary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The shortest time after which a lookup stops waiting for an answer.
    #[serde(with = "units::duration")]
    pub min_stall: Duration,
    /// The longest one. Equal to `min_stall`: a fixed time-out.
    #[serde(with = "units::duration")]
    pub max_stall: Duration,
    /// After this time an unanswered query has failed.
    #[serde(with = "units::duration")]
    pub query_timeout: Duration,
    /// The pace of maintenance.
    #[serde(with = "units::duration")]
    pub maintenance_interval: Duration,
    /// How often the buckets are looked after.
    #[serde(with = "units::duration")]
    pub refresh_interval: Duration,
    /// How long a contact may be silent before it is asked for a sign of life.
    #[serde(with = "units::duration")]
    pub questionable_after: Duration,
    /// The life of an announced peer.
    #[serde(with = "units::duration")]
    pub peer_lifetime: Duration,
}

/// The sizes of the first buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Buckets {
    /// 128, 64, 32, 16, then 8: what people run.
    #[default]
    Wide,
    /// 8 each.
    Narrow,
}

/// What lies between the nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    pub duplication: f64,
    /// The share of packets that are held back, so that later ones overtake them.
    pub reordering: f64,
    /// How long those are held back, at most.
    #[serde(with = "units::duration")]
    pub reordering_delay: Duration,
    /// How much a node can send.
    pub bandwidth: BandwidthPlan,
    /// What is cut off from what, and when.
    pub partitions: Vec<PartitionPlan>,
}

/// How long packets take: nodes lie in a plane, in clusters, each behind an access line of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LatencyPlan {
    /// A CSV file: a square of one-way milliseconds between regions, which replaces the plane. Empty: the plane.
    pub matrix: String,
    /// The median round trip between two nodes; the plane is scaled to it.
    #[serde(with = "units::duration")]
    pub median_round_trip: Duration,
    /// No packet takes less, one way. It is also the slot of the timing wheel: 1 ms to 50 ms.
    #[serde(with = "units::duration")]
    pub minimum: Duration,
    /// What single packets take beyond the latency of their path, at most.
    #[serde(with = "units::duration")]
    pub jitter: Duration,
}

/// Which packets get lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossPlan {
    /// The share of packets that get lost anywhere at any time.
    pub random: f64,
    /// The share of the time in which a node's line is bad.
    pub bursts: f64,
    /// How long a line is bad at a time.
    #[serde(with = "units::duration")]
    pub burst_length: Duration,
    /// The share of packets that get lost while it is.
    pub burst_loss: f64,
}

/// How much a node can send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BandwidthPlan {
    /// A node's way out, in bytes a second; 0: without a limit.
    #[serde(with = "units::rate")]
    pub up: u64,
    /// That of a bootstrap node; 0: without a limit.
    #[serde(with = "units::rate")]
    pub bootstrap_up: u64,
    /// A packet that would have to wait for longer is dropped.
    #[serde(with = "units::duration")]
    pub queue: Duration,
}

/// A cut through the network that heals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PartitionPlan {
    /// The regions on one side, from 0. Empty: `share` says it.
    pub regions: Vec<u16>,
    /// The share of the nodes on one side, drawn by the seed.
    pub share: f64,
    /// Packets to the other side pass, those from there do not.
    pub one_way: bool,
    /// When it begins, counted from the start of the measurement.
    #[serde(with = "units::duration")]
    pub at: Duration,
    /// How long it lasts.
    #[serde(with = "units::duration", rename = "for")]
    pub lasts: Duration,
}

/// Network address translation, in the words of RFC 4787.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatPlan {
    /// The share of nodes behind a NAT.
    pub share: f64,
    /// RFC 4787, section 4.1.
    pub mapping: Dependence,
    /// RFC 4787, section 5.
    pub filtering: Dependence,
    /// A mapping that nothing went out through for so long is gone. RFC 4787, section 4.3.
    #[serde(with = "units::duration")]
    pub expiry: Duration,
    /// The share of them that know it and say so: BEP 43.
    pub read_only: f64,
}

/// What a mapping or a filter of a NAT depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dependence {
    /// Nothing: one mapping for all, or a filter that lets everybody in.
    EndpointIndependent,
    /// The other's IP.
    AddressDependent,
    /// The other's IP and port.
    #[default]
    AddressAndPortDependent,
}

/// Who comes and goes, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LifePlan {
    /// Nodes that never go and that newcomers know.
    pub bootstrap_nodes: u32,
    /// The median session; 0: nobody goes.
    #[serde(with = "units::duration")]
    pub session: Duration,
    /// The shape of the Weibull distribution of sessions: below 1, who has stayed long stays on.
    pub shape: f64,
    /// The median absence, exponentially distributed.
    #[serde(with = "units::duration")]
    pub absence: Duration,
    /// The share of those that come back who still have the table they went with.
    pub stale: f64,
    /// How much more nodes come at the peak of a day than on average, as a share of it: 0 to 1.
    pub diurnal: f64,
    /// Crowds that come at once.
    pub crowds: Vec<CrowdPlan>,
}

/// A crowd that comes at once and stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrowdPlan {
    /// How many, beside [`Plan::nodes`].
    pub nodes: u32,
    /// When the first comes, counted from the start of the measurement.
    #[serde(with = "units::duration")]
    pub at: Duration,
    /// How long it takes until the last one came.
    #[serde(with = "units::duration")]
    pub within: Duration,
    /// They all look up the first info-hash as they come.
    pub looks_up: bool,
}

/// What is looked up and announced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkloadPlan {
    /// Info-hashes that there are peers for.
    pub info_hashes: u32,
    /// Nodes that announce each of them, within the last half of the settling time.
    pub announcers: u32,
    /// Announces are repeated so often; 0: never, which is how the recall of one announce is measured.
    #[serde(with = "units::duration")]
    pub reannounce: Duration,
    /// `get_peers` lookups a minute, by nodes drawn from those online, for info-hashes drawn from those announced.
    pub lookups_per_minute: u32,
    /// `find_node` lookups a minute, for random points.
    pub find_nodes_per_minute: u32,
    /// Announces a minute of new info-hashes, each of which is looked up again after `recall_after`.
    pub announces_per_minute: u32,
    /// How long after an announce it is looked for.
    #[serde(with = "units::duration")]
    pub recall_after: Duration,
}

/// Who means no good. Shares are of [`Plan::nodes`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnemyPlan {
    /// The share of Sybils spread at random: they name one another, swallow announces and name no peers.
    pub sybils: f64,
    /// Sybils next to each attacked info-hash.
    pub sybils_at_target: u32,
    /// Info-hashes that are attacked, from the first.
    pub targets: u32,
    /// The share of nodes that name invented nodes near whatever is asked for.
    pub poisoners: f64,
    /// The share of nodes that name dead addresses.
    pub dead_namers: f64,
    /// The share of nodes that name one innocent address again and again.
    pub innocent_namers: f64,
    /// The share of nodes that acknowledge announces and store nothing.
    pub swallowers: f64,
    /// The share of nodes that announce others with tokens they made up.
    pub forgers: f64,
    /// The share of nodes that flood others with queries.
    pub flooders: f64,
    /// Queries a second of a flooder.
    pub flood_rate: u32,
    /// Nodes read no more than [`dht::Limits`] allows.
    pub limits: bool,
}

/// A torrent that is fetched by many at once, found through the simulated DHT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SwarmPlan {
    /// Those that want it; 0: there is no torrent.
    pub leechers: u32,
    /// Those that have it.
    pub seeds: u32,
    /// Bytes of content.
    #[serde(with = "units::size")]
    pub length: u64,
    /// Bytes of a piece; a power of two.
    #[serde(with = "units::size")]
    pub piece_length: u64,
    /// What a seed can send.
    #[serde(with = "units::rate")]
    pub seed_up: u64,
    /// What a leecher can send.
    #[serde(with = "units::rate")]
    pub up: u64,
    /// What a leecher can receive.
    #[serde(with = "units::rate")]
    pub down: u64,
    /// When the leechers come, counted from the start of the measurement.
    #[serde(with = "units::duration")]
    pub at: Duration,
    /// How long it takes until the last one came.
    #[serde(with = "units::duration")]
    pub within: Duration,
    /// The share of leechers that send wrong payload.
    pub liars: f64,
    /// The share of leechers that serve nobody.
    pub freeloaders: f64,
    /// The share of leechers that leave when they have everything; the others stay and serve.
    pub leave: f64,
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            about: String::new(),
            seed: 1,
            nodes: 10_000,
            settle: seconds(10 * 60),
            duration: seconds(30 * 60),
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

impl Default for DhtPlan {
    fn default() -> Self {
        let config = dht::Config::default();
        Self {
            buckets: Buckets::default(),
            spares: config.spares,
            alpha: config.initial_queries,
            max_parallel: config.max_parallel,
            queries_per_response: config.queries_per_response,
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

impl Default for NetworkPlan {
    fn default() -> Self {
        Self {
            regions: 6,
            hosts_per_network: 2,
            latency: LatencyPlan::default(),
            loss: LossPlan::default(),
            duplication: 0.0,
            reordering: 0.0,
            reordering_delay: millis(500),
            bandwidth: BandwidthPlan::default(),
            partitions: Vec::new(),
        }
    }
}

impl Default for LatencyPlan {
    fn default() -> Self {
        Self {
            matrix: String::new(),
            median_round_trip: millis(80),
            minimum: millis(5),
            jitter: millis(5),
        }
    }
}

impl Default for LossPlan {
    fn default() -> Self {
        Self {
            random: 0.0,
            bursts: 0.0,
            burst_length: seconds(5),
            burst_loss: 0.8,
        }
    }
}

impl Default for BandwidthPlan {
    fn default() -> Self {
        Self {
            up: 0,
            bootstrap_up: 0,
            queue: millis(500),
        }
    }
}

impl Default for PartitionPlan {
    fn default() -> Self {
        Self {
            regions: Vec::new(),
            share: 0.5,
            one_way: false,
            at: Duration::ZERO,
            lasts: seconds(10 * 60),
        }
    }
}

impl Default for NatPlan {
    fn default() -> Self {
        Self {
            share: 0.0,
            mapping: Dependence::EndpointIndependent,
            filtering: Dependence::AddressAndPortDependent,
            expiry: seconds(120),
            read_only: 0.0,
        }
    }
}

impl Default for LifePlan {
    fn default() -> Self {
        Self {
            bootstrap_nodes: 8,
            session: Duration::ZERO,
            shape: 0.6,
            absence: seconds(60 * 60),
            stale: 0.5,
            diurnal: 0.0,
            crowds: Vec::new(),
        }
    }
}

impl Default for CrowdPlan {
    fn default() -> Self {
        Self {
            nodes: 1_000,
            at: seconds(60),
            within: seconds(10),
            looks_up: true,
        }
    }
}

impl Default for WorkloadPlan {
    fn default() -> Self {
        Self {
            info_hashes: 100,
            announcers: 10,
            reannounce: seconds(15 * 60),
            lookups_per_minute: 120,
            find_nodes_per_minute: 30,
            announces_per_minute: 0,
            recall_after: seconds(30 * 60),
        }
    }
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
            at: seconds(60),
            within: seconds(10),
            liars: 0.0,
            freeloaders: 0.0,
            leave: 0.0,
        }
    }
}
