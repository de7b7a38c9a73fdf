use std::collections::VecDeque;
use std::time::Duration;

use crate::{Block, CloseReason};

/// Answers that nobody asked for and that are forgiven, one more for each that was: a block may cross its reject.
const GRACE: u32 = 64;
/// Requests remembered that were taken back: twice what may be in flight.
const MAX_WITHDRAWN: usize = 1024;

/// The requests that a peer has not answered, in the order they were sent.
#[derive(Debug)]
pub(crate) struct Requests {
    in_flight: VecDeque<Request>,
    /// What was taken back and may be on its way all the same, the oldest first.
    withdrawn: VecDeque<Block>,
    /// How many answers may still come that were never asked for.
    tolerated: u32,
}

#[derive(Debug, Clone, Copy)]
struct Request {
    block: Block,
    sent: Duration,
}

impl Requests {
    pub(crate) fn new() -> Self {
        Self {
            in_flight: VecDeque::new(),
            withdrawn: VecDeque::new(),
            tolerated: GRACE,
        }
    }

    pub(crate) fn len(&self) -> u32 {
        self.in_flight.len() as u32
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Block> + '_ {
        self.in_flight.iter().map(|request| request.block)
    }

    /// Those that were sent by then.
    pub(crate) fn sent_before(&self, then: Duration) -> impl Iterator<Item = Block> + '_ {
        let old = self
            .in_flight
            .iter()
            .take_while(move |request| request.sent <= then);
        old.map(|request| request.block)
    }

    pub(crate) fn push(&mut self, now: Duration, block: Block) {
        self.in_flight.push_back(Request { block, sent: now });
    }

    /// The peer sent the block. Returns when it was requested.
    pub(crate) fn delivered(&mut self, block: Block) -> Option<Duration> {
        let sent = self.answered(block)?;
        self.tolerated = GRACE.min(self.tolerated + 1);
        Some(sent)
    }

    /// The peer answered, with the block or a reject. Returns when the block was requested.
    pub(crate) fn answered(&mut self, block: Block) -> Option<Duration> {
        // Answers come nearly in order, so this ends at the first or soon after.
        let index = self
            .in_flight
            .iter()
            .position(|request| request.block == block)?;
        self.in_flight.remove(index).map(|request| request.sent)
    }

    /// The block is not wanted from this peer any more. Returns whether it was.
    pub(crate) fn withdraw(&mut self, block: Block) -> bool {
        let withdrawn = self.answered(block).is_some();
        if withdrawn {
            self.remember(block);
        }
        withdrawn
    }

    /// Withdraws everything but the oldest `kept` requests.
    pub(crate) fn withdraw_all_but(&mut self, kept: usize) -> Vec<Block> {
        let kept = kept.min(self.in_flight.len());
        let withdrawn: Vec<_> = self
            .in_flight
            .drain(kept..)
            .map(|request| request.block)
            .collect();
        for &block in &withdrawn {
            self.remember(block);
        }
        withdrawn
    }

    /// Withdraws the requests of one piece.
    pub(crate) fn withdraw_piece(&mut self, piece: u32) -> Vec<Block> {
        let withdrawn: Vec<_> = self.iter().filter(|block| block.piece == piece).collect();
        self.in_flight
            .retain(|request| request.block.piece != piece);
        for &block in &withdrawn {
            self.remember(block);
        }
        withdrawn
    }

    fn remember(&mut self, block: Block) {
        if self.withdrawn.len() >= MAX_WITHDRAWN {
            self.withdrawn.pop_front();
        }
        self.withdrawn.push_back(block);
    }

    /// An answer came that is not waited for. Returns whether it was, before the request was withdrawn; that is true once for each.
    pub(crate) fn was_withdrawn(&mut self, block: Block) -> bool {
        let index = self.withdrawn.iter().position(|&other| other == block);
        index.is_some_and(|index| self.withdrawn.remove(index).is_some())
    }

    /// An answer came that was never asked for. BEP 6 has the connection closed; a few are forgiven.
    pub(crate) fn unexpected(&mut self) -> Result<(), CloseReason> {
        self.tolerated = self
            .tolerated
            .checked_sub(1)
            .ok_or(CloseReason::UnrequestedBlocks)?;
        Ok(())
    }
}
