//! One torrent over all its connections.

mod budget;
mod context;
mod downloading;
mod housekeeping;
mod losses;
mod metadata_exchange;
mod peers;
mod progress;
mod receiving;
mod room;
mod selection;
mod super_seeding;
mod timers;
mod uploading;
mod urgency;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;

pub use self::progress::{LinkView, Progress};
pub(crate) use self::super_seeding::Offer;
use crate::blame::Blame;
use crate::connection::{Connection, Meter};
use crate::peer_list::PeerList;
use crate::piece_picker::PiecePicker;
use crate::{
    Bitfield, Block, Config, Info, InfoHash, Input, Link, MetadataAssembly, Outbox, PeerId,
};
use budget::Budget;
use context::Context;
use selection::Selection;
use timers::Timers;

/// The engine of one torrent: fetching and serving are the same machine.
///
/// It lives through three states. Without the info dictionary it fetches that from peers (BEP 9). With it, it waits for [`Input::Start`], which says
/// what the storage holds. From then on it fetches what is missing and serves what is there.
#[derive(Debug)]
pub struct Torrent {
    info_hash: InfoHash,
    peer_id: PeerId,
    info: Option<Arc<Info>>,
    /// While `info` is unknown.
    metadata: Option<MetadataAssembly<SocketAddr>>,
    /// From [`Input::Start`] on.
    picker: Option<PiecePicker>,
    selection: Selection,
    connections: BTreeMap<Link, Connection>,
    peers: PeerList,
    blame: Blame,
    /// When each connection is to be looked after.
    timers: Timers,
    /// When it may be decided anew whom to serve.
    next_round: Duration,
    /// More want to be served than can be.
    is_contended: bool,
    /// Peers served at once, as the last round found it right.
    slots: usize,
    /// When the driver may be asked for peers again.
    next_need: Option<Duration>,
    pressure: bool,
    budget: Budget,
    /// Something can be requested that could not before: idle peers are to be looked at.
    stirred: bool,
    /// When they are to be looked at for what was rejected.
    stir_at: Option<Duration>,
    /// When it is looked whether urgent blocks are late; while any are missing.
    next_look: Option<Duration>,
    /// Nothing is due before this.
    deadline: Option<Duration>,
    downloaded: Meter,
    uploaded: Meter,
    /// The blocks of the last batch of requests; kept for its memory.
    chosen: Vec<Block>,
}

impl Torrent {
    /// A torrent that knows no peers. `info` is given if it need not be fetched.
    ///
    /// `peer_id` is the one that the driver's handshakes carry, with the bits of BEP 5, 6 and 10 set in [`Reserved`](crate::Reserved).
    pub fn new(info_hash: InfoHash, peer_id: PeerId, info: Option<Arc<Info>>) -> Self {
        Self {
            info_hash,
            peer_id,
            metadata: info.is_none().then(|| MetadataAssembly::new(info_hash)),
            info,
            picker: None,
            selection: Selection::default(),
            connections: BTreeMap::new(),
            peers: PeerList::default(),
            blame: Blame::default(),
            timers: Timers::default(),
            next_round: Duration::ZERO,
            is_contended: false,
            slots: 0,
            next_need: None,
            pressure: false,
            budget: Budget::default(),
            stirred: false,
            stir_at: None,
            next_look: None,
            deadline: None,
            downloaded: Meter::default(),
            uploaded: Meter::default(),
            chosen: Vec::new(),
        }
    }

    /// Tells the torrent what happened at `now`, a time since an epoch of the driver's choice that never runs backwards.
    ///
    /// Returns when it wants [`Input::Timeout`], which is always later than `now`; none if there is nothing to wait for.
    /// An input about a link that is not open is ignored.
    #[must_use = "the engine stands still without its timeouts"]
    pub fn handle(
        &mut self,
        config: &Config,
        now: Duration,
        rng: &mut impl Rng,
        input: Input<'_>,
        out: &mut impl Outbox,
    ) -> Option<Duration> {
        let context = &mut Context {
            config,
            now,
            rng,
            out,
        };
        match input {
            Input::Candidates(addresses, source) => self.candidates(context, addresses, source),
            Input::ConnectFailed { address } => self.connect_failed(context, address),
            Input::Connected {
                link,
                address,
                direction,
                handshake,
            } => {
                self.connected(context, link, address, direction, handshake);
            }
            Input::Received { link, message } => self.received(context, link, message),
            Input::Block { link, block } => self.block_received(context, link, block),
            Input::Uploaded { link, block } => self.block_uploaded(context, link, block),
            Input::UploadFailed { link, block } => self.upload_failed(context, link, block),
            Input::Closed { link } => self.disconnected(context, link),
            Input::Start { have } => self.start(context, have),
            Input::PieceChecked { piece, valid } => self.piece_checked(context, piece, valid),
            Input::PieceLost { piece, fetch_again } => self.piece_lost(context, piece, fetch_again),
            Input::PieceFound { piece } => self.piece_found(context, piece),
            Input::Prioritize(priorities) => self.prioritise(context, priorities),
            Input::Order(order) => self.set_order(order),
            Input::Urgent(pieces) => self.set_urgent(context, pieces),
            Input::Pressure(pressure) => self.pressed(context, pressure),
            Input::Allowance(allowance) => self.allowed(allowance),
            Input::Timeout => {}
        }
        if self.stirred {
            self.stirred = false;
            self.refill_all(context);
        }
        if self.deadline.is_none_or(|deadline| deadline <= now) {
            self.keep_house(context);
        }
        self.deadline
    }

    /// The info dictionary, once it is known.
    pub fn info(&self) -> Option<&Arc<Info>> {
        self.info.as_ref()
    }

    /// The pieces that are there and checked, from [`Input::Start`] on.
    pub fn have(&self) -> Option<&Bitfield> {
        self.picker.as_ref().map(PiecePicker::have)
    }

    /// The blocks that this peer was asked for and has not sent, in the order they were asked for.
    pub fn expected(&self, link: Link) -> impl Iterator<Item = Block> + '_ {
        self.connections
            .get(&link)
            .into_iter()
            .flat_map(|connection| connection.requests.iter())
    }

    /// The storage is being checked: what we have is not known yet.
    fn is_checking(&self) -> bool {
        self.info.is_some() && self.picker.is_none()
    }

    /// All pieces that are wanted are there.
    fn is_finished(&self) -> bool {
        self.picker.as_ref().is_some_and(PiecePicker::is_finished)
    }

    /// Something is due at `at` with one connection.
    fn wake_link_by(&mut self, link: Link, at: Duration) {
        self.timers.wake_by(link, at);
        self.wake_by(at);
    }

    /// Something is due at `at`.
    fn wake_by(&mut self, at: Duration) {
        self.deadline = Some(self.deadline.map_or(at, |deadline| deadline.min(at)));
    }
}
