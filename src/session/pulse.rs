//! How often a session looks at its own figures.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// While something may move.
const LIVELY: Duration = Duration::from_millis(250);
/// While nobody is connected to what is only served: a node may have thousands of these.
const CALM: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Pulse {
    last: Instant,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Pulse {
            last: Instant::now(),
        }
    }

    /// Waits for the next look. Can be dropped and called again.
    pub(super) async fn beat(&mut self, is_calm: bool) {
        let pause = if is_calm { CALM } else { LIVELY };
        sleep_until(self.last + pause).await;
        self.last = Instant::now();
    }
}
