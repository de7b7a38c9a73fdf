//! Whom an enemy names, instead of those whom it knows.

use std::net::SocketAddrV4;

use dht::{Id, MAX_NODES, NodeInfo, Nodes};
use rand::{Rng, RngExt};

use super::part::Part;
use super::scene::Scene;

/// Leading bits that an invented id shares with what was asked for: nearer than anybody can be.
const VERY_NEAR: std::ops::Range<u32> = 40..60;

/// The nodes that an enemy at `own` names to somebody who asks for `target`. `None`: those that it knows.
pub(super) fn named(
    part: Part,
    scene: &Scene,
    own: SocketAddrV4,
    target: &Id,
    rng: &mut impl Rng,
) -> Option<Nodes<SocketAddrV4>> {
    let invented = match part {
        Part::Sybil | Part::SybilAtTarget(_) => return Some(scene.sybils_near(target, own)),
        Part::Poisoner => repeat(|| {
            let fellow = if rng.random() {
                scene.any_poisoner(rng)
            } else {
                None
            };
            let address = fellow.or_else(|| scene.any_dead(rng))?;
            let id = target.random_at(rng.random_range(VERY_NEAR), rng);
            Some(NodeInfo { id, address })
        }),
        Part::DeadNamer => repeat(|| {
            let address = scene.any_dead(rng)?;
            // As near as the eight nearest are that live.
            let bits = scene.depth().saturating_sub(rng.random_range(0..4));
            let id = target.random_at(bits, rng);
            Some(NodeInfo { id, address })
        }),
        Part::InnocentNamer => repeat(|| {
            let address = scene.victim_address()?;
            let id = target.random_at(rng.random_range(VERY_NEAR), rng);
            Some(NodeInfo { id, address })
        }),
        Part::Bootstrap | Part::Honest | Part::Swallower | Part::Forger | Part::Flooder => {
            return None;
        }
    };
    let mut invented: Nodes<_> = invented;
    invented.sort_unstable_by_key(|node| node.id.distance(target));
    Some(invented)
}

/// As many as fit a response.
fn repeat(invent: impl FnMut() -> Option<NodeInfo<SocketAddrV4>>) -> Nodes<SocketAddrV4> {
    std::iter::repeat_with(invent)
        .take(MAX_NODES)
        .flatten()
        .collect()
}
