//! The tables of nodes that have lived long, made at once from the sorted ids of all.

use std::time::Duration;

use dht::{Config, Id, NodeInfo};
use rand::{Rng, RngExt};

/// Everybody whom others may know, by id.
pub(crate) struct Census(Vec<NodeInfo>);

impl Census {
    pub(crate) fn new(mut nodes: Vec<NodeInfo>) -> Self {
        nodes.sort_unstable_by_key(|node| node.id);
        Self(nodes)
    }

    /// Whom a node would know: of those who share exactly *i* leading bits with it, as many as its bucket *i* holds, and when it heard of each last. The vector is overwritten.
    pub(super) fn acquaintances(
        &self,
        own: &Id,
        config: &Config,
        now: Duration,
        rng: &mut impl Rng,
        acquaintances: &mut Vec<(NodeInfo, Duration)>,
    ) {
        acquaintances.clear();
        let mut chosen = Vec::new();
        // Those who share the first `bit` bits.
        let mut kin = self.0.as_slice();
        for bit in 0..Id::BITS {
            if kin.is_empty() {
                break;
            }
            let (zeros, ones) = kin.split_at(kin.partition_point(|node| !node.id.bit(bit)));
            let (same, others) = if own.bit(bit) {
                (ones, zeros)
            } else {
                (zeros, ones)
            };
            let count = config.bucket_size(bit as usize).min(others.len());
            chosen.clear();
            // Each choice of so many as likely as any other: Floyd's way, which draws none twice.
            for last in others.len() - count..others.len() {
                let drawn = rng.random_range(0..=last) as u32;
                let is_taken = chosen.contains(&drawn);
                chosen.push(if is_taken { last as u32 } else { drawn });
            }
            for &place in &chosen {
                let silent = config.questionable_after.mul_f64(rng.random());
                acquaintances.push((others[place as usize], now.saturating_sub(silent)));
            }
            kin = same;
        }
    }

    /// The `count` nodes nearest to a point, nearest first, of those that are wanted.
    pub(crate) fn nearest(
        &self,
        target: &Id,
        count: usize,
        wanted: impl Fn(&NodeInfo) -> bool,
    ) -> Vec<NodeInfo> {
        let mut nearest = Vec::with_capacity(count);
        // Ranges of the sorted ids, the nearest on top.
        let mut ranges = vec![(self.0.as_slice(), 0)];
        while let Some((range, bit)) = ranges.pop() {
            if nearest.len() == count {
                break;
            }
            match range {
                [] => {}
                [node] => nearest.extend(Some(*node).filter(|node| wanted(node))),
                _ if bit < Id::BITS => {
                    let (zeros, ones) =
                        range.split_at(range.partition_point(|node| !node.id.bit(bit)));
                    let (near, far) = if target.bit(bit) {
                        (ones, zeros)
                    } else {
                        (zeros, ones)
                    };
                    ranges.push((far, bit + 1));
                    ranges.push((near, bit + 1));
                }
                // The same id twice.
                _ => nearest.extend(range.iter().copied().filter(|node| wanted(node))),
            }
        }
        nearest.truncate(count);
        nearest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;
    use crate::network::Generator;

    fn census(seed: u64, count: usize) -> Census {
        let mut rng = Generator::seed_from_u64(seed);
        let node = |number: usize| NodeInfo {
            id: Id::random(&mut rng),
            address: ([20, 0, (number >> 8) as u8, number as u8], 6881).into(),
        };
        Census::new((0..count).map(node).collect())
    }

    proptest! {
        #[test]
        fn the_nearest_are_those_that_sorting_by_distance_gives(seed in any::<u64>(), count in 0usize..40, wanted in 0usize..12) {
            let census = census(seed, count);
            let target = Id::random(&mut Generator::seed_from_u64(!seed));
            let mut sorted = census.0.clone();
            sorted.sort_by_key(|node| node.id.distance(&target));
            sorted.truncate(wanted);
            prop_assert_eq!(census.nearest(&target, wanted, |_| true), sorted);
        }
    }

    #[test]
    fn acquaintances_fill_every_bucket_as_far_as_there_are_nodes_for_it() {
        let census = census(1, 2000);
        let config = Config {
            first_buckets: &[],
            ..Config::default()
        };
        let mut rng = Generator::seed_from_u64(2);
        let own = Id::random(&mut rng);
        let now = Duration::from_secs(3600);
        let mut known = Vec::new();
        census.acquaintances(&own, &config, now, &mut rng, &mut known);
        for bucket in 0..Id::BITS as usize {
            let in_bucket = |node: &NodeInfo| own.shared_prefix(&node.id) == bucket as u32;
            let all = census.0.iter().filter(|node| in_bucket(node)).count();
            let mut those: Vec<_> = known
                .iter()
                .map(|(node, _)| *node)
                .filter(in_bucket)
                .collect();
            those.dedup();
            assert_eq!(those.len(), all.min(8), "bucket {bucket}");
        }
        assert!(
            known
                .iter()
                .all(|(_, seen)| *seen <= now && *seen + config.questionable_after >= now)
        );
    }
}
