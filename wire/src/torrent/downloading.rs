//! What is fetched from peers.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Context, Torrent};
use crate::blame::Verdict;
use crate::connection::{Connection, Pieces, Statement};
use crate::piece_picker::{Asker, PiecePicker, Receipt};
use crate::rate::ROLLING;
use crate::{Bitfield, Block, CloseReason, Event, Link, Message};

/// A peer that brings a piece within this many seconds fetches pieces for itself.
const WHOLE_PIECE_SECONDS: u64 = 10;
/// Pieces found on the disk that are told one by one to a peer that was told that we have none.
const MAX_NEWS: u32 = 2000;
/// A peer on parole that chokes us goes on with its piece if it unchokes us within this time.
const PAROLE_PATIENCE: Duration = Duration::from_secs(120);
/// How long rejected blocks wait before other peers are asked for them.
const REJECTS_GATHER: Duration = Duration::from_millis(50);

impl Torrent {
    /// The storage has been checked.
    pub(super) fn start(&mut self, context: &mut Context<'_>, have: Bitfield) {
        let (Some(info), None) = (&self.info, &self.picker) else {
            return;
        };
        let geometry = info.geometry();
        let have = if have.len() == geometry.pieces() {
            have
        } else {
            Bitfield::new(geometry.pieces())
        };
        let mut picker = PiecePicker::new(geometry, have, context.rng);
        picker.leave_out_padding(info);
        picker.set_order(self.selection.order);
        picker.prioritise(&std::mem::take(&mut self.selection.priorities), context.rng);
        picker.set_urgent(&std::mem::take(&mut self.selection.urgent));
        for connection in self.connections.values_mut() {
            let Pieces::Known(bitfield) = &connection.pieces else {
                continue;
            };
            connection.counted_as_seed = picker.peer_joined(bitfield);
            connection.wanted = picker.missing_of(bitfield);
        }
        self.picker = Some(picker);
        self.await_urgent(context);
        self.tell_pieces(context);
        if self.is_finished() {
            self.finished(context);
        }
        self.express_interest(context);
        self.fill_slots(context);
        self.dial(context);
        self.stirred = true;
    }

    /// Tells what was found on the disk: in one message those who came during the check, piece by piece those who came before it.
    pub(super) fn tell_pieces(&mut self, context: &mut Context<'_>) {
        let links: Vec<_> = self.connections.keys().copied().collect();
        let found = self.have().map_or(0, Bitfield::count_ones);
        for link in links {
            let Some(mut connection) = self.connections.remove(&link) else {
                continue;
            };
            let believes_none = std::mem::replace(&mut connection.told_pieces, true);
            if !believes_none || self.is_super_seeding(context) {
                self.state_pieces(context, link, &mut connection);
            } else if found <= MAX_NEWS {
                for piece in self.have().into_iter().flat_map(Bitfield::iter_ones) {
                    context.send(link, &mut connection, Message::Have(piece));
                }
            }
            self.connections.insert(link, connection);
            self.offer(context, link);
            if believes_none && found > MAX_NEWS && !self.is_super_seeding(context) {
                self.close(context, link, &CloseReason::TooMuchNews);
            }
        }
    }

    /// A peer says what it has.
    pub(super) fn peer_states(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        statement: Statement<'_>,
    ) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(&link) else {
            return Ok(());
        };
        if matches!(statement, Statement::All) && !connection.is_seed() {
            connection.becomes_seed()?;
        }
        match &mut connection.pieces {
            Pieces::Claimed(claims) => claims.state(statement),
            Pieces::Known(known) if statement.adds_to(known) => {
                let mut stated = statement.settle(known.len())?;
                stated.include(known);
                if let Some(picker) = &mut self.picker {
                    picker.peer_left(known, connection.counted_as_seed);
                    connection.counted_as_seed = picker.peer_joined(&stated);
                    connection.wanted = picker.missing_of(&stated);
                }
                *known = stated;
                connection.searched = None;
            }
            Pieces::Known(_) => {}
        }
        self.close_if_useless(link)?;
        self.review_offer(context, link);
        self.express_interest_to(context, link);
        self.refill(context, link);
        Ok(())
    }

    /// A peer has one more piece.
    pub(super) fn peer_has(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        piece: u32,
    ) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(&link) else {
            return Ok(());
        };
        connection.check_index(piece)?;
        match &mut connection.pieces {
            Pieces::Claimed(claims) => claims.have(piece)?,
            Pieces::Known(bitfield) => {
                if !bitfield.set(piece) {
                    return Ok(());
                }
            }
        }
        let mut is_of_use = false;
        if let Some(picker) = &mut self.picker {
            picker.peer_has(piece);
            if picker.is_missing(piece) {
                connection.wanted += 1;
                connection.searched = None;
                is_of_use = connection.takes_requests_for(piece);
            }
        }
        self.close_if_useless(link)?;
        self.review_offers_of(context, piece);
        self.express_interest_to(context, link);
        if is_of_use {
            self.refill(context, link);
        }
        Ok(())
    }

    /// A peer has one piece fewer. BEP 54, "receiver operation".
    pub(super) fn peer_lost(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        piece: u32,
    ) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(&link) else {
            return Ok(());
        };
        connection.check_index(piece)?;
        let speaks_fast = connection.speaks_fast();
        // Before the metadata is known it is enough that the peer will not send the piece.
        let Pieces::Known(bitfield) = &mut connection.pieces else {
            return Ok(());
        };
        let (true, Some(picker)) = (bitfield.clear(piece), &mut self.picker) else {
            return Ok(());
        };
        if connection.counted_as_seed {
            picker.peer_left(&Bitfield::full(bitfield.len()), true);
            connection.counted_as_seed = picker.peer_joined(bitfield);
        } else {
            picker.peer_lost(piece);
        }
        if picker.is_missing(piece) {
            connection.wanted = connection.wanted.saturating_sub(1);
        }
        // With BEP 6 it rejects them one by one, and with that the piece is given to others.
        if !speaks_fast {
            let withdrawn = connection.requests.withdraw_piece(piece);
            self.stirred |= !withdrawn.is_empty();
            for block in withdrawn {
                picker.release(block, context.rng);
            }
            let keeps = !self.blame.is_suspect(connection.address);
            if picker.disown_piece(link, piece, keeps) {
                context.out.discard(piece);
                self.stirred = true;
            }
        }
        express_interest(context, link, connection);
        Ok(())
    }

    pub(super) fn peer_allows(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        piece: u32,
    ) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(&link) else {
            return Ok(());
        };
        connection.check_index(piece)?;
        connection.allow(piece);
        self.refill(context, link);
        Ok(())
    }

    /// BEP 3: a choke drops the requests. BEP 6: each of them is rejected by a message of its own.
    pub(super) fn choked(&mut self, context: &mut Context<'_>, link: Link) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        connection.theirs.choking = true;
        let Some(picker) = &mut self.picker else {
            return;
        };
        if !connection.speaks_fast() {
            for block in connection.requests.withdraw_all_but(0) {
                picker.release(block, context.rng);
            }
            connection.pipeline.idle();
            self.stirred = true;
        }
        if self.blame.is_suspect(connection.address) {
            let until = context.now + PAROLE_PATIENCE;
            connection.parole_until = Some(until);
            self.wake_link_by(link, until);
        } else {
            picker.disown(link, true);
        }
    }

    /// Gives what a peer on parole has begun to others, if it chokes us for too long.
    pub(super) fn look_after_parole(&mut self, context: &mut Context<'_>, link: Link) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        match connection.parole_until {
            Some(until) if until <= context.now => {
                connection.parole_until = None;
                self.withdraw_all(context, link);
            }
            Some(until) => self.wake_link_by(link, until),
            None => {}
        }
    }

    /// Takes back what a peer was asked for, and its pieces.
    pub(super) fn withdraw_all(&mut self, context: &mut Context<'_>, link: Link) {
        let (Some(connection), Some(picker)) = (self.connections.get_mut(&link), &mut self.picker)
        else {
            return;
        };
        for block in connection.requests.withdraw_all_but(0) {
            picker.release(block, context.rng);
            context.send(link, connection, Message::Cancel(block));
        }
        let address = connection.address;
        self.disown(context, link, address);
    }

    /// A peer does not go on with its pieces. What one on parole has sent of them goes with it: who always breaks off could spoil one after the other
    /// and never be the only one to blame.
    pub(super) fn disown(&mut self, context: &mut Context<'_>, link: Link, address: SocketAddr) {
        let Some(picker) = &mut self.picker else {
            return;
        };
        for piece in picker.disown(link, !self.blame.is_suspect(address)) {
            context.out.discard(piece);
        }
        self.stirred = true;
    }

    pub(super) fn unchoked(&mut self, context: &mut Context<'_>, link: Link) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        let was_choking = std::mem::replace(&mut connection.theirs.choking, false);
        connection.parole_until = None;
        if was_choking && !connection.is_evasive() {
            connection.paused_until = context.now;
        }
        connection.searched = None;
        self.refill(context, link);
    }

    pub(super) fn request_rejected(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        block: Block,
    ) -> Result<(), CloseReason> {
        let (Some(connection), Some(picker)) = (self.connections.get_mut(&link), &mut self.picker)
        else {
            return Ok(());
        };
        if connection.requests.answered(block).is_none() {
            return if connection.requests.was_withdrawn(block) {
                Ok(())
            } else {
                connection.requests.unexpected()
            };
        }
        picker.release(block, context.rng);
        if connection.parole_until.is_none() {
            let is_suspect = self.blame.is_suspect(connection.address);
            if is_suspect {
                for block in connection.requests.withdraw_piece(block.piece) {
                    picker.release(block, context.rng);
                    context.send(link, connection, Message::Cancel(block));
                }
            }
            if picker.disown_piece(link, block.piece, !is_suspect) {
                context.out.discard(block.piece);
            }
        }
        if connection.theirs.choking {
            connection.allowed.retain(|&piece| piece != block.piece);
        }
        // If it has the piece no more and has said so (BEP 54), everything else may be asked of it.
        if connection.has(block.piece) {
            connection.pause_after_reject(context.now);
        }
        let resume = connection.paused_until.max(context.now + REJECTS_GATHER);
        // Rejects come in swarms: the others are looked at once for many.
        let stir = *self.stir_at.get_or_insert(context.now + REJECTS_GATHER);
        self.wake_by(stir);
        self.wake_link_by(link, resume);
        Ok(())
    }

    pub(super) fn block_received(&mut self, context: &mut Context<'_>, link: Link, block: Block) {
        if let Err(reason) = self.take_block(context, link, block) {
            self.close(context, link, &reason);
        }
    }

    fn take_block(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        block: Block,
    ) -> Result<(), CloseReason> {
        let (Some(connection), Some(picker)) = (self.connections.get_mut(&link), &mut self.picker)
        else {
            return Ok(());
        };
        connection.last_received = context.now;
        let sent = connection.requests.delivered(block);
        match sent {
            Some(sent) => connection.delivered(context.config, context.now, sent, block),
            None if connection.requests.was_withdrawn(block) => {
                connection.delivered_late(context.now);
            }
            // It does not count as fetched: nobody shall keep us from asking others.
            None => return connection.requests.unexpected(),
        }
        self.budget.arrived(block.length);
        match picker.received(block, link, connection.address) {
            Receipt::Wanted { asked } => {
                context.out.store(link, block);
                connection.last_exchange = context.now;
                connection.downloaded.add(context.now, block.length);
                self.downloaded.add(context.now, block.length);
                if asked > u16::from(sent.is_some()) {
                    self.cancel_elsewhere(context, link, block);
                }
            }
            Receipt::Unwanted if sent.is_some() => {
                // Others may be asked for it, if it is still missing.
                picker.release(block, context.rng);
                self.stirred = true;
            }
            Receipt::Unwanted => {}
        }
        self.refill(context, link);
        Ok(())
    }

    /// In the endgame others were asked for the block as well: they need not send it any more.
    fn cancel_elsewhere(&mut self, context: &mut Context<'_>, from: Link, block: Block) {
        let mut freed = Vec::new();
        for (&link, connection) in &mut self.connections {
            if link != from && connection.requests.withdraw(block) {
                context.send(link, connection, Message::Cancel(block));
                freed.push(link);
            }
        }
        for link in freed {
            self.refill(context, link);
        }
    }

    pub(super) fn piece_checked(&mut self, context: &mut Context<'_>, piece: u32, valid: bool) {
        if valid {
            self.piece_valid(context, piece);
        } else {
            self.piece_invalid(context, piece);
        }
    }

    fn piece_valid(&mut self, context: &mut Context<'_>, piece: u32) {
        let Some(picker) = &mut self.picker else {
            return;
        };
        let was_missing = picker.is_missing(piece);
        let Some(contributors) = picker.verified(piece) else {
            return;
        };
        self.stirred |= self.blame.passed(&contributors);
        self.piece_arrived(context, piece, was_missing);
    }

    /// A piece is there that was not: whoever may want it hears so.
    pub(super) fn piece_arrived(
        &mut self,
        context: &mut Context<'_>,
        piece: u32,
        was_missing: bool,
    ) {
        for (&link, connection) in &mut self.connections {
            let Some(bitfield) = connection.bitfield() else {
                continue;
            };
            if bitfield.get(piece) {
                connection.wanted = connection.wanted.saturating_sub(u32::from(was_missing));
            }
            // Whoever has the piece wants to know too, if it is a seed that does not show all it has (BEP 16).
            if !connection.is_seed() {
                context.send(link, connection, Message::Have(piece));
            }
        }
        context.out.event(Event::PieceCompleted { piece });
        if was_missing && self.is_finished() {
            self.finished(context);
        }
        self.express_interest(context);
    }

    fn piece_invalid(&mut self, context: &mut Context<'_>, piece: u32) {
        let Some(contributors) = self.picker.as_mut().and_then(|picker| picker.failed(piece))
        else {
            return;
        };
        context.out.discard(piece);
        if let Verdict::Guilty(address) = self.blame.failed(&contributors) {
            self.ban(context, address, &CloseReason::BadPiece { piece });
        }
        self.stirred = true;
    }

    /// Tells all peers whether they have something for us.
    pub(super) fn express_interest(&mut self, context: &mut Context<'_>) {
        for (&link, connection) in &mut self.connections {
            express_interest(context, link, connection);
        }
    }

    fn express_interest_to(&mut self, context: &mut Context<'_>, link: Link) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        if connection.told_pieces && connection.is_interesting() && !connection.ours.interested {
            connection.ours.interested = true;
            context.send(link, connection, Message::Interested);
        }
    }

    /// Looks for requests for all peers that could take more.
    pub(super) fn refill_all(&mut self, context: &mut Context<'_>) {
        let links = self.connections.keys().copied().collect();
        for link in self.budget.in_turn(links) {
            if let Some(connection) = self.connections.get_mut(&link) {
                connection.searched = None;
            }
            self.refill(context, link);
        }
    }

    /// Sends requests until as many are in flight as the pipeline asks for. Done in batches, when a quarter of them have been answered.
    pub(super) fn refill(&mut self, context: &mut Context<'_>, link: Link) {
        let affordable = self.affordable();
        let (Some(connection), Some(picker)) = (self.connections.get_mut(&link), &mut self.picker)
        else {
            return;
        };
        let is_idle = connection.wanted == 0 || !connection.takes_requests();
        if self.pressure || is_idle || context.now < connection.paused_until {
            return;
        }
        let target = connection
            .pipeline
            .target(connection.request_limit(context.config));
        let in_flight = connection.requests.len();
        if in_flight * 4 > target * 3 {
            return;
        }
        let Pieces::Known(pieces) = &connection.pieces else {
            return;
        };
        let rate = connection.downloaded.rate.per_second(context.now, ROLLING);
        let asker = Asker {
            link,
            pieces,
            whole_pieces: rate * WHOLE_PIECE_SECONDS >= u64::from(picker.piece_length()),
            alone: self.blame.is_suspect(connection.address),
        };
        let wanted = self
            .budget
            .afford(target.saturating_sub(in_flight) as usize, affordable);
        if wanted == 0 {
            return;
        }
        let stage = picker.stage();
        let chosen = &mut self.chosen;
        chosen.clear();
        if connection.theirs.choking {
            for &piece in &connection.allowed {
                let wanted = wanted.saturating_sub(chosen.len());
                picker.pick_from(piece, asker, wanted, chosen);
            }
        } else {
            if connection.searched != Some(picker.generation()) {
                picker.pick(asker, &mut connection.current, wanted, context.rng, chosen);
                connection.searched = (chosen.len() < wanted).then(|| picker.generation());
            }
            if chosen.is_empty() && in_flight == 0 {
                // Nothing was asked of this peer, so it has none of the blocks.
                picker.pick_again(asker, wanted, chosen);
            }
        }
        if chosen.is_empty() {
            return;
        }
        if in_flight == 0 {
            connection.waiting_since = context.now;
            connection.pipeline.idle();
        }
        connection.last_sent = context.now;
        self.budget.served(link);
        for &block in &*chosen {
            connection.requests.push(context.now, block);
            context.out.send(link, Message::Request(block));
        }
        self.stirred |= picker.stage() != stage;
        if let Some(due) = connection.answer_due(context.config) {
            self.wake_link_by(link, due);
        }
    }
}

/// Tells a peer whether it has something for us, if that is news.
fn express_interest(context: &mut Context<'_>, link: Link, connection: &mut Connection) {
    let interested = connection.is_interesting();
    if interested != connection.ours.interested {
        connection.ours.interested = interested;
        let message = if interested {
            Message::Interested
        } else {
            Message::NotInterested
        };
        context.send(link, connection, message);
    }
}
