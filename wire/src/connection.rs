//! The state of the protocol with one peer.

mod claims;
mod metadata_peer;
mod requests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use claims::{Claims, Statement};
pub(crate) use metadata_peer::MetadataPeer;
pub(crate) use requests::Requests;

use crate::pipeline::Pipeline;
use crate::rate::Rate;
use crate::torrent::Offer;
use crate::{
    Bitfield, Block, CloseReason, Config, Direction, Handshake, Message, PeerId, Reserved,
};

/// Requests that a peer takes if it does not say. BEP 10, "reqq", speaks of 250 in libtorrent.
const DEFAULT_REQUEST_QUEUE: u32 = 250;
/// How often in a row a peer may choke, reject what was requested, and be asked again as soon as it unchokes.
const MAX_FORGIVEN_REJECTS: u32 = 3;
/// How often a peer may say that it has everything. BEP 6 has it said once, and aria2 says it again when it is done.
const MAX_COMPLETIONS: u32 = 16;
/// Allowed-fast pieces remembered of one peer.
const MAX_ALLOWED_FAST: usize = 64;

/// What one side has said about itself. Both start choking and not interested. BEP 3.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stance {
    pub(crate) choking: bool,
    pub(crate) interested: bool,
}

const INITIAL: Stance = Stance {
    choking: true,
    interested: false,
};

/// The pieces of a peer.
#[derive(Debug)]
pub(crate) enum Pieces {
    /// In the peer's words, while the metadata is unknown.
    Claimed(Claims),
    Known(Bitfield),
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) address: SocketAddr,
    pub(crate) direction: Direction,
    /// The address in our list at which it was dialled, by this connection or by one that gave way to it.
    pub(crate) dialled: Option<SocketAddr>,
    pub(crate) peer_id: PeerId,
    /// When it was established.
    pub(crate) since: Duration,
    reserved: Reserved,
    pub(crate) last_received: Duration,
    pub(crate) last_sent: Duration,
    /// When a block last went either way, or the connection was established.
    pub(crate) last_exchange: Duration,

    pub(crate) ours: Stance,
    pub(crate) theirs: Stance,
    /// When we last choked or unchoked.
    pub(crate) choke_changed: Duration,

    /// Whether it knows our pieces.
    pub(crate) told_pieces: bool,
    pub(crate) pieces: Pieces,
    /// How the picker counts it.
    pub(crate) counted_as_seed: bool,
    /// Pieces that it has and we lack.
    pub(crate) wanted: u32,
    /// What it calls messages about pieces that are gone, if it takes them. BEP 54.
    pub(crate) dont_have_id: Option<u8>,
    /// How often it has said that it has everything.
    completions: u32,
    /// It says that it fetches nothing. BEP 21.
    pub(crate) upload_only: bool,
    /// What it calls itself in the extension handshake.
    pub(crate) client: Option<String>,
    /// The UDP port of its DHT node, if it has told. BEP 5.
    pub(crate) dht_port: Option<u16>,
    pub(crate) metadata: MetadataPeer,

    pub(crate) requests: Requests,
    pub(crate) pipeline: Pipeline,
    /// Since when an answer is due, or when the last one came.
    pub(crate) waiting_since: Duration,
    /// The piece that it is at.
    pub(crate) current: Option<u32>,
    /// The picker's generation in which there was nothing for it.
    pub(crate) searched: Option<u64>,
    /// It takes no requests for now.
    pub(crate) paused_until: Duration,
    /// Until when it may unchoke us and go on with its pieces, if it chokes us on parole.
    pub(crate) parole_until: Option<Duration>,
    rejects: u32,
    request_queue: u32,
    /// What it lets us request while choked. BEP 6.
    pub(crate) allowed: Vec<u32>,

    /// The piece that it was shown last. BEP 16.
    pub(crate) offer: Option<Offer>,
    /// Its requests that wait to be served.
    pub(crate) uploads: VecDeque<Block>,
    /// What we let it request while choked. BEP 6.
    pub(crate) granted: Vec<u32>,
    /// Requests refused since it was choked.
    pub(crate) refused: usize,

    pub(crate) downloaded: Meter,
    pub(crate) uploaded: Meter,
}

/// Bytes in all and of late.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter {
    pub(crate) total: u64,
    pub(crate) rate: Rate,
}

impl Meter {
    pub(crate) fn add(&mut self, now: Duration, bytes: u32) {
        self.total += u64::from(bytes);
        self.rate.add(now, bytes);
    }
}

impl Connection {
    /// A connection whose handshakes have been exchanged. `pieces` is the number of pieces, if it is known.
    pub(crate) fn new(
        now: Duration,
        address: SocketAddr,
        direction: Direction,
        handshake: &Handshake,
        pieces: Option<u32>,
    ) -> Self {
        Self {
            address,
            direction,
            dialled: (direction == Direction::Outgoing).then_some(address),
            peer_id: handshake.peer_id,
            since: now,
            reserved: handshake.reserved,
            last_received: now,
            last_sent: now,
            last_exchange: now,
            ours: INITIAL,
            theirs: INITIAL,
            choke_changed: now,
            told_pieces: false,
            pieces: pieces.map_or_else(
                || Pieces::Claimed(Claims::default()),
                |pieces| Pieces::Known(Bitfield::new(pieces)),
            ),
            counted_as_seed: false,
            wanted: 0,
            dont_have_id: None,
            completions: 0,
            upload_only: false,
            client: None,
            dht_port: None,
            metadata: MetadataPeer::default(),
            requests: Requests::new(),
            pipeline: Pipeline::new(),
            waiting_since: now,
            current: None,
            searched: None,
            paused_until: Duration::ZERO,
            parole_until: None,
            rejects: 0,
            request_queue: DEFAULT_REQUEST_QUEUE,
            allowed: Vec::new(),
            offer: None,
            uploads: VecDeque::new(),
            granted: Vec::new(),
            refused: 0,
            downloaded: Meter::default(),
            uploaded: Meter::default(),
        }
    }

    /// BEP 5: it has a DHT node.
    pub(crate) fn speaks_dht(&self) -> bool {
        self.reserved.dht()
    }

    /// BEP 6.
    pub(crate) fn speaks_fast(&self) -> bool {
        self.reserved.fast()
    }

    /// BEP 10.
    pub(crate) fn speaks_extension(&self) -> bool {
        self.reserved.extension()
    }

    /// Whether it can be told that a piece is gone: by a message of its own (BEP 54), or when it asks (BEP 6).
    pub(crate) fn hears_of_losses(&self) -> bool {
        self.speaks_fast() || self.dont_have_id.is_some()
    }

    /// The peer's pieces, once the metadata is known.
    pub(crate) fn bitfield(&self) -> Option<&Bitfield> {
        match &self.pieces {
            Pieces::Known(bitfield) => Some(bitfield),
            Pieces::Claimed(_) => None,
        }
    }

    /// Whether it has the piece, as far as is known.
    pub(crate) fn has(&self, piece: u32) -> bool {
        self.bitfield().is_some_and(|pieces| pieces.get(piece))
    }

    /// Refuses an index that the torrent does not have, once that is known.
    pub(crate) fn check_index(&self, piece: u32) -> Result<(), CloseReason> {
        match self.bitfield().map(Bitfield::len) {
            Some(pieces) if piece >= pieces => Err(CloseReason::NoSuchPiece { piece, pieces }),
            _ => Ok(()),
        }
    }

    /// It says that it has everything, in five bytes that cost us a walk through all pieces: whoever loses one each time in between ends here.
    pub(crate) fn becomes_seed(&mut self) -> Result<(), CloseReason> {
        self.completions += 1;
        if self.completions > MAX_COMPLETIONS {
            return Err(CloseReason::ClaimFlood);
        }
        Ok(())
    }

    /// It has something that we lack, or may have while we do not know what there is to have: the sooner it unchokes us, the better.
    pub(crate) fn is_interesting(&self) -> bool {
        match &self.pieces {
            Pieces::Claimed(claims) => !claims.is_empty(),
            Pieces::Known(_) => self.wanted > 0,
        }
    }

    pub(crate) fn is_seed(&self) -> bool {
        self.bitfield().is_some_and(Bitfield::is_full)
    }

    /// Requests that may be in flight, the peer's word considered.
    pub(crate) fn request_limit(&self, config: &Config) -> u32 {
        config.max_outstanding.min(self.request_queue).max(1)
    }

    pub(crate) fn set_request_queue(&mut self, requests: u32) {
        self.request_queue = requests.max(1);
    }

    /// Refuses messages of extensions that were not agreed on.
    pub(crate) fn admit(&self, message: &Message<'_>) -> Result<(), CloseReason> {
        match message {
            Message::Suggest(_)
            | Message::HaveAll
            | Message::HaveNone
            | Message::Reject(_)
            | Message::AllowedFast(_)
                if !self.speaks_fast() =>
            {
                Err(CloseReason::FastNotAgreed)
            }
            Message::Extended { .. } if !self.speaks_extension() => {
                Err(CloseReason::ExtensionNotAgreed)
            }
            _ => Ok(()),
        }
    }

    /// Whether it lets us request anything.
    pub(crate) fn takes_requests(&self) -> bool {
        !self.theirs.choking || !self.allowed.is_empty()
    }

    /// Whether it lets us request this piece.
    pub(crate) fn takes_requests_for(&self, piece: u32) -> bool {
        !self.theirs.choking || self.allowed.contains(&piece)
    }

    /// The peer lets us request the piece while choked.
    pub(crate) fn allow(&mut self, piece: u32) {
        if self.allowed.len() < MAX_ALLOWED_FAST && !self.allowed.contains(&piece) {
            self.allowed.push(piece);
        }
    }

    /// The peer refused a request: each further time without a block in between, it is left alone for longer.
    pub(crate) fn pause_after_reject(&mut self, now: Duration) {
        if self.paused_until <= now {
            self.rejects += 1;
            self.paused_until = now + Duration::from_secs(1 << self.rejects.min(6));
        }
    }

    /// It keeps refusing what we request: an unchoke alone is no reason to try again at once.
    pub(crate) fn is_evasive(&self) -> bool {
        self.rejects > MAX_FORGIVEN_REJECTS
    }

    /// The peer delivered what was asked for.
    pub(crate) fn delivered(
        &mut self,
        config: &Config,
        now: Duration,
        sent: Duration,
        block: Block,
    ) {
        let limit = self.request_limit(config);
        self.pipeline.delivered(now, sent, block.length, limit);
        self.waiting_since = now;
        self.rejects = 0;
        if self.requests.is_empty() {
            self.pipeline.idle();
        }
    }

    /// The peer delivered what it was not waited for any more: it can be asked again, if it has not refused to be.
    pub(crate) fn delivered_late(&mut self, now: Duration) {
        if self.pipeline.is_snubbed() && self.rejects == 0 {
            self.paused_until = self.paused_until.min(now);
        }
    }

    /// One of its requests waits no more. Returns whether it did.
    pub(crate) fn dequeue(&mut self, block: Block) -> bool {
        let index = self.uploads.iter().position(|&queued| queued == block);
        index.is_some_and(|index| self.uploads.remove(index).is_some())
    }

    /// Until when requests in flight may stay without an answer.
    pub(crate) fn answer_due(&self, config: &Config) -> Option<Duration> {
        (!self.requests.is_empty())
            .then(|| self.waiting_since + self.pipeline.patience(config.request_timeout))
    }
}
