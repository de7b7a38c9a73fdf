//! Many peers of one torrent. Nothing is hashed and no payload exists: a block is genuine or not, by who sent it.

mod peer;
mod uplink;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use wire::{
    Bitfield, Block, Config, Direction, Event, Frame, Handshake, Info, InfoBuilder, Input, Link,
    Message, Progress, Reserved, Source, decode_frame,
};

use crate::scheduler::Scheduler;
use crate::{Digest, Network, Occurrence};
use peer::{Peer, Wish, Wishes};
use uplink::Parcel;

/// What it takes to hash a piece.
const CHECK_TIME: Duration = Duration::from_millis(2);
/// After how long a dial is given up.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// How a peer behaves, apart from what its engine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Honest,
    /// The payload that it sends is wrong.
    Liar,
    /// It promises as others do and serves nobody: the blocks that it should send never leave.
    Freeloader,
}

/// What a peer brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// What it can send, to all together. At least 1.
    pub bytes_per_second: u64,
    /// How it behaves.
    pub manner: Manner,
    /// It has everything; otherwise it has nothing and knows only the info-hash.
    pub is_seed: bool,
}

/// The peers of a torrent. A peer is known by the address that it listens at.
///
/// Connections take the latency of the network between their ends and lose nothing, as TCP does.
pub struct Swarm {
    network: Network,
    info: Arc<Info>,
    config: Config,
    scheduler: Scheduler<Happening>,
    peers: Vec<Peer>,
    indices: BTreeMap<SocketAddr, usize>,
    occurrences: Vec<Occurrence<Event>>,
    digest: Digest,
}

enum Happening {
    /// The handshake of the one who dialled arrives.
    Dialled {
        from: usize,
        to: usize,
    },
    /// That of the other one is back.
    Answered {
        from: usize,
        link: Link,
    },
    /// Nobody answers.
    Unanswered {
        from: usize,
        to: SocketAddr,
    },
    /// The first parcel of the uplink has left.
    Sent(usize),
    Arrived {
        to: usize,
        link: Link,
        parcel: Parcel,
    },
    HungUp {
        to: usize,
        link: Link,
    },
    Checked {
        by: usize,
        piece: u32,
        valid: bool,
    },
    Alarm(usize),
}

impl Swarm {
    /// Nobody yet. All peers will live by [`Config::default`].
    pub fn new(network: Network, info: Arc<Info>) -> Self {
        Self {
            network,
            info,
            config: Config::default(),
            scheduler: Scheduler::default(),
            peers: Vec::new(),
            indices: BTreeMap::new(),
            occurrences: Vec::new(),
            digest: Digest::default(),
        }
    }

    /// A peer comes. It knows nobody.
    ///
    /// # Panics
    /// If there is one at that address.
    pub fn join(&mut self, address: SocketAddr, role: Role) {
        let index = self.peers.len();
        let previous = self.indices.insert(address, index);
        assert_eq!(previous, None, "there is a peer at {address}");
        let rng = self.network.generator((address, "peer"));
        self.peers.push(Peer::new(address, role, &self.info, rng));
        if role.is_seed {
            let have = Bitfield::full(self.info.geometry().pieces());
            self.act(index, Input::Start { have });
        } else {
            self.act(index, Input::Timeout);
        }
    }

    /// Tells a peer the addresses of others, which it found in the DHT.
    pub fn introduce(&mut self, address: SocketAddr, others: &[SocketAddr]) {
        if let Some(&index) = self.indices.get(&address) {
            self.act(index, Input::Candidates(others, Source::Dht));
        }
    }

    /// A peer is gone, and nobody is told.
    pub fn vanish(&mut self, address: SocketAddr) {
        if let Some(&index) = self.indices.get(&address) {
            self.peers[index].is_gone = true;
        }
    }

    /// How far a peer is; `None` if there is no such peer.
    pub fn progress(&self, address: SocketAddr) -> Option<Progress> {
        let &index = self.indices.get(&address)?;
        Some(self.peers[index].torrent.progress(self.now()))
    }

    /// Whether a peer has everything.
    pub fn is_finished(&self, address: SocketAddr) -> bool {
        self.progress(address)
            .is_some_and(|progress| progress.pieces > 0 && progress.pieces_done == progress.pieces)
    }

    /// Runs for a time.
    pub fn run_for(&mut self, time: Duration) {
        self.run_to(self.now() + time);
    }

    /// Runs until it is so late.
    pub fn run_to(&mut self, end: Duration) {
        while self.now() < end || self.next_at() == Some(end) {
            if let Some(happening) = self.scheduler.advance(end) {
                self.happen(happening);
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

    /// What torrents have reported since this was called last, in order.
    pub fn take_occurrences(&mut self) -> Vec<Occurrence<Event>> {
        std::mem::take(&mut self.occurrences)
    }

    /// All deliveries so far, in one number.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Dialled { from, to } => self.dialled(from, to),
            Happening::Answered { from, link } => {
                if let Some(&(to, _)) = self.peers[from].links.get(&link) {
                    let address = self.peers[to].address;
                    self.connected(from, link, to, address, Direction::Outgoing);
                }
            }
            Happening::Unanswered { from, to } => {
                self.act(from, Input::ConnectFailed { address: to });
            }
            Happening::Sent(from) => self.sent(from),
            Happening::Arrived { to, link, parcel } => self.arrived(to, link, &parcel),
            Happening::HungUp { to, link } => {
                if self.peers[to].links.remove(&link).is_some() {
                    self.act(to, Input::Closed { link });
                }
            }
            Happening::Checked { by, piece, valid } => {
                self.act(by, Input::PieceChecked { piece, valid });
            }
            Happening::Alarm(index) => match self.peers[index].alarm.ring(self.scheduler.now()) {
                Ok(()) => self.act(index, Input::Timeout),
                Err(again) => self.schedule_alarm(index, again),
            },
        }
    }

    /// Gives an engine an input and carries out what it wants.
    fn act(&mut self, index: usize, input: Input<'_>) {
        let now = self.now();
        let peer = &mut self.peers[index];
        if peer.is_gone {
            return;
        }
        let mut wishes = Wishes::default();
        let deadline = peer
            .torrent
            .handle(&self.config, now, &mut peer.rng, input, &mut wishes);
        assert!(
            deadline.is_none_or(|deadline| deadline > now),
            "{} names a deadline that is not in the future",
            peer.address
        );
        let alarm = peer.alarm.set(deadline);
        self.schedule_alarm(index, alarm);
        for wish in wishes.0 {
            self.fulfil(index, wish);
        }
    }

    fn fulfil(&mut self, index: usize, wish: Wish) {
        match wish {
            Wish::Connect(to) => self.dial(index, to),
            Wish::Send(link, parcel) => {
                let is_free = self.peers[index].role.manner == Manner::Freeloader;
                if !(is_free && matches!(parcel, Parcel::Block(_))) {
                    self.peers[index].uplink.push(link, parcel);
                    self.send(index);
                }
            }
            Wish::Cancel(link, block, reject) => {
                let is_held_back = self.peers[index].uplink.cancel(link, block);
                if is_held_back && reject {
                    let mut bytes = Vec::new();
                    Message::Reject(block).encode(&mut bytes);
                    self.fulfil(index, Wish::Send(link, Parcel::Message(bytes)));
                }
            }
            Wish::Store(link, block) => self.store(index, link, block),
            Wish::Discard(piece) => {
                self.peers[index].stored.remove(&piece);
            }
            Wish::Close(link) => {
                let peer = &mut self.peers[index];
                peer.uplink.hang_up(link);
                if let Some((to, link)) = peer.links.remove(&link) {
                    let latency = self.latency(index, to);
                    self.schedule(latency, Happening::HungUp { to, link });
                }
            }
            Wish::Tell(event) => {
                let starts = matches!(event, Event::Metadata(_));
                self.occurrences.push(Occurrence {
                    at: self.now(),
                    address: self.peers[index].address,
                    event,
                });
                if starts {
                    let have = Bitfield::new(self.info.geometry().pieces());
                    self.act(index, Input::Start { have });
                }
            }
        }
    }

    fn dial(&mut self, from: usize, address: SocketAddr) {
        if let Some(&to) = self.indices.get(&address) {
            // Two packets until the connection stands, and our handshake.
            let latency = self.latency(from, to) * 3;
            self.schedule(latency, Happening::Dialled { from, to });
        } else {
            let to = address;
            self.schedule(DIAL_TIMEOUT, Happening::Unanswered { from, to });
        }
    }

    fn dialled(&mut self, from: usize, to: usize) {
        if self.peers[to].is_gone {
            let to = self.peers[to].address;
            self.schedule(DIAL_TIMEOUT, Happening::Unanswered { from, to });
            return;
        }
        let (near, far) = (self.peers[from].new_link(), self.peers[to].new_link());
        self.peers[from].links.insert(near, (to, far));
        self.peers[to].links.insert(far, (from, near));
        let latency = self.latency(from, to);
        self.schedule(latency, Happening::Answered { from, link: near });
        // Who dials does so from whatever port is free.
        let address = SocketAddr::new(self.peers[from].address.ip(), u16::MAX - near.0 as u16);
        self.connected(to, far, from, address, Direction::Incoming);
    }

    fn connected(
        &mut self,
        index: usize,
        link: Link,
        other: usize,
        address: SocketAddr,
        direction: Direction,
    ) {
        let handshake = Handshake {
            reserved: Reserved::default().with_dht().with_fast().with_extension(),
            info_hash: self.info.hash(),
            peer_id: self.peers[other].id,
        };
        self.act(
            index,
            Input::Connected {
                link,
                address,
                direction,
                handshake: &handshake,
            },
        );
    }

    /// Begins to send what is first in the queue of the uplink, if nothing is being sent.
    fn send(&mut self, from: usize) {
        if let Some(time) = self.peers[from].uplink.begin() {
            self.schedule(time, Happening::Sent(from));
        }
    }

    fn sent(&mut self, from: usize) {
        let peer = &mut self.peers[from];
        let parcel = peer.uplink.finish();
        if let Some((link, parcel)) = parcel
            && let Some(&(to, far)) = peer.links.get(&link)
            && !peer.is_gone
        {
            if let Parcel::Block(block) = parcel {
                self.act(from, Input::Uploaded { link, block });
            }
            let latency = self.latency(from, to);
            let link = far;
            self.schedule(latency, Happening::Arrived { to, link, parcel });
        }
        self.send(from);
    }

    fn arrived(&mut self, to: usize, link: Link, parcel: &Parcel) {
        let Some(&(from, _)) = self.peers[to].links.get(&link) else {
            return;
        };
        let (source, destination) = (self.peers[from].address, self.peers[to].address);
        self.digest
            .count((self.now(), source, destination, link, parcel));
        match parcel {
            Parcel::Message(bytes) => match decode_frame(bytes) {
                Ok(Frame::Message { message, .. }) => {
                    self.act(to, Input::Received { link, message });
                }
                other => panic!("an engine sent {other:?}"),
            },
            &Parcel::Block(block) => self.act(to, Input::Block { link, block }),
        }
    }

    /// Keeps the block that has just come. A whole piece is checked: it is right if no liar sent any of it.
    fn store(&mut self, by: usize, link: Link, block: Block) {
        let from = self.peers[by].links.get(&link).map(|&(from, _)| from);
        let is_genuine = from.is_some_and(|from| self.peers[from].role.manner != Manner::Liar);
        let stored = &mut self.peers[by].stored;
        let piece = stored.entry(block.piece).or_default();
        piece.bytes += block.length;
        piece.is_wrong |= !is_genuine;
        if piece.bytes >= self.info.geometry().piece_length(block.piece) {
            let valid = !piece.is_wrong;
            let piece = block.piece;
            stored.remove(&piece);
            self.schedule(CHECK_TIME, Happening::Checked { by, piece, valid });
        }
    }

    fn latency(&self, one: usize, other: usize) -> Duration {
        self.network
            .latency(self.peers[one].address, self.peers[other].address)
    }

    fn schedule(&mut self, after: Duration, happening: Happening) {
        self.scheduler.schedule(self.now() + after, happening);
    }

    fn schedule_alarm(&mut self, index: usize, at: Option<Duration>) {
        if let Some(at) = at {
            self.scheduler.schedule(at, Happening::Alarm(index));
        }
    }
}

/// A torrent of one file whose content does not exist: its hashes are of nothing.
///
/// # Panics
/// If there is no such torrent: see [`wire::GeometryError`].
pub fn virtual_torrent(length: u64, piece_length: u32) -> Arc<Info> {
    let pieces = length.div_ceil(piece_length.into());
    let info = InfoBuilder::single_file("virtual", length)
        .piece_length(piece_length)
        .build(&vec![[0; 20]; pieces as usize]);
    Arc::new(info.expect("a torrent can be cut like that"))
}
