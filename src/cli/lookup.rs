//! `trackless lookup`: ask the DHT who has a torrent, and watch it answer.

mod tree;

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Args;
use trackless::{LookupEvent, LookupFailure, Node};
use wire::InfoHash;

use super::batch::{self, Subject, SubjectArguments};
use super::entrance::EntranceArguments;
use super::failure::Failure;
use super::flag;
use super::output::Output;
use super::report::{Report, Step, Why};
use super::style::{ACCENT, BAD, FAINT, GOOD, paint};
use super::units;
use tree::Tree;

/// Ask the DHT who has a torrent, or many.
///
/// Prints the addresses of peers as they are found, one a line, and fetches nothing. With --trace every step is shown:
/// which nodes were asked, who answered with what and how fast, who stalled, who failed; at the end stands who led to
/// whom, as a tree. With --batch many are looked up, in key-space order, so that each costs a few queries; how many peers
/// each has is printed as it is found. The node that asks is read-only: others do not put it into their tables.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless lookup 0123456789abcdef0123456789abcdef01234567
  trackless lookup HASH --trace --bootstrap 127.0.0.1:7001 --listen 127.0.0.1:0
  trackless lookup HASH | head -n 1
  trackless lookup --batch hashes.txt --json > peers.jsonl

Exit code 3: nobody has announced it, or any of them. 5: no DHT node answered.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// Show every query: asked, answered, stalled, failed.
    #[arg(long, conflicts_with = "batch", env = "TRACKLESS_TRACE", hide_env_values = true, value_parser = flag::parse)]
    trace: bool,
    #[command(flatten)]
    entrance: EntranceArguments,
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let subject = arguments.subject.read()?;
    let question = async |node: &Node| match &subject {
        Subject::One(info_hash) => ask(node, *info_hash, arguments.trace, output).await,
        Subject::Many(info_hashes) => ask_all(node, info_hashes, output).await,
    };
    arguments.entrance.ask(output, question).await
}

async fn ask_all(node: &Node, info_hashes: &[InfoHash], output: &Output) -> Result<(), Failure> {
    let all = node.look_up_all(info_hashes);
    let tally = batch::follow(all, node.patience(), "lookup", output, |answer| {
        let info_hash = answer.info_hash.to_string();
        let peers = units::count(answer.peers.len(), "peer");
        output.result(format_args!("{info_hash}  {peers}"));
        output.event(&Report::LookedUp {
            info_hash,
            peers: &answer.peers,
            queried: answer.queried,
            responded: answer.responded,
            failed: answer.failed,
            seconds: answer.elapsed.as_secs_f64(),
        });
        !answer.peers.is_empty()
    });
    match tally.await?.successes {
        0 => Err(Failure::NobodyHasAny {
            info_hashes: info_hashes.len(),
        }),
        _ => Ok(()),
    }
}

async fn ask(
    node: &Node,
    info_hash: InfoHash,
    steps: bool,
    output: &Output,
) -> Result<(), Failure> {
    let mut trace = Trace {
        output,
        steps,
        start: Instant::now(),
        tree: Tree::default(),
    };
    let mut lookup = node.lookup(info_hash);
    while let Some(event) = lookup.next().await {
        if let LookupEvent::Ended {
            responded,
            peers,
            elapsed: after,
            ..
        } = event
        {
            trace.hear(&event);
            return match (peers, responded) {
                (0, 0) => Err(trackless::Error::Unanswered { after }.into()),
                (0, _) => Err(Failure::NobodyHasIt {
                    info_hash,
                    responded,
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
            LookupEvent::Failed { node, why } => {
                let step = Step::Failed {
                    node: *node,
                    why: Why::from(*why),
                    seconds,
                };
                let line = row(now, paint(BAD, "failed  "), node, reason(*why));
                self.step(line, step);
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
                    for line in self.tree.lines(*queried) {
                        self.output.result(line);
                    }
                    self.output.event(&self.tree.report(*queried));
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

/// Why a query came to nothing, in words.
fn reason(why: LookupFailure) -> String {
    match why {
        LookupFailure::TimedOut => "no answer".to_owned(),
        LookupFailure::Impostor { id } => format!("is another node: {}", hex::encode(id)),
        LookupFailure::Refused { code } => format!("refused with error {code}"),
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
