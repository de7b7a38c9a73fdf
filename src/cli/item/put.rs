//! `trackless item put`: store a value.

use std::path::PathBuf;

use clap::Args;
use dht::ItemValue;
use trackless::Node;

use super::super::entrance::EntranceArguments;
use super::super::failure::Failure;
use super::super::flag;
use super::super::interrupt::Interrupt;
use super::super::network::Role;
use super::super::output::Output;
use super::super::user_file;
use super::{Wish, key, salt, unfit};

/// Store a value at the nodes nearest to its target.
///
/// Prints the target, which is what `item get` needs, and how many nodes hold the value.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit code 1: nobody took it, or there is a newer version. 5: no DHT node answered.")]
pub(crate) struct Arguments {
    /// The value: this text.
    #[arg(value_name = "TEXT", required_unless_present = "file")]
    text: Option<String>,
    /// The value: the content of this file, as it is.
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// The value is bencoded already: a list, a dictionary, a number.
    #[arg(long)]
    bencoded: bool,
    /// Sign it with this key, so that it can be replaced. `item key` makes one.
    #[arg(long, value_name = "KEYFILE")]
    key: Option<PathBuf>,
    /// Which of the values of that key it is; at most 64 bytes.
    #[arg(long, value_name = "TEXT", requires = "key")]
    salt: Option<String>,
    /// The version. [default: the seconds since 1970, or the one after the newest that is found]
    #[arg(long, value_name = "N", requires = "key", value_parser = clap::value_parser!(i64).range(0..))]
    seq: Option<i64>,
    /// Replace this version only: nodes that hold another one keep it.
    #[arg(long, value_name = "N", requires = "key", value_parser = clap::value_parser!(i64).range(0..))]
    cas: Option<i64>,
    /// Stay, and put it again about once an hour until Ctrl-C.
    #[arg(long, conflicts_with = "cas", env = "TRACKLESS_STAY", hide_env_values = true, value_parser = flag::parse)]
    stay: bool,
    #[command(flatten)]
    entrance: EntranceArguments,
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let wish = arguments.wish()?;
    let entrance = &arguments.entrance;
    if !arguments.stay {
        let question = async |node: &Node| wish.put(node, output).await;
        return entrance.ask(output, question).await;
    }
    let mut interrupt = Interrupt::listen()?;
    let node = entrance.start(Role::Participant, output).await?;
    let keep = async {
        entrance.wait(&node).await?;
        let node = node.with_patience(entrance.patience());
        wish.keep(&node, output).await
    };
    let result = tokio::select! {
        signal = interrupt.received() => signal.end_of_service(),
        ended = keep => ended,
    };
    node.shutdown().await;
    result
}

impl Arguments {
    /// Reads what was named, before anything is started.
    fn wish(&self) -> Result<Wish, Failure> {
        let content = match (&self.text, &self.file) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(path)) => user_file::read(path, "a file")?,
            (None, None) => Vec::new(),
        };
        let value = if self.bencoded {
            ItemValue::from_bencode(&content)
        } else {
            ItemValue::from_bytes(&content)
        };
        Ok(Wish {
            value: value.map_err(unfit)?,
            salt: salt(self.salt.as_deref())?,
            key: self.key.as_deref().map(key::read).transpose()?,
            seq: self.seq,
            cas: self.cas,
        })
    }
}
