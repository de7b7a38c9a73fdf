//! A driver that carries out what the engine asks for, and notices when that makes no sense.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use wire::{
    BLOCK_LENGTH, Block, CloseReason, Config, Event, Info, Link, Message, Outbox, Priority,
    Reserved,
};

/// A dial that nobody answers is forgotten by the engine after this long.
const DIAL_LIFETIME: Duration = Duration::from_secs(60);
/// Peers asked for one block at once in the endgame.
const MAX_ASKED: usize = 3;

pub struct Driver {
    pub now: Duration,
    pub config: Config,
    /// The info dictionary, once the engine has it.
    pub info: Option<Arc<Info>>,
    pub started: bool,
    pub pressure: bool,
    pub finished: bool,
    pub open: BTreeMap<Link, Connection>,
    pub dialling: BTreeMap<SocketAddr, Duration>,
    /// The block that is being handed to the engine.
    pub at_hand: Option<(Link, Block)>,
    pub stored: BTreeMap<u32, BTreeSet<Block>>,
    pub completed: BTreeSet<u32>,
    /// How much each piece is wanted; normally, if nothing is said of it.
    pub priorities: Vec<Priority>,
    /// Bytes that the engine was allowed since the beginning; none without limit.
    pub granted: Option<u64>,
    /// Bytes of blocks that came and were waited for.
    pub arrived: u64,
}

/// One connection as the driver sees it.
pub struct Connection {
    pub reserved: Reserved,
    /// What the engine has asked of the peer and neither got nor given up.
    pub requested: BTreeSet<Block>,
    /// What the engine wants sent to the peer, in order.
    pub uploads: VecDeque<Block>,
    /// What a peer that listens has been told and not looked at yet.
    pub told: VecDeque<Told>,
}

/// A message of the engine's that an honest peer acts on.
pub enum Told {
    Interested,
    Request(Block),
    Extended(u8, Vec<u8>),
}

impl Driver {
    /// A piece whose blocks are all stored.
    pub fn waits_for_verdict(&self) -> Option<u32> {
        let geometry = self.info.as_ref()?.geometry();
        let whole = |(piece, blocks): (&u32, &BTreeSet<Block>)| {
            (blocks.len() == geometry.blocks(*piece) as usize).then_some(*piece)
        };
        self.stored.iter().find_map(whole)
    }

    /// Whether nothing that is wanted is missing.
    pub fn is_content(&self) -> bool {
        let pieces = self.info.as_ref().map(|info| info.geometry().pieces());
        let mut pieces = 0..pieces.unwrap_or_default();
        self.started && pieces.all(|piece| !self.wants(piece) || self.completed.contains(&piece))
    }

    /// Bytes that came or are on their way, as the engine's allowance counts them.
    pub fn spent(&self) -> u64 {
        let requested = self.open.values().map(|peer| peer.requested.len() as u64);
        self.arrived + requested.sum::<u64>() * u64::from(BLOCK_LENGTH)
    }

    /// A piece is not wanted any more.
    pub fn skip(&mut self, piece: u32) {
        let index = piece as usize;
        let stated = self.priorities.len().max(index + 1);
        self.priorities.resize(stated, Priority::Normal);
        self.priorities[index] = Priority::Skip;
    }

    fn wants(&self, piece: u32) -> bool {
        self.priorities.get(piece as usize) != Some(&Priority::Skip)
    }

    fn connection(&mut self, link: Link) -> &mut Connection {
        self.open
            .get_mut(&link)
            .expect("the engine speaks of connections that are open")
    }

    fn check_request(&self, link: Link, block: Block) {
        assert!(self.started, "requested before the storage was checked");
        assert!(!self.pressure, "requested under pressure");
        assert!(self.wants(block.piece), "requested what nobody wants");
        assert!(
            self.granted.is_none_or(|granted| self.spent() < granted),
            "requested more than was allowed"
        );
        assert!(
            !self.completed.contains(&block.piece),
            "requested what is there"
        );
        let geometry = self
            .info
            .as_ref()
            .expect("requested without metadata")
            .geometry();
        assert!(
            geometry.block_index(block).is_some(),
            "requested what does not exist: {block:?}"
        );
        let stored = self
            .stored
            .get(&block.piece)
            .is_some_and(|blocks| blocks.contains(&block));
        assert!(
            !stored || self.at_hand.is_some_and(|(_, at_hand)| at_hand == block),
            "requested what is stored"
        );
        let others = self
            .open
            .iter()
            .filter(|(other, connection)| **other != link && connection.requested.contains(&block));
        assert!(
            others.count() < MAX_ASKED,
            "{block:?} was requested from too many"
        );
    }
}

impl Outbox for Driver {
    fn connect(&mut self, to: SocketAddr) {
        let previous = self.dialling.insert(to, self.now);
        assert!(
            previous.is_none_or(|at| self.now >= at + DIAL_LIFETIME),
            "{to} is being dialled"
        );
        let fresh = self
            .dialling
            .values()
            .filter(|at| self.now < **at + DIAL_LIFETIME);
        assert!(fresh.count() <= self.config.max_dials, "too many dials");
    }

    fn send(&mut self, link: Link, message: Message<'_>) {
        if let Message::Request(block) = message {
            self.check_request(link, block);
        }
        let connection = self.connection(link);
        match message {
            Message::Piece { .. } => panic!("pieces are sent by the driver"),
            Message::Suggest(_)
            | Message::HaveAll
            | Message::HaveNone
            | Message::Reject(_)
            | Message::AllowedFast(_) => {
                assert!(connection.reserved.fast(), "{message:?} was not agreed on");
            }
            Message::Extended { id, payload } => {
                assert!(
                    connection.reserved.extension(),
                    "extensions were not agreed on"
                );
                connection
                    .told
                    .push_back(Told::Extended(id, payload.to_vec()));
            }
            Message::Request(block) => {
                assert!(
                    connection.requested.insert(block),
                    "{block:?} was requested already"
                );
                connection.told.push_back(Told::Request(block));
            }
            Message::Cancel(block) => {
                assert!(
                    connection.requested.remove(&block),
                    "{block:?} was not requested"
                );
            }
            Message::Interested => connection.told.push_back(Told::Interested),
            _ => {}
        }
        let mut written = Vec::new();
        message.encode(&mut written);
        assert!(
            matches!(wire::decode_frame(&written), Ok(wire::Frame::Message { message: read, .. }) if read == message),
            "{message:?} cannot be read"
        );
    }

    fn upload(&mut self, link: Link, block: Block) {
        assert!(
            self.completed.contains(&block.piece),
            "serves what is not there"
        );
        let geometry = self
            .info
            .as_ref()
            .expect("serves without metadata")
            .geometry();
        assert!(geometry.contains(block), "serves what does not exist");
        let most = self.config.max_queued_uploads;
        let connection = self.connection(link);
        connection.uploads.push_back(block);
        assert!(
            connection.uploads.len() <= most,
            "the queue is longer than was advertised"
        );
    }

    fn cancel_upload(&mut self, link: Link, block: Block, _: bool) {
        let uploads = &mut self.connection(link).uploads;
        let position = uploads
            .iter()
            .position(|&queued| queued == block)
            .expect("only what is queued is cancelled");
        uploads.remove(position);
    }

    fn store(&mut self, link: Link, block: Block) {
        assert_eq!(
            self.at_hand,
            Some((link, block)),
            "only the block at hand can be stored"
        );
        let geometry = self
            .info
            .as_ref()
            .expect("stores without metadata")
            .geometry();
        assert!(
            geometry.block_index(block).is_some(),
            "stores what does not exist"
        );
        assert!(
            !self.completed.contains(&block.piece),
            "stores what is there"
        );
        assert!(
            self.stored.entry(block.piece).or_default().insert(block),
            "stores twice"
        );
    }

    fn discard(&mut self, piece: u32) {
        assert!(
            self.stored.remove(&piece).is_some(),
            "discards what was not stored"
        );
    }

    fn close(&mut self, link: Link, reason: &CloseReason) {
        assert!(!reason.to_string().is_empty());
        assert!(self.open.remove(&link).is_some(), "closes what is not open");
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Metadata(info) => assert!(
                self.info.replace(info).is_none(),
                "there is metadata already"
            ),
            Event::MetadataUnusable { reason } => {
                panic!("what the honest peer serves is good: {reason}")
            }
            Event::PieceCompleted { piece } => {
                assert!(self.completed.insert(piece), "completed twice")
            }
            Event::Finished => {
                assert!(self.is_content(), "not all pieces are there");
                assert!(
                    !std::mem::replace(&mut self.finished, true),
                    "finished twice"
                );
            }
            Event::PeerConnected { link, .. } => assert!(self.open.contains_key(&link)),
            Event::PeerBanned { .. } | Event::DhtNode { .. } | Event::NeedPeers => {}
        }
    }
}
