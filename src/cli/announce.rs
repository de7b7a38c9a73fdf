//! `trackless announce`: tell the DHT that somebody here has a torrent, and show who took note.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::FalseyValueParser;
use trackless::{LookupEvent, Node};
use wire::InfoHash;

use super::failure::Failure;
use super::interrupt::Interrupt;
use super::network::{NetworkArguments, Role};
use super::output::Output;
use super::report::Report;
use super::source;
use super::style::{BAD, FAINT, GOOD, paint};
use super::timeout::Timeout;
use super::units;

/// Nodes forget an announce after 30 to 45 minutes: it is renewed well before.
const RENEWAL: Duration = Duration::from_secs(15 * 60);

/// How soon an announce that nobody took is repeated.
const RETRY: Duration = Duration::from_secs(10);

/// Tell the DHT that a torrent is to be had here.
///
/// For a client that has no DHT of its own, or a service that is found by an info-hash. Prints a receipt: each node that
/// holds the announce, and then, asked once more, whether it names peers for it. The announce is renewed every 15 minutes
/// until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless announce 0123456789abcdef0123456789abcdef01234567 --port 51413
  trackless announce HASH --port 8080 --once --json

Exit code 3: no node took the announce. 5: no DHT node answered.")]
pub(crate) struct Arguments {
    /// 40 hex or 32 base32 characters, or a magnet link in quotes.
    #[arg(value_name = "INFOHASH")]
    info_hash: String,
    /// Where it is to be had: a TCP port of this machine, as others see it.
    #[arg(short, long, env = "TRACKLESS_PORT", hide_env_values = true)]
    port: NonZeroU16,
    /// End after the first receipt; the announce holds for half an hour.
    #[arg(long, env = "TRACKLESS_ONCE", hide_env_values = true, value_parser = FalseyValueParser::new())]
    once: bool,
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

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let info_hash = source::info_hash(&arguments.info_hash)?;
    let mut interrupt = Interrupt::listen()?;
    let node = arguments
        .network
        .start(&[], Role::Participant, output)
        .await?;
    let signal = tokio::select! {
        signal = interrupt.received() => Ok(Some(signal)),
        result = announce(&node, info_hash, arguments, output) => result.map(|()| None),
    };
    node.shutdown().await;
    signal?.map_or(Ok(()), super::interrupt::Signal::end_of_service)
}

/// Ends by itself only after a failure, or if once is enough.
async fn announce(
    node: &Node,
    info_hash: InfoHash,
    arguments: &Arguments,
    output: &Output,
) -> Result<(), Failure> {
    let patience = arguments.timeout.limit().unwrap_or(Duration::MAX);
    node.bootstrapped(patience).await?;
    loop {
        let start = tokio::time::Instant::now();
        let holders = tell(node, info_hash, arguments.port, output).await?;
        match (holders.is_empty(), arguments.once) {
            (true, true) => return Err(Failure::NobodyTookIt { info_hash }),
            (true, false) => {}
            (false, _) => confirm(node, info_hash, &holders, output).await?,
        }
        if arguments.once {
            return Ok(());
        }
        let pause = if holders.is_empty() { RETRY } else { RENEWAL };
        output.note(format_args!(
            "it is announced again in {}; Ctrl-C ends it",
            units::time(pause)
        ));
        tokio::time::sleep_until(start + pause).await;
    }
}

/// Announces it; the nodes that acknowledged that.
async fn tell(
    node: &Node,
    info_hash: InfoHash,
    port: NonZeroU16,
    output: &Output,
) -> Result<BTreeSet<SocketAddr>, Failure> {
    let start = Instant::now();
    let mut holders = BTreeSet::new();
    let mut lookup = node.announcement(info_hash, Some(port.get()));
    while let Some(event) = lookup.next().await {
        match event {
            LookupEvent::Announced { node, id } => {
                holders.insert(node);
                let seconds = start.elapsed().as_secs_f64();
                let id = hex::encode(id);
                output.result(format_args!(
                    "{:>9}  {}  {:<21}  {}",
                    units::time(start.elapsed()),
                    paint(GOOD, "holds it"),
                    node.to_string(),
                    paint(FAINT, &id)
                ));
                output.event(&Report::Holder { node, id, seconds });
            }
            LookupEvent::Ended { elapsed, .. } => {
                output.event(&Report::Announced {
                    nodes: holders.len(),
                });
                output.note(format_args!(
                    "announced to {} in {}",
                    units::count(holders.len(), "node"),
                    units::time(elapsed)
                ));
                return Ok(holders);
            }
            _ => {}
        }
    }
    Err(trackless::Error::ShutDown.into())
}

/// Asks once more, as anybody would, and tells who of the holders names peers.
async fn confirm(
    node: &Node,
    info_hash: InfoHash,
    holders: &BTreeSet<SocketAddr>,
    output: &Output,
) -> Result<(), Failure> {
    let mut confirmed = BTreeSet::new();
    let mut lookup = node.lookup(info_hash);
    while let Some(event) = lookup.next().await {
        match event {
            LookupEvent::Answered { node, peers, .. } if peers > 0 && holders.contains(&node) => {
                confirmed.insert(node);
            }
            LookupEvent::Ended { .. } => {
                output.event(&Report::Confirmed {
                    nodes: confirmed.len(),
                    of: holders.len(),
                });
                let all = confirmed.len() == holders.len();
                output.result(format_args!(
                    "{}  {} of {} name peers for it when they are asked",
                    paint(if all { GOOD } else { BAD }, "confirmed"),
                    confirmed.len(),
                    units::count(holders.len(), "node")
                ));
                return Ok(());
            }
            _ => {}
        }
    }
    Err(trackless::Error::ShutDown.into())
}
