//! Cuts through the network, and when they heal.

use std::time::Duration;

use super::draw::{Share, draw};
use super::{Micros, micros};
use crate::PartitionPlan;

/// All cuts of a run.
#[derive(Clone, Debug)]
pub(super) struct Partitions(Box<[Partition]>);

#[derive(Clone, Debug)]
struct Partition {
    side: Side,
    one_way: bool,
    begin: Micros,
    end: Micros,
}

/// Who is on the one side; all others are on the other.
#[derive(Clone, Debug)]
enum Side {
    /// Those in regions of which this says yes.
    Regions(Box<[bool]>),
    /// Those drawn.
    Drawn { seed: u64, share: Share },
}

impl Partitions {
    /// Cuts whose times are counted from the end of settling.
    pub(super) fn new(seed: u64, settle: Duration, regions: u16, plans: &[PartitionPlan]) -> Self {
        let partition = |(number, plan): (u64, &PartitionPlan)| Partition {
            side: if plan.regions.is_empty() {
                Side::Drawn {
                    seed: draw(seed, number),
                    share: Share::new(plan.share),
                }
            } else {
                Side::Regions(
                    (0..regions)
                        .map(|region| plan.regions.contains(&region))
                        .collect(),
                )
            },
            one_way: plan.one_way,
            begin: micros(settle.saturating_add(plan.at)),
            end: micros(settle.saturating_add(plan.at).saturating_add(plan.lasts)),
        };
        Self((0..).zip(plans).map(partition).collect())
    }

    /// Whether a packet that is sent now meets a cut.
    #[inline]
    pub(super) fn cut(&self, now: Micros, from: u32, to: u32, region: impl Fn(u32) -> u16) -> bool {
        self.0.iter().any(|partition| {
            let side = |node| partition.side.includes(node, &region);
            (partition.begin..partition.end).contains(&now)
                && match (side(from), side(to)) {
                    (true, false) => !partition.one_way,
                    (false, true) => true,
                    _ => false,
                }
        })
    }
}

impl Side {
    fn includes(&self, node: u32, region: impl Fn(u32) -> u16) -> bool {
        match self {
            Self::Regions(regions) => regions.get(usize::from(region(node))) == Some(&true),
            Self::Drawn { seed, share } => share.holds(draw(*seed, u64::from(node))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Micros = 1_000_000;

    fn partitions(plan: PartitionPlan) -> Partitions {
        let plan = PartitionPlan {
            at: Duration::from_secs(60),
            lasts: Duration::from_secs(10),
            ..plan
        };
        Partitions::new(draw(1, 1), Duration::from_secs(100), 3, &[plan])
    }

    /// A world in which the region of a node is its number.
    fn region(node: u32) -> u16 {
        node as u16 % 3
    }

    #[test]
    fn a_cut_between_regions_begins_and_heals_when_the_plan_says() {
        let plan = PartitionPlan {
            regions: vec![0, 2],
            ..PartitionPlan::default()
        };
        let partitions = partitions(plan);
        for (from, to, is_across) in [(0, 1, true), (1, 2, true), (0, 2, false), (1, 4, false)] {
            for (at, is_then) in [
                (160 * SECOND - 1, false),
                (160 * SECOND, true),
                (170 * SECOND - 1, true),
                (170 * SECOND, false),
            ] {
                let is_cut = partitions.cut(at, from, to, region);
                assert_eq!(is_cut, is_across && is_then, "{from} to {to} at {at}");
                assert_eq!(partitions.cut(at, to, from, region), is_cut);
            }
        }
    }

    #[test]
    fn a_one_way_cut_stops_only_what_comes_from_the_other_side() {
        let plan = PartitionPlan {
            regions: vec![1],
            one_way: true,
            ..PartitionPlan::default()
        };
        let partitions = partitions(plan);
        assert!(!partitions.cut(165 * SECOND, 1, 0, region));
        assert!(partitions.cut(165 * SECOND, 0, 1, region));
        assert!(!partitions.cut(165 * SECOND, 0, 2, region));
    }

    #[test]
    fn a_share_of_the_nodes_is_cut_off_from_the_others_and_from_nobody_else() {
        let plan = PartitionPlan {
            share: 0.3,
            ..PartitionPlan::default()
        };
        let partitions = partitions(plan);
        let is_cut = |from, to| partitions.cut(165 * SECOND, from, to, region);
        let first = 0..10_000;
        let others = first.clone().filter(|node| is_cut(0, *node)).count();
        assert!(
            others.abs_diff(3_000) < 185 || others.abs_diff(7_000) < 185,
            "{others}"
        );
        // There are two sides: whoever is cut off from the same node is with the other.
        for node in first.step_by(97) {
            assert_eq!(is_cut(node, 1), is_cut(0, node) != is_cut(0, 1));
        }
    }

    #[test]
    fn cuts_add_up() {
        let plan = |region| PartitionPlan {
            regions: vec![region],
            ..PartitionPlan::default()
        };
        let partitions = Partitions::new(1, Duration::ZERO, 3, &[plan(0), plan(1)]);
        assert!(partitions.cut(0, 0, 2, region) && partitions.cut(0, 1, 2, region));
        assert!(!partitions.cut(0, 2, 5, region));
        assert!(!Partitions::new(1, Duration::ZERO, 3, &[]).cut(0, 0, 1, region));
    }
}
