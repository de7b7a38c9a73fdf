use std::collections::VecDeque;
use std::time::Duration;

use super::line::Line;

/// The way out of a peer. Connections that have something bulky to send take turns, a parcel each: as TCP does, it gives each its share,
/// whatever the others have in their queues.
pub(super) struct Uplink {
    pub(super) line: Line,
    /// The lanes that wait for their turn.
    turns: VecDeque<u32>,
    sending: Sending,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    Nothing,
    FirstOf(u32),
    /// For a connection that has ended meanwhile.
    Abandoned,
}

impl Uplink {
    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self {
            line: Line::new(bytes_per_second),
            turns: VecDeque::new(),
            sending: Sending::Nothing,
        }
    }

    /// A lane has something bulky to send.
    pub(super) fn queue(&mut self, lane: u32) {
        self.turns.push_back(lane);
    }

    /// Begins with the lane whose turn it is, if nothing is being sent.
    pub(super) fn begin(&mut self) -> Option<u32> {
        if self.sending != Sending::Nothing {
            return None;
        }
        let lane = self.turns.pop_front()?;
        self.sending = Sending::FirstOf(lane);
        Some(lane)
    }

    /// So many bytes have begun to leave. Returns when they will have left.
    pub(super) fn occupy(&mut self, now: Duration, bytes: u64) -> Duration {
        self.line.occupy(now, bytes);
        self.line.free_at()
    }

    pub(super) fn is_sending(&self, lane: u32) -> bool {
        self.sending == Sending::FirstOf(lane)
    }

    /// What was begun has left. Returns the lane whose first parcel it was, if that is still there.
    pub(super) fn finish(&mut self) -> Option<u32> {
        match std::mem::replace(&mut self.sending, Sending::Nothing) {
            Sending::FirstOf(lane) => Some(lane),
            Sending::Nothing | Sending::Abandoned => None,
        }
    }

    /// A lane has nothing to send any more.
    pub(super) fn forget(&mut self, lane: u32) {
        if self.is_sending(lane) {
            self.sending = Sending::Abandoned;
        }
        self.turns.retain(|&other| other != lane);
    }
}
