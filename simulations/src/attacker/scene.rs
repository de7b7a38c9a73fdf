//! What enemies know together. It is made once and never changes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use dht::{Id, MAX_NODES, NodeInfo, Nodes, id_for};
use rand::{RngExt, SeedableRng};

use super::part::{Part, Parts};
use crate::Plan;
use crate::digest::hash_of;
use crate::network::Generator;

/// Addresses that nobody has, of which all enemies draw: so many that hardly one is named twice to the same node.
const DEAD: usize = 1 << 16;
/// Leading bits that the id of a Sybil at a target shares with it. The nearest of a million honest ids shares about 20.
const BITS_AT_TARGET: std::ops::RangeInclusive<u32> = 32..=40;

/// What enemies know: one another, whom they attack, and addresses that nobody has.
#[derive(Debug)]
pub(crate) struct Scene {
    seed: u64,
    /// All Sybils, by id.
    sybils: Vec<NodeInfo<SocketAddrV4>>,
    poisoners: Vec<SocketAddrV4>,
    attacked: Vec<Id>,
    victim: Option<(u32, SocketAddrV4)>,
    /// Sorted.
    dead: Vec<SocketAddrV4>,
    /// Leading bits that the nearest of all nodes shares with any point, about.
    depth: u32,
    flood_rate: u32,
}

impl Scene {
    /// `attacked` are the first [`targets`](crate::EnemyPlan::targets) info-hashes, `address` says where a resident is seen, and `is_taken` whether an
    /// IP belongs to anybody.
    pub(crate) fn new(
        plan: &Plan,
        parts: &Parts,
        attacked: Vec<Id>,
        address: impl Fn(u32) -> SocketAddrV4,
        is_taken: impl Fn(Ipv4Addr) -> bool,
    ) -> Self {
        let mut scene = Self {
            seed: plan.seed,
            sybils: Vec::new(),
            poisoners: Vec::new(),
            attacked,
            victim: None,
            dead: Vec::new(),
            depth: parts.residents().max(1).ilog2(),
            flood_rate: plan.enemies.flood_rate,
        };
        let mut invents = false;
        for node in 0..parts.residents() {
            let part = parts.of(node);
            invents |= matches!(part, Part::Poisoner | Part::DeadNamer);
            match part {
                Part::Honest if scene.victim.is_none() => {
                    scene.victim = Some((node, address(node)));
                }
                Part::Poisoner => scene.poisoners.push(address(node)),
                _ => {}
            }
            if part.is_sybil() {
                let address = address(node);
                let id = scene.chosen_id(part, node, address);
                let sybil = id.map(|id| NodeInfo { id, address });
                scene.sybils.extend(sybil);
            }
        }
        scene.sybils.sort_unstable_by_key(|sybil| sybil.id);
        if invents {
            scene.dead = dead_addresses(plan.seed, is_taken);
        }
        scene
    }

    /// The id that an enemy gives itself. `None`: it does as others do.
    pub(super) fn chosen_id(&self, part: Part, node: u32, address: SocketAddrV4) -> Option<Id> {
        let mut rng = Generator::seed_from_u64(hash_of((self.seed, "sybil", node)));
        match part {
            Part::Sybil => Some(id_for(IpAddr::V4(*address.ip()), &mut rng)),
            Part::SybilAtTarget(target) => {
                let target = self.attacked.get(target as usize)?;
                Some(target.random_at(rng.random_range(BITS_AT_TARGET), &mut rng))
            }
            _ => None,
        }
    }

    /// The Sybils nearest to a point, nearest first, without the one at `own`.
    pub(super) fn sybils_near(&self, target: &Id, own: SocketAddrV4) -> Nodes<SocketAddrV4> {
        let shared = |place: usize| {
            let sybil = self.sybils.get(place)?;
            Some(sybil.id.shared_prefix(target))
        };
        // Those that share so many bits with a point stand side by side. So the window grows to the side that shares more, until it
        // holds enough, and then takes in all that share as much as the last one.
        let start = self.sybils.partition_point(|sybil| sybil.id < *target);
        let (mut window, mut least) = (start..start, Id::BITS);
        loop {
            let before = window.start.checked_sub(1).and_then(shared);
            let after = shared(window.end);
            let Some(bits) = before.max(after) else { break };
            // One more than named: one may be at `own`.
            if window.len() > MAX_NODES && bits < least {
                break;
            }
            least = bits;
            if before == Some(bits) {
                window.start -= 1;
            } else {
                window.end += 1;
            }
        }
        let mut near = self.sybils.get(window).unwrap_or_default().to_vec();
        near.retain(|sybil| sybil.address != own);
        near.sort_unstable_by_key(|sybil| sybil.id.distance(target));
        near.into_iter().take(MAX_NODES).collect()
    }

    /// Where a poisoner is, if there is any.
    pub(super) fn any_poisoner(&self, rng: &mut impl rand::Rng) -> Option<SocketAddrV4> {
        pick(&self.poisoners, rng)
    }

    /// An address that nobody has.
    pub(super) fn any_dead(&self, rng: &mut impl rand::Rng) -> Option<SocketAddrV4> {
        pick(&self.dead, rng)
    }

    /// An attacked info-hash, if there is any.
    pub(super) fn any_attacked(&self, rng: &mut impl rand::Rng) -> Option<Id> {
        pick(&self.attacked, rng)
    }

    /// The innocent one that innocent namers name: the first honest node behind the bootstrap nodes. It should stay, and be reachable.
    pub(crate) fn victim(&self) -> Option<u32> {
        self.victim.map(|(node, _)| node)
    }

    pub(super) fn victim_address(&self) -> Option<SocketAddrV4> {
        self.victim.map(|(_, address)| address)
    }

    /// Whether an address is one of those that nobody has and that enemies name.
    pub(crate) fn is_invented(&self, address: &SocketAddr) -> bool {
        match address {
            SocketAddr::V4(address) => self.dead.binary_search(address).is_ok(),
            SocketAddr::V6(_) => false,
        }
    }

    /// Leading bits that the nearest of all nodes shares with any point, about.
    pub(super) const fn depth(&self) -> u32 {
        self.depth
    }

    /// Queries a second of a flooder.
    pub(super) const fn flood_rate(&self) -> u32 {
        self.flood_rate
    }
}

fn pick<T: Copy>(things: &[T], rng: &mut impl rand::Rng) -> Option<T> {
    let last = things.len().checked_sub(1)?;
    things.get(rng.random_range(0..=last)).copied()
}

/// Public addresses that nobody has, sorted.
fn dead_addresses(seed: u64, is_taken: impl Fn(Ipv4Addr) -> bool) -> Vec<SocketAddrV4> {
    let mut rng = Generator::seed_from_u64(hash_of((seed, "dead")));
    // Nothing between 128/8 and 167/8 is a special network.
    let draw = |_| Ipv4Addr::from(rng.random_range(128 << 24..168 << 24));
    let mut dead: Vec<_> = (0..2 * DEAD)
        .map(draw)
        .filter(|ip| !is_taken(*ip))
        .take(DEAD)
        .map(|ip| SocketAddrV4::new(ip, 6881))
        .collect();
    dead.sort_unstable();
    dead
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::EnemyPlan;

    /// Each node is in a network of its own.
    fn address(node: u32) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::from((20 << 24) + (node << 8) + 7), 6881)
    }

    fn scene(enemies: EnemyPlan) -> Scene {
        let plan = Plan {
            enemies,
            ..Plan::default()
        };
        let parts = Parts::new(&plan, 500);
        let attacked = vec![Id::new([0x5a; 20]), Id::new([0xa5; 20])];
        let taken = |ip: Ipv4Addr| ip.octets()[0] == 128;
        Scene::new(&plan, &parts, attacked, address, taken)
    }

    proptest! {
        #[test]
        fn the_nearest_sybils_are_found(
            near: [u8; 20], bits in 0u32..60, seed: u64, share in 0.0..0.3, at_target in 0u32..20,
        ) {
            let scene = scene(EnemyPlan {
                sybils: share,
                targets: 2,
                sybils_at_target: at_target,
                ..EnemyPlan::default()
            });
            let mut rng = Generator::seed_from_u64(seed);
            for point in [Id::new(near), Id::new([0x5a; 20]).random_at(bits, &mut rng)] {
                let own = address(rng.random_range(0..540));
                let mut all = scene.sybils.clone();
                all.retain(|sybil| sybil.address != own);
                all.sort_by_key(|sybil| sybil.id.distance(&point));
                all.truncate(MAX_NODES);
                prop_assert_eq!(scene.sybils_near(&point, own).to_vec(), all);
            }
        }
    }

    #[test]
    fn nobody_has_an_address_that_is_invented() {
        let scene = scene(EnemyPlan {
            dead_namers: 0.1,
            ..EnemyPlan::default()
        });
        let mut rng = Generator::seed_from_u64(1);
        for _ in 0..10_000 {
            let dead = scene.any_dead(&mut rng).unwrap();
            assert!((129..168).contains(&dead.ip().octets()[0]), "{dead}");
            assert!(scene.is_invented(&dead.into()));
        }
        assert!(!scene.is_invented(&address(5).into()));
    }
}
