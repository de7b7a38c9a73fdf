//! `trackless scrape`: how many have a torrent.

use clap::Args;
use trackless::{Node, Scraped};
use wire::InfoHash;

use super::entrance::EntranceArguments;
use super::failure::Failure;
use super::output::{Output, field};
use super::report::Report;
use super::source;
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
    /// 40 hex or 32 base32 characters, a magnet link in quotes, or a .torrent file.
    #[arg(value_name = "INFOHASH")]
    info_hash: String,
    #[command(flatten)]
    entrance: EntranceArguments,
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let info_hash = source::info_hash(&arguments.info_hash)?;
    let question = async |node: &Node| count(node, info_hash, output).await;
    arguments.entrance.ask(output, question).await
}

async fn count(node: &Node, info_hash: InfoHash, output: &Output) -> Result<(), Failure> {
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
        if scraped.responded == 0 {
            let after = scraped.elapsed;
            return Err(trackless::Error::Unanswered { after }.into());
        }
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
