//! Who had a store keep what, so that whoever had it keep most makes room first.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::Id;

/// What a store keeps, by origin: the public network that it came from first, or the one local address.
///
/// One network that fills a store so presses out its own entries, and nobody else's.
#[derive(Default)]
pub(crate) struct Shares {
    /// By origin; those that were entered or renewed longest ago first.
    entries: BTreeMap<(u64, u64), Id>,
    counts: BTreeMap<u64, u32>,
    /// The same the other way round.
    ranks: BTreeSet<(u32, u64)>,
    next_turn: u64,
}

/// Where an entry stands.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    origin: u64,
    turn: u64,
}

impl Shares {
    /// What an entry costs, and an origin: nodes of a map are two thirds full when they are filled in no order.
    const ENTRY_BYTES: usize = 56;
    const ORIGIN_BYTES: usize = 48;

    pub(crate) fn bytes(&self) -> usize {
        self.entries.len() * Self::ENTRY_BYTES + self.counts.len() * Self::ORIGIN_BYTES
    }

    /// How many entries are of one origin.
    pub(crate) fn of(&self, origin: u64) -> u32 {
        self.counts.get(&origin).copied().unwrap_or(0)
    }

    pub(crate) fn enter(&mut self, origin: u64, id: Id) -> Share {
        let turn = self.draw_turn();
        self.entries.insert((origin, turn), id);
        self.recount(origin, |count| count + 1);
        Share { origin, turn }
    }

    /// An entry is as good as new. It stays with its origin, whoever renews it.
    pub(crate) fn renew(&mut self, share: &mut Share) {
        if let Some(id) = self.entries.remove(&(share.origin, share.turn)) {
            share.turn = self.draw_turn();
            self.entries.insert((share.origin, share.turn), id);
        }
    }

    pub(crate) fn leave(&mut self, share: Share) {
        if self.entries.remove(&(share.origin, share.turn)).is_some() {
            self.recount(share.origin, |count| count.saturating_sub(1));
        }
    }

    /// What makes room first: of the origin that has most, what was renewed longest ago. Where several have as many, `oldest`, if it is one of
    /// theirs: what was renewed longest ago of all.
    pub(crate) fn first_to_go(&self, oldest: Share) -> Option<Id> {
        let &(most, origin) = self.ranks.last()?;
        let origin = if self.of(oldest.origin) == most {
            oldest.origin
        } else {
            origin
        };
        let mut entries = self.entries.range((origin, 0)..);
        entries.next().map(|(_, id)| *id)
    }

    fn draw_turn(&mut self) -> u64 {
        self.next_turn += 1;
        self.next_turn
    }

    fn recount(&mut self, origin: u64, change: impl FnOnce(u32) -> u32) {
        let before = self.of(origin);
        let after = change(before);
        self.ranks.remove(&(before, origin));
        if after == 0 {
            self.counts.remove(&origin);
        } else {
            self.counts.insert(origin, after);
            self.ranks.insert((after, origin));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> Id {
        Id::new([number; 20])
    }

    #[test]
    fn who_has_most_makes_room_and_of_equals_the_oldest() {
        let mut shares = Shares::default();
        let first = shares.enter(1, id(1));
        let mut many: Vec<_> = (10..13).map(|number| shares.enter(2, id(number))).collect();
        let last = shares.enter(3, id(3));
        assert_eq!(shares.first_to_go(first), Some(id(10)));
        shares.renew(&mut many[0]);
        assert_eq!(shares.first_to_go(first), Some(id(11)));
        shares.leave(many[1]);
        assert_eq!(shares.first_to_go(first), Some(id(12)));
        shares.leave(many[2]);
        assert_eq!([1, 2, 3].map(|origin| shares.of(origin)), [1, 1, 1]);
        assert_eq!(shares.first_to_go(first), Some(id(1)));
        for share in [first, many[0], last] {
            shares.leave(share);
        }
        assert_eq!((shares.first_to_go(first), shares.bytes()), (None, 0));
    }
}
