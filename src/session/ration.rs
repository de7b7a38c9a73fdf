//! How fast one torrent may fetch and serve.

use std::num::NonZeroU64;

use tokio::sync::watch;
use wire::Allowance;

use crate::throttle::{Lane, Purse};

/// Bytes a second that a peer should get to be worth a slot, where our own limit leaves little.
const SLOT_RATE: u64 = 16 << 10;
const FEWEST_SLOTS: usize = 2;

/// The torrent's lanes of the node's throttles, and what it may fetch by them.
#[derive(Debug)]
pub(super) struct Ration {
    up: Lane,
    down: Purse,
    limited: watch::Receiver<bool>,
}

impl Ration {
    pub(super) fn new(up: Lane, down: &Lane) -> Self {
        let mut limited = down.watch();
        // What holds at the beginning is news.
        limited.mark_changed();
        Ration {
            up,
            down: down.purse(),
            limited,
        }
    }

    /// How many peers to serve at once, where `usual` is right without a limit: a narrow way out is shared by few, or each would wait too long for a block.
    pub(super) fn slots(&self, usual: usize) -> usize {
        slots(self.up.rate(), usual)
    }

    /// What one connection may send.
    pub(super) fn purse(&self) -> Purse {
        self.up.purse()
    }

    /// Asks for what is lacking. It comes by [`Ration::next`].
    pub(super) fn ask(&self, bytes: u64) {
        if bytes > 0 && self.down.is_limited() {
            self.down.ask(bytes);
        }
    }

    /// Waits for what may be fetched from now on. Can be dropped and called again.
    pub(super) async fn next(&mut self) -> Allowance {
        tokio::select! {
            Ok(()) = self.limited.changed() => {}
            () = self.down.filled() => {}
        }
        if *self.limited.borrow_and_update() {
            Allowance::More(self.down.take())
        } else {
            Allowance::Unlimited
        }
    }
}

fn slots(rate: Option<NonZeroU64>, usual: usize) -> usize {
    rate.map_or(usual, |rate| {
        let slots = usize::try_from(rate.get() / SLOT_RATE).unwrap_or(usize::MAX);
        slots.clamp(FEWEST_SLOTS.min(usual), usual)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_way_out_is_shared_by_few() {
        let slots = |rate| slots(NonZeroU64::new(rate), 8);
        assert_eq!(slots(0), 8, "no limit");
        assert_eq!(slots(10 << 10), 2);
        assert_eq!(slots(64 << 10), 4);
        assert_eq!(slots(10 << 20), 8);
    }
}
