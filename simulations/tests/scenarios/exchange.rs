//! Peers find each other in the DHT and exchange a torrent.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use dht::Id;
use simulations::{Goal, Manner, Network, Plan, Role, Swarm, World, virtual_torrent};

use crate::{MINUTE, plan, rough};

const SEED: Role = Role::seed(1_000_000);
const LEECHER: Role = Role::leecher(1_000_000, 10_000_000);

/// Clients that are a DHT node and a peer each, at one address.
struct Planet {
    world: World,
    swarm: Swarm<Network>,
    info_hash: Id,
    banned: BTreeSet<SocketAddr>,
}

impl Planet {
    fn new(plan: &Plan) -> Self {
        let info = virtual_torrent(8 << 20, 1 << 18);
        let world = World::grown(plan);
        let network = Network::new(plan, plan.nodes, None);
        let mut swarm = Swarm::new(network, 1, info.clone());
        swarm.run_to(world.now()).expect("nobody is there");
        Self {
            world,
            swarm,
            info_hash: Id::new(*info.hash().as_bytes()),
            banned: BTreeSet::new(),
        }
    }

    /// A client begins to fetch or to seed: it announces itself, and finds others while it does.
    fn join(&mut self, number: u32, role: Role) -> SocketAddr {
        let address = self.world.address(number);
        self.swarm.join(address, role);
        self.world.begin(number, Goal::Announce(self.info_hash));
        address
    }

    fn vanish(&mut self, number: u32) {
        self.world.leave(number);
        self.swarm.vanish(self.world.address(number));
    }

    fn number(&self, address: SocketAddr) -> u32 {
        let mut numbers = 0..self.world.residents();
        let number = numbers.find(|&number| self.world.address(number) == address);
        number.expect("peers are clients")
    }

    /// Runs until it is so, and returns how long that took. What the DHT finds is dialled; who needs peers asks the DHT.
    fn run_until(&mut self, is_so: impl Fn(&Self) -> bool) -> Duration {
        let start = self.world.now();
        while !is_so(self) {
            assert!(
                self.world.now() < start + 10 * MINUTE,
                "it is not so after ten minutes"
            );
            self.world.run_for(Duration::from_millis(5));
            self.swarm
                .run_to(self.world.now())
                .expect("what always holds does");
            for note in self.world.take_notes() {
                if let dht::Event::Peers { peers, .. } = note.event {
                    self.swarm.introduce(self.world.address(note.node), &peers);
                }
            }
            for happened in self.swarm.take_occurrences() {
                match happened.event {
                    wire::Event::NeedPeers => {
                        let goal = Goal::GetPeers(self.info_hash);
                        self.world.begin(self.number(happened.address), goal);
                    }
                    wire::Event::PeerBanned { address, .. } => {
                        self.banned.insert(address);
                    }
                    _ => {}
                }
            }
        }
        self.world.now().saturating_sub(start)
    }

    fn have_all(&self, peers: &[SocketAddr]) -> bool {
        peers.iter().all(|&peer| self.swarm.is_finished(peer))
    }
}

#[test]
fn peers_that_know_only_the_info_hash_fetch_all_of_it() {
    let mut planet = Planet::new(&plan(31, 2));
    planet.join(0, SEED);
    let announced = planet.world.now() + Duration::from_secs(1);
    planet.run_until(|planet| planet.world.now() >= announced);
    let leecher = planet.join(1, LEECHER);
    let time = planet.run_until(|planet| planet.have_all(&[leecher]));
    assert!(
        time < Duration::from_secs(10),
        "8 MiB at 1 MB/s took {time:?}"
    );
}

#[test]
fn a_crowd_with_a_liar_a_freeloader_and_a_seed_that_disappears() {
    let mut plan = plan(32, 40);
    plan.network = rough();
    let mut planet = Planet::new(&plan);
    planet.join(1, SEED);
    let second = planet.join(
        2,
        Role {
            up: 300_000,
            ..SEED
        },
    );
    let liar = planet.join(
        3,
        Role {
            manner: Manner::Liar,
            ..SEED
        },
    );
    let freeloader = planet.join(
        4,
        Role {
            manner: Manner::Freeloader,
            ..LEECHER
        },
    );
    let crowd: Vec<_> = (5..15).map(|number| planet.join(number, LEECHER)).collect();
    let bytes = |planet: &Planet, peer| {
        planet
            .swarm
            .progress(peer)
            .map_or(0, |progress| progress.bytes_done)
    };
    planet.run_until(|planet| crowd.iter().any(|&peer| bytes(planet, peer) > 2 << 20));
    planet.vanish(1);
    planet.run_until(|planet| planet.have_all(&crowd));
    // Liars that sent parts of what others sent are suspected with them, and one is found out in the end.
    assert_eq!(
        planet.banned.iter().map(SocketAddr::ip).collect::<Vec<_>>(),
        [liar.ip()]
    );
    let uploaded = |peer| {
        planet
            .swarm
            .progress(peer)
            .map_or(0, |progress| progress.uploaded)
    };
    assert_eq!(uploaded(freeloader), 0);
    assert!(uploaded(second) > 0);
    // When nobody needs anything any more, even the freeloader is served.
    planet.run_until(|planet| planet.have_all(&[freeloader]));
}
