//! How long a download may stand still.

use std::time::Duration;

use tokio::time::Instant;

/// Watches for movement. Without a limit it lasts for ever.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Option<Duration>,
    last: Instant,
    received: u64,
}

impl Patience {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Patience {
            limit,
            last: Instant::now(),
            received: 0,
        }
    }

    /// Something went on.
    pub(super) fn moved(&mut self) {
        self.last = Instant::now();
    }

    /// So many bytes have come in all.
    pub(super) fn received(&mut self, bytes: u64) {
        if bytes > self.received {
            self.received = bytes;
            self.moved();
        }
    }

    /// The limit, if it is reached.
    pub(super) fn lost(&self) -> Option<Duration> {
        self.limit.filter(|&limit| self.last.elapsed() >= limit)
    }
}
