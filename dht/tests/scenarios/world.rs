//! A small deterministic network for scenarios: virtual time, a fixed latency, and nodes that can be silenced.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    Body, Config, Event, Id, Input, Message, Method, Node, NodeInfo, Outbox, Response, Token,
    decode, encode,
};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

pub(crate) const LATENCY: Duration = Duration::from_millis(20);

pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) config: Config,
    pub(crate) nodes: BTreeMap<SocketAddr, Member>,
    /// Datagrams on their way, by arrival and number.
    in_flight: BTreeMap<(Duration, u64), (SocketAddr, SocketAddr, Message)>,
    /// Deadlines of the nodes.
    timers: BTreeSet<(Duration, SocketAddr)>,
    /// Addresses that neither hear nor speak.
    pub(crate) silent: BTreeSet<SocketAddr>,
    sent: u64,
    /// Addresses behind a NAT that lets in only those to whom something went out within two minutes: with when it did.
    pub(crate) holes: BTreeMap<SocketAddr, BTreeMap<SocketAddr, Duration>>,
    /// Nodes that name one another, acknowledge what is announced to them, and keep nothing.
    pub(crate) sybils: BTreeMap<SocketAddr, Id>,
    /// Those of them who tell another story: they name the nodes that are nearest indeed, but not as these are.
    pub(crate) liars: BTreeMap<SocketAddr, fn(NodeInfo) -> NodeInfo>,
    /// The second addresses of nodes that have two, of either family, with the first one; and the other way round.
    pub(crate) homes: BTreeMap<SocketAddr, SocketAddr>,
    /// One datagram in so many gets lost.
    pub(crate) loss: Option<u64>,
    /// Nobody says at which address he sees others, so that all keep their ids.
    pub(crate) is_discreet: bool,
    rng: Xoshiro256PlusPlus,
}

pub(crate) struct Member {
    pub(crate) node: Node,
    pub(crate) config: Config,
    deadline: Option<Duration>,
    pub(crate) events: Vec<(Duration, Event)>,
    /// How many of them were looked at.
    seen: usize,
    /// What it sent, where to and when.
    pub(crate) sent: Vec<(Duration, SocketAddr, Message)>,
}

#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) messages: Vec<(SocketAddr, Message)>,
    pub(crate) events: Vec<Event>,
}

impl Outbox for Collected {
    fn transmit(&mut self, to: SocketAddr, message: Message) {
        self.messages.push((to, message));
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// The address of node number `n` on one desk.
pub(crate) fn local(n: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7000 + n))
}

/// The address of node number `n` on the public network, each in a /16 of its own.
pub(crate) fn public(n: u16) -> SocketAddr {
    let [high, low] = n.to_be_bytes();
    SocketAddr::from(([20 + high, low, 7, 7], 6881))
}

/// The second address of node number `n` on the public network, each in a /48 of its own.
pub(crate) fn public_v6(n: u16) -> SocketAddr {
    SocketAddr::from(([0x2a00, 1, n, 0, 0, 0, 0, 7], 6881))
}

fn carries_item(message: &Message) -> bool {
    match &message.body {
        Body::Query(query) => matches!(query.method, Method::Put(_)),
        Body::Response(response) => response.item.get().is_some(),
        Body::Error(_) => false,
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            now: Duration::from_secs(1),
            config: Config::default(),
            nodes: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            timers: BTreeSet::new(),
            silent: BTreeSet::new(),
            holes: BTreeMap::new(),
            sybils: BTreeMap::new(),
            liars: BTreeMap::new(),
            homes: BTreeMap::new(),
            sent: 0,
            loss: None,
            is_discreet: false,
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
        }
    }

    /// A node that knows the given bootstrap addresses.
    pub(crate) fn add(&mut self, address: SocketAddr, bootstrap: &[SocketAddr]) {
        let node = Node::new(None, &mut self.rng);
        self.place(address, node, Input::Bootstrap(bootstrap));
    }

    /// A node of both families, which is called by the first of its addresses.
    pub(crate) fn add_dual(&mut self, first: SocketAddr, second: SocketAddr, hosts: &[SocketAddr]) {
        self.homes.extend([(first, second), (second, first)]);
        self.add(first, hosts);
    }

    /// A node falls silent without a word: it sleeps, or is carried away.
    pub(crate) fn take_away(&mut self, address: SocketAddr) -> Member {
        let member = self.nodes.remove(&address).expect("it is there");
        if let Some(deadline) = member.deadline {
            self.timers.remove(&(deadline, address));
        }
        member
    }

    /// It is there again, perhaps elsewhere. Nobody woke it when it wanted to be.
    pub(crate) fn bring_back(&mut self, address: SocketAddr, member: Member) {
        let deadline = member.deadline.map(|deadline| (deadline, address));
        self.timers.extend(deadline);
        self.nodes.insert(address, member);
    }

    /// A node stands where another may have stood, and is told something.
    pub(crate) fn place(&mut self, address: SocketAddr, node: Node, input: Input<'_>) {
        let before = self.nodes.insert(
            address,
            Member {
                node,
                config: self.config.clone(),
                deadline: None,
                events: Vec::new(),
                seen: 0,
                sent: Vec::new(),
            },
        );
        if let Some(deadline) = before.and_then(|member| member.deadline) {
            self.timers.remove(&(deadline, address));
        }
        self.input(address, input);
    }

    /// A network of `count` nodes of which each entered through the first.
    pub(crate) fn of(count: u16, address: fn(u16) -> SocketAddr, seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.add(address(0), &[]);
        for number in 1..count {
            world.add(address(number), &[address(0)]);
            world.run_for(Duration::from_millis(50));
        }
        world.run_for(Duration::from_secs(30));
        world
    }

    /// A network of `count` nodes on the public network that have known one another, and the Sybils among them, for long.
    pub(crate) fn established(
        count: u16,
        config: Config,
        sybils: BTreeMap<SocketAddr, Id>,
        seed: u64,
    ) -> Self {
        let node = |number, rng: &mut _| {
            let address = public(number);
            let id = dht::id_for(address.ip(), rng);
            NodeInfo { id, address }
        };
        Self::established_as(count, node, config, sybils, seed)
    }

    /// The same of the nodes that `node` makes.
    pub(crate) fn established_as(
        count: u16,
        node: impl Fn(u16, &mut Xoshiro256PlusPlus) -> NodeInfo,
        config: Config,
        sybils: BTreeMap<SocketAddr, Id>,
        seed: u64,
    ) -> Self {
        let mut world = Self::new(seed);
        (world.config, world.sybils) = (config, sybils);
        world.now += Duration::from_secs(60 * 60);
        let mut everybody: Vec<_> = (0..count)
            .map(|number| node(number, &mut world.rng))
            .collect();
        let honest = everybody.len();
        let sybils = world.sybils.iter();
        everybody.extend(sybils.map(|(&address, &id)| NodeInfo { id, address }));
        for node in everybody.iter().take(honest) {
            let silent_for = (0..).map(|second: u32| 4 * second * Duration::from_secs(1));
            let contacts = everybody.iter().copied().zip(silent_for);
            let contacts = contacts
                .map(|(contact, silent_for)| (contact, world.now.saturating_sub(silent_for)));
            let (config, now) = (&world.config, world.now);
            let established = Node::established(node.id, contacts, config, now, &mut world.rng);
            world.place(node.address, established, Input::Timeout);
        }
        world
    }

    pub(crate) fn input(&mut self, address: SocketAddr, input: Input<'_>) {
        let second = self.homes.get(&address).copied();
        let Some(member) = self.nodes.get_mut(&address) else {
            return;
        };
        let mut out = Collected::default();
        let before = member.deadline;
        member.deadline =
            member
                .node
                .handle(&member.config, self.now, &mut self.rng, input, &mut out);
        assert!(
            member.deadline.is_none_or(|deadline| deadline > self.now),
            "a deadline that is not in the future"
        );
        if before != member.deadline {
            before.map(|deadline| self.timers.remove(&(deadline, address)));
            self.timers
                .extend(member.deadline.map(|deadline| (deadline, address)));
        }
        member
            .events
            .extend(out.events.into_iter().map(|event| (self.now, event)));
        for (to, message) in out.messages {
            member.sent.push((self.now, to, message.clone()));
            self.sent += 1;
            let address = match second {
                Some(second) if second.is_ipv4() == to.is_ipv4() => second,
                _ => address,
            };
            if let Some(holes) = self.holes.get_mut(&address) {
                holes.insert(to, self.now);
            }
            if self.loss.is_none_or(|loss| !self.sent.is_multiple_of(loss))
                && !self.silent.contains(&address)
            {
                self.in_flight
                    .insert((self.now + LATENCY, self.sent), (address, to, message));
            }
        }
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until a node reports what is looked for, and returns how long that took; `None` if it does not within a minute.
    /// What an earlier call found is not found again.
    pub(crate) fn run_until(
        &mut self,
        address: SocketAddr,
        found: impl Fn(&Event) -> bool,
    ) -> Option<Duration> {
        let (start, end) = (self.now, self.now + Duration::from_secs(60));
        loop {
            let member = self.nodes.get_mut(&address)?;
            let fresh = member.events.get(member.seen..).unwrap_or_default();
            if let Some(position) = fresh.iter().position(|(_, event)| found(event)) {
                member.seen += position + 1;
                return Some(self.now.saturating_sub(start));
            }
            if !self.step(end) {
                return None;
            }
        }
    }

    fn step(&mut self, end: Duration) -> bool {
        let arrival = self.in_flight.first_key_value().map(|(&(at, _), _)| at);
        let timer = self.timers.first().copied();
        match (arrival, timer) {
            (Some(arrival), timer)
                if arrival <= end && timer.is_none_or(|(deadline, _)| arrival <= deadline) =>
            {
                self.now = self.now.max(arrival);
                if let Some((_, (from, to, mut message))) = self.in_flight.pop_first()
                    && !self.silent.contains(&to)
                    && self.lets_in(to, from)
                {
                    if self.is_discreet {
                        message.external = None;
                    }
                    // What is said is what is on the wire.
                    let mut datagram = Vec::new();
                    encode(&message, &mut datagram);
                    let longest = if carries_item(&message) { 1400 } else { 1200 };
                    assert!(
                        datagram.len() <= longest,
                        "a datagram of {} bytes",
                        datagram.len()
                    );
                    assert_eq!(decode(&datagram).as_ref(), Ok(&message));
                    if let Some(answer) = self.answer_of_sybil(from, to, &message) {
                        self.sent += 1;
                        self.in_flight
                            .insert((self.now + LATENCY, self.sent), (to, from, answer));
                    }
                    let who = if self.nodes.contains_key(&to) {
                        to
                    } else {
                        self.homes.get(&to).copied().unwrap_or(to)
                    };
                    self.input(
                        who,
                        Input::Receive {
                            from,
                            message: &message,
                        },
                    );
                }
                true
            }
            (_, Some((deadline, address))) if deadline <= end => {
                self.now = self.now.max(deadline);
                self.input(address, Input::Timeout);
                true
            }
            _ => false,
        }
    }

    fn lets_in(&self, to: SocketAddr, from: SocketAddr) -> bool {
        let Some(holes) = self.holes.get(&to) else {
            return true;
        };
        let is_open = |last: &Duration| *last + Duration::from_secs(120) > self.now;
        holes.get(&from).is_some_and(is_open)
    }

    fn answer_of_sybil(
        &self,
        asker: SocketAddr,
        sybil: SocketAddr,
        message: &Message,
    ) -> Option<Message> {
        let (id, Body::Query(query)) = (self.sybils.get(&sybil)?, &message.body) else {
            return None;
        };
        let mut response = Response::new(*id);
        if let Method::FindNode { target, .. }
        | Method::Get { target, .. }
        | Method::GetPeers {
            info_hash: target, ..
        } = &query.method
        {
            for NodeInfo { id, address } in self.named_by_sybil(sybil, target) {
                match address {
                    SocketAddr::V4(address) => {
                        let nodes = response.nodes.get_or_insert_default();
                        nodes.push(NodeInfo { id, address });
                    }
                    SocketAddr::V6(address) => {
                        let nodes = response.nodes6.get_or_insert_default();
                        nodes.push(NodeInfo { id, address });
                    }
                }
            }
            response.token = Token::new(b"take it!");
        }
        Some(Message {
            transaction: message.transaction.clone(),
            version: None,
            external: Some(asker),
            body: Body::Response(response),
        })
    }

    fn named_by_sybil(&self, sybil: SocketAddr, target: &Id) -> Vec<NodeInfo> {
        if let Some(lie) = self.liars.get(&sybil) {
            let nearest = self.nearest(target, 8).into_iter();
            let id = |address| self.nodes[&address].node.id();
            return nearest
                .map(|address| {
                    lie(NodeInfo {
                        id: id(address),
                        address,
                    })
                })
                .collect();
        }
        let mut fellows: Vec<_> = self.sybils.iter().collect();
        fellows.sort_by_key(|(_, id)| id.distance(target));
        let named = fellows.into_iter().take(8);
        named
            .map(|(&address, &id)| NodeInfo { id, address })
            .collect()
    }

    pub(crate) fn rng(&mut self) -> &mut Xoshiro256PlusPlus {
        &mut self.rng
    }

    /// The `count` nodes nearest to a point that really are there, nearest first.
    pub(crate) fn nearest(&self, target: &Id, count: usize) -> Vec<SocketAddr> {
        let mut all: Vec<_> = self
            .nodes
            .iter()
            .filter(|(address, _)| !self.silent.contains(address))
            .collect();
        all.sort_by_key(|(_, member)| member.node.id().distance(target));
        all.into_iter()
            .map(|(address, _)| *address)
            .take(count)
            .collect()
    }
}
