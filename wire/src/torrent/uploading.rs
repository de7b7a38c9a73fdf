//! What is served to peers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{Context, Torrent};
use crate::choker::{self, Candidate, ROUND};
use crate::connection::Connection;
use crate::rate::ROLLING;
use crate::{Bitfield, Block, CloseReason, Host, Link, Message, SeedChoice, allowed_fast_set};

/// Pieces that a choked peer may request, at most. BEP 6 names ten.
const ALLOWED_FAST: u32 = 10;
/// The bytes that these may be. BEP 6 is from a time of smaller pieces, and leaves the number to us.
const ALLOWED_FAST_BYTES: u32 = 2 << 20;
/// Who has been free to request for so long and takes nothing needs no slot.
const UNUSED: Duration = Duration::from_secs(5);
/// Requests refused to a choked peer before it counts as hostile, as a multiple of its queue: some were on their way.
const MAX_REFUSED_QUEUES: usize = 4;

impl Torrent {
    pub(super) fn peer_interested(&mut self, context: &mut Context<'_>, link: Link) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        connection.theirs.interested = true;
        self.fill_slots(context);
        self.grant(context, link);
    }

    pub(super) fn peer_not_interested(&mut self, context: &mut Context<'_>, link: Link) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        connection.theirs.interested = false;
        if !connection.ours.choking {
            choke(context, link, connection);
            self.fill_slots(context);
        }
    }

    /// Gives free slots to those who wait for one: nobody waits for the next round while a slot is free.
    pub(super) fn fill_slots(&mut self, context: &mut Context<'_>) {
        if self.picker.is_none() {
            return;
        }
        let mut hosts: BTreeMap<Host, usize> = BTreeMap::new();
        let mut served = 0;
        for connection in self.connections.values() {
            if !connection.ours.choking && !is_unused(connection, context.now) {
                *hosts.entry(Host::of(connection.address.ip())).or_default() += 1;
                served += 1;
            }
        }
        let mut waiting: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.ours.choking && connection.theirs.interested)
            .map(|(&link, connection)| {
                let host = Host::of(connection.address.ip());
                (connection.choke_changed, link, host)
            })
            .collect();
        waiting.sort_unstable();
        // One of a host that has few of the slots goes before one of a host that has many.
        waiting.sort_by_cached_key(|&(.., host)| {
            let others = hosts.entry(host).or_default();
            *others += 1;
            *others
        });
        let slots = self.slots.max(context.config.unchoke_slots);
        let free = slots.saturating_sub(served);
        for &(_, link, _) in waiting.iter().take(free) {
            if let Some(connection) = self.connections.get_mut(&link) {
                unchoke(context, link, connection);
            }
        }
        self.is_contended = waiting.len() > free;
        if self.is_contended {
            self.next_round = self.next_round.max(context.now);
            self.wake_by(self.next_round);
        }
    }

    /// Decides anew whom to serve, and how many at once, if it is time.
    pub(super) fn choke_round(&mut self, context: &mut Context<'_>) {
        if self.picker.is_none() || context.now < self.next_round {
            return;
        }
        let now = context.now;
        self.next_round = now + ROUND;
        let seeding = self.is_finished();
        let candidates: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.theirs.interested && !is_unused(connection, now))
            .map(|(&link, connection)| candidate(context, link, connection, seeding))
            .collect();
        self.slots = choker::slots(
            context.config.unchoke_slots,
            context.config.max_unchoke_slots,
            self.upload_rates(context.now),
        );
        let slots = self.slots;
        let served = match context.config.seed_choice {
            _ if !seeding => choker::while_fetching(now, slots, candidates, context.rng),
            SeedChoice::RoundRobin => choker::while_seeding(now, slots, candidates),
            SeedChoice::FastestUpload => choker::fastest_while_seeding(now, slots, candidates),
        };
        for (&link, connection) in &mut self.connections {
            // It may go on taking nothing, and competes again when it takes something.
            if connection.theirs.interested && is_unused(connection, now) {
                continue;
            }
            match (served.contains(&link), connection.ours.choking) {
                (true, true) => unchoke(context, link, connection),
                (false, false) => choke(context, link, connection),
                _ => {}
            }
        }
        self.is_contended = self
            .connections
            .values()
            .any(|connection| connection.ours.choking && connection.theirs.interested);
    }

    /// What each of those who are served takes.
    fn upload_rates(&self, now: Duration) -> Vec<u64> {
        self.connections
            .values()
            .filter(|connection| !connection.ours.choking)
            .map(|connection| connection.uploaded.rate.per_second(now, ROLLING))
            .collect()
    }

    pub(super) fn requested(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        block: Block,
    ) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(&link) else {
            return Ok(());
        };
        if self
            .info
            .as_ref()
            .is_some_and(|info| !info.geometry().contains(block))
        {
            return Err(CloseReason::RequestOutOfRange(block));
        }
        let most = context.config.max_queued_uploads;
        let have = self
            .picker
            .as_ref()
            .is_some_and(|picker| picker.have().get(block.piece));
        if have && connection.uploads.len() < most && may_request(connection, block.piece) {
            connection.uploads.push_back(block);
            context.out.upload(link, block);
            return Ok(());
        }
        if !have && may_request(connection, block.piece) && !connection.hears_of_losses() {
            let piece = block.piece;
            return Err(CloseReason::PieceGone { piece });
        }
        connection.refused += 1;
        if connection.refused > most.saturating_mul(MAX_REFUSED_QUEUES) {
            return Err(CloseReason::RequestFlood);
        }
        if connection.speaks_fast() {
            context.send(link, connection, Message::Reject(block));
        }
        Ok(())
    }

    /// BEP 6: even a request that is cancelled has its answer, the block or a reject.
    pub(super) fn request_cancelled(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        block: Block,
    ) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        if connection.dequeue(block) {
            withdraw(context, link, connection, block);
        }
    }

    pub(super) fn block_uploaded(&mut self, context: &Context<'_>, link: Link, block: Block) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        connection.dequeue(block);
        connection.refused = 0;
        connection.last_sent = context.now;
        connection.last_exchange = context.now;
        connection.uploaded.add(context.now, block.length);
        self.uploaded.add(context.now, block.length);
    }

    /// The driver has a block that it cannot read. BEP 6: even that has its answer, whoever was not told otherwise meanwhile;
    /// without BEP 6 and BEP 54, the end of the connection.
    pub(super) fn upload_failed(&mut self, context: &mut Context<'_>, link: Link, block: Block) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        connection.dequeue(block);
        if connection.speaks_fast() {
            context.send(link, connection, Message::Reject(block));
        } else if !connection.hears_of_losses() {
            let piece = block.piece;
            self.close(context, link, &CloseReason::PieceGone { piece });
        }
    }

    /// Lets an interested peer that has to wait fetch a few pieces, so that it has something to trade. BEP 6, "Allowed Fast".
    fn grant(&mut self, context: &mut Context<'_>, link: Link) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        let (Some(picker), IpAddr::V4(ip)) = (&self.picker, connection.address.ip()) else {
            return;
        };
        let pieces = picker.have().len();
        let allowed = (ALLOWED_FAST_BYTES / picker.piece_length().max(1)).clamp(1, ALLOWED_FAST);
        if context.config.super_seeding
            || !connection.speaks_fast()
            || !connection.ours.choking
            || !connection.granted.is_empty()
            || !is_starting(connection)
        {
            return;
        }
        connection.granted = allowed_fast_set(ip, self.info_hash, pieces, allowed);
        for piece in connection.granted.clone() {
            context.send(link, connection, Message::AllowedFast(piece));
        }
    }
}

/// BEP 6: the set is for peers that have next to nothing.
fn is_starting(connection: &Connection) -> bool {
    connection.bitfield().map_or(0, Bitfield::count_ones) <= ALLOWED_FAST
}

fn may_request(connection: &Connection, piece: u32) -> bool {
    !connection.ours.choking || connection.granted.contains(&piece) && is_starting(connection)
}

/// Whether it has the slot that it was given and no use for it. Whoever opens many connections and only says that he is interested takes none from others.
fn is_unused(connection: &Connection, now: Duration) -> bool {
    !connection.ours.choking
        && connection.uploads.is_empty()
        && now >= connection.choke_changed + UNUSED
        && connection.uploaded.rate.per_second(now, UNUSED) == 0
}

fn candidate(
    context: &Context<'_>,
    link: Link,
    connection: &Connection,
    seeding: bool,
) -> Candidate {
    let meter = if seeding {
        &connection.uploaded
    } else {
        &connection.downloaded
    };
    Candidate {
        link,
        host: Host::of(connection.address.ip()),
        unchoked: !connection.ours.choking,
        since: connection.choke_changed,
        newcomer: context.now.saturating_sub(connection.since) < ROUND * 3,
        rate: meter.rate.per_second(context.now, ROLLING),
    }
}

fn unchoke(context: &mut Context<'_>, link: Link, connection: &mut Connection) {
    connection.ours.choking = false;
    connection.choke_changed = context.now;
    connection.refused = 0;
    context.send(link, connection, Message::Unchoke);
}

/// BEP 6: choke first, then reject what was requested, except for the allowed-fast pieces.
fn choke(context: &mut Context<'_>, link: Link, connection: &mut Connection) {
    connection.ours.choking = true;
    connection.choke_changed = context.now;
    context.send(link, connection, Message::Choke);
    for block in std::mem::take(&mut connection.uploads) {
        if connection.speaks_fast() && may_request(connection, block.piece) {
            connection.uploads.push_back(block);
        } else {
            withdraw(context, link, connection, block);
        }
    }
}

/// Serves no request for a piece.
pub(super) fn refuse_all_of(
    context: &mut Context<'_>,
    link: Link,
    connection: &mut Connection,
    piece: u32,
) {
    for block in std::mem::take(&mut connection.uploads) {
        if block.piece == piece {
            withdraw(context, link, connection, block);
        } else {
            connection.uploads.push_back(block);
        }
    }
}

/// Does not serve a request that was queued, unless it is too late for that: only the driver knows.
fn withdraw(context: &mut Context<'_>, link: Link, connection: &mut Connection, block: Block) {
    connection.last_sent = context.now;
    context
        .out
        .cancel_upload(link, block, connection.speaks_fast());
}
