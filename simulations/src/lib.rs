//! Networks of trackless nodes in virtual time: the code that runs on the internet, on a network that is made of a seed.
//!
//! A [`Plan`] says what there is, and an [`Experiment`] runs it: a [`World`] of many `dht::Node`s that exchange KRPC messages, and a
//! [`Swarm`] of many `wire::Torrent`s that exchange a torrent without payload. What lies between them is a [`Network`]: it delays,
//! loses, doubles and reorders packets, and can be cut in two. Each of its decisions is drawn from a hash of its seed, the source, the
//! destination and the number of the packet, and time is that of the next thing to happen. So a run can be repeated bit for bit, and
//! its [`Digest`] tells whether it was.
//!
//! ```
//! use dht::Id;
//! use simulations::{Goal, Plan, World};
//!
//! let run = |seed| {
//!     let mut plan = Plan { nodes: 20, seed, ..Plan::default() };
//!     plan.network.loss.random = 0.02;
//!     let mut world = World::grown(&plan);
//!     let info_hash = Id::new([7; 20]);
//!     world.look_up(3, Goal::Announce(info_hash));
//!     let found = world.look_up(17, Goal::GetPeers(info_hash)).expect("lookups end");
//!     assert!(found.peers.contains(&world.address(3)));
//!     world.digest()
//! };
//! assert_eq!(run(1), run(1));
//! assert_ne!(run(1), run(2));
//! ```

mod attacker;
mod digest;
mod experiment;
mod fetch;
mod findings;
mod invariant;
mod life;
mod network;
mod occurrence;
mod plan;
mod population;
mod report;
mod scheduler;
mod survey;
mod swarm;
mod timing_wheel;
mod watch;
mod workload;
mod world;

pub use digest::Digest;
pub use experiment::{Experiment, Options, Progress};
pub use findings::{
    AttackRow, BucketRow, Findings, Kind, LookupRow, MessageCount, NodeRow, Sample, Success,
    SwarmFindings, Traffic,
};
pub use invariant::Breach;
pub use network::{Fate, Matrix, MatrixError, Micros, Nat, Network, address};
pub use occurrence::Occurrence;
pub use plan::{
    BandwidthPlan, Buckets, CrowdPlan, Dependence, DhtPlan, EnemyPlan, Key, LatencyPlan, LifePlan,
    LossPlan, NatPlan, NetworkPlan, PartitionPlan, PieceOrder, Plan, PlanError, Quantity,
    SeedChoice, Start, SwarmPlan, WorkloadPlan, keys, plans,
};
pub use report::{
    Circumstances, Comparison, Cost, Figures, Manifest, ManifestError, Report, lookups_csv,
    nodes_csv, timeseries_csv,
};
pub use swarm::{Manner, Paths, Policy, Role, Swarm, SwarmBreach, SwarmTraffic, virtual_torrent};
pub use watch::{Seen, Sight, Watch};
pub use world::{Codec, Found, Goal, Means, Note, World};
