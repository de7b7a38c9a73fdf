//! What this process takes of the machine's memory, where the system tells.

use std::fs;

use simulations::{Buckets, Plan};

use super::super::output::Output;
use super::super::units;

/// Bytes of a node that is online, all in: its table above all. As measured with a million of them.
const NARROW_NODE: u64 = 6_400;
/// The same, and what wide tables took more with a hundred thousand.
const WIDE_NODE: u64 = 13_000;

/// Bytes of one that is away, and of what it will come back with.
const AWAY: u64 = 2_000;

/// Bytes of everything that does not grow with the nodes.
const BASE: u64 = 64 << 20;

/// The most that this process has had in memory so far, in bytes.
pub(super) fn peak() -> Option<u64> {
    field(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// From now on counts what is taken from now on: without it a run would be blamed for a larger one before it.
pub(super) fn forget_peak() {
    // Where it cannot be forgotten, the larger number stands.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// What is free on this machine, or can be made free, in bytes.
fn available() -> Option<u64> {
    field(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// Warns of a world that does not fit: it makes the whole machine slow, and that is better said before.
pub(super) fn warn_of(plan: &Plan, output: &Output) {
    let wanted = estimate(plan);
    let Some(available) = available().filter(|available| wanted > *available) else {
        return;
    };
    output.warning(format_args!(
        "{} nodes, and those who are away, take about {}, and this machine has {} left: try fewer with --nodes, or --set dht.buckets=narrow",
        most_online(plan),
        units::bytes(wanted),
        units::bytes(available),
    ));
}

/// What the world of a plan takes, in bytes; about.
fn estimate(plan: &Plan) -> u64 {
    let node = match plan.dht.buckets {
        Buckets::Narrow => NARROW_NODE,
        Buckets::Wide => WIDE_NODE,
    };
    let online = most_online(plan);
    let away = plan.residents().saturating_sub(online);
    BASE + node * online + AWAY * away
}

/// Those who are online together when everybody has come whom the plan names beside its nodes.
fn most_online(plan: &Plan) -> u64 {
    let crowds = plan.life.crowds.iter().map(|crowd| u64::from(crowd.nodes));
    let members = match plan.swarm.leechers {
        0 => 0,
        leechers => u64::from(leechers) + u64::from(plan.swarm.seeds),
    };
    let sybils = u64::from(plan.enemies.targets) * u64::from(plan.enemies.sybils_at_target);
    u64::from(plan.nodes) + crowds.sum::<u64>() + members + sybils
}

/// A line of `/proc`: `VmHWM:     1234 kB`.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_in_kibibytes() {
        let text = "VmPeak:\t  999 kB\nVmHWM:\t    1536 kB\nThreads:\t2\n";
        assert_eq!(field(text, "VmHWM:"), Some(1536 << 10));
        assert_eq!(field(text, "VmSwap:"), None);
        assert_eq!(field(text, "Threads:"), None);
    }

    #[test]
    fn whoever_is_there_takes_memory_and_who_is_away_takes_less() {
        let million = Plan {
            nodes: 1_000_000,
            ..Plan::default()
        };
        let of = |key: &str, value: &str| {
            let mut plan = million.clone();
            plan.set(key, value).unwrap();
            estimate(&plan)
        };
        let narrow = of("dht.buckets", "narrow");
        assert!((6_000_000_000..7_000_000_000).contains(&narrow));
        assert!(of("dht.buckets", "wide") > narrow + 5_000_000_000);
        for (key, value) in [
            ("life.crowds.0.nodes", "100000"),
            ("swarm.leechers", "100000"),
        ] {
            let more = of(key, value) - estimate(&million);
            assert!((500_000_000..2_000_000_000).contains(&more), "{key}");
        }
        let mut plan = Plan::named("million").unwrap();
        let with_those_away = estimate(&plan);
        plan.life.session = std::time::Duration::ZERO;
        assert!(with_those_away > estimate(&plan) + 500_000_000);
    }
}
