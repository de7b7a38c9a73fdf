//! `trackless item`: small values in the DHT. BEP 44.

mod get;
pub(crate) mod key;
mod put;
mod wish;

use clap::{Args, Subcommand};
use dht::{Item, ItemError, Salt};

use super::failure::Failure;
use super::output::Output;
pub(crate) use wish::Wish;

/// Store a small value in the DHT, or find one.
///
/// A value has at most 1000 bytes and is forgotten after two hours, unless it is put again. Without a key it is named by its
/// hash and never changes; with a key it is named by the key and a salt, and the owner of the key may replace it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless item put 'Hello World!'                          (prints its target)
  trackless item get e5f96f6f38320f0f33959cb4d3d656452117aadb
  trackless item key me.key                                  (makes a key, prints the public half)
  trackless item put --key me.key --salt weather 'It rains.' (again with other words: the next version)
  trackless item get --public-key KEY --salt weather")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Put(put::Arguments),
    Get(get::Arguments),
    Key(key::Arguments),
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    match &arguments.command {
        Command::Put(arguments) => put::run(arguments, output).await,
        Command::Get(arguments) => get::run(arguments, output).await,
        Command::Key(arguments) => key::run(arguments, output),
    }
}

/// What the user named does not fit an item.
fn unfit(error: ItemError) -> Failure {
    Failure::Usage(error.to_string())
}

/// The salt that the user named.
pub(crate) fn salt(text: Option<&str>) -> Result<Salt, Failure> {
    Salt::new(text.unwrap_or_default().as_bytes()).map_err(unfit)
}

/// The key of a mutable item.
fn public_key(item: &Item) -> Option<String> {
    match item {
        Item::Immutable(_) => None,
        Item::Mutable(item) => Some(item.key.to_string()),
    }
}
