//! Nodes and enemies wired together in virtual time, each a moment away from every other.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use dht::{Config, Event, Id, Input, Limiter, Limits, Message, Node, Outbox, encode};
use rand::SeedableRng;

use super::super::{Attacker, Harm, Heard, Part, Parts, Scene, Tally, rows};
use crate::network::Generator;
use crate::{AttackRow, EnemyPlan, LifePlan, Plan};

const LATENCY: Duration = Duration::from_millis(20);

/// Some nodes and enemies.
pub(super) struct Room {
    config: Config,
    now: Duration,
    sent: u64,
    /// Packets on their way, by when they arrive.
    packets: BTreeMap<(Duration, u64), Packet>,
    pub(super) people: Vec<Person>,
    pub(super) scene: Arc<Scene>,
    /// All that arrived.
    pub(super) log: Vec<(Duration, Packet)>,
}

#[derive(Clone)]
pub(super) struct Packet {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) message: Message,
}

pub(super) struct Person {
    pub(super) address: SocketAddr,
    pub(super) part: Part,
    pub(super) node: Node,
    rng: Generator,
    pub(super) attacker: Option<Box<Attacker>>,
    limiter: Option<Limiter>,
    pub(super) is_gone: bool,
    node_wants: Option<Duration>,
    enemy_wants: Option<Duration>,
    pub(super) events: Vec<Event>,
}

#[derive(Default)]
struct Desk {
    sent: Vec<(SocketAddr, Message)>,
    events: Vec<Event>,
}

impl Outbox for Desk {
    fn transmit(&mut self, to: SocketAddr, message: Message) {
        self.sent.push((to, message));
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// Where a node is. Each is in a network of its own.
pub(super) fn address(node: u32) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from((20 << 24) + (node << 8) + 7), 6881)
}

/// The attacked info-hash.
pub(super) fn target() -> Id {
    Id::new([0x5a; 20])
}

impl Room {
    /// `population` nodes, those at targets not counted, that came one after the other through the first.
    pub(super) fn new(enemies: EnemyPlan, population: u32, config: Config) -> Self {
        let limits = enemies.limits.then(Limits::default);
        let plan = Plan {
            life: LifePlan {
                bootstrap_nodes: 1,
                ..LifePlan::default()
            },
            enemies,
            ..Plan::default()
        };
        let parts = Parts::new(&plan, population);
        let targets = vec![target(); plan.enemies.targets as usize];
        let taken = |ip: Ipv4Addr| ip.octets()[0] < 128;
        let scene = Arc::new(Scene::new(&plan, &parts, targets, address, taken));
        let mut room = Self {
            config,
            now: Duration::ZERO,
            sent: 0,
            packets: BTreeMap::new(),
            people: Vec::new(),
            scene: Arc::clone(&scene),
            log: Vec::new(),
        };
        for number in 0..parts.residents() {
            let (part, address) = (parts.of(number), address(number));
            let mut rng = Generator::seed_from_u64(number.into());
            let attacker = Attacker::new(part, Arc::clone(&scene), number, address);
            let id = attacker.as_ref().and_then(|attacker| attacker.id());
            room.people.push(Person {
                address: address.into(),
                part,
                node: Node::new(id, &mut rng),
                limiter: limits.map(|limits| Limiter::new(&limits, &mut rng)),
                enemy_wants: attacker.as_ref().map(|_| room.now),
                rng,
                attacker,
                is_gone: false,
                node_wants: None,
                events: Vec::new(),
            });
            if number > 0 {
                let first = room.people[0].address;
                room.input(number as usize, Input::Bootstrap(&[first]));
            }
            room.run_for(Duration::from_millis(50));
        }
        room
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let packet = self.packets.keys().next().map(|(at, _)| *at);
            let alarms = self.people.iter().filter(|person| !person.is_gone);
            let alarm = alarms
                .flat_map(|person| [person.node_wants, person.enemy_wants])
                .flatten()
                .min();
            let Some(next) = packet
                .into_iter()
                .chain(alarm)
                .min()
                .filter(|at| *at <= end)
            else {
                break;
            };
            self.now = next;
            if packet == Some(next) {
                let (_, packet) = self.packets.pop_first().unwrap();
                self.deliver(packet);
            }
            for place in 0..self.people.len() {
                self.ring(place);
            }
        }
        self.now = end;
    }

    fn ring(&mut self, place: usize) {
        let person = &mut self.people[place];
        if person.is_gone {
            return;
        }
        if person.enemy_wants.is_some_and(|at| at <= self.now) {
            let mut sent = Vec::new();
            let attacker = person.attacker.as_mut().unwrap();
            let mut out = |to, message| sent.push((to, message));
            person.enemy_wants = attacker.act(self.now, &person.node, &mut person.rng, &mut out);
            self.send(place, sent);
        }
        if self.people[place]
            .node_wants
            .is_some_and(|at| at <= self.now)
        {
            self.input(place, Input::Timeout);
        }
    }

    fn deliver(&mut self, mut packet: Packet) {
        self.log.push((self.now, packet.clone()));
        let Some(place) = self
            .people
            .iter()
            .position(|person| person.address == packet.to)
        else {
            return;
        };
        let person = &mut self.people[place];
        let length = datagram(&packet.message).len();
        let limiter = person.limiter.as_mut();
        if person.is_gone || limiter.is_some_and(|it| !it.admit(packet.from, length, self.now)) {
            return;
        }
        let mut sent = Vec::new();
        let heard = person.attacker.as_mut().map(|attacker| {
            let mut out = |to, message| sent.push((to, message));
            attacker.receives(&person.node, packet.from, &mut packet.message, &mut out)
        });
        self.send(place, sent);
        if heard != Some(Heard::Swallowed) {
            let (from, message) = (packet.from, &packet.message);
            self.input(place, Input::Receive { from, message });
        }
    }

    pub(super) fn input(&mut self, place: usize, input: Input<'_>) {
        let person = &mut self.people[place];
        let mut desk = Desk::default();
        person.node_wants =
            person
                .node
                .handle(&self.config, self.now, &mut person.rng, input, &mut desk);
        person.events.extend(desk.events);
        if let Some(attacker) = &mut person.attacker {
            for (to, message) in &mut desk.sent {
                attacker.sends(*to, message, &mut person.rng);
            }
        }
        self.send(place, desk.sent);
    }

    fn send(&mut self, place: usize, messages: Vec<(SocketAddr, Message)>) {
        let from = self.people[place].address;
        for (to, message) in messages {
            self.sent += 1;
            let key = (self.now + LATENCY, self.sent);
            self.packets.insert(key, Packet { from, to, message });
        }
    }

    pub(super) fn honest(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|person| !person.part.is_enemy())
    }

    pub(super) fn tally(&self, part: Part) -> Tally {
        let mut sum = Tally::default();
        let of_part = |person: &&Person| person.part == part;
        for attacker in self
            .people
            .iter()
            .filter(of_part)
            .filter_map(|it| it.attacker.as_ref())
        {
            sum += attacker.tally();
        }
        sum
    }

    pub(super) fn rows(&self) -> Vec<AttackRow> {
        let attackers = self.people.iter().filter_map(|it| it.attacker.as_deref());
        rows(attackers, &Harm::default())
    }
}

/// The bytes of a message.
pub(super) fn datagram(message: &Message) -> Vec<u8> {
    let mut buffer = Vec::new();
    encode(message, &mut buffer);
    buffer
}
