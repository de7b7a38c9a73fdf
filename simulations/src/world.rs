//! Many DHT nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    AnnouncedPort, Config, Event, Id, Input, LookupId, LookupReport, Message, Node, Outbox, decode,
    encode,
};

use crate::network::{Generator, address};
use crate::scheduler::{Alarm, Scheduler};
use crate::{Digest, Network, Occurrence};

/// How long [`World::look_up`] waits.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Whether messages become datagrams on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// They stay what they are. The digest is the same, and it costs less.
    #[default]
    Structured,
    /// Each is encoded and decoded again.
    Bytes,
}

/// What is wrong with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has stopped, and stands as it was if it ever recovers.
    Dead,
    /// It runs and hears, and nothing that it says gets out.
    Silent,
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

/// A message that reached a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who sent it.
    pub from: SocketAddr,
    /// Whom it reached.
    pub to: SocketAddr,
    /// What it says.
    pub message: Message,
}

/// Where the packets of a world are: `sent + duplicated = delivered + lost + unreachable + in_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages that nodes wanted sent.
    pub sent: u64,
    /// Copies that the network made.
    pub duplicated: u64,
    /// Packets that reached a node.
    pub delivered: u64,
    /// Packets that the network lost.
    pub lost: u64,
    /// Packets to or from faulty nodes, to nobody, or across a cut.
    pub unreachable: u64,
    /// Packets on their way.
    pub in_flight: u64,
}

/// A network of DHT nodes. A node is known by its address.
pub struct World {
    network: Network,
    config: Config,
    codec: Codec,
    scheduler: Scheduler<Happening>,
    residents: Vec<Resident>,
    indices: BTreeMap<SocketAddr, usize>,
    occurrences: Vec<Occurrence<Event>>,
    lookups: u64,
    traffic: Traffic,
    digest: Digest,
}

struct Resident {
    address: SocketAddr,
    node: Node,
    rng: Generator,
    alarm: Alarm,
    fault: Option<Fault>,
    /// Messages so far.
    sent: u64,
}

enum Happening {
    Arrival(Box<Delivery>),
    Alarm(usize),
}

impl World {
    /// Nobody yet. All nodes will live by [`Config::default`].
    pub fn new(network: Network) -> Self {
        Self {
            network,
            config: Config::default(),
            codec: Codec::default(),
            scheduler: Scheduler::default(),
            residents: Vec::new(),
            indices: BTreeMap::new(),
            occurrences: Vec::new(),
            lookups: 0,
            traffic: Traffic::default(),
            digest: Digest::default(),
        }
    }

    /// `count` nodes at [`address`]es from 0 on that came one after the other, 50 ms apart, each through the first, and have had half a minute to settle.
    pub fn grown(network: Network, count: u32) -> Self {
        let mut world = Self::new(network);
        world.grow(count);
        world
    }

    /// What [`grown`](Self::grown) does, for a world that is not as others are.
    pub fn grow(&mut self, count: u32) {
        for number in 0..count {
            self.join(address(number), &[address(0)]);
            self.run_for(Duration::from_millis(50));
        }
        self.run_for(Duration::from_secs(30));
    }

    /// Changes whether messages become datagrams.
    #[must_use]
    pub fn with_codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// The network, to change it while the world lives.
    pub fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    /// A node comes that knows the given bootstrap addresses. A node at the same address is replaced.
    pub fn join(&mut self, address: SocketAddr, bootstrap: &[SocketAddr]) {
        let index = self.residents.len();
        let mut rng = self.network.generator((address, index));
        self.fail(address, Fault::Dead);
        self.indices.insert(address, index);
        self.residents.push(Resident {
            address,
            node: Node::new(None, &mut rng),
            rng,
            alarm: Alarm::default(),
            fault: None,
            sent: 0,
        });
        let others: Vec<_> = bootstrap
            .iter()
            .copied()
            .filter(|other| *other != address)
            .collect();
        self.act(index, Input::Bootstrap(&others));
    }

    /// Something goes wrong with a node.
    pub fn fail(&mut self, address: SocketAddr, fault: Fault) {
        if let Some(&index) = self.indices.get(&address) {
            self.residents[index].fault = Some(fault);
        }
    }

    /// All is well with a node again.
    pub fn recover(&mut self, address: SocketAddr) {
        if let Some(&index) = self.indices.get(&address) {
            self.residents[index].fault = None;
            self.act(index, Input::Timeout);
        }
    }

    /// The node at an address, to look at.
    pub fn node(&self, address: SocketAddr) -> Option<&Node> {
        let &index = self.indices.get(&address)?;
        Some(&self.residents[index].node)
    }

    /// Tells a node something. Nobody at that address: nobody is told.
    pub fn input(&mut self, address: SocketAddr, input: Input<'_>) {
        if let Some(&index) = self.indices.get(&address) {
            self.act(index, input);
        }
    }

    /// Starts a lookup.
    pub fn begin(&mut self, address: SocketAddr, goal: Goal) -> LookupId {
        self.lookups += 1;
        let lookup = LookupId(self.lookups);
        let input = match goal {
            Goal::FindNode(target) => Input::FindNode { lookup, target },
            Goal::GetPeers(info_hash) => Input::GetPeers { lookup, info_hash },
            Goal::Announce(info_hash) => Input::Announce {
                lookup,
                info_hash,
                port: AnnouncedPort::Implied(address.port()),
            },
        };
        self.input(address, input);
        lookup
    }

    /// Starts a lookup and runs the world until it has ended, or for five minutes: then there is no result.
    pub fn look_up(&mut self, address: SocketAddr, goal: Goal) -> Option<Found> {
        let end = self.now() + PATIENCE;
        let mut seen = self.occurrences.len();
        let wanted = self.begin(address, goal);
        let mut found = BTreeSet::new();
        loop {
            for occurrence in self.occurrences.iter().skip(seen) {
                match &occurrence.event {
                    Event::Peers { lookup, peers, .. } if *lookup == wanted => found.extend(peers),
                    Event::LookupEnded { lookup, report } if *lookup == wanted => {
                        return Some(Found {
                            report: (**report).clone(),
                            peers: found,
                        });
                    }
                    _ => {}
                }
            }
            seen = self.occurrences.len();
            if self.next_at().is_none_or(|at| at > end) {
                return None;
            }
            self.step(end);
        }
    }

    /// Runs for a time.
    pub fn run_for(&mut self, time: Duration) {
        self.run_to(self.now() + time);
    }

    /// Runs until it is so late.
    pub fn run_to(&mut self, end: Duration) {
        while self.now() < end || self.next_at() == Some(end) {
            self.step(end);
        }
    }

    /// Lets happen what happens next, if it does by `end`; otherwise it becomes so late. Returns the message that was delivered, if that is what happened.
    pub fn step(&mut self, end: Duration) -> Option<Delivery> {
        match self.scheduler.advance(end)? {
            Happening::Arrival(packet) => self.deliver(*packet),
            Happening::Alarm(index) => {
                match self.residents[index].alarm.ring(self.scheduler.now()) {
                    Ok(()) => self.act(index, Input::Timeout),
                    Err(again) => self.schedule_alarm(index, again),
                }
                None
            }
        }
    }

    /// The time.
    pub fn now(&self) -> Duration {
        self.scheduler.now()
    }

    /// When something happens next.
    pub fn next_at(&self) -> Option<Duration> {
        self.scheduler.next_at()
    }

    /// What nodes have reported since this was called last, in order.
    pub fn take_occurrences(&mut self) -> Vec<Occurrence<Event>> {
        std::mem::take(&mut self.occurrences)
    }

    /// The oracle: the `count` nodes without fault that are nearest to a point, nearest first. It leaves out `asker`, who does not find itself.
    pub fn nearest(&self, target: &Id, asker: SocketAddr, count: usize) -> Vec<SocketAddr> {
        let mut others: Vec<_> = self
            .indices
            .values()
            .map(|&index| &self.residents[index])
            .filter(|resident| resident.fault.is_none() && resident.address != asker)
            .collect();
        others.sort_by_key(|resident| resident.node.id().distance(target));
        others
            .iter()
            .take(count)
            .map(|resident| resident.address)
            .collect()
    }

    /// Where the packets are.
    pub fn traffic(&self) -> Traffic {
        let agenda = self.scheduler.agenda();
        let in_flight = agenda.filter(|happening| matches!(happening, Happening::Arrival(_)));
        Traffic {
            in_flight: in_flight.count() as u64,
            ..self.traffic
        }
    }

    /// All deliveries so far, in one number.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    fn act(&mut self, index: usize, input: Input<'_>) {
        let now = self.now();
        let resident = &mut self.residents[index];
        if resident.fault == Some(Fault::Dead) {
            return;
        }
        let mut wishes = Wishes::default();
        let deadline =
            resident
                .node
                .handle(&self.config, now, &mut resident.rng, input, &mut wishes);
        assert!(
            deadline.is_none_or(|deadline| deadline > now),
            "{} names a deadline that is not in the future",
            resident.address
        );
        let address = resident.address;
        let alarm = resident.alarm.set(deadline);
        self.schedule_alarm(index, alarm);
        let occurrences = wishes.events.into_iter().map(|event| Occurrence {
            at: now,
            address,
            event,
        });
        self.occurrences.extend(occurrences);
        for (to, message) in wishes.messages {
            self.transmit(index, to, message);
        }
    }

    fn transmit(&mut self, index: usize, to: SocketAddr, message: Message) {
        let resident = &mut self.residents[index];
        let from = resident.address;
        resident.sent += 1;
        self.traffic.sent += 1;
        if resident.fault == Some(Fault::Silent) || !self.network.connects(from, to) {
            self.traffic.unreachable += 1;
            return;
        }
        let now = self.scheduler.now();
        let mut delays = self.network.carry(from, to, resident.sent);
        let Some(delay) = delays.next() else {
            self.traffic.lost += 1;
            return;
        };
        let packet = Box::new(Delivery { from, to, message });
        for delay in delays {
            self.traffic.duplicated += 1;
            let copy = Happening::Arrival(packet.clone());
            self.scheduler.schedule(now + delay, copy);
        }
        self.scheduler
            .schedule(now + delay, Happening::Arrival(packet));
    }

    fn deliver(&mut self, mut packet: Delivery) -> Option<Delivery> {
        let index = self.indices.get(&packet.to).copied();
        let hears = |index: &usize| self.residents[*index].fault != Some(Fault::Dead);
        let Some(index) = index.filter(hears) else {
            self.traffic.unreachable += 1;
            return None;
        };
        if self.codec == Codec::Bytes {
            packet.message = by_datagram(&packet.message);
        }
        self.traffic.delivered += 1;
        self.digest
            .count((self.now(), packet.from, packet.to, &packet.message));
        self.act(
            index,
            Input::Receive {
                from: packet.from,
                message: &packet.message,
            },
        );
        Some(packet)
    }

    fn schedule_alarm(&mut self, index: usize, at: Option<Duration>) {
        if let Some(at) = at {
            self.scheduler.schedule(at, Happening::Alarm(index));
        }
    }
}

/// What is left of a message when it has been a datagram.
fn by_datagram(message: &Message) -> Message {
    let mut datagram = Vec::new();
    encode(message, &mut datagram);
    decode(&datagram).expect("nodes understand what nodes say")
}

/// What a node wants after an input.
#[derive(Default)]
struct Wishes {
    messages: Vec<(SocketAddr, Message)>,
    events: Vec<Event>,
}

impl Outbox for Wishes {
    fn transmit(&mut self, to: SocketAddr, message: Message) {
        self.messages.push((to, message));
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}
