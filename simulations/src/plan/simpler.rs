//! What can be left out of a plan, so that a run that breaks something becomes as small as it can be and still break it.

use std::time::Duration;

use super::{
    BandwidthPlan, DhtPlan, EnemyPlan, LatencyPlan, LifePlan, LossPlan, NatPlan, NetworkPlan, Plan,
    SwarmPlan, WorkloadPlan,
};

/// Below this a world has not even come together.
const SHORTEST: Duration = Duration::from_secs(60);

/// One thing to try, in words, and how it is done.
type Step = (&'static str, fn(&mut Plan));

/// From coarse to fine. Each only takes away or halves, down to a bottom, and leaves alone what is not in use, so that nothing can be
/// simplified forever.
const STEPS: [Step; 38] = [
    ("all enemies", |plan| plan.enemies = EnemyPlan::default()),
    ("all faults of the network", |plan| {
        plan.network = NetworkPlan {
            regions: plan.network.regions,
            hosts_per_network: plan.network.hosts_per_network,
            latency: plan.network.latency.clone(),
            ..NetworkPlan::default()
        };
    }),
    ("all coming and going", |plan| {
        plan.life = LifePlan {
            bootstrap_nodes: plan.life.bootstrap_nodes,
            ..LifePlan::default()
        };
    }),
    ("all NATs", |plan| plan.nat = NatPlan::default()),
    ("the torrent", |plan| plan.swarm = SwarmPlan::default()),
    ("half of the nodes", |plan| {
        plan.nodes /= 2;
        plan.life.bootstrap_nodes = plan.life.bootstrap_nodes.min(plan.nodes);
        plan.workload.announcers = plan.workload.announcers.min(plan.nodes);
        plan.swarm.seeds = plan.swarm.seeds.min(plan.nodes);
    }),
    ("half of the time", |plan| halve(&mut plan.duration)),
    ("half of the settling time", |plan| halve(&mut plan.settle)),
    ("all policies but the usual ones", |plan| {
        plan.dht = DhtPlan::default();
    }),
    ("Sybils at random", |plan| plan.enemies.sybils = 0.0),
    ("Sybils next to targets", |plan| {
        plan.enemies.sybils_at_target = 0;
        plan.enemies.targets = 0;
    }),
    ("poisoners", |plan| plan.enemies.poisoners = 0.0),
    ("namers of the dead", |plan| plan.enemies.dead_namers = 0.0),
    ("namers of an innocent", |plan| {
        plan.enemies.innocent_namers = 0.0;
    }),
    ("swallowers", |plan| plan.enemies.swallowers = 0.0),
    ("forgers", |plan| plan.enemies.forgers = 0.0),
    ("flooders", |plan| plan.enemies.flooders = 0.0),
    ("limits", |plan| plan.enemies.limits = false),
    ("loss", |plan| plan.network.loss = LossPlan::default()),
    ("loss in bursts", |plan| plan.network.loss.bursts = 0.0),
    ("loss at random", |plan| plan.network.loss.random = 0.0),
    ("duplication", |plan| plan.network.duplication = 0.0),
    ("reordering", |plan| plan.network.reordering = 0.0),
    ("narrow lines", |plan| {
        plan.network.bandwidth = BandwidthPlan::default();
    }),
    ("the last partition", |plan| {
        plan.network.partitions.pop();
    }),
    ("the last crowd", |plan| {
        plan.life.crowds.pop();
    }),
    ("sessions that end", |plan| {
        plan.life.session = Duration::ZERO;
    }),
    ("stale tables", |plan| {
        if plan.life.session > Duration::ZERO {
            plan.life.stale = 0.0;
        }
    }),
    ("the course of the day", |plan| plan.life.diurnal = 0.0),
    ("jitter", |plan| {
        plan.network.latency.jitter = Duration::ZERO;
    }),
    ("the matrix of latencies", |plan| {
        plan.network.latency.matrix = LatencyPlan::default().matrix;
    }),
    ("half of the leechers", |plan| plan.swarm.leechers /= 2),
    ("half of the torrent", |plan| {
        if plan.swarm.leechers > 0 {
            plan.swarm.length = (plan.swarm.length / 2).max(plan.swarm.piece_length);
        }
    }),
    ("all that is asked", |plan| {
        plan.workload = WorkloadPlan {
            lookups_per_minute: 0,
            find_nodes_per_minute: 0,
            announces_per_minute: 0,
            ..plan.workload.clone()
        };
    }),
    ("half of the lookups of peers", |plan| {
        plan.workload.lookups_per_minute /= 2;
    }),
    ("half of the lookups of nodes", |plan| {
        plan.workload.find_nodes_per_minute /= 2;
    }),
    ("half of the announces", |plan| {
        plan.workload.announces_per_minute /= 2;
    }),
    ("half of the info-hashes", |plan| {
        plan.workload.info_hashes /= 2;
        plan.enemies.targets = plan.enemies.targets.min(plan.workload.info_hashes);
    }),
];

impl Plan {
    /// Simpler plans that can be run, each with what was taken away: whole classes of faults first, then halves of the nodes and
    /// of the time, then one thing after the other. Whoever goes on with one of them, and so on, comes to an end.
    pub fn simpler(&self) -> Vec<(String, Plan)> {
        let without = |(what, take_away): &Step| {
            let mut plan = self.clone();
            take_away(&mut plan);
            (plan != *self && plan.check().is_ok()).then(|| ((*what).to_owned(), plan))
        };
        STEPS.iter().filter_map(without).collect()
    }
}

/// To no less than the shortest time there is; what is shorter already stays.
fn halve(time: &mut Duration) {
    *time = (*time).min((*time / 2).max(SHORTEST));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarsest_comes_first() {
        let plan = Plan::named("poison").unwrap();
        let simpler = plan.simpler();
        let (what, first) = &simpler[0];
        assert_eq!(what, "all enemies");
        assert_eq!(first.enemies, EnemyPlan::default());
        let of = |wanted: &str| simpler.iter().position(|(what, _)| what == wanted).unwrap();
        assert!(of("half of the nodes") < of("poisoners"));
        assert_eq!(simpler[of("half of the nodes")].1.nodes, plan.nodes / 2);
    }

    #[test]
    fn nothing_that_is_not_there_is_taken_away() {
        let what: Vec<_> = Plan::default()
            .simpler()
            .into_iter()
            .map(|(what, _)| what)
            .collect();
        assert!(
            !what
                .iter()
                .any(|what| what.contains("enemies") || what.contains("NAT")),
            "{what:?}"
        );
    }

    #[test]
    fn every_plan_can_be_simplified_to_an_end() {
        for (name, _) in super::super::plans() {
            // The last candidate each time: the longest way.
            for choose in [|plans: &[_]| plans.len() - 1, |_: &[_]| 0] {
                let mut plan = Plan::named(name).unwrap();
                let mut steps = 0;
                loop {
                    let mut simpler = plan.simpler();
                    if simpler.is_empty() {
                        break;
                    }
                    let next = simpler.swap_remove(choose(&simpler)).1;
                    assert_eq!(next.check(), Ok(()), "{name}");
                    plan = next;
                    steps += 1;
                    assert!(steps < 200, "{name} never ends");
                }
                assert!(plan.nodes < 20, "{name}: {}", plan.nodes);
                assert_eq!(plan.nat, NatPlan::default(), "{name}");
                assert_eq!(plan.duration, SHORTEST, "{name}");
            }
        }
    }
}
