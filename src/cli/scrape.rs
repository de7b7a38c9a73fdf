//! `trackless scrape`: how many have a torrent.

use std::time::Duration;

use clap::Args;
use trackless::{Node, Scraped};
use wire::InfoHash;

use super::failure::Failure;
use super::interrupt::Interrupt;
use super::network::{NetworkArguments, Role};
use super::output::{Output, field};
use super::report::Report;
use super::source;
use super::timeout::Timeout;
use super::units;

/// Ask the DHT how many have a torrent: all of it, or some.
///
/// The nodes that peers announce to count them in filters that tell no addresses; put together, nobody is counted twice (BEP 33).
/// The figures are estimates, right to a few in a hundred. Whoever is known as a seed to some nodes and not yet to others is counted as both.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless scrape 0123456789abcdef0123456789abcdef01234567
  trackless scrape HASH --json --bootstrap 127.0.0.1:7001 --listen 127.0.0.1:0

Exit code 3: nobody has announced it. 5: no DHT node answered.")]
pub(crate) struct Arguments {
    /// 40 hex or 32 base32 characters, or a magnet link in quotes.
    #[arg(value_name = "INFOHASH")]
    info_hash: String,
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
    let node = arguments.network.start(&[], Role::ReadOnly, output).await?;
    let patience = arguments.timeout.limit().unwrap_or(Duration::MAX);
    let result = interrupt
        .or(count(&node, info_hash, patience, output))
        .await
        .flatten();
    node.shutdown().await;
    result
}

async fn count(
    node: &Node,
    info_hash: InfoHash,
    patience: Duration,
    output: &Output,
) -> Result<(), Failure> {
    node.bootstrapped(patience).await?;
    let scraped = node.scrape(info_hash).await?;
    output.event(&Report::Scrape {
        info_hash: info_hash.to_string(),
        seeds: scraped.seeds,
        leechers: scraped.leechers,
        at_least: scraped.overflow,
        nodes: scraped.counted_by,
        nodes_without_count: scraped.without_count,
        queried: scraped.queried,
        responded: scraped.responded,
        seconds: scraped.elapsed.as_secs_f64(),
    });
    if scraped.seeds + scraped.leechers == 0 {
        return Err(Failure::NobodyHasIt {
            info_hash,
            responded: scraped.responded,
        });
    }
    tell(&scraped, output);
    Ok(())
}

fn tell(scraped: &Scraped, output: &Output) {
    let more = if scraped.overflow { " or more" } else { "" };
    output.result(field("seeds", format_args!("{}{more}", scraped.seeds)));
    output.result(field(
        "leechers",
        format_args!("{}{more}", scraped.leechers),
    ));
    let without = match scraped.without_count {
        0 => String::new(),
        others => format!(", and named by {others} that count nobody"),
    };
    output.note(format_args!(
        "counted by {}{without}; {} asked in {}",
        units::count(scraped.counted_by, "node"),
        units::count(scraped.queried, "node"),
        units::time(scraped.elapsed),
    ));
}
