//! An engine on the bench, and a record of what it does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use wire::{
    BLOCK_LENGTH, Bitfield, Block, CloseReason, Config, Direction, Event, Handshake, Info,
    InfoBuilder, Input, Link, Message, Outbox, PeerId, Reserved, Torrent,
};

pub(crate) const PIECES: u32 = 20;
pub(crate) const PIECE_LENGTH: u32 = 4 * BLOCK_LENGTH;
pub(crate) const LINK: Link = Link(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Choke,
    Unchoke,
    Interested,
    NotInterested,
    KeepAlive,
    Have(u32),
    Bitfield,
    HaveAll,
    HaveNone,
    Request(Block),
    Cancel(Block),
    Reject(Block),
    AllowedFast(u32),
    Port(u16),
    Extended(u8, Vec<u8>),
    Upload(Block),
    /// And whether it is to be rejected.
    CancelUpload(Block, bool),
    Store(Block),
    Discard(u32),
    Close(CloseReason),
}

#[derive(Default)]
pub(crate) struct Record {
    pub(crate) said: Vec<(Link, Said)>,
    pub(crate) dialled: Vec<SocketAddr>,
    pub(crate) events: Vec<Event>,
}

impl Outbox for Record {
    fn connect(&mut self, to: SocketAddr) {
        self.dialled.push(to);
    }

    fn send(&mut self, link: Link, message: Message<'_>) {
        let said = match message {
            Message::Choke => Said::Choke,
            Message::Unchoke => Said::Unchoke,
            Message::Interested => Said::Interested,
            Message::NotInterested => Said::NotInterested,
            Message::KeepAlive => Said::KeepAlive,
            Message::Have(piece) => Said::Have(piece),
            Message::Bitfield(_) => Said::Bitfield,
            Message::HaveAll => Said::HaveAll,
            Message::HaveNone => Said::HaveNone,
            Message::Request(block) => Said::Request(block),
            Message::Cancel(block) => Said::Cancel(block),
            Message::Reject(block) => Said::Reject(block),
            Message::AllowedFast(piece) => Said::AllowedFast(piece),
            Message::Port(port) => Said::Port(port),
            Message::Extended { id, payload } => Said::Extended(id, payload.to_vec()),
            other => panic!("an engine never says {other:?}"),
        };
        self.said.push((link, said));
    }

    fn upload(&mut self, link: Link, block: Block) {
        self.said.push((link, Said::Upload(block)));
    }

    fn cancel_upload(&mut self, link: Link, block: Block, reject: bool) {
        self.said.push((link, Said::CancelUpload(block, reject)));
    }

    fn store(&mut self, link: Link, block: Block) {
        self.said.push((link, Said::Store(block)));
    }

    fn discard(&mut self, piece: u32) {
        self.said.push((LINK, Said::Discard(piece)));
    }

    fn close(&mut self, link: Link, reason: &CloseReason) {
        self.said.push((link, Said::Close(reason.clone())));
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// An engine and what it does.
pub(crate) struct Engine {
    pub(crate) torrent: Torrent,
    pub(crate) config: Config,
    pub(crate) rng: Xoshiro256PlusPlus,
    pub(crate) now: Duration,
    pub(crate) info: Arc<Info>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) record: Record,
}

pub(crate) const PLAIN: Reserved = Reserved([0; 8]);
pub(crate) const FAST: Reserved = Reserved([0; 8]).with_fast();
pub(crate) const ALL: Reserved = Reserved([0; 8]).with_fast().with_extension().with_dht();

pub(crate) fn peer_id(name: u8) -> PeerId {
    PeerId::from([name; 20])
}

pub(crate) fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, last], 6881))
}

pub(crate) fn block(piece: u32, index: u32) -> Block {
    Block {
        piece,
        offset: index * BLOCK_LENGTH,
        length: BLOCK_LENGTH,
    }
}

impl Engine {
    /// An engine that knows nothing but the info-hash.
    pub(crate) fn blank() -> Self {
        let hashes = vec![[0; 20]; PIECES as usize];
        let length = u64::from(PIECES * PIECE_LENGTH);
        let info = InfoBuilder::single_file("protocol", length)
            .piece_length(PIECE_LENGTH)
            .build(&hashes);
        let info = Arc::new(info.expect("the torrent is well formed"));
        Self {
            torrent: Torrent::new(info.hash(), peer_id(100), None),
            config: Config::default(),
            rng: Xoshiro256PlusPlus::seed_from_u64(3),
            now: Duration::from_secs(1),
            info,
            deadline: None,
            record: Record::default(),
        }
    }

    /// An engine that waits for its storage.
    pub(crate) fn checking() -> Self {
        let mut engine = Self::blank();
        engine.torrent = Torrent::new(
            engine.info.hash(),
            peer_id(100),
            Some(Arc::clone(&engine.info)),
        );
        engine
    }

    /// An engine that has these pieces.
    pub(crate) fn with(have: Bitfield) -> Self {
        let mut engine = Self::checking();
        engine.input(Input::Start { have });
        engine
    }

    pub(crate) fn leecher() -> Self {
        Self::with(Bitfield::new(PIECES))
    }

    pub(crate) fn seed() -> Self {
        Self::with(Bitfield::full(PIECES))
    }

    /// Gives an input and returns what the engine does about it.
    pub(crate) fn input(&mut self, input: Input<'_>) -> Vec<(Link, Said)> {
        self.deadline = self.torrent.handle(
            &self.config,
            self.now,
            &mut self.rng,
            input,
            &mut self.record,
        );
        assert!(
            self.deadline.is_none_or(|deadline| deadline > self.now),
            "a deadline in the past"
        );
        std::mem::take(&mut self.record.said)
    }

    pub(crate) fn connect(&mut self, link: Link, reserved: Reserved) -> Vec<Said> {
        let handshake = Handshake {
            reserved,
            info_hash: self.info.hash(),
            peer_id: peer_id(link.0 as u8),
        };
        let address = address(link.0 as u8);
        let input = Input::Connected {
            link,
            address,
            direction: Direction::Incoming,
            handshake: &handshake,
        };
        only(self.input(input))
    }

    pub(crate) fn hear(&mut self, message: Message<'_>) -> Vec<Said> {
        only(self.input(Input::Received {
            link: LINK,
            message,
        }))
    }

    pub(crate) fn block(&mut self, block: Block) -> Vec<Said> {
        only(self.input(Input::Block { link: LINK, block }))
    }

    /// Lets time pass, with all timeouts on the way.
    pub(crate) fn wait(&mut self, time: Duration) -> Vec<(Link, Said)> {
        let end = self.now + time;
        let mut said = Vec::new();
        while let Some(deadline) = self.deadline.filter(|&deadline| deadline <= end) {
            self.now = deadline;
            said.extend(self.input(Input::Timeout));
        }
        self.now = end;
        said
    }

    /// A leecher that a seed has unchoked, and what it requests.
    pub(crate) fn fetching(reserved: Reserved) -> (Self, Vec<Block>) {
        let mut engine = Self::leecher();
        engine.connect(LINK, reserved);
        let all = Bitfield::full(PIECES);
        assert_eq!(
            engine.hear(Message::Bitfield(all.as_bytes())),
            [Said::Interested]
        );
        let requests = requests(&engine.hear(Message::Unchoke));
        assert_eq!(requests.len(), 16);
        (engine, requests)
    }

    pub(crate) fn connected(&self) -> usize {
        self.torrent.progress(self.now).connected
    }
}

pub(crate) fn only(said: Vec<(Link, Said)>) -> Vec<Said> {
    said.into_iter().map(|(_, said)| said).collect()
}

pub(crate) fn requests(said: &[Said]) -> Vec<Block> {
    said.iter()
        .filter_map(|said| {
            if let Said::Request(block) = said {
                Some(*block)
            } else {
                None
            }
        })
        .collect()
}

pub(crate) fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
