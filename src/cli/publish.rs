//! `trackless publish`: share files under a key that stays when they change. BEP 46.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use dht::SecretKey;
use trackless::{Node, Publisher};

use super::failure::Failure;
use super::interrupt::Interrupt;
use super::item::{Wish, key, salt};
use super::narrator::Narrator;
use super::network::{self, NetworkArguments, Role};
use super::output::{Output, field};
use super::report::Report;
use super::seed::{Offer, Seeding, serve};
use super::silence;
use super::transfer::TransferArguments;

/// Share files under a link that stays when they change.
///
/// Like `seed`, and a value in the DHT, signed with your key, says which torrent is the newest. `get` with the publisher's link
/// fetches that one. Publish the directory again after you have changed it: the link stays the same.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless item key me.key                                 (makes a key, once)
  trackless publish me.key site/                            (prints the link, and serves until Ctrl-C)
  trackless publish me.key photos/ --salt photos            (another link of the same key)
  trackless get 'magnet:?xs=urn:btpk:KEY'")]
pub(crate) struct Arguments {
    /// The file with your key. `item key` makes one.
    #[arg(value_name = "KEYFILE")]
    key: PathBuf,
    /// A file or directory.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Which of your publications it is; at most 64 bytes.
    #[arg(long, value_name = "TEXT")]
    salt: Option<String>,
    #[command(flatten)]
    transfer: TransferArguments,
    #[command(flatten)]
    network: NetworkArguments,
}

pub(crate) async fn run(arguments: Arguments, output: &Output) -> Result<(), Failure> {
    let key = key::read(&arguments.key);
    let key = key.map_err(|failure| arguments.swapped().unwrap_or(failure))?;
    let offer = Offer::files(&arguments.path)?;
    let publisher = Publisher {
        key: key.public(),
        salt: salt(arguments.salt.as_deref())?,
    };
    let mut interrupt = Interrupt::listen()?;
    let builder = arguments.network.builder(&[], Role::Participant);
    let node = network::start(arguments.transfer.limit(builder), output).await?;
    let result = tokio::select! {
        result = publish(&node, offer, publisher, key, &mut interrupt, output) => result,
        never = silence::watch(&node, arguments.network.is_asking(), output) => match never {},
    };
    node.shutdown().await;
    result
}

impl Arguments {
    /// Whoever names the content first is told so.
    fn swapped(&self) -> Option<Failure> {
        let (content, key) = (self.key.display(), self.path.display());
        key::read(&self.path).is_ok().then(|| {
            Failure::Usage(format!(
                "the key comes first, then what is published: trackless publish {key} {content}"
            ))
        })
    }
}

async fn publish(
    node: &Node,
    offer: Offer,
    publisher: Publisher,
    key: SecretKey,
    interrupt: &mut Interrupt,
    output: &Output,
) -> Result<(), Failure> {
    let torrent = interrupt.or(Seeding { node, output }.open(offer)).await??;
    output.result(field("publisher", &publisher));
    output.event(&Report::Publishing {
        publisher: publisher.to_string(),
    });
    let wish = Wish {
        value: Publisher::pointer(torrent.info_hash()),
        salt: publisher.salt,
        key: Some(key),
        seq: None,
        cas: None,
    };
    let keep = async {
        node.entered().await?;
        wish.keep(node, output).await
    };
    let narrator = Narrator::new(output, Instant::now());
    tokio::select! {
        ended = serve(torrent, narrator, interrupt.clone()) => ended,
        failed = keep => failed,
    }
}
