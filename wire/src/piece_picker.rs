//! Which blocks to request next, and from whom.
//!
//! First what is urgent, in the order given. Then, of the most wanted that there is, in this order: the piece that the peer is at, pieces that others left unfinished, the rarest piece that nobody has begun (a random one while we
//! have next to nothing), open blocks of pieces that others are at. When every block there is has been requested, the *endgame*: what is still
//! missing is requested from idle peers too, and the first to deliver wins.

mod availability;
mod partial;
mod possession;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use rand::Rng;

use crate::{Bitfield, Block, Geometry, Info, Link, Order, Priority};
use availability::{Availability, LEVELS, level};
use partial::Partial;

/// Pieces fetched in random order before rarity counts: something to trade comes first.
const RANDOM_FIRST_PIECES: u32 = 4;
/// Peers asked for one block in the endgame.
const MAX_ASKED: u16 = 3;

/// Bytes of pieces that are begun before peers no longer get pieces for themselves.
const MAX_BEGUN: u64 = 64 << 20;

/// Who wants to request, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) link: Link,
    pub(crate) pieces: &'a Bitfield,
    /// Fast enough to fetch pieces for itself.
    pub(crate) whole_pieces: bool,
    /// On parole: shares no piece with anybody.
    pub(crate) alone: bool,
}

/// What a block that came is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receipt {
    Wanted {
        /// Peers that were being asked for it, the sender among them if it was.
        asked: u16,
    },
    Unwanted,
}

/// How much there is to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Some pieces that somebody has are not begun.
    Plenty,
    /// There are open blocks in pieces that have been begun and that nobody fetches alone.
    AllBegun,
    /// Every block that anybody could send has been requested.
    Endgame,
}

#[derive(Debug)]
pub(crate) struct PiecePicker {
    geometry: Geometry,
    have: Bitfield,
    bytes_left: u64,
    availability: Availability,
    partials: BTreeMap<u32, Partial>,
    /// The partials with open blocks, by priority as in [`LEVELS`].
    open: [BTreeSet<u32>; LEVELS.len()],
    /// Pieces that are wanted and not there, and their bytes.
    missing: u32,
    bytes_missing: u64,
    /// Bytes of what is wanted, there or not.
    bytes_wanted: u64,
    order: Order,
    /// What is needed next, the first first.
    urgent: Vec<u32>,
    /// Knows which blocks are padding, if any are.
    padded: Option<Arc<Info>>,
    /// Grows whenever something becomes open, so that a search without result need not be repeated before.
    generation: u64,
}

impl PiecePicker {
    pub(crate) fn new(geometry: Geometry, have: Bitfield, rng: &mut dyn Rng) -> Self {
        let availability = Availability::new(&have, rng);
        let bytes_had: u64 = have
            .iter_ones()
            .map(|piece| u64::from(geometry.piece_length(piece)))
            .sum();
        Self {
            bytes_left: geometry.total().saturating_sub(bytes_had),
            missing: have.len() - have.count_ones(),
            bytes_missing: geometry.total().saturating_sub(bytes_had),
            bytes_wanted: geometry.total(),
            order: Order::default(),
            urgent: Vec::new(),
            padded: None,
            geometry,
            have,
            availability,
            partials: BTreeMap::new(),
            open: LEVELS.map(|_| BTreeSet::new()),
            generation: 0,
        }
    }

    /// Blocks that are nothing but padding are not requested.
    pub(crate) fn leave_out_padding(&mut self, info: &Arc<Info>) {
        if info.files().iter().any(|file| file.padding) {
            self.padded = Some(Arc::clone(info));
        }
    }

    fn new_partial(&self, piece: u32) -> Partial {
        let blocks = self.geometry.blocks(piece);
        let padded = self.padded.as_ref();
        let fetched = padded.map_or(blocks, |info| info.blocks_to_fetch(piece));
        Partial::new(blocks, fetched)
    }

    pub(crate) fn have(&self) -> &Bitfield {
        &self.have
    }

    /// Bytes of every piece but the last.
    pub(crate) fn piece_length(&self) -> u32 {
        self.geometry.full_piece_length()
    }

    pub(crate) fn bytes_left(&self) -> u64 {
        self.bytes_left
    }

    /// Everything that is wanted is there.
    pub(crate) fn is_finished(&self) -> bool {
        self.missing == 0
    }

    /// The piece is to be fetched and not there.
    pub(crate) fn is_missing(&self, piece: u32) -> bool {
        piece < self.have.len()
            && !self.have.get(piece)
            && self.availability.priority(piece) != Priority::Skip
    }

    /// Pieces that a peer with these pieces has for us.
    pub(crate) fn missing_of(&self, pieces: &Bitfield) -> u32 {
        let of_use = pieces.difference(&self.have);
        of_use.filter(|&piece| self.is_missing(piece)).count() as u32
    }

    /// Bytes of what is wanted and not there.
    pub(crate) fn bytes_missing(&self) -> u64 {
        self.bytes_missing
    }

    /// Bytes of what is wanted, there or not.
    pub(crate) fn bytes_wanted(&self) -> u64 {
        self.bytes_wanted
    }

    /// Changes how much each piece is wanted; those for which nothing is said as any other. What has been begun and is not wanted any more is kept, and goes
    /// on when it is wanted again.
    pub(crate) fn prioritise(&mut self, priorities: &[Priority], rng: &mut dyn Rng) {
        for piece in 0..self.have.len() {
            let priority = priorities.get(piece as usize).copied().unwrap_or_default();
            let before = self.availability.priority(piece);
            if priority == before {
                continue;
            }
            self.close(piece);
            self.availability.set_priority(piece, priority, rng);
            let length = u64::from(self.geometry.piece_length(piece));
            match (before, priority) {
                (Priority::Skip, _) => self.bytes_wanted += length,
                (_, Priority::Skip) => self.bytes_wanted -= length,
                _ => {}
            }
            if self.have.get(piece) {
                continue;
            }
            match (before, priority) {
                (Priority::Skip, _) => {
                    self.missing += 1;
                    self.bytes_missing += length;
                }
                (_, Priority::Skip) => {
                    self.missing -= 1;
                    self.bytes_missing -= length;
                }
                _ => {}
            }
            match self.partials.get(&piece) {
                Some(partial) if partial.open() > 0 => self.open(piece),
                Some(_) => {}
                None => self.availability.put_back(piece, rng),
            }
        }
        self.generation += 1;
    }

    pub(crate) fn set_order(&mut self, order: Order) {
        self.order = order;
    }

    /// Changes what is needed next.
    pub(crate) fn set_urgent(&mut self, pieces: &[u32]) {
        self.urgent.clear();
        let missing = pieces.iter().copied();
        self.urgent
            .extend(missing.filter(|&piece| piece < self.have.len() && !self.have.get(piece)));
        self.generation += 1;
    }

    /// Something that is urgent and wanted is not there.
    pub(crate) fn is_urgent(&self) -> bool {
        self.urgent.iter().any(|&piece| self.is_missing(piece))
    }

    /// How many pieces are needed before this one; none if it is not urgent, or not missing.
    pub(crate) fn urgency(&self, piece: u32) -> Option<usize> {
        let place = self.urgent.iter().position(|&urgent| urgent == piece)?;
        self.is_missing(piece).then_some(place)
    }

    /// Requests a block that somebody was asked for once more, unless one peer fetches the piece alone or enough were asked.
    pub(crate) fn request_again(&mut self, block: Block) -> bool {
        let index = self.geometry.block_index(block);
        let partial = self.partials.get_mut(&block.piece);
        index.zip(partial).is_some_and(|(index, partial)| {
            !partial.alone && partial.request_again(index, MAX_ASKED)
        })
    }

    /// A partial has open blocks: it can be picked, if it is wanted.
    fn open(&mut self, piece: u32) {
        if let Some(level) = level(self.availability.priority(piece)) {
            self.open[level].insert(piece);
        }
    }

    fn close(&mut self, piece: u32) {
        if let Some(level) = level(self.availability.priority(piece)) {
            self.open[level].remove(&piece);
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// How much there is to choose from.
    pub(crate) fn stage(&self) -> Stage {
        if self.availability.has_available() {
            Stage::Plenty
        } else if self.open.iter().flatten().any(|piece| {
            let partial = self.partials.get(piece);
            partial.is_some_and(|partial| !partial.alone || partial.owner.is_none())
        }) {
            Stage::AllBegun
        } else {
            Stage::Endgame
        }
    }

    /// A peer with these pieces is there. Returns whether it counts as a seed, which [`peer_left`](Self::peer_left) must be told.
    pub(crate) fn peer_joined(&mut self, pieces: &Bitfield) -> bool {
        if pieces.is_full() {
            self.availability.add_seed();
        } else {
            pieces
                .iter_ones()
                .for_each(|piece| self.availability.increment(piece));
        }
        pieces.is_full()
    }

    pub(crate) fn peer_left(&mut self, pieces: &Bitfield, counted_as_seed: bool) {
        if counted_as_seed {
            self.availability.remove_seed();
        } else {
            pieces
                .iter_ones()
                .for_each(|piece| self.availability.decrement(piece));
        }
    }

    /// A peer that is there got one more piece.
    pub(crate) fn peer_has(&mut self, piece: u32) {
        if piece < self.geometry.pieces() {
            self.availability.increment(piece);
        }
    }

    /// A peer that is there, and does not count as a seed, has lost a piece.
    pub(crate) fn peer_lost(&mut self, piece: u32) {
        if piece < self.geometry.pieces() {
            self.availability.decrement(piece);
        }
    }

    /// Peers that have a piece, seeds not counted.
    pub(crate) fn copies(&self, piece: u32) -> u32 {
        self.availability.copies(piece)
    }

    /// Requests up to `wanted` blocks. `current` is the piece that the peer is at.
    pub(crate) fn pick(
        &mut self,
        asker: Asker<'_>,
        current: &mut Option<u32>,
        wanted: usize,
        rng: &mut dyn Rng,
        requested: &mut Vec<Block>,
    ) {
        let mut left = wanted;
        while left > 0 {
            let piece = self
                .urgent(asker)
                .or_else(|| current.filter(|&piece| self.may_continue(piece, asker)));
            let Some(piece) = piece.or_else(|| self.next_piece(asker, rng)) else {
                break;
            };
            *current = Some(piece);
            left -= self.request_open(piece, left, requested);
        }
    }

    /// Requests open blocks of one piece, whatever else there is: for a piece of the peer's allowed-fast set.
    pub(crate) fn pick_from(
        &mut self,
        piece: u32,
        asker: Asker<'_>,
        wanted: usize,
        requested: &mut Vec<Block>,
    ) {
        if !self.is_missing(piece) || !asker.pieces.get(piece) {
            return;
        }
        if self.availability.is_pooled(piece) {
            self.begin(piece);
        }
        if self
            .partials
            .get(&piece)
            .is_some_and(|partial| !partial.alone && !asker.alone)
        {
            self.request_open(piece, wanted, requested);
        }
    }

    /// In the endgame, requests up to `wanted` blocks that others were asked for already. The peer must not have been asked for any itself.
    pub(crate) fn pick_again(
        &mut self,
        asker: Asker<'_>,
        wanted: usize,
        requested: &mut Vec<Block>,
    ) {
        if self.stage() != Stage::Endgame || asker.alone {
            return;
        }
        let mut left = wanted;
        for (&piece, partial) in &mut self.partials {
            let is_wanted = self.availability.priority(piece) != Priority::Skip;
            if partial.alone || !is_wanted || !asker.pieces.get(piece) {
                continue;
            }
            // Backwards: the peer that was asked first sends the front of the piece first.
            for index in (0..partial.len()).rev() {
                if left == 0 {
                    return;
                }
                if partial.request_again(index, MAX_ASKED) {
                    requested.push(self.geometry.block(piece, index));
                    left -= 1;
                }
            }
        }
    }

    /// A peer that was asked for the block will not send it.
    pub(crate) fn release(&mut self, block: Block, rng: &mut dyn Rng) {
        let Some(index) = self.geometry.block_index(block) else {
            return;
        };
        let Some(partial) = self.partials.get_mut(&block.piece) else {
            return;
        };
        if !partial.release(index) {
            return;
        }
        self.generation += 1;
        if partial.is_untouched() && !partial.alone {
            self.partials.remove(&block.piece);
            self.close(block.piece);
            self.availability.put_back(block.piece, rng);
        } else {
            self.open(block.piece);
        }
    }

    /// The peer does not go on with its pieces: they are anybody's. Returns those of which it has fetched a part alone, unless that may be kept: they are
    /// begun anew.
    pub(crate) fn disown(&mut self, link: Link, keeps: bool) -> Vec<u32> {
        let mut dropped = Vec::new();
        for (&piece, partial) in &mut self.partials {
            if partial.disown(link, keeps) {
                dropped.push(piece);
            }
        }
        self.reopen(&dropped);
        dropped
    }

    /// The peer does not go on with this piece. Returns whether it is begun anew: see [`disown`](Self::disown).
    pub(crate) fn disown_piece(&mut self, link: Link, piece: u32, keeps: bool) -> bool {
        let partial = self.partials.get_mut(&piece);
        let is_dropped = partial.is_some_and(|partial| partial.disown(link, keeps));
        if is_dropped {
            self.reopen(&[piece]);
        }
        is_dropped
    }

    fn reopen(&mut self, pieces: &[u32]) {
        for &piece in pieces {
            self.open(piece);
        }
        self.generation += u64::from(!pieces.is_empty());
    }

    /// A block came over `link` from `from`. A piece that one peer fetches alone takes blocks from nobody else.
    pub(crate) fn received(&mut self, block: Block, link: Link, from: SocketAddr) -> Receipt {
        let Some(index) = self.geometry.block_index(block) else {
            return Receipt::Unwanted;
        };
        let Some(partial) = self.partials.get_mut(&block.piece) else {
            return Receipt::Unwanted;
        };
        if partial.alone && partial.owner != Some(link) {
            return Receipt::Unwanted;
        }
        let Some(asked) = partial.receive(index, from) else {
            return Receipt::Unwanted;
        };
        if partial.open() == 0 {
            self.close(block.piece);
        }
        Receipt::Wanted { asked }
    }

    /// The piece failed its check and is fetched again, by one peer alone. Returns who sent it, or nothing if it was not waiting for a verdict.
    pub(crate) fn failed(&mut self, piece: u32) -> Option<Vec<SocketAddr>> {
        let partial = self
            .partials
            .get(&piece)
            .filter(|partial| partial.is_complete())?;
        let contributors = partial.contributors().to_vec();
        let mut anew = self.new_partial(piece);
        anew.alone = true;
        self.partials.insert(piece, anew);
        self.open(piece);
        self.generation += 1;
        Some(contributors)
    }

    fn may_continue(&self, piece: u32, asker: Asker<'_>) -> bool {
        self.partials.get(&piece).is_some_and(|partial| {
            let ours = partial.owner == Some(asker.link);
            partial.open() > 0
                && self.is_missing(piece)
                && asker.pieces.get(piece)
                && (ours || !partial.alone && !asker.alone)
        })
    }

    /// A piece with an open block for this peer.
    fn next_piece(&mut self, asker: Asker<'_>, rng: &mut dyn Rng) -> Option<u32> {
        let mut levels = 0..LEVELS.len();
        let piece = levels
            .find_map(|level| {
                let begun = self.abandoned(level, asker);
                let begun =
                    begun.or_else(|| self.is_crowded().then(|| self.shared(level, asker))?);
                begun.or_else(|| self.untouched(level, asker, rng))
            })
            .or_else(|| (0..LEVELS.len()).find_map(|level| self.shared(level, asker)))?;
        let partial = self.partials.get_mut(&piece)?;
        if partial.owner.is_none() && (asker.whole_pieces || asker.alone || partial.alone) {
            partial.owner = Some(asker.link);
            partial.alone |= asker.alone && partial.is_untouched();
        }
        Some(piece)
    }

    /// The first urgent piece with an open block for this peer, whoever else is at it.
    fn urgent(&mut self, asker: Asker<'_>) -> Option<u32> {
        let of_use = self.urgent.iter().copied();
        let piece = of_use
            .filter(|&piece| asker.pieces.get(piece) && self.is_missing(piece))
            .find(|piece| match self.partials.get(piece) {
                Some(partial) => partial.open() > 0 && may_join(partial, asker),
                None => !asker.alone,
            })?;
        if self.availability.is_pooled(piece) {
            self.begin(piece);
        }
        Some(piece)
    }

    /// So much has been begun that peers had better share: all of it may lie in somebody's memory.
    fn is_crowded(&self) -> bool {
        self.partials.len() as u64 * u64::from(self.piece_length()) > MAX_BEGUN
    }

    /// A piece that was begun and has no owner, or is the peer's own.
    fn abandoned(&self, level: usize, asker: Asker<'_>) -> Option<u32> {
        let mut begun = self.open[level]
            .iter()
            .copied()
            .filter(|&piece| asker.pieces.get(piece));
        begun.find(|piece| {
            self.partials.get(piece).is_some_and(|partial| {
                partial.owner == Some(asker.link)
                    || partial.owner.is_none()
                        && (!(partial.alone || asker.alone) || partial.is_untouched())
            })
        })
    }

    /// A piece that nobody has begun. It is begun by this.
    fn untouched(&mut self, level: usize, asker: Asker<'_>, rng: &mut dyn Rng) -> Option<u32> {
        let piece = match self.order {
            Order::Sequential => self.availability.first(level, asker.pieces),
            Order::RarestFirst if self.have.count_ones() < RANDOM_FIRST_PIECES => {
                self.availability.any(level, asker.pieces, rng)
            }
            Order::RarestFirst => self.availability.rarest(level, asker.pieces),
        }?;
        self.begin(piece);
        Some(piece)
    }

    /// The last resort: a piece that somebody fetches for itself, and would not finish sooner for it. For a peer on parole, one that is shared.
    fn shared(&self, level: usize, asker: Asker<'_>) -> Option<u32> {
        let mut begun = self.open[level]
            .iter()
            .copied()
            .filter(|&piece| asker.pieces.get(piece));
        begun.find(|piece| {
            let partial = self.partials.get(piece);
            partial.is_some_and(|partial| may_join(partial, asker))
        })
    }

    fn begin(&mut self, piece: u32) {
        self.availability.take(piece);
        self.partials.insert(piece, self.new_partial(piece));
        self.open(piece);
    }

    fn request_open(&mut self, piece: u32, wanted: usize, requested: &mut Vec<Block>) -> usize {
        let Some(partial) = self.partials.get_mut(&piece) else {
            return 0;
        };
        let count = partial.request_open(piece, &self.geometry, wanted, requested);
        if partial.open() == 0 {
            self.close(piece);
        }
        count
    }
}

/// Whether a peer may take part in a piece that others are at.
fn may_join(partial: &Partial, asker: Asker<'_>) -> bool {
    !partial.alone && (!asker.alone || partial.owner.is_none())
}

#[cfg(test)]
mod tests;
