//! Many peers of one torrent. Nothing is hashed and no payload exists: a block is genuine or not, by who sent it.

mod bound;
mod breach;
mod carriage;
mod invariants;
mod lane;
mod line;
mod parcel;
mod paths;
mod peer;
mod policy;
mod promises;
mod role;
mod storage;
mod tally;
mod uplink;
mod virtual_torrent;
mod wishes;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use wire::{
    Bitfield, Block, Config, Direction, Event, Handshake, Info, Input, Link, Message, Progress,
    Reserved, Source,
};

use self::bound::distribution_bound;
pub use self::breach::{SwarmBreach, SwarmTraffic};
use self::lane::Lane;
use self::parcel::Parcel;
pub use self::paths::Paths;
use self::peer::Peer;
pub use self::policy::Policy;
use self::promises::Promises;
pub use self::role::{Manner, Role};
use self::tally::Tally;
pub use self::virtual_torrent::virtual_torrent;
use self::wishes::{Wish, Wishes};
use crate::digest::hash_of;
use crate::network::Generator;
use crate::scheduler::Scheduler;
use crate::{Digest, Occurrence, SwarmFindings};

/// What it takes to hash a piece.
const CHECK_TIME: Duration = Duration::from_millis(2);
/// After how long a dial is given up.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The peers of a torrent. A peer is known by the address that it listens at.
///
/// Connections take the latency of the path between their ends and lose nothing, as TCP does; while a path is cut they are silent.
/// Connections of one peer share its way out fairly, a parcel each in turn, and its way in as their parcels come.
pub struct Swarm<P> {
    paths: P,
    seed: u64,
    info: Arc<Info>,
    policy: Policy,
    scheduler: Scheduler<Happening>,
    peers: Vec<Peer>,
    /// The addresses of the peers, which are looked at more often than the peers.
    addresses: Vec<SocketAddr>,
    indices: BTreeMap<SocketAddr, u32>,
    /// Both directions of each connection, side by side.
    lanes: Vec<Lane>,
    /// What the near end of each lane was promised; empty if nothing is checked.
    promises: Vec<Promises>,
    /// Pairs of lanes that are not in use, by their first.
    free_lanes: Vec<u32>,
    /// Kept for its memory.
    wishes: Wishes,
    occurrences: Vec<Occurrence<Event>>,
    traffic: SwarmTraffic,
    tally: Tally,
    digest: Digest,
    is_checked: bool,
    /// The last time that somebody came or went or something was cut off.
    calm_since: Duration,
    breach: Option<SwarmBreach>,
}

enum Happening {
    /// The handshake of the one who dialled arrives.
    Dialled {
        from: u32,
        to: u32,
    },
    /// Nobody answers.
    Unanswered {
        from: u32,
        to: u32,
    },
    /// Nobody ever was at the address.
    Misdialled {
        from: u32,
        address: Box<SocketAddr>,
    },
    /// What was on the uplink of a peer has left.
    Sent(u32),
    /// The first in flight on a lane arrives.
    Arrived(u32),
    /// A whole piece was hashed.
    Checked {
        by: u32,
        piece: u32,
    },
    Alarm(u32),
}

impl<P: Paths> Swarm<P> {
    /// Nobody yet. All peers will live by [`Policy::default`]. What is left to chance follows from the seed.
    pub fn new(paths: P, seed: u64, info: Arc<Info>) -> Self {
        Self {
            paths,
            seed,
            info,
            policy: Policy::default(),
            scheduler: Scheduler::default(),
            peers: Vec::new(),
            addresses: Vec::new(),
            indices: BTreeMap::new(),
            lanes: Vec::new(),
            promises: Vec::new(),
            free_lanes: Vec::new(),
            wishes: Wishes::default(),
            occurrences: Vec::new(),
            traffic: SwarmTraffic::default(),
            tally: Tally::default(),
            digest: Digest::default(),
            is_checked: true,
            calm_since: Duration::ZERO,
            breach: None,
        }
    }

    /// Does not check while it runs whether what always holds does hold. The run is the same, and takes less time.
    #[must_use]
    pub fn unchecked(mut self) -> Self {
        self.is_checked = false;
        self
    }

    /// All peers will live by this.
    #[must_use]
    pub fn living_by(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    fn config(&self, index: u32) -> &Config {
        self.policy.of_role(self.peers[index as usize].role)
    }

    /// The paths, to change them while the swarm lives.
    pub fn paths_mut(&mut self) -> &mut P {
        &mut self.paths
    }

    /// A peer comes. It knows nobody.
    ///
    /// # Panics
    /// If there is one at that address that has not gone.
    pub fn join(&mut self, address: SocketAddr, role: Role) {
        let index = self.peers.len() as u32;
        if let Some(previous) = self.indices.insert(address, index) {
            let is_gone = self.peers[previous as usize].is_gone;
            assert!(is_gone, "there is a peer at {address}");
        }
        let rng = Generator::seed_from_u64(hash_of((self.seed, address, index)));
        self.addresses.push(address);
        self.peers.push(Peer::new(role, &self.info, rng));
        self.tally.came(self.now(), role);
        self.calm_since = self.now();
        if role.is_seed {
            let have = Bitfield::full(self.info.geometry().pieces());
            self.act(index, Input::Start { have });
        } else {
            self.act(index, Input::Order(self.policy.order));
        }
    }

    /// Tells a peer the addresses of others, which it found in the DHT.
    pub fn introduce(&mut self, address: SocketAddr, others: &[SocketAddr]) {
        if let Some(&index) = self.indices.get(&address) {
            self.act(index, Input::Candidates(others, Source::Dht));
        }
    }

    /// A peer ends its connections and goes.
    pub fn leave(&mut self, address: SocketAddr) {
        if let Some(&index) = self.indices.get(&address)
            && !self.peers[index as usize].is_gone
        {
            for lane in std::mem::take(&mut self.peers[index as usize].lanes) {
                self.hang_up(lane);
            }
            self.vanish(address);
        }
    }

    /// A peer is gone, and nobody is told.
    pub fn vanish(&mut self, address: SocketAddr) {
        if let Some(&index) = self.indices.get(&address) {
            self.peers[index as usize].is_gone = true;
            self.calm_since = self.now();
        }
    }

    /// How far a peer is; `None` if there is no such peer.
    pub fn progress(&self, address: SocketAddr) -> Option<Progress> {
        let &index = self.indices.get(&address)?;
        Some(self.peers[index as usize].torrent.progress(self.now()))
    }

    /// Whether a peer has everything.
    pub fn is_finished(&self, address: SocketAddr) -> bool {
        self.indices
            .get(&address)
            .is_some_and(|&index| self.peers[index as usize].storage.is_full())
    }

    /// Runs for a time.
    ///
    /// # Errors
    /// See [`run_to`](Self::run_to).
    pub fn run_for(&mut self, time: Duration) -> Result<(), SwarmBreach> {
        self.run_to(self.now() + time)
    }

    /// Runs until it is so late.
    ///
    /// # Errors
    /// As soon as something does not hold that always should; from then on the swarm stands still.
    pub fn run_to(&mut self, end: Duration) -> Result<(), SwarmBreach> {
        while self.breach.is_none() && (self.now() < end || self.next_at() == Some(end)) {
            if let Some(happening) = self.scheduler.advance(end) {
                self.happen(happening);
            }
            if self.tally.advance(self.now()) && self.is_checked {
                self.check_the_whole();
            }
        }
        self.breach.clone().map_or(Ok(()), Err)
    }

    /// The time.
    pub fn now(&self) -> Duration {
        self.scheduler.now()
    }

    /// When something happens next.
    pub fn next_at(&self) -> Option<Duration> {
        self.scheduler.next_at()
    }

    /// What torrents have reported since this was called last, in order; all but connections and single pieces.
    pub fn take_occurrences(&mut self) -> Vec<Occurrence<Event>> {
        std::mem::take(&mut self.occurrences)
    }

    /// All deliveries so far, in one number.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Where the bytes are.
    pub fn traffic(&self) -> SwarmTraffic {
        SwarmTraffic {
            in_flight: self.lanes.iter().map(Lane::bytes_in_flight).sum(),
            ..self.traffic
        }
    }

    /// How far the torrent has spread, with the bound for those who came so far. Only who is honest counts as a sender there.
    pub fn findings(&self) -> SwarmFindings {
        let mut completions = self.tally.completions.clone();
        completions.sort_unstable();
        SwarmFindings {
            leechers: self.tally.leechers,
            completions,
            bound: self.bound(),
            progress: self.tally.progress(self.info.geometry().pieces()),
            seed_bytes: self.tally.seed_bytes,
            leecher_bytes: self.tally.leecher_bytes,
        }
    }

    fn bound(&self) -> Duration {
        let rate = |rate: u64| if rate == 0 { u64::MAX } else { rate };
        let (mut seeds_up, mut leechers_up, mut slowest_down) = (0_u64, Vec::new(), None);
        for Peer { role, .. } in &self.peers {
            let up = match role.manner {
                Manner::Honest => rate(role.up),
                Manner::Liar | Manner::Freeloader => 0,
            };
            if role.is_seed {
                seeds_up = seeds_up.saturating_add(up);
            } else {
                leechers_up.push(up);
                slowest_down = slowest_down.into_iter().chain([rate(role.down)]).min();
            }
        }
        distribution_bound(
            self.info.geometry().total(),
            seeds_up,
            &leechers_up,
            slowest_down,
        )
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Dialled { from, to } => self.dialled(from, to),
            Happening::Unanswered { from, to } => {
                let address = self.addresses[to as usize];
                self.act(from, Input::ConnectFailed { address });
            }
            Happening::Misdialled { from, address } => {
                self.act(from, Input::ConnectFailed { address: *address });
            }
            Happening::Sent(from) => self.sent(from),
            Happening::Arrived(lane) => self.arrived(lane),
            Happening::Checked { by, piece } => {
                let valid = self.peers[by as usize].storage.check(piece);
                self.act(by, Input::PieceChecked { piece, valid });
            }
            Happening::Alarm(index) => {
                let now = self.now();
                match self.peers[index as usize].alarm.ring(now) {
                    Ok(()) => self.act(index, Input::Timeout),
                    Err(again) => self.schedule_alarm(index, again),
                }
            }
        }
    }

    /// Gives an engine an input and carries out what it wants.
    fn act(&mut self, index: u32, input: Input<'_>) {
        let now = self.now();
        let peer = &mut self.peers[index as usize];
        if peer.is_gone {
            return;
        }
        let mut wishes = std::mem::take(&mut self.wishes);
        let config = self.policy.of_role(peer.role);
        let deadline = peer
            .torrent
            .handle(config, now, &mut peer.rng, input, &mut wishes);
        self.check_deadline(index, deadline);
        let alarm = self.peers[index as usize].alarm.set(deadline);
        self.schedule_alarm(index, alarm);
        let (mut starts, mut leaves) = (false, false);
        for wish in wishes.list.drain(..) {
            if let Wish::Tell(event) = &wish {
                starts |= matches!(event, Event::Metadata(_));
                leaves |= matches!(event, Event::Finished);
            }
            self.fulfil(index, wish);
        }
        self.wishes = wishes;
        if starts {
            let have = Bitfield::new(self.info.geometry().pieces());
            self.act(index, Input::Start { have });
        }
        if leaves && self.peers[index as usize].role.leaves {
            self.leave(self.addresses[index as usize]);
        }
    }

    fn fulfil(&mut self, index: u32, wish: Wish) {
        if self.is_checked {
            self.check_wish(index, &wish);
        }
        match wish {
            Wish::Connect(to) => self.dial(index, to),
            Wish::Send(link, parcel) => {
                let is_free = self.peers[index as usize].role.manner == Manner::Freeloader;
                if !(is_free && matches!(parcel, Parcel::Block(_))) {
                    self.send(link.0, parcel);
                }
            }
            Wish::Cancel {
                link,
                block,
                reject,
            } => {
                let begun = self.peers[index as usize].uplink.is_sending(link.0);
                let is_held_back = self.lanes[link.0 as usize].cancel(block, begun);
                if is_held_back {
                    self.tidy(link.0);
                }
                if is_held_back && reject {
                    let reject = Parcel::message(&Message::Reject(block), &mut Vec::new());
                    self.send(link.0, reject);
                }
            }
            Wish::Store(link, block) => self.store(index, link, block),
            Wish::Discard(piece) => self.peers[index as usize].storage.discard(piece),
            Wish::Close(link) => {
                self.peers[index as usize]
                    .lanes
                    .retain(|&lane| lane != link.0);
                self.hang_up(link.0);
            }
            Wish::Tell(event) => self.told(index, event),
        }
    }

    fn told(&mut self, index: u32, event: Event) {
        let now = self.now();
        let (role, address) = (
            self.peers[index as usize].role,
            self.addresses[index as usize],
        );
        match event {
            Event::PieceCompleted { .. } => {
                self.tally.has_piece();
                return;
            }
            Event::PeerConnected { .. } => return,
            Event::Finished => self.tally.has_all(now, role),
            _ => {}
        }
        self.occurrences.push(Occurrence {
            at: now,
            address,
            event,
        });
    }

    fn dial(&mut self, from: u32, address: SocketAddr) {
        match self.indices.get(&address) {
            Some(&to) if self.peers[to as usize].role.accepts => {
                // Two packets until the connection stands, and our handshake.
                let latency = self.latency(from, to) * 3;
                self.schedule(latency, Happening::Dialled { from, to });
            }
            Some(&to) => self.schedule(DIAL_TIMEOUT, Happening::Unanswered { from, to }),
            None => {
                let address = Box::new(address);
                self.schedule(DIAL_TIMEOUT, Happening::Misdialled { from, address });
            }
        }
    }

    fn dialled(&mut self, from: u32, to: u32) {
        if self.peers[from as usize].is_gone {
            return;
        }
        if self.peers[to as usize].is_gone || self.is_cut(from, to) {
            self.schedule(DIAL_TIMEOUT, Happening::Unanswered { from, to });
            return;
        }
        let accepted = self.open_lanes(from, to);
        self.send(accepted, Parcel::Handshake);
        let port = self.peers[from as usize].next_port();
        let address = SocketAddr::new(self.addresses[from as usize].ip(), port);
        self.connected(accepted, address, Direction::Incoming);
    }

    /// Tells the near end of a lane that the connection stands.
    fn connected(&mut self, lane: u32, address: SocketAddr, direction: Direction) {
        let Lane { from, to, .. } = self.lanes[lane as usize];
        let handshake = Handshake {
            reserved: Reserved::default().with_dht().with_fast().with_extension(),
            info_hash: self.info.hash(),
            peer_id: self.peers[to as usize].id,
        };
        self.act(
            from,
            Input::Connected {
                link: Link(lane),
                address,
                direction,
                handshake: &handshake,
            },
        );
        self.check_connections(from);
    }

    /// Keeps the block that has just come. A whole piece is checked.
    fn store(&mut self, by: u32, link: Link, block: Block) {
        let from = self.lanes[link.0 as usize].to;
        let is_genuine = self.peers[from as usize].role.manner != Manner::Liar;
        match self.peers[by as usize].storage.store(block, is_genuine) {
            Ok(true) => {
                let piece = block.piece;
                self.schedule(CHECK_TIME, Happening::Checked { by, piece });
            }
            Ok(false) => {}
            Err(twice) => self.broken(by, twice.into()),
        }
    }

    fn latency(&self, one: u32, other: u32) -> Duration {
        let address = |index: u32| self.addresses[index as usize];
        self.paths.latency(address(one), address(other))
    }

    /// Whether nothing can be exchanged: TCP needs both ways.
    fn is_cut(&mut self, one: u32, other: u32) -> bool {
        let now = self.now();
        let (one, other) = (self.addresses[one as usize], self.addresses[other as usize]);
        let is_cut = !self.paths.connects(now, one, other) || !self.paths.connects(now, other, one);
        if is_cut {
            self.calm_since = now;
        }
        is_cut
    }

    fn schedule(&mut self, after: Duration, happening: Happening) {
        self.scheduler.schedule(self.now() + after, happening);
    }

    fn schedule_alarm(&mut self, index: u32, at: Option<Duration>) {
        if let Some(at) = at {
            self.scheduler.schedule(at, Happening::Alarm(index));
        }
    }
}
