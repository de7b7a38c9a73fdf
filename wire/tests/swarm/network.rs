//! A network of engines in virtual time. Nothing is hashed and no payload exists: a block is genuine or not, by who sent it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use wire::{
    Allowance, Bitfield, Block, CloseReason, Config, Direction, Event, Frame, Handshake, Info,
    InfoBuilder, InfoHash, Input, Link, Message, PeerId, Priority, Reserved, Source, Torrent,
    decode_frame,
};

use super::agenda::{Agenda, Happening};
use super::wishes::{Wish, Wishes};

const CHECK_TIME: Duration = Duration::from_millis(2);

/// How a node behaves, apart from what its engine does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Honest,
    /// The payload that it sends is wrong.
    Liar,
    /// Nothing that it sends after its handshake arrives.
    Mute,
    /// It sends one wrong block of each piece, and no other.
    Spoiler,
}

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) torrent: Torrent,
    pub(crate) config: Config,
    pub(crate) manner: Manner,
    pub(crate) events: Vec<(Duration, Event)>,
    pub(crate) closed: Vec<(SocketAddr, CloseReason)>,
    /// Bytes of blocks sent to each address.
    pub(crate) sent_to: BTreeMap<SocketAddr, u64>,
    /// Pieces of which a spoiler has sent a block.
    spoilt: BTreeSet<u32>,
    /// Pieces that its disk has no more, whatever the engine believes.
    pub(crate) unreadable: BTreeSet<u32>,
    /// Pieces that failed their check.
    pub(crate) failed: u32,
    /// Bytes of blocks that came and were not wanted.
    pub(crate) wasted: u64,
    pub(crate) alive: bool,
    peer_id: PeerId,
    reserved: Reserved,
    rng: Xoshiro256PlusPlus,
    have: Option<Bitfield>,
    bytes_per_second: f64,
    latency: Duration,
    links: BTreeMap<Link, (usize, Link)>,
    next_link: u32,
    uplink: VecDeque<(Link, Parcel)>,
    sending: bool,
    /// Of each piece in work, whether all its blocks so far are genuine, and how many bytes there are.
    stored: BTreeMap<u32, (bool, u32)>,
    deadline: Option<Duration>,
    wake: Option<Duration>,
}

#[derive(Clone)]
pub(super) enum Parcel {
    Message(Vec<u8>),
    Block { block: Block, genuine: bool },
}

pub(crate) struct Swarm {
    pub(crate) now: Duration,
    pub(crate) nodes: Vec<Node>,
    pub(crate) info: Arc<Info>,
    agenda: Agenda,
}

/// What is particular about a node that joins.
#[derive(Clone)]
pub(crate) struct Joining {
    pub(crate) bytes_per_second: f64,
    pub(crate) latency: Duration,
    pub(crate) manner: Manner,
    pub(crate) config: Config,
    /// The extensions that it speaks.
    pub(crate) reserved: Reserved,
    /// What it knows of the torrent; without it, it fetches that.
    pub(crate) info: Option<Arc<Info>>,
    pub(crate) have: Option<Bitfield>,
}

impl Joining {
    /// A node that has nothing and knows only the info-hash.
    pub(crate) fn leecher() -> Self {
        Self {
            bytes_per_second: 10e6,
            latency: Duration::from_millis(10),
            manner: Manner::Honest,
            config: Config::default(),
            reserved: Reserved::default().with_dht().with_fast().with_extension(),
            info: None,
            have: None,
        }
    }
}

impl Swarm {
    /// A network for a torrent of so many pieces of so many bytes.
    pub(crate) fn new(pieces: u32, piece_length: u32) -> Self {
        let length = u64::from(pieces) * u64::from(piece_length);
        Self::of(torrent("swarm", length, piece_length))
    }

    pub(crate) fn of(info: Arc<Info>) -> Self {
        Self {
            now: Duration::from_secs(1000),
            nodes: Vec::new(),
            info,
            agenda: Agenda::default(),
        }
    }

    /// A node that has everything.
    pub(crate) fn seed(&self) -> Joining {
        let have = Bitfield::full(self.info.geometry().pieces());
        Joining {
            info: Some(Arc::clone(&self.info)),
            have: Some(have),
            ..Joining::leecher()
        }
    }

    pub(crate) fn join(&mut self, joining: Joining) -> usize {
        let index = self.nodes.len();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(index as u64);
        let peer_id = PeerId::generate(&mut rng, *b"-TL0100-");
        let info_hash = self.info_hash();
        self.nodes.push(Node {
            address: SocketAddr::from(([203, 0, 113, index as u8 + 1], 6881)),
            torrent: Torrent::new(info_hash, peer_id, joining.info.clone()),
            config: joining.config,
            manner: joining.manner,
            events: Vec::new(),
            closed: Vec::new(),
            sent_to: BTreeMap::new(),
            spoilt: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            failed: 0,
            wasted: 0,
            alive: true,
            peer_id,
            reserved: joining.reserved,
            rng,
            have: joining.have,
            bytes_per_second: joining.bytes_per_second,
            latency: joining.latency,
            links: BTreeMap::new(),
            next_link: 0,
            uplink: VecDeque::new(),
            sending: false,
            stored: BTreeMap::new(),
            deadline: None,
            wake: None,
        });
        if joining.info.is_some() {
            self.start(index);
        } else {
            self.act(index, Input::Timeout, None);
        }
        index
    }

    /// Tells a node the addresses of others.
    pub(crate) fn introduce(&mut self, node: usize, others: &[usize]) {
        let addresses: Vec<_> = others
            .iter()
            .map(|&other| self.nodes[other].address)
            .collect();
        self.act(node, Input::Candidates(&addresses, Source::Dht), None);
    }

    /// Says how much a node may request.
    pub(crate) fn allow(&mut self, node: usize, allowance: Allowance) {
        self.act(node, Input::Allowance(allowance), None);
    }

    /// The node wants the pieces as much as is said.
    pub(crate) fn want(&mut self, node: usize, priorities: &[Priority]) {
        self.act(node, Input::Prioritize(priorities), None);
    }

    /// The node needs these pieces next.
    pub(crate) fn hurry(&mut self, node: usize, pieces: &[u32]) {
        self.act(node, Input::Urgent(pieces), None);
    }

    /// The node falls silent: nothing from it arrives, and nobody is told.
    pub(crate) fn vanish(&mut self, node: usize) {
        self.nodes[node].alive = false;
    }

    /// The node ends, and its peers' connections are reset.
    pub(crate) fn reset(&mut self, node: usize) {
        self.vanish(node);
        for (_, (peer, link)) in std::mem::take(&mut self.nodes[node].links) {
            self.schedule(Duration::ZERO, Happening::Hangup { node: peer, link });
        }
    }

    pub(crate) fn is_finished(&self, node: usize) -> bool {
        self.nodes[node]
            .torrent
            .have()
            .is_some_and(Bitfield::is_full)
    }

    pub(crate) fn bytes_done(&self, node: usize) -> u64 {
        self.nodes[node].torrent.progress(self.now).bytes_done
    }

    pub(crate) fn is_connected(&self, node: usize, other: usize) -> bool {
        self.nodes[node]
            .links
            .values()
            .any(|&(peer, _)| peer == other)
    }

    /// Runs until it is so, and returns how long that took. Panics after `limit`.
    pub(crate) fn run_until(
        &mut self,
        limit: Duration,
        mut is_so: impl FnMut(&Self) -> bool,
    ) -> Duration {
        let started = self.now;
        while !is_so(self) {
            if !self.step(started + limit) {
                let done: Vec<_> = (0..self.nodes.len())
                    .map(|node| self.bytes_done(node))
                    .collect();
                panic!("not so within {limit:?}; bytes done: {done:?}");
            }
        }
        self.now.saturating_sub(started)
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// What comes next happens, if it does until then. False if it does not.
    fn step(&mut self, until: Duration) -> bool {
        let Some((at, happening)) = self.agenda.next(until) else {
            return false;
        };
        self.now = at;
        match happening {
            Happening::Dialled { from, to } => self.dialled(from, to),
            Happening::Answered { from, link, to } => self.answered(from, link, to),
            Happening::Sent { node } => self.sent(node),
            Happening::Arrived { node, link, parcel } => self.arrived(node, link, &parcel),
            Happening::Hangup { node, link } => {
                if self.nodes[node].links.remove(&link).is_some() {
                    self.act(node, Input::Closed { link }, None);
                }
            }
            Happening::Checked { node, piece, valid } => {
                self.nodes[node].failed += u32::from(!valid);
                self.act(node, Input::PieceChecked { piece, valid }, None);
            }
            Happening::Wake { node } => {
                self.nodes[node].wake = None;
                if self.nodes[node]
                    .deadline
                    .is_some_and(|deadline| deadline <= at)
                {
                    self.act(node, Input::Timeout, None);
                } else {
                    self.arrange_wake(node);
                }
            }
        }
        true
    }

    fn info_hash(&self) -> InfoHash {
        self.info.hash()
    }

    fn start(&mut self, node: usize) {
        let have = self.nodes[node].have.take();
        let have = have.unwrap_or_else(|| Bitfield::new(self.info.geometry().pieces()));
        self.act(node, Input::Start { have }, None);
    }

    /// Gives an engine an input and carries out what it wants.
    fn act(&mut self, node: usize, input: Input<'_>, genuine: Option<bool>) {
        if !self.nodes[node].alive {
            return;
        }
        let mut out = Wishes::default();
        let is_block = matches!(input, Input::Block { .. });
        let Node {
            torrent,
            config,
            rng,
            ..
        } = &mut self.nodes[node];
        let deadline = torrent.handle(config, self.now, rng, input, &mut out);
        assert!(
            deadline.is_none_or(|deadline| deadline > self.now),
            "a deadline in the past"
        );
        self.nodes[node].deadline = deadline;
        self.arrange_wake(node);
        if is_block && !out.0.iter().any(|wish| matches!(wish, Wish::Store(_))) {
            self.nodes[node].wasted += u64::from(wire::BLOCK_LENGTH);
        }
        for wish in out.0 {
            self.fulfil(node, wish, genuine);
        }
    }

    fn fulfil(&mut self, node: usize, wish: Wish, genuine: Option<bool>) {
        match wish {
            Wish::Connect(to) => {
                // Both sides of the connection are taken for equally far away; our handshake is the third packet.
                let latency = self.nodes[node].latency * 6;
                self.schedule(latency, Happening::Dialled { from: node, to });
            }
            Wish::Send(link, bytes) => self.enqueue(node, link, Parcel::Message(bytes)),
            Wish::Upload(link, block) if self.nodes[node].unreadable.contains(&block.piece) => {
                let (piece, fetch_again) = (block.piece, false);
                self.act(node, Input::PieceLost { piece, fetch_again }, None);
                self.act(node, Input::UploadFailed { link, block }, None);
            }
            Wish::Upload(link, block) => {
                let genuine = !matches!(self.nodes[node].manner, Manner::Liar | Manner::Spoiler);
                self.enqueue(node, link, Parcel::Block { block, genuine });
            }
            Wish::CancelUpload(link, block, reject) => {
                let queued = |(to, parcel): &(Link, Parcel)| {
                    *to == link
                        && matches!(parcel, Parcel::Block { block: queued, .. } if *queued == block)
                };
                // The first in the queue is on its way already.
                let uplink = &mut self.nodes[node].uplink;
                if let Some(index) = uplink.iter().skip(1).position(queued) {
                    uplink.remove(index + 1);
                    if reject {
                        let mut bytes = Vec::new();
                        Message::Reject(block).encode(&mut bytes);
                        self.enqueue(node, link, Parcel::Message(bytes));
                    }
                }
            }
            Wish::Store(block) => {
                let geometry = self.info.geometry();
                let stored = self.nodes[node]
                    .stored
                    .entry(block.piece)
                    .or_insert((true, 0));
                stored.0 &= genuine.expect("only what has just arrived is stored");
                stored.1 += block.length;
                assert!(
                    stored.1 <= geometry.piece_length(block.piece),
                    "a block was stored twice"
                );
                if stored.1 == geometry.piece_length(block.piece) {
                    let valid = stored.0;
                    self.nodes[node].stored.remove(&block.piece);
                    self.schedule(
                        CHECK_TIME,
                        Happening::Checked {
                            node,
                            piece: block.piece,
                            valid,
                        },
                    );
                }
            }
            Wish::Discard(piece) => {
                self.nodes[node].stored.remove(&piece);
            }
            Wish::Close(link, reason) => {
                if let Some((peer, peer_link)) = self.nodes[node].links.remove(&link) {
                    let address = self.nodes[peer].address;
                    self.nodes[node].closed.push((address, reason));
                    let latency = self.nodes[node].latency + self.nodes[peer].latency;
                    self.schedule(
                        latency,
                        Happening::Hangup {
                            node: peer,
                            link: peer_link,
                        },
                    );
                }
            }
            Wish::Event(event) => {
                let starts = matches!(event, Event::Metadata(_));
                self.nodes[node].events.push((self.now, event));
                if starts {
                    self.start(node);
                }
            }
        }
    }

    fn enqueue(&mut self, node: usize, link: Link, parcel: Parcel) {
        self.nodes[node].uplink.push_back((link, parcel));
        if !self.nodes[node].sending {
            self.send_first(node);
        }
    }

    fn send_first(&mut self, node: usize) {
        let sender = &mut self.nodes[node];
        let Some((_, parcel)) = sender.uplink.front() else {
            return;
        };
        let bytes = match parcel {
            Parcel::Message(bytes) => bytes.len(),
            Parcel::Block { block, .. } => block.length as usize + 13,
        };
        sender.sending = true;
        let time = Duration::from_secs_f64(bytes as f64 / sender.bytes_per_second);
        self.schedule(time, Happening::Sent { node });
    }

    fn sent(&mut self, node: usize) {
        let sender = &mut self.nodes[node];
        sender.sending = false;
        let Some((link, parcel)) = sender.uplink.pop_front() else {
            return;
        };
        let to = sender.links.get(&link).copied();
        let is_heard = sender.alive
            && match (sender.manner, &parcel) {
                (Manner::Mute, _) => false,
                (Manner::Spoiler, &Parcel::Block { block, .. }) => {
                    sender.spoilt.insert(block.piece)
                }
                _ => true,
            };
        let latency = sender.latency;
        if let Some((peer, peer_link)) = to {
            if let Parcel::Block { block, .. } = parcel {
                let address = self.nodes[peer].address;
                *self.nodes[node].sent_to.entry(address).or_default() += u64::from(block.length);
                self.act(node, Input::Uploaded { link, block }, None);
            }
            if is_heard {
                let latency = latency + self.nodes[peer].latency;
                self.schedule(
                    latency,
                    Happening::Arrived {
                        node: peer,
                        link: peer_link,
                        parcel,
                    },
                );
            }
        }
        if !self.nodes[node].sending {
            self.send_first(node);
        }
    }

    fn arrived(&mut self, node: usize, link: Link, parcel: &Parcel) {
        if !self.nodes[node].links.contains_key(&link) {
            return;
        }
        match parcel {
            Parcel::Message(bytes) => match decode_frame(bytes) {
                Ok(Frame::Message { message, .. }) => {
                    self.act(node, Input::Received { link, message }, None);
                }
                other => panic!("an engine sent {other:?}"),
            },
            &Parcel::Block { block, genuine } => {
                self.act(node, Input::Block { link, block }, Some(genuine));
            }
        }
    }

    /// The dial arrives. The answer takes its time to get back.
    fn dialled(&mut self, from: usize, to: SocketAddr) {
        let answering = self
            .nodes
            .iter()
            .position(|node| node.address == to && node.alive);
        let Some(to) = answering else {
            self.act(from, Input::ConnectFailed { address: to }, None);
            return;
        };
        let (near, far) = (self.new_link(from), self.new_link(to));
        let latency = self.nodes[from].latency + self.nodes[to].latency;
        self.nodes[from].links.insert(near, (to, far));
        self.nodes[to].links.insert(far, (from, near));
        self.schedule(
            latency,
            Happening::Answered {
                from,
                link: near,
                to,
            },
        );
        self.connected(to, far, from, Direction::Incoming);
    }

    fn answered(&mut self, from: usize, link: Link, to: usize) {
        if self.nodes[from].links.contains_key(&link) {
            self.connected(from, link, to, Direction::Outgoing);
        } else {
            let address = self.nodes[to].address;
            self.act(from, Input::ConnectFailed { address }, None);
        }
    }

    fn connected(&mut self, node: usize, link: Link, peer: usize, direction: Direction) {
        // Only what both sides speak is spoken.
        let (ours, theirs) = (self.nodes[node].reserved.0, self.nodes[peer].reserved.0);
        let handshake = Handshake {
            reserved: Reserved(std::array::from_fn(|byte| ours[byte] & theirs[byte])),
            info_hash: self.info_hash(),
            peer_id: self.nodes[peer].peer_id,
        };
        let address = self.nodes[peer].address;
        self.act(
            node,
            Input::Connected {
                link,
                address,
                direction,
                handshake: &handshake,
            },
            None,
        );
    }

    fn new_link(&mut self, node: usize) -> Link {
        self.nodes[node].next_link += 1;
        Link(self.nodes[node].next_link)
    }

    fn arrange_wake(&mut self, node: usize) {
        let Some(deadline) = self.nodes[node].deadline else {
            return;
        };
        if self.nodes[node].wake.is_none_or(|wake| deadline < wake) {
            self.nodes[node].wake = Some(deadline);
            self.schedule(deadline.saturating_sub(self.now), Happening::Wake { node });
        }
    }

    fn schedule(&mut self, after: Duration, happening: Happening) {
        self.agenda.add(self.now + after, happening);
    }
}

/// A torrent of one file; its hashes are of nothing.
pub(crate) fn torrent(name: &str, length: u64, piece_length: u32) -> Arc<Info> {
    let hashes = vec![[7; 20]; length.div_ceil(u64::from(piece_length)) as usize];
    let info = InfoBuilder::single_file(name, length)
        .piece_length(piece_length)
        .build(&hashes);
    Arc::new(info.expect("the torrent is well formed"))
}
