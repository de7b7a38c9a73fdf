//! What nodes and torrents do together on a network that is not always kind.

mod exchange;
mod faults;
mod lookups;
mod repetition;

use std::net::SocketAddr;
use std::time::Duration;

use dht::Id;
use simulations::{Conditions, Goal, World, address};

const MINUTE: Duration = Duration::from_secs(60);

fn lossy() -> Conditions {
    Conditions {
        loss: 0.05,
        ..Conditions::default()
    }
}

/// Everything that a network can do to a packet.
fn rough() -> Conditions {
    Conditions {
        jitter: Duration::from_millis(20),
        duplication: 0.2,
        reordering: 0.2,
        ..lossy()
    }
}

fn hash(number: u32) -> Id {
    let mut bytes = [0x5a; 20];
    for (byte, mixed) in bytes
        .iter_mut()
        .zip(number.wrapping_mul(0x9e37_79b1).to_be_bytes())
    {
        *byte = mixed;
    }
    Id::new(bytes)
}

/// Whether `seeker` finds `holder` after it has announced itself.
fn is_found(world: &mut World, holder: SocketAddr, seeker: SocketAddr, info_hash: Id) -> bool {
    world.look_up(holder, Goal::Announce(info_hash));
    let found = world.look_up(seeker, Goal::GetPeers(info_hash));
    found.is_some_and(|found| found.peers.contains(&holder))
}

fn addresses(numbers: impl IntoIterator<Item = u32>) -> Vec<SocketAddr> {
    numbers.into_iter().map(address).collect()
}
