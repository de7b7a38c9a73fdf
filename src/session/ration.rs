//! How fast one torrent may fetch and serve.

use tokio::sync::watch;
use wire::Allowance;

use crate::throttle::{Lane, Purse};

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
