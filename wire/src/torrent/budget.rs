//! How much may be requested, where the driver limits how fast we fetch.
//!
//! The limit is kept by not requesting: whatever was requested may come as fast as it can, so no peer is taken for slow because of our own limit, and
//! nothing waits in anybody's buffers. Peers are asked in turn.

use super::Torrent;
use crate::{Allowance, BLOCK_LENGTH, Link};

/// What the driver allows, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// Bytes allowed since the beginning; none without limit.
    granted: Option<u64>,
    /// Bytes of blocks that came and were asked for once, still wanted or not.
    arrived: u64,
    /// Bytes that some peer could have been asked for and was not, since the last grant.
    short: u64,
    /// Whose turn it is.
    turn: Option<Link>,
}

impl Budget {
    pub(super) fn arrived(&mut self, bytes: u32) {
        self.arrived += u64::from(bytes);
    }

    /// Of `wanted` blocks, those that may be requested.
    pub(super) fn afford(&mut self, wanted: usize, affordable: usize) -> usize {
        let lacking = wanted.saturating_sub(affordable) as u64;
        self.short = self.short.max(lacking * u64::from(BLOCK_LENGTH));
        wanted.min(affordable)
    }

    /// This one had its turn.
    pub(super) fn served(&mut self, link: Link) {
        if self.granted.is_some() {
            self.turn = Some(Link(link.0.wrapping_add(1)));
        }
    }

    /// The same links, beginning with the one whose turn it is.
    pub(super) fn in_turn(&self, mut links: Vec<Link>) -> Vec<Link> {
        if let Some(turn) = self.turn {
            let first = links.partition_point(|&link| link < turn);
            links.rotate_left(first);
        }
        links
    }
}

impl Torrent {
    /// Bytes that could be requested at once if they were allowed; 0 without limit, and while there is nobody to ask.
    pub fn shortage(&self) -> u64 {
        self.budget.short
    }

    pub(super) fn allowed(&mut self, allowance: Allowance) {
        self.budget.short = 0;
        self.budget.granted = match allowance {
            Allowance::Unlimited => None,
            Allowance::More(bytes) => {
                let before = self.budget.granted;
                let before = before.unwrap_or_else(|| self.budget.arrived + self.in_flight());
                Some(before.saturating_add(bytes))
            }
        };
        self.stirred = true;
    }

    /// Blocks that may be requested now. What is withdrawn is free to be spent again, and comes at the cost of others if it comes all the same.
    pub(super) fn affordable(&self) -> usize {
        let Some(granted) = self.budget.granted else {
            return usize::MAX;
        };
        let spent = self.budget.arrived.saturating_add(self.in_flight());
        let bytes = granted.saturating_sub(spent);
        bytes.div_ceil(u64::from(BLOCK_LENGTH)) as usize
    }

    /// Bytes that were requested and neither came nor were withdrawn, the last block of a torrent counted as if it were whole.
    fn in_flight(&self) -> u64 {
        let requests = self
            .connections
            .values()
            .map(|connection| u64::from(connection.requests.len()));
        requests.sum::<u64>() * u64::from(BLOCK_LENGTH)
    }
}
