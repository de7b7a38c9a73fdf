//! What a command that stays says if nobody answers it.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use trackless::Node;

use super::failure::Failure;
use super::output::{Output, printable};
use super::report::Report;

/// How long nothing is said of it.
const PATIENCE: Duration = Duration::from_secs(15);

/// Warns once if no DHT node answers, and says so when one does after all. Never ends, and is quiet where nobody is asked (`is_asking`): then others come.
pub(crate) async fn watch(node: &Node, is_asking: bool, output: &Output) -> Infallible {
    if is_asking && let Err(error) = node.bootstrapped(PATIENCE).await {
        let reason = Failure::from(error).sentence();
        let reason = printable(&reason);
        output.event(&Report::Unanswered { reason: &reason });
        output.warning(format_args!("{reason}; it goes on trying"));
        if node.entered().await.is_ok() {
            output.note("a DHT node has answered");
        }
    }
    pending().await
}
