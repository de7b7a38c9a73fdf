//! What nodes and torrents do together on a network that is not always kind.

mod exchange;
mod faults;
mod invariants;
mod life;
mod lookups;
mod regressions;
mod repetition;
mod warm_start;

use std::time::Duration;

use dht::Id;
use simulations::{Codec, Experiment, Findings, Goal, Means, NetworkPlan, Options, Plan, World};

const MINUTE: Duration = Duration::from_secs(60);

/// A kind network, entered through one node.
fn plan(seed: u64, nodes: u32) -> Plan {
    let mut plan = Plan {
        seed,
        nodes,
        settle: Duration::ZERO,
        ..Plan::default()
    };
    plan.life.bootstrap_nodes = 1;
    plan
}

fn lossy() -> NetworkPlan {
    let mut network = NetworkPlan::default();
    network.loss.random = 0.05;
    network
}

/// Everything that a network can do to a packet.
fn rough() -> NetworkPlan {
    let mut network = NetworkPlan {
        duplication: 0.2,
        reordering: 0.2,
        ..lossy()
    };
    network.latency.jitter = Duration::from_millis(20);
    network
}

fn hash(number: u32) -> Id {
    let mut bytes = [0x5a; 20];
    let mixed = number.wrapping_mul(0x9e37_79b1).to_be_bytes();
    for (byte, mixed) in bytes.iter_mut().zip(mixed) {
        *byte = mixed;
    }
    Id::new(bytes)
}

/// Whether `seeker` finds `holder` after it has announced itself.
fn is_found(world: &mut World, holder: u32, seeker: u32, info_hash: Id) -> bool {
    world.look_up(holder, Goal::Announce(info_hash));
    let address = world.address(holder);
    let found = world.look_up(seeker, Goal::GetPeers(info_hash));
    found.is_some_and(|found| found.peers.contains(&address))
}

/// A whole run, with everything checked that always holds.
fn run(plan: &Plan, threads: usize, codec: Codec) -> Findings {
    let options = Options {
        means: Means { threads, codec },
        check: true,
        watch: None,
    };
    let mut experiment = Experiment::new(plan.clone(), None, options).expect("the plan is one");
    loop {
        let progress = experiment.advance();
        let progress =
            progress.unwrap_or_else(|breach| panic!("with seed {}: {breach}", plan.seed));
        if progress.is_over {
            return experiment.findings();
        }
    }
}
