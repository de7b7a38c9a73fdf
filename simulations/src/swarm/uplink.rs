use std::collections::VecDeque;
use std::time::Duration;

use wire::{Block, Link};

/// Bytes of a `piece` message around its payload. BEP 3, "peer messages".
const PIECE_HEADER: u32 = 13;

/// What travels on a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Parcel {
    /// A message as it was encoded.
    Message(Vec<u8>),
    /// The payload of a `piece` message, of which only the length matters.
    Block(Block),
}

/// The way out of a peer: one thing after the other, at its pace, whomever it is for.
pub(super) struct Uplink {
    bytes_per_second: u64,
    queue: VecDeque<(Link, Parcel)>,
    /// The first of the queue is on its way out.
    is_busy: bool,
}

impl Uplink {
    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second,
            queue: VecDeque::new(),
            is_busy: false,
        }
    }

    pub(super) fn push(&mut self, link: Link, parcel: Parcel) {
        self.queue.push_back((link, parcel));
    }

    /// Begins with the next parcel, if there is one and nothing is on its way out. Returns how long it takes.
    pub(super) fn begin(&mut self) -> Option<Duration> {
        if self.is_busy {
            return None;
        }
        let bytes = match self.queue.front()? {
            (_, Parcel::Message(bytes)) => bytes.len() as u64,
            (_, Parcel::Block(block)) => u64::from(block.length + PIECE_HEADER),
        };
        self.is_busy = true;
        Some(Duration::from_nanos(
            bytes * 1_000_000_000 / self.bytes_per_second,
        ))
    }

    /// What was begun has left.
    pub(super) fn finish(&mut self) -> Option<(Link, Parcel)> {
        self.is_busy = false;
        self.queue.pop_front()
    }

    /// Drops a block that waits. Returns whether it did: what has begun to leave goes on.
    pub(super) fn cancel(&mut self, link: Link, block: Block) -> bool {
        let begun = usize::from(self.is_busy);
        let parcel = (link, Parcel::Block(block));
        let mut waiting = self.queue.iter().skip(begun);
        let index = waiting.position(|waiting| *waiting == parcel);
        index.is_some_and(|index| self.queue.remove(begun + index).is_some())
    }

    /// Drops all that waits for a connection that is ended.
    pub(super) fn hang_up(&mut self, link: Link) {
        self.retain_waiting(|(waiting, _)| *waiting != link);
    }

    fn retain_waiting(&mut self, mut keeps: impl FnMut(&(Link, Parcel)) -> bool) {
        let mut waits = !self.is_busy;
        self.queue.retain(|parcel| {
            let is_kept = !waits || keeps(parcel);
            waits = true;
            is_kept
        });
    }
}
