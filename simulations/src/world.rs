//! Many DHT nodes in one process.
//!
//! Time goes in slots as long as the shortest way between two nodes. What a node sends within a slot arrives in a later one, so
//! nobody influences anybody within a slot, and shards of the nodes live through it side by side. What happens to a node is put in
//! an order that follows from what it is. So it does not matter how many threads there are.

mod barrier;
mod desk;
mod happening;
mod resident;
mod scene;
mod shard;
mod slab;
mod warm_start;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dht::{Config, Event, Id, LookupId, LookupReport, Message, Node, NodeInfo};

use crate::attacker::Attacker;
use crate::findings::{MessageCount, Traffic};
use crate::invariant::{Auditor, Breach};
use crate::network::{Nat, Network};
use crate::watch::{Onlooker, Sight, Watch};
use crate::{Digest, Micros, Plan};
use barrier::Barrier;
use desk::{Desk, Envelope, KINDS};
use happening::Command;
use resident::{Enemy, Extras, Resident};
use shard::Shard;

pub(crate) use happening::Origin;
pub(crate) use scene::Scene;
pub(crate) use warm_start::Census;

/// How long [`World::look_up`] waits.
const PATIENCE: Micros = 5 * 60_000_000;

/// What the clocks of nodes show when a run begins: those that have lived long have heard of others before it.
const PAST: Duration = Duration::from_secs(60 * 60);

/// What the clocks of nodes show.
const fn clock(now: Micros) -> Duration {
    PAST.saturating_add(Duration::from_micros(now))
}

/// Whether messages become datagrams on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// They stay what they are. The digest is the same, and it costs less.
    #[default]
    Structured,
    /// Each is encoded and decoded again.
    Bytes,
}

/// What a lookup is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The nodes nearest to a point.
    FindNode(Id),
    /// The peers of a torrent.
    GetPeers(Id),
    /// To be one of them, at the port that the node has.
    Announce(Id),
}

/// What became of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How it went.
    pub report: LookupReport,
    /// The peers.
    pub peers: BTreeSet<SocketAddr>,
}

/// Something that a node reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Duration,
    /// Which node.
    pub node: u32,
    /// What.
    pub event: Event,
}

/// How a world is run: nothing of it changes what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    /// Threads at most; 0 counts as 1.
    pub threads: usize,
    /// Whether messages become datagrams.
    pub codec: Codec,
}

impl Default for Means {
    fn default() -> Self {
        Self {
            threads: 1,
            codec: Codec::default(),
        }
    }
}

/// A network of DHT nodes. A node is known by its number; the first ones are the bootstrap nodes.
pub struct World {
    scene: Scene,
    shards: Vec<Shard>,
    /// For each pair of shards, what the first hands to the second after a slot.
    post: Vec<Mutex<Vec<Envelope>>>,
    now: Micros,
    commands: u64,
    lookups: u64,
    notes: Vec<Note>,
    watched: Option<u32>,
}

impl World {
    /// `residents` nodes of a plan, all of them offline.
    pub fn new(plan: &Plan, residents: u32, means: Means) -> Self {
        Self::on(Network::new(plan, residents, None), plan, residents, means)
    }

    /// The same on a network that exists.
    pub(crate) fn on(network: Network, plan: &Plan, residents: u32, means: Means) -> Self {
        let count = means.threads.max(1);
        let scene = Scene::new(network, plan, means.codec, count);
        let slot = scene.network.slot();
        let shard = |number: usize| {
            let mine = (number as u32..residents).step_by(count);
            let resident = |number: u32| {
                let mut resident = Resident::new(scene.network.generator((number, "node")));
                if scene.network.is_behind_nat(number) {
                    resident.extras_mut().nat = Some(Nat::default());
                    resident.is_read_only = scene.is_aware_of_its_nat(number);
                }
                resident
            };
            Shard::new(number, mine.map(resident).collect(), Desk::new(slot, count))
        };
        Self {
            shards: (0..count).map(shard).collect(),
            post: (0..count * count).map(|_| Mutex::default()).collect(),
            scene,
            now: 0,
            commands: 0,
            lookups: 0,
            notes: Vec::new(),
            watched: None,
        }
    }

    /// All nodes of the plan, which came one after the other, 50 ms apart, and have had half a minute to settle.
    pub fn grown(plan: &Plan) -> Self {
        let mut world = Self::new(plan, plan.nodes, Means::default());
        for node in 0..plan.nodes {
            world.join(node);
            world.run_for(Duration::from_millis(50));
        }
        world.run_for(Duration::from_secs(30));
        world
    }

    /// A node comes that knows the bootstrap nodes. One that is online already stays what it is.
    pub fn join(&mut self, node: u32) {
        self.schedule(self.now, node, Command::Join(Origin::New(Vec::new())));
    }

    /// A node comes that knows these others.
    pub fn join_through(&mut self, node: u32, hosts: &[u32]) {
        let hosts = hosts.iter().map(|&host| self.address(host)).collect();
        self.schedule(self.now, node, Command::Join(Origin::New(hosts)));
    }

    /// A node goes and tells nobody.
    pub fn leave(&mut self, node: u32) {
        let keeps_table = false;
        self.schedule(self.now, node, Command::Leave { keeps_table });
    }

    /// A node stands still: it hears nothing and says nothing.
    pub fn freeze(&mut self, node: u32) {
        self.schedule(self.now, node, Command::Freeze);
    }

    /// It goes on where it stood.
    pub fn thaw(&mut self, node: u32) {
        self.schedule(self.now, node, Command::Thaw);
    }

    /// A message reaches a node that none of this world sent.
    pub fn forge(&mut self, node: u32, from: SocketAddr, message: Message) {
        let delivery = Box::new((from, message));
        self.schedule(self.now, node, Command::Receive(delivery));
    }

    /// A node comes, and knows what it knew when it went if it was told to keep that.
    pub(crate) fn come(&mut self, at: Micros, node: u32) {
        self.schedule(at, node, Command::Join(Origin::Returned));
    }

    /// A node goes and tells nobody.
    pub(crate) fn go(&mut self, at: Micros, node: u32, keeps_table: bool) {
        self.schedule(at, node, Command::Leave { keeps_table });
    }

    /// Starts a lookup and runs the world until it has ended, or for five minutes: then there is no result.
    pub fn look_up(&mut self, node: u32, goal: Goal) -> Option<Found> {
        let end = self.now + PATIENCE;
        let wanted = self.begin(node, goal);
        let mut seen = self.gather_notes();
        let mut peers = BTreeSet::new();
        while self.now < end {
            self.run_to(self.now + 1);
            self.gather_notes();
            for note in &self.notes[seen..] {
                match &note.event {
                    Event::Peers {
                        lookup,
                        peers: more,
                        ..
                    } if *lookup == wanted => peers.extend(more),
                    Event::LookupEnded { lookup, report } if *lookup == wanted => {
                        let report = (**report).clone();
                        return Some(Found { report, peers });
                    }
                    _ => {}
                }
            }
            seen = self.notes.len();
        }
        None
    }

    /// Starts a lookup.
    pub fn begin(&mut self, node: u32, goal: Goal) -> LookupId {
        self.begin_at(self.now, node, goal)
    }

    pub(crate) fn begin_at(&mut self, at: Micros, node: u32, goal: Goal) -> LookupId {
        self.lookups += 1;
        let lookup = LookupId(self.lookups);
        self.schedule(at, node, Command::Begin { lookup, goal });
        lookup
    }

    /// Lets something happen to a node, now or later.
    pub(crate) fn schedule(&mut self, at: Micros, node: u32, command: Command) {
        let (shard, resident) = self.scene.place(node);
        let at = at.max(self.now);
        self.commands += 1;
        let desk = &mut self.shards[shard].desk;
        desk.schedule_command(at, resident, self.commands, command);
    }

    /// Runs for a time, counted in whole slots.
    pub fn run_for(&mut self, time: Duration) {
        self.run_to(self.now + time.as_micros() as Micros);
    }

    /// Runs to the first slot that begins at this time or later. Stops early when something happened that never should: see [`breach`](Self::breach).
    pub(crate) fn run_to(&mut self, end: Micros) {
        let slot = self.scene.network.slot();
        let slots = end.saturating_sub(self.now).div_ceil(slot);
        if let [shard] = self.shards.as_mut_slice() {
            (0..slots).for_each(|_| shard.live(&self.scene));
        } else {
            let barrier = Barrier::new(self.shards.len());
            let (scene, post) = (&self.scene, self.post.as_slice());
            std::thread::scope(|threads| {
                for shard in &mut self.shards {
                    threads.spawn(|| shard.live_beside(scene, slots, post, &barrier));
                }
            });
        }
        self.now += slots * slot;
    }

    /// The first thing that should never have happened.
    pub(crate) fn breach(&self) -> Option<&Breach> {
        let breaches = self.shards.iter().filter_map(|shard| shard.breach.as_ref());
        breaches.min_by_key(|breach| (breach.at, breach.node))
    }

    /// Gives all nodes for which there is an id the table that a long life would have given them.
    pub(crate) fn establish(&mut self, is_online: impl Fn(u32) -> bool + Sync) {
        let (scene, now) = (&self.scene, self.now);
        let reachable = (0..self.residents()).filter(|&node| {
            is_online(node)
                && !scene.network.is_behind_nat(node)
                && !self.resident(node).is_read_only
        });
        let info = |node| NodeInfo {
            id: self
                .resident(node)
                .chosen_id()
                .unwrap_or_else(|| scene.native_id(node)),
            address: self.address(node),
        };
        let census = &Census::new(reachable.map(info).collect());
        let is_online = &is_online;
        std::thread::scope(|threads| {
            for shard in &mut self.shards {
                threads.spawn(|| shard.establish_all(scene, now, census, is_online));
            }
        });
        self.deliver_post();
    }

    /// Hands over what shards sent to one another outside a slot.
    fn deliver_post(&mut self) {
        for from in 0..self.shards.len() {
            for to in 0..self.shards.len() {
                let envelopes = std::mem::take(&mut self.shards[from].desk.outgoing[to]);
                for envelope in envelopes {
                    self.shards[to].desk.receive(envelope);
                }
            }
        }
    }

    /// Makes an enemy of a node before it comes.
    pub(crate) fn corrupt(&mut self, node: u32, attacker: Box<Attacker>) {
        let rng = self.scene.network.generator((node, "enemy"));
        self.extras_mut(node).enemy = Some(Enemy { attacker, rng });
    }

    /// Watches over a node from now on.
    pub(crate) fn audit(&mut self, node: u32, auditor: Auditor) {
        self.extras_mut(node).auditor = Some(Box::new(auditor));
    }

    /// Keeps what a node sees and does.
    pub(crate) fn watch(&mut self, watch: Watch) {
        self.watched = Some(watch.node).filter(|&node| node < self.residents());
        if let Some(node) = self.watched {
            self.extras_mut(node).onlooker = Some(Box::new(Onlooker::new(watch)));
        }
    }

    /// What the watched node saw and did since this was called last.
    pub(crate) fn take_sights(&mut self) -> Vec<Sight> {
        let onlooker = self
            .watched
            .and_then(|node| self.extras_mut(node).onlooker.as_deref_mut());
        onlooker.map(Onlooker::take).unwrap_or_default()
    }

    /// All nodes read no more than [`dht::Limits`] allows.
    pub(crate) fn limit(&mut self, node: u32) {
        let mut rng = self.scene.network.generator((node, "limiter"));
        let limiter = dht::Limiter::new(&dht::Limits::default(), &mut rng);
        self.extras_mut(node).limiter = Some(Box::new(limiter));
    }

    fn extras_mut(&mut self, node: u32) -> &mut Extras {
        let (shard, resident) = self.scene.place(node);
        self.shards[shard].residents[resident as usize].extras_mut()
    }

    fn resident(&self, node: u32) -> &Resident {
        let (shard, resident) = self.scene.place(node);
        &self.shards[shard].residents[resident as usize]
    }

    /// The time.
    pub fn now(&self) -> Duration {
        Duration::from_micros(self.now)
    }

    /// How many nodes there are, online or not.
    pub fn residents(&self) -> u32 {
        self.shards
            .iter()
            .map(|shard| shard.residents.len() as u32)
            .sum()
    }

    /// Where a node is, as others see it.
    pub fn address(&self, node: u32) -> SocketAddr {
        SocketAddr::V4(self.scene.network.address(node))
    }

    /// A node that is online, to look at.
    pub fn node(&self, node: u32) -> Option<&Node> {
        self.resident(node).node.as_deref()
    }

    /// The numbers that a node lives by.
    pub(crate) fn config(&self, node: u32) -> &Config {
        self.scene.config(self.resident(node).is_read_only)
    }

    pub(crate) fn network(&self) -> &Arc<Network> {
        &self.scene.network
    }

    /// What a node was after: an enemy, or nobody special.
    pub(crate) fn attacker(&self, node: u32) -> Option<&Attacker> {
        let enemy = self.resident(node).extras.as_ref()?.enemy.as_ref()?;
        Some(&enemy.attacker)
    }

    /// Messages that a node sent and received so far.
    pub(crate) fn load(&self, node: u32) -> (u32, u32) {
        let line = &self.resident(node).line;
        (line.sent, line.received)
    }

    /// What nodes have reported since this was called last, in order.
    pub fn take_notes(&mut self) -> Vec<Note> {
        self.gather_notes();
        std::mem::take(&mut self.notes)
    }

    /// Puts the notes of all shards in order, behind those that were gathered before. Returns how many there are.
    fn gather_notes(&mut self) -> usize {
        let before = self.notes.len();
        for shard in &mut self.shards {
            self.notes.append(&mut shard.desk.notes);
        }
        // One node's notes stand in order already, and a node is in one shard only.
        self.notes[before..].sort_by_key(|note| (note.at, note.node));
        self.notes.len()
    }

    /// The oracle: the nodes that answer anybody who asks.
    pub(crate) fn census(&self) -> Census {
        let reachable = (0..self.residents()).filter(|&node| {
            let resident = self.resident(node);
            resident.is_awake() && !resident.is_read_only && !self.scene.network.is_behind_nat(node)
        });
        let info = |number| {
            let id = self.node(number)?.id();
            Some(NodeInfo {
                id,
                address: self.address(number),
            })
        };
        Census::new(reachable.filter_map(info).collect())
    }

    /// The number of the node at an address.
    pub(crate) fn number(&self, address: SocketAddr) -> Option<u32> {
        self.scene.network.number(address)
    }

    /// Where the packets are.
    pub fn traffic(&self) -> Traffic {
        let mut sum = Traffic::default();
        for shard in &self.shards {
            sum += shard.desk.tally.traffic;
            sum.in_flight += shard.desk.parcels.len() as u64;
        }
        sum
    }

    /// Messages by type, as sent.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (&'static str, MessageCount)> {
        KINDS.iter().enumerate().map(|(kind, &name)| {
            let counts = self
                .shards
                .iter()
                .map(|shard| shard.desk.tally.messages[kind]);
            let (messages, bytes) =
                counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
            (name, MessageCount { messages, bytes })
        })
    }

    /// Things that happened so far.
    pub(crate) fn events(&self) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.desk.tally.events)
            .sum()
    }

    /// All deliveries so far, in one number.
    pub fn digest(&self) -> Digest {
        let mut sum = Digest::default();
        self.shards
            .iter()
            .for_each(|shard| sum.join(shard.desk.tally.digest));
        sum
    }
}
