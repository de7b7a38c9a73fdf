//! What this process takes of the machine's memory, where the system tells.

use std::fs;

/// Bytes of a node, all in: its table above all.
const NARROW_NODE: u64 = 6 << 10;
const WIDE_NODE: u64 = 13 << 10;

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
pub(super) fn available() -> Option<u64> {
    field(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// What a world of so many nodes takes, in bytes; about.
pub(super) fn estimate(nodes: u32, buckets: simulations::Buckets) -> u64 {
    let node = match buckets {
        simulations::Buckets::Narrow => NARROW_NODE,
        simulations::Buckets::Wide => WIDE_NODE,
    };
    BASE + node * u64::from(nodes)
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
    fn a_million_nodes_fit_where_they_are_said_to() {
        let narrow = estimate(1_000_000, simulations::Buckets::Narrow);
        let wide = estimate(1_000_000, simulations::Buckets::Wide);
        assert!((6_000_000_000..6_500_000_000).contains(&narrow));
        assert!((13_000_000_000..14_000_000_000).contains(&wide));
    }
}
