//! Signs of life for whoever wonders whether a node that has run for days leaks something.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::interval;

const EVERY: Duration = Duration::from_secs(15);

/// Logs now and then how many tasks the program has, as long as it runs.
pub(crate) async fn log() {
    let metrics = Handle::current().metrics();
    let mut ticks = interval(EVERY);
    loop {
        ticks.tick().await;
        tracing::debug!(tasks = metrics.num_alive_tasks(), "alive");
    }
}
