//! What becomes of a torrent that many fetch at once, on paths that are made for it.

mod arrivals;
mod bandwidth;
mod crowds;
mod cuts;

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use simulations::{Paths, Role, Swarm, address, virtual_torrent};
use wire::Event;

const SEED: Role = Role::seed(1_000_000);
const LEECHER: Role = Role::leecher(1_000_000, 0);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Everybody is 20 ms from everybody, and for some time nothing gets to or from an island.
#[derive(Default)]
struct Sea {
    island: Vec<SocketAddr>,
    cut: Range<Duration>,
}

impl Paths for Sea {
    fn latency(&self, _: SocketAddr, _: SocketAddr) -> Duration {
        Duration::from_millis(20)
    }

    fn connects(&self, now: Duration, from: SocketAddr, to: SocketAddr) -> bool {
        !self.cut.contains(&now) || self.island.contains(&from) == self.island.contains(&to)
    }
}

/// A torrent of so many pieces of 256 KiB, with a peer at [`address`]es from 0 on for each role.
fn swarm(pieces: u64, roles: &[Role]) -> Swarm<Sea> {
    let mut swarm = Swarm::new(Sea::default(), 1, virtual_torrent(pieces << 18, 1 << 18));
    for (number, &role) in (0..).zip(roles) {
        swarm.join(address(number), role);
    }
    swarm
}

/// Each of the peers below `count` learns of those that came before it.
fn acquaint(swarm: &mut Swarm<Sea>, count: u32) {
    for number in 1..count {
        let before: Vec<_> = (0..number).map(address).collect();
        swarm.introduce(address(number), &before);
    }
}

fn bytes_done(swarm: &Swarm<Sea>, number: u32) -> u64 {
    let progress = swarm.progress(address(number));
    progress.expect("it has joined").bytes_done
}

/// Runs until these have everything, and returns when the last of them had. Who needs peers is told of everybody.
fn completion(swarm: &mut Swarm<Sea>, numbers: Range<u32>, within: Duration) -> Duration {
    let end = swarm.now() + within;
    while !numbers
        .clone()
        .all(|number| swarm.is_finished(address(number)))
    {
        assert!(swarm.now() < end, "not all of {numbers:?} are done in time");
        let next = swarm.now() + Duration::from_millis(100);
        swarm.run_to(next).expect("what always holds does");
        for occurrence in swarm.take_occurrences() {
            if matches!(occurrence.event, Event::NeedPeers) {
                let all: Vec<_> = (0..numbers.end).map(address).collect();
                swarm.introduce(occurrence.address, &all);
            }
        }
    }
    swarm.now()
}
