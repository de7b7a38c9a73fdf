use std::collections::VecDeque;
use std::time::Duration;

use crate::{Block, CloseReason};

/// Answers that nobody waits for and that are forgiven in any case.
const GRACE: u32 = 64;

/// The requests that a peer has not answered, in the order they were sent.
#[derive(Debug)]
pub(crate) struct Requests {
    in_flight: VecDeque<Request>,
    /// How many unexpected answers may still come: what was withdrawn may be on its way.
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

    pub(crate) fn push(&mut self, now: Duration, block: Block) {
        self.in_flight.push_back(Request { block, sent: now });
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
        self.tolerated = self.tolerated.saturating_add(u32::from(withdrawn));
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
        self.tolerated = self.tolerated.saturating_add(withdrawn.len() as u32);
        withdrawn
    }

    /// An answer came that nothing was waiting for. BEP 6 has the connection closed; what was withdrawn shortly before is forgiven.
    pub(crate) fn unexpected(&mut self) -> Result<(), CloseReason> {
        self.tolerated = self
            .tolerated
            .checked_sub(1)
            .ok_or(CloseReason::UnrequestedBlocks)?;
        Ok(())
    }
}
