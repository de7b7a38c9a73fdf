//! `trackless lookup`: ask the DHT who has a torrent, and watch it answer.

mod tree;

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::FalseyValueParser;
use trackless::{LookupEvent, Node};
use wire::InfoHash;

use super::failure::Failure;
use super::interrupt::Interrupt;
use super::network::{NetworkArguments, Role};
use super::output::Output;
use super::report::{Report, Step};
use super::source;
use super::style::{ACCENT, BAD, FAINT, GOOD, paint};
use super::timeout::Timeout;
use super::units;
use tree::Tree;

/// Ask the DHT who has a torrent.
///
/// Prints the addresses of peers as they are found, one a line, and fetches nothing. With --trace every step is shown:
/// which nodes were asked, who answered with what and how fast, who stalled, who failed; at the end stands who led to
/// whom, as a tree. The node that asks is read-only:
/// others do not put it into their tables.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless lookup 0123456789abcdef0123456789abcdef01234567
  trackless lookup HASH --trace --bootstrap 127.0.0.1:7001 --listen 127.0.0.1:0
  trackless lookup HASH | head -n 1

Exit code 3: nobody has announced it. 5: no DHT node answered.")]
pub(crate) struct Arguments {
    /// 40 hex or 32 base32 characters, or a magnet link in quotes.
    #[arg(value_name = "INFOHASH")]
    info_hash: String,
    /// Show every query: asked, answered, stalled, failed.
    #[arg(long, env = "TRACKLESS_TRACE", hide_env_values = true, value_parser = FalseyValueParser::new())]
    trace: bool,
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
    let result = interrupt
        .or(ask(&node, info_hash, arguments, output))
        .await
        .flatten();
    node.shutdown().await;
    result
}

async fn ask(
    node: &Node,
    info_hash: InfoHash,
    arguments: &Arguments,
    output: &Output,
) -> Result<(), Failure> {
    let patience = arguments.timeout.limit().unwrap_or(Duration::MAX);
    node.bootstrapped(patience).await?;
    let mut trace = Trace {
        output,
        steps: arguments.trace,
        start: Instant::now(),
        tree: Tree::default(),
    };
    let mut lookup = node.lookup(info_hash);
    while let Some(event) = lookup.next().await {
        if let LookupEvent::Ended {
            responded, peers, ..
        } = &event
        {
            trace.hear(&event);
            return match peers {
                0 => Err(Failure::NobodyHasIt {
                    info_hash,
                    responded: *responded,
                }),
                _ => Ok(()),
            };
        }
        trace.hear(&event);
    }
    Err(trackless::Error::ShutDown.into())
}

/// Tells what happens in a lookup.
struct Trace<'a> {
    output: &'a Output,
    steps: bool,
    start: Instant,
    tree: Tree,
}

impl Trace<'_> {
    fn hear(&mut self, event: &LookupEvent) {
        self.tree.hear(event);
        let now = self.start.elapsed();
        let seconds = now.as_secs_f64();
        match event {
            LookupEvent::Asked { node, named_by } => {
                self.step(
                    row(now, paint(FAINT, "asked   "), node, ""),
                    Step::Asked {
                        node: *node,
                        named_by: *named_by,
                        seconds,
                    },
                );
            }
            LookupEvent::Answered {
                node,
                round_trip,
                nodes,
                peers,
            } => {
                let answer = format!(
                    "{:>7.1} ms  {}, {}",
                    round_trip.as_secs_f64() * 1000.0,
                    units::count(*nodes, "node"),
                    units::count(*peers, "peer")
                );
                let milliseconds = round_trip.as_secs_f64() * 1000.0;
                let step = Step::Answered {
                    node: *node,
                    milliseconds,
                    nodes: *nodes,
                    peers: *peers,
                    seconds,
                };
                self.step(row(now, paint(GOOD, "answered"), node, answer), step);
            }
            LookupEvent::Stalled { node } => {
                self.step(
                    row(now, paint(BAD, "stalled "), node, ""),
                    Step::Stalled {
                        node: *node,
                        seconds,
                    },
                );
            }
            LookupEvent::Failed { node } => {
                self.step(
                    row(now, paint(BAD, "failed  "), node, ""),
                    Step::Failed {
                        node: *node,
                        seconds,
                    },
                );
            }
            LookupEvent::Peers { from, peers } => {
                let source = from.map_or("announced itself to us".to_owned(), |node| {
                    format!("named by {node}")
                });
                self.output.event(&Report::Peers { peers, seconds });
                for peer in peers {
                    if self.steps {
                        self.output
                            .result(row(now, paint(ACCENT, "peer    "), peer, &source));
                    } else {
                        self.output.result(peer);
                    }
                }
            }
            LookupEvent::Ended {
                queried,
                responded,
                failed,
                peers,
                elapsed,
            } => {
                self.output.event(&Report::LookupEnded {
                    queried: *queried,
                    responded: *responded,
                    failed: *failed,
                    peers: *peers,
                    seconds: elapsed.as_secs_f64(),
                });
                if self.steps {
                    self.output.result("");
                    for line in self.tree.lines() {
                        self.output.result(line);
                    }
                }
                self.output.note(format_args!(
                    "{} in {}: {} asked, {responded} answered, {failed} failed",
                    units::count(*peers, "peer"),
                    units::time(*elapsed),
                    units::count(*queried, "node"),
                ));
            }
            _ => {}
        }
    }

    fn step(&self, line: String, step: Step) {
        if self.steps {
            self.output.result(line);
            self.output.event(&Report::Lookup(step));
        }
    }
}

fn row(now: Duration, what: impl Display, who: &SocketAddr, more: impl Display) -> String {
    // As wide as an IPv4 address with its port can be.
    format!(
        "{:>9}  {what}  {:<21}  {more}",
        units::time(now),
        who.to_string()
    )
    .trim_end()
    .to_owned()
}
