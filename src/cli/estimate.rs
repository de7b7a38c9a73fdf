//! `trackless estimate`: how large the network is.

use std::time::{Duration, Instant};

use clap::Args;
use trackless::{Estimate, Node};

use super::entrance::EntranceArguments;
use super::failure::Failure;
use super::output::Output;
use super::report::Report;
use super::units;

/// Estimate how many nodes the DHT has.
///
/// Looks up points drawn at random. How far the eight nearest nodes reach tells how densely nodes stand, and with it how many there are. Only those
/// that answer count. The more lookups, the smaller the error: 24 tell it to about 15 %, 100 to about 7 %, which
/// may want more time than --timeout gives: then those count that have ended.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless estimate
  trackless estimate --lookups 100 --timeout 60
  trackless estimate --json --bootstrap 127.0.0.1:7001 --listen 127.0.0.1:0

Exit code 5: no DHT node answered.")]
pub(crate) struct Arguments {
    /// Points to look up.
    #[arg(
        long,
        value_name = "COUNT",
        env = "TRACKLESS_LOOKUPS",
        hide_env_values = true,
        default_value_t = 24,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    lookups: u16,
    #[command(flatten)]
    entrance: EntranceArguments,
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let question = async |node: &Node| estimate(node, arguments.lookups, output).await;
    arguments.entrance.ask(output, question).await
}

async fn estimate(node: &Node, lookups: u16, output: &Output) -> Result<(), Failure> {
    let start = Instant::now();
    for estimate in node.estimate(lookups).await? {
        tell(&estimate, start.elapsed(), output);
    }
    Ok(())
}

fn tell(estimate: &Estimate, elapsed: Duration, output: &Output) {
    let size = estimate.size;
    let (name, key) = if estimate.is_ipv6 {
        ("IPv6", "ipv6")
    } else {
        ("IPv4", "ipv4")
    };
    output.event(&Report::Estimate {
        family: key,
        nodes: size.nodes,
        low: size.low,
        high: size.high,
        neighbourhoods: estimate.neighbourhoods,
        met: estimate.met,
        seconds: elapsed.as_secs_f64(),
    });
    if size.low == size.high {
        output.result(format_args!(
            "{name}  {} nodes, all of them met",
            size.nodes
        ));
    } else {
        output.result(format_args!(
            "{name}  about {} nodes ({} to {}, with 95 % certainty)",
            units::rounded(size.nodes),
            units::rounded(size.low),
            units::rounded(size.high)
        ));
    }
    // Who has met everybody has not looked at how densely they stand.
    let from = match estimate.neighbourhoods {
        0 => String::new(),
        number => format!("from {} ", units::count(number, "neighbourhood")),
    };
    output.note(format_args!(
        "{from}with {} in {}",
        units::count(estimate.met, "node"),
        units::time(elapsed),
    ));
}
