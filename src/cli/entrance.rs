//! How the commands that ask the network something enter it.

use std::time::{Duration, Instant};

use clap::Args;
use trackless::Node;

use super::failure::Failure;
use super::interrupt::Interrupt;
use super::network::{NetworkArguments, Role};
use super::output::Output;
use super::timeout::Timeout;

/// How the network is entered, and how long that may take.
#[derive(Debug, Args)]
pub(crate) struct EntranceArguments {
    /// End after so long, with what has been found by then, or give up when no DHT node has answered; of many lookups each has so much time. 0 for no end.
    #[arg(
        long,
        value_name = "SECS",
        env = "TRACKLESS_TIMEOUT",
        hide_env_values = true,
        default_value = "15",
        allow_negative_numbers = true
    )]
    timeout: Timeout,
    #[command(flatten)]
    network: NetworkArguments,
}

impl EntranceArguments {
    /// Starts the node, which begins to enter the network.
    pub(crate) async fn start(&self, role: Role, output: &Output) -> Result<Node, Failure> {
        self.network.start(&[], role, output).await
    }

    /// Returns when it has entered the network, with how many nodes it knows.
    pub(crate) async fn wait(&self, node: &Node) -> Result<usize, Failure> {
        let patience = self.patience().unwrap_or(Duration::MAX);
        Ok(node.bootstrapped(patience).await?)
    }

    /// How long an answer may take; `None` is for ever.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.timeout.limit()
    }

    /// Asks a question by a node of its own that is read-only: others do not put it into their tables. Ctrl-C ends it. The node has what is left of the time as its
    /// patience.
    pub(crate) async fn ask<T>(
        &self,
        output: &Output,
        question: impl AsyncFnOnce(&Node) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut interrupt = Interrupt::listen()?;
        let start = Instant::now();
        let node = self.start(Role::ReadOnly, output).await?;
        let asked = async {
            self.wait(&node).await?;
            let patience = self.patience();
            let left = patience.map(|patience| patience.saturating_sub(start.elapsed()));
            question(&node.with_patience(left)).await
        };
        let answer = interrupt.or(asked).await.flatten();
        node.shutdown().await;
        answer
    }
}
