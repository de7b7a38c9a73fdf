//! Who plays which part. It follows from the seed and the node's number, so that a world of a million needs no list of it.

use crate::Plan;
use crate::digest::hash_of;

/// What a node is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A node that newcomers know. Always honest.
    Bootstrap,
    /// Like everybody else.
    Honest,
    /// Names other Sybils, swallows announces, names no peers.
    Sybil,
    /// The same, with an id next to the attacked info-hash of this number.
    SybilAtTarget(u32),
    /// Names invented nodes very near to whatever is asked for.
    Poisoner,
    /// Names dead addresses with plausible ids.
    DeadNamer,
    /// Names one innocent address again and again.
    InnocentNamer,
    /// Acknowledges announces and stores nothing.
    Swallower,
    /// Announces with tokens that it was not given for that.
    Forger,
    /// Asks more than anybody needs to know.
    Flooder,
}

impl Part {
    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Honest => "honest",
            Self::Sybil => "sybil",
            Self::SybilAtTarget(_) => "sybil at target",
            Self::Poisoner => "poisoner",
            Self::DeadNamer => "dead namer",
            Self::InnocentNamer => "innocent namer",
            Self::Swallower => "swallower",
            Self::Forger => "forger",
            Self::Flooder => "flooder",
        }
    }

    /// Whether an [`Attacker`](super::Attacker) stands between it and the network.
    pub(crate) const fn is_enemy(self) -> bool {
        !matches!(self, Self::Bootstrap | Self::Honest)
    }

    /// Whether it keeps the company of other Sybils.
    pub(crate) const fn is_sybil(self) -> bool {
        matches!(self, Self::Sybil | Self::SybilAtTarget(_))
    }
}

/// The parts of all residents: first the bootstrap nodes, then everybody among whom the planned shares are drawn, then the Sybils at
/// targets, one target after the other.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    seed: u64,
    bootstrap_nodes: u32,
    /// Residents without the Sybils at targets.
    population: u32,
    residents: u32,
    per_target: u32,
    /// Where the share of each part ends, on a line from 0 to 1 on which every node has a point.
    ends: [(f64, Part); 7],
}

impl Parts {
    /// The parts in a world of `population` residents, bootstrap nodes and those that come later included. Sybils at targets are added to them.
    pub(crate) fn new(plan: &Plan, population: u32) -> Self {
        let enemies = &plan.enemies;
        let mut end = 0.0;
        let ends = [
            (enemies.sybils, Part::Sybil),
            (enemies.poisoners, Part::Poisoner),
            (enemies.dead_namers, Part::DeadNamer),
            (enemies.innocent_namers, Part::InnocentNamer),
            (enemies.swallowers, Part::Swallower),
            (enemies.forgers, Part::Forger),
            (enemies.flooders, Part::Flooder),
        ]
        .map(|(share, part)| {
            end += share;
            (end, part)
        });
        let added = enemies.targets.saturating_mul(enemies.sybils_at_target);
        Self {
            seed: plan.seed,
            bootstrap_nodes: plan.life.bootstrap_nodes,
            population,
            residents: population.saturating_add(added),
            per_target: enemies.sybils_at_target,
            ends,
        }
    }

    /// How many there are in all.
    pub(crate) const fn residents(&self) -> u32 {
        self.residents
    }

    /// The part of one of them.
    pub(crate) fn of(&self, node: u32) -> Part {
        if node < self.bootstrap_nodes {
            return Part::Bootstrap;
        }
        if let Some(place) = node.checked_sub(self.population) {
            return Part::SybilAtTarget(place / self.per_target.max(1));
        }
        let point = (hash_of((self.seed, "part", node)) >> 11) as f64 / (1u64 << 53) as f64;
        let drawn = self.ends.iter().find(|(end, _)| point < *end);
        drawn.map_or(Part::Honest, |(_, part)| *part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EnemyPlan;

    #[test]
    fn as_many_of_each_part_as_planned() {
        let plan = Plan {
            enemies: EnemyPlan {
                sybils: 0.2,
                forgers: 0.05,
                flooders: 0.01,
                targets: 2,
                sybils_at_target: 64,
                ..EnemyPlan::default()
            },
            ..Plan::default()
        };
        let parts = Parts::new(&plan, 100_000);
        assert_eq!(parts.residents(), 100_128);
        let count = |part| {
            (0..parts.residents())
                .filter(|&node| parts.of(node) == part)
                .count()
        };
        assert_eq!(count(Part::Bootstrap), 8);
        assert!((19_600..20_400).contains(&count(Part::Sybil)));
        assert!((4_800..5_200).contains(&count(Part::Forger)));
        assert!((900..1_100).contains(&count(Part::Flooder)));
        assert_eq!(count(Part::Poisoner), 0);
        assert_eq!(count(Part::SybilAtTarget(0)), 64);
        assert_eq!(count(Part::SybilAtTarget(1)), 64);
        assert!((73_300..74_700).contains(&count(Part::Honest)));
    }

    #[test]
    fn another_seed_has_other_enemies() {
        let parts = |seed| {
            let enemies = EnemyPlan {
                sybils: 0.5,
                ..EnemyPlan::default()
            };
            let plan = Plan {
                seed,
                enemies,
                ..Plan::default()
            };
            let parts = Parts::new(&plan, 100);
            (0..100).map(|node| parts.of(node)).collect::<Vec<_>>()
        };
        assert_eq!(parts(1), parts(1));
        assert_ne!(parts(1), parts(2));
    }
}
