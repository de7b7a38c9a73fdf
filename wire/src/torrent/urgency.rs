//! What somebody waits for: fetched first, and twice rather than late.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Context, Torrent};
use crate::connection::Connection;
use crate::piece_picker::PiecePicker;
use crate::rate::ROLLING;
use crate::{Block, Link, Message};

/// An urgent block that has not come for so long may be requested from a faster peer, too.
const LATE: Duration = Duration::from_millis(500);
/// Time between two looks for such blocks.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How much faster that peer has to be.
const FASTER: u64 = 2;
/// Blocks that a peer is asked for in this way with one look.
const MAX_TAKEN_OVER: u32 = 16;

impl Torrent {
    pub(super) fn set_urgent(&mut self, context: &Context<'_>, pieces: &[u32]) {
        let Some(picker) = &mut self.picker else {
            self.selection.urgent = pieces.to_vec();
            return;
        };
        picker.set_urgent(pieces);
        self.stirred = true;
        self.await_urgent(context);
    }

    /// Sees to it that what is urgent is looked after, if anything is.
    pub(super) fn await_urgent(&mut self, context: &Context<'_>) {
        let is_urgent = self.picker.as_ref().is_some_and(PiecePicker::is_urgent);
        self.next_look = match self.next_look {
            _ if !is_urgent => None,
            Some(at) if at > context.now => Some(at),
            _ => Some(context.now + LOOK_INTERVAL),
        };
        if let Some(at) = self.next_look {
            self.wake_by(at);
        }
    }

    /// Requests urgent blocks a second time that are late.
    pub(super) fn look_after_urgent(&mut self, context: &mut Context<'_>) {
        let is_due = self.next_look.is_some_and(|at| at <= context.now);
        if is_due && !self.pressure {
            let mut taken_over = BTreeMap::<Link, u32>::new();
            let mut affordable = self.affordable();
            for (block, holder) in self.late_blocks(context.now) {
                if affordable == 0 {
                    break;
                }
                let Some(link) = self.faster_peer(context, block, holder, &taken_over) else {
                    continue;
                };
                if self.request_again(context, link, block) {
                    *taken_over.entry(link).or_default() += 1;
                    affordable -= 1;
                }
            }
        }
        self.await_urgent(context);
    }

    /// The urgent blocks that peers have not sent for long, and which peers these are; what is needed first comes first.
    fn late_blocks(&self, now: Duration) -> Vec<(Block, Link)> {
        let Some(picker) = &self.picker else {
            return Vec::new();
        };
        let mut late = Vec::new();
        for (&link, connection) in &self.connections {
            let old = connection.requests.sent_before(now.saturating_sub(LATE));
            let urgent = old.filter_map(|block| Some((picker.urgency(block.piece)?, block, link)));
            late.extend(urgent);
        }
        late.sort_unstable();
        late.into_iter()
            .map(|(_, block, link)| (block, link))
            .collect()
    }

    /// The fastest one who can send the block, and is clearly faster than the peer that has not.
    fn faster_peer(
        &self,
        context: &Context<'_>,
        block: Block,
        holder: Link,
        taken_over: &BTreeMap<Link, u32>,
    ) -> Option<Link> {
        let rate =
            |connection: &Connection| connection.downloaded.rate.per_second(context.now, ROLLING);
        let slow = rate(self.connections.get(&holder)?);
        let others = self.connections.iter().filter(|&(link, connection)| {
            let has_room = connection.requests.len() < connection.request_limit(context.config);
            has_room
                && *link != holder
                && taken_over
                    .get(link)
                    .is_none_or(|&taken| taken < MAX_TAKEN_OVER)
                && connection.takes_requests_for(block.piece)
                && connection.paused_until <= context.now
                && !connection.pipeline.is_snubbed()
                && !self.blame.is_suspect(connection.address)
                && connection
                    .bitfield()
                    .is_some_and(|pieces| pieces.get(block.piece))
                && connection.requests.iter().all(|asked| asked != block)
        });
        let fastest = others.max_by_key(|(_, connection)| rate(connection))?;
        let (&link, connection) = fastest;
        let is_faster = rate(connection) >= slow.saturating_mul(FASTER);
        // Of one who has nothing to do it need not be known how fast he is.
        (is_faster || connection.requests.is_empty()).then_some(link)
    }

    /// Requests a block that somebody else was asked for. False if enough were asked.
    fn request_again(&mut self, context: &mut Context<'_>, link: Link, block: Block) -> bool {
        let (Some(connection), Some(picker)) = (self.connections.get_mut(&link), &mut self.picker)
        else {
            return false;
        };
        if !picker.request_again(block) {
            return false;
        }
        if connection.requests.is_empty() {
            connection.waiting_since = context.now;
            connection.pipeline.idle();
        }
        connection.requests.push(context.now, block);
        context.send(link, connection, Message::Request(block));
        if let Some(due) = connection.answer_due(context.config) {
            self.wake_link_by(link, due);
        }
        true
    }
}
