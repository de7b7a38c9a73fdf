//! Hints for a scheduler of many nodes: what an input will touch is loaded before its turn.

use std::hint::black_box;

use super::Node;
use crate::address::Family;
use crate::input::Input;
use crate::message::Body;

impl Node {
    /// Begins to load what any input will touch: the first of two stages, for a scheduler that drives more nodes than the processor's caches hold.
    ///
    /// Called for a handful of nodes in a row, some events before their turn, the loads overlap instead of being waited for one after the other. It changes nothing.
    pub fn prefetch(&self) {
        let rooms = [
            self.transactions.len(),
            self.bootstrap.len(),
            self.maintenance.len(),
            self.lookups.len(),
            self.tables.len(Family::V4),
        ];
        black_box((rooms, self.id(), self.transactions.deadline()));
    }

    /// Begins to load what an input will touch beyond that: the second stage, some events after [`Node::prefetch`] and some before the input's turn.
    pub fn prefetch_for(&self, input: &Input<'_>) {
        let Input::Receive { message, .. } = input else {
            self.tables.prefetch_standings();
            return;
        };
        match &message.body {
            Body::Query(query) => {
                self.tables.prefetch(&query.id);
                if let Some(target) = query.target() {
                    self.tables.prefetch(target);
                }
            }
            Body::Response(response) => {
                self.transactions.prefetch();
                self.tables.prefetch(&response.id);
            }
            Body::Error(_) => self.transactions.prefetch(),
        }
    }
}
