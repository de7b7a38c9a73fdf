use std::collections::VecDeque;
use std::time::Duration;

use wire::Block;

use super::parcel::Parcel;

/// One direction of a connection; the other one has the number that differs in the last bit.
///
/// What is sent waits at the uplink for its turn, then flies for the latency of the path, and arrives in its order.
pub(super) struct Lane {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) latency: Duration,
    pub(super) end: End,
    /// At the uplink. The first is bulky, since all else goes out at once.
    pub(super) waiting: VecDeque<Parcel>,
    /// Under way, with the time of arrival.
    pub(super) flight: VecDeque<(Duration, Parcel)>,
    /// The downlink of the other end has promised the first in flight its time.
    pub(super) is_admitted: bool,
    /// An arrival is scheduled or takes place.
    pub(super) is_awaited: bool,
}

/// The near end of a lane: what its sender thinks of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It has dialled and not been answered.
    Opening,
    Open,
    Closed,
}

impl Lane {
    pub(super) fn new(from: u32, to: u32, latency: Duration, end: End) -> Self {
        Self {
            from,
            to,
            latency,
            end,
            waiting: VecDeque::new(),
            flight: VecDeque::new(),
            is_admitted: false,
            is_awaited: false,
        }
    }

    /// Drops a block that waits. Returns whether it did: what has `begun` to leave goes on.
    pub(super) fn cancel(&mut self, block: Block, begun: bool) -> bool {
        let begun = usize::from(begun);
        let mut waiting = self.waiting.iter().skip(begun);
        let index = waiting.position(|waiting| *waiting == Parcel::Block(block));
        index.is_some_and(|index| self.waiting.remove(begun + index).is_some())
    }

    /// Blocks that wait at the uplink.
    pub(super) fn blocks_waiting(&self) -> usize {
        let is_block = |parcel: &&Parcel| matches!(parcel, Parcel::Block(_));
        self.waiting.iter().filter(is_block).count()
    }

    pub(super) fn bytes_in_flight(&self) -> u64 {
        self.flight.iter().map(|(_, parcel)| parcel.bytes()).sum()
    }
}
