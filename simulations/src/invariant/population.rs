//! What holds for all nodes of a world together, and whom to watch of them.

use std::collections::BTreeSet;

use dht::{Config, Family};
use rand::RngExt;

use super::{Auditor, Breach, Fault, table};
use crate::findings::LookupRow;
use crate::network::Generator;
use crate::world::World;
use crate::{Plan, Traffic};

/// Nodes that are watched, if there are so many. They cost a multiple of others.
const WATCHED: usize = 16;
/// Nodes whose tables are looked at each minute.
const INSPECTED: u32 = 64;

/// Sets an auditor upon some nodes that mean well: the first bootstrap node, `victim`, and others that the seed draws.
pub(crate) fn audit(world: &mut World, victim: Option<u32>, is_enemy: impl Fn(u32) -> bool) {
    let draw = world.network().generator("audit");
    for node in watched(draw, world.residents(), victim, is_enemy) {
        let config = world.config(node).clone();
        world.audit(node, Auditor::new(config));
    }
}

fn watched(
    mut draw: Generator,
    residents: u32,
    victim: Option<u32>,
    is_enemy: impl Fn(u32) -> bool,
) -> BTreeSet<u32> {
    let honest = |node: &u32| *node < residents && !is_enemy(*node);
    let mut watched: BTreeSet<_> = [Some(0), victim]
        .into_iter()
        .flatten()
        .filter(honest)
        .collect();
    // Where hardly anybody is honest fewer are watched.
    for _ in 0..8 * WATCHED {
        if watched.len() < WATCHED && residents > 0 {
            watched.extend(Some(draw.random_range(0..residents)).filter(honest));
        }
    }
    watched
}

/// Whether nothing ever goes wrong in a plan: nobody comes or goes, every packet arrives, everybody is honest and reached by all.
fn is_faultless(plan: &Plan) -> bool {
    let (network, enemies) = (&plan.network, &plan.enemies);
    let shares = [
        network.loss.random,
        network.loss.bursts,
        plan.nat.share,
        enemies.sybils,
        enemies.poisoners,
        enemies.dead_namers,
        enemies.innocent_namers,
        enemies.swallowers,
        enemies.forgers,
        enemies.flooders,
    ];
    shares.iter().all(|&share| share <= 0.0)
        && enemies.sybils_at_target == 0
        && !enemies.limits
        && network.partitions.is_empty()
        && network.bandwidth.up == 0
        && network.bandwidth.bootstrap_up == 0
        && plan.life.session.is_zero()
        && plan.life.crowds.is_empty()
        && plan.swarm.leechers == 0
}

/// Looks at a whole world now and then.
pub(crate) struct Inspector {
    is_faultless: bool,
    /// Lookups that it has looked at.
    seen: usize,
}

impl Inspector {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            is_faultless: is_faultless(plan),
            seen: 0,
        }
    }

    /// Checks where the packets are, the tables of some nodes, others each time, and how the lookups went that ended since the last time: the last of `lookups`.
    pub(crate) fn inspect(&mut self, world: &World, lookups: &[LookupRow]) -> Result<(), Breach> {
        let breach = |node, (invariant, what)| Breach {
            invariant,
            at: world.now(),
            node,
            what,
        };
        conservation(&world.traffic()).map_err(|fault| breach(None, fault))?;
        tables(world, breach)?;
        if self.is_faultless {
            let others = world.residents().saturating_sub(1);
            for row in &lookups[self.seen..] {
                is_exact(row, others).map_err(|fault| breach(Some(row.node), fault))?;
            }
        }
        self.seen = lookups.len();
        Ok(())
    }
}

/// Where nothing goes wrong a lookup ends with the nearest nodes, unless it did not wait for one of those that it asked.
fn is_exact(row: &LookupRow, others: u32) -> Result<(), Fault> {
    let there_are = others.min(Config::K as u32) as u8;
    match row.accuracy {
        Some(found) if found != there_are && row.stalled == 0 && row.failed == 0 => {
            let what = format!(
                "of the {there_are} nearest nodes the lookup begun after {:?} found {found}",
                row.at
            );
            Err((
                "where nothing goes wrong a lookup ends with the nearest nodes",
                what,
            ))
        }
        _ => Ok(()),
    }
}

fn tables(world: &World, breach: impl Fn(Option<u32>, Fault) -> Breach) -> Result<(), Breach> {
    let residents = world.residents();
    let mut draw = world
        .network()
        .generator(("inspection", world.now().as_micros()));
    for _ in 0..INSPECTED.min(residents) {
        let number = draw.random_range(0..residents);
        if let Some(node) = world.node(number) {
            let config = world.config(number);
            let view = node.table(Family::V4, world.now(), config);
            table::check(node.id(), &view, config).map_err(|fault| breach(Some(number), fault))?;
        }
    }
    Ok(())
}

fn conservation(traffic: &Traffic) -> Result<(), Fault> {
    let came = traffic.sent + traffic.duplicated;
    let dropped = [
        traffic.lost,
        traffic.congested,
        traffic.cut,
        traffic.nobody,
        traffic.offline,
        traffic.filtered,
        traffic.limited,
    ];
    let went = traffic.delivered + dropped.iter().sum::<u64>() + traffic.in_flight;
    if came == went {
        return Ok(());
    }
    let what = format!("of {came} packets {went} are accounted for: {traffic:?}");
    Err((
        "every packet is delivered, dropped for a reason or on its way",
        what,
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng;

    use super::*;
    use crate::{Kind, Success};

    #[test]
    fn a_packet_that_is_nowhere_or_twice_is_noticed() {
        let traffic = Traffic {
            sent: 10,
            duplicated: 2,
            delivered: 5,
            lost: 1,
            congested: 1,
            cut: 1,
            nobody: 1,
            offline: 1,
            filtered: 1,
            limited: 0,
            in_flight: 1,
        };
        assert_eq!(conservation(&traffic), Ok(()));
        assert!(
            conservation(&Traffic {
                limited: 1,
                ..traffic
            })
            .is_err()
        );
        assert!(
            conservation(&Traffic {
                in_flight: 0,
                ..traffic
            })
            .is_err()
        );
    }

    #[test]
    fn the_first_bootstrap_node_and_the_victim_are_watched_and_no_enemy() {
        let draw = Generator::seed_from_u64(1);
        let watched = watched(draw, 10_000, Some(77), |node| node % 2 == 1 && node != 77);
        assert_eq!(watched.len(), WATCHED);
        assert!(watched.contains(&0) && watched.contains(&77));
        assert!(watched.iter().all(|node| node % 2 == 0 || *node == 77));
    }

    #[test]
    fn a_lookup_that_missed_one_of_the_nearest_is_noticed_unless_somebody_was_slow() {
        let row = LookupRow {
            at: Duration::ZERO,
            kind: Kind::FindNode,
            node: 1,
            info_hash: None,
            is_attacked: false,
            success: Success::Yes,
            first_peers: None,
            elapsed: None,
            hops: 2,
            asked: 12,
            answered: 12,
            stalled: 0,
            failed: 0,
            peers: 0,
            accuracy: Some(7),
        };
        assert!(is_exact(&row, 100).is_err());
        assert_eq!(is_exact(&row, 7), Ok(()));
        assert_eq!(
            is_exact(
                &LookupRow {
                    stalled: 1,
                    ..row.clone()
                },
                100
            ),
            Ok(())
        );
        assert_eq!(
            is_exact(
                &LookupRow {
                    accuracy: Some(8),
                    ..row
                },
                100
            ),
            Ok(())
        );
    }

    #[test]
    fn whoever_spoils_a_world_a_little_spoils_it() {
        assert!(is_faultless(&Plan::default()));
        let mut plan = Plan::default();
        plan.enemies.forgers = 0.01;
        assert!(!is_faultless(&plan));
        let mut plan = Plan::default();
        plan.life.session = Duration::from_secs(1);
        assert!(!is_faultless(&plan));
    }
}
