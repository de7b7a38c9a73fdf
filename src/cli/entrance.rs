//! How the commands that ask the network something enter it.

use std::time::Duration;

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
    /// Give up when no DHT node has answered after so long; 0 for never.
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
        Ok(node.bootstrapped(self.patience()).await?)
    }

    /// How long the first DHT node may take to answer.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout.limit().unwrap_or(Duration::MAX)
    }

    /// Asks a question by a node of its own that is read-only: others do not put it into their tables. Ctrl-C ends it.
    pub(crate) async fn ask<T>(
        &self,
        output: &Output,
        question: impl AsyncFnOnce(&Node) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut interrupt = Interrupt::listen()?;
        let node = self.start(Role::ReadOnly, output).await?;
        let asked = async {
            self.wait(&node).await?;
            question(&node).await
        };
        let answer = interrupt.or(asked).await.flatten();
        node.shutdown().await;
        answer
    }
}
