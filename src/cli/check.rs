//! Whether what earlier runs knew of the content on the disk is believed.

use clap::Args;
use trackless::Node;
use wire::InfoHash;

use super::flag;

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct CheckArguments {
    /// Read and hash all content that is there, whether its files have changed since the last run or not.
    #[arg(long, env = "TRACKLESS_CHECK", hide_env_values = true, value_parser = flag::parse)]
    check: bool,
}

impl CheckArguments {
    /// To be done before a torrent is begun.
    pub(crate) async fn apply(self, node: &Node, info_hash: InfoHash) {
        if self.check {
            node.forget_record(info_hash).await;
        }
    }
}
