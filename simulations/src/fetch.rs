//! A torrent that many want at once: they come, announce themselves to the simulated DHT, and fetch it from whom they find there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dht::{Event, Id};
use rand::RngExt;

use crate::findings::SwarmFindings;
use crate::invariant::Breach;
use crate::network::Network;
use crate::population::Population;
use crate::swarm::{Policy, Role, Swarm, SwarmBreach, virtual_torrent};
use crate::world::{Goal, Note, World};
use crate::{Digest, Micros, Plan, SwarmPlan};

/// A leecher asks the DHT again so soon after it came, when others have announced themselves too.
const SECOND_LOOK: Micros = 30_000_000;
/// And then so often. BEP 5 leaves it open; announces are made every 15 minutes.
const INTERVAL: Micros = 5 * 60_000_000;

/// A torrent, and those who have it or want it. They are the last of the ordinary residents.
pub(crate) struct Fetch {
    swarm: Swarm<Arc<Network>>,
    network: Arc<Network>,
    info_hash: Id,
    /// The residents of it: seeds first.
    members: std::ops::Range<u32>,
    plan: SwarmPlan,
    /// When each asks the DHT next; who has not come yet comes then.
    due: BTreeSet<(Micros, u32)>,
    lookups: BTreeMap<u64, u32>,
    come: BTreeSet<u32>,
}

impl Fetch {
    /// How many residents a plan's torrent has.
    pub(crate) fn members(plan: &Plan) -> u32 {
        match &plan.swarm {
            SwarmPlan { leechers: 0, .. } => 0,
            SwarmPlan {
                leechers, seeds, ..
            } => leechers + seeds,
        }
    }

    /// The torrent of a plan, whose first resident is `first`; `None` if nobody wants one.
    pub(crate) fn new(
        plan: &Plan,
        network: &Arc<Network>,
        first: u32,
        is_checked: bool,
    ) -> Option<Self> {
        let members = Self::members(plan);
        if members == 0 {
            return None;
        }
        let info = virtual_torrent(plan.swarm.length, plan.swarm.piece_length as u32);
        let info_hash = Id::new(*info.hash().as_bytes());
        let swarm =
            Swarm::new(Arc::clone(network), plan.seed, info).living_by(Policy::of(&plan.swarm));
        let swarm = if is_checked { swarm } else { swarm.unchecked() };
        let begins = plan.settle.as_micros() as Micros;
        let mut draw = network.generator("fetch");
        let due = (0..members).map(|member| {
            let at = if member < plan.swarm.seeds {
                begins / 2
            } else {
                let within = plan.swarm.within.as_micros() as Micros;
                begins + plan.swarm.at.as_micros() as Micros + draw.random_range(0..=within)
            };
            (at, first + member)
        });
        Some(Self {
            due: due.collect(),
            swarm,
            network: Arc::clone(network),
            info_hash,
            members: first..first + members,
            plan: plan.swarm.clone(),
            lookups: BTreeMap::new(),
            come: BTreeSet::new(),
        })
    }

    /// Lets those come and ask who do before `end`.
    pub(crate) fn begin(
        &mut self,
        world: &mut World,
        population: &mut Population,
        end: Micros,
    ) -> Result<(), Breach> {
        while let Some(&(at, node)) = self.due.first().filter(|(at, _)| *at < end) {
            self.due.pop_first();
            let address = world.address(node);
            if self.come.insert(node) {
                self.live_to(Duration::from_micros(at))?;
                population.welcome(world, at, node);
                self.swarm.join(address, self.role(world, node));
            }
            let goal = Goal::Announce(self.info_hash);
            self.lookups.insert(world.begin_at(at, node, goal).0, node);
            if !self.swarm.is_finished(address) {
                let is_first = self
                    .swarm
                    .progress(address)
                    .is_none_or(|progress| progress.pieces_done == 0);
                let pause = if is_first { SECOND_LOOK } else { INTERVAL };
                self.due.insert((at + pause, node));
            }
        }
        Ok(())
    }

    fn role(&self, world: &World, node: u32) -> Role {
        let role = if node < self.members.start + self.plan.seeds {
            Role::seed(self.plan.seed_up)
        } else {
            Role::drawn(&self.plan, &mut world.network().generator((node, "role")))
        };
        Role {
            accepts: !world.network().is_behind_nat(node),
            ..role
        }
    }

    /// Takes in what nodes reported.
    pub(crate) fn take(&mut self, world: &World, note: &Note) -> Result<(), Breach> {
        match &note.event {
            Event::Peers { lookup, peers, .. } => {
                if let Some(&node) = self.lookups.get(&lookup.0) {
                    // Behind a NAT everybody is seen at many ports, and listens at one.
                    let known = peers.iter().filter_map(|&peer| world.number(peer));
                    let others: Vec<_> = known
                        .filter(|other| *other != node)
                        .map(|other| world.address(other))
                        .collect();
                    self.live_to(note.at)?;
                    self.swarm.introduce(world.address(node), &others);
                }
            }
            Event::LookupEnded { lookup, .. } => {
                self.lookups.remove(&lookup.0);
            }
            _ => {}
        }
        Ok(())
    }

    /// Lets the swarm live up to a time. What is earlier has happened already.
    pub(crate) fn live_to(&mut self, time: Duration) -> Result<(), Breach> {
        let lived = self.swarm.run_to(time);
        lived.map_err(|breach| self.at_node(breach))
    }

    /// A breach of the swarm, at the resident that it happened to.
    fn at_node(&self, breach: SwarmBreach) -> Breach {
        let mut members = self.members.clone();
        Breach {
            invariant: breach.invariant,
            at: breach.at,
            node: members.find(|&node| SocketAddr::from(self.network.address(node)) == breach.peer),
            what: breach.what,
        }
    }

    pub(crate) fn findings(&self) -> SwarmFindings {
        self.swarm.findings()
    }

    pub(crate) fn digest(&self) -> Digest {
        self.swarm.digest()
    }
}
