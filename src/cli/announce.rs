//! `trackless announce`: tell the DHT that somebody here has a torrent, and show who took note.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::FalseyValueParser;
use trackless::{LookupEvent, Node};
use wire::InfoHash;

use super::batch::{self, Subject, SubjectArguments};
use super::entrance::EntranceArguments;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::network::Role;
use super::output::Output;
use super::report::Report;
use super::style::{BAD, FAINT, GOOD, paint};
use super::units;

/// Nodes forget an announce after 30 to 45 minutes: it is renewed well before.
const RENEWAL: Duration = Duration::from_secs(15 * 60);

/// How soon an announce that nobody took is repeated.
const RETRY: Duration = Duration::from_secs(10);

/// Tell the DHT that a torrent is to be had here, or many.
///
/// For a client that has no DHT of its own, or a service that is found by an info-hash. Prints a receipt: each node that
/// holds the announce, and then, asked once more, whether it names peers for it. The announce is renewed every 15 minutes
/// until Ctrl-C. With --batch many are announced, in key-space order, so that each costs a few queries.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless announce 0123456789abcdef0123456789abcdef01234567 --port 51413
  trackless announce HASH --port 8080 --once --json
  trackless announce --batch hashes.txt --port 51413

Exit code 3: no node took the announce. 5: no DHT node answered.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// Where it is to be had: a TCP port of this machine, as others see it.
    #[arg(short, long, env = "TRACKLESS_PORT", hide_env_values = true)]
    port: NonZeroU16,
    /// End after the first receipt; the announce holds for half an hour.
    #[arg(long, env = "TRACKLESS_ONCE", hide_env_values = true, value_parser = FalseyValueParser::new())]
    once: bool,
    #[command(flatten)]
    entrance: EntranceArguments,
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let subject = arguments.subject.read()?;
    let mut interrupt = Interrupt::listen()?;
    let node = arguments.entrance.start(Role::Participant, output).await?;
    let signal = tokio::select! {
        signal = interrupt.received() => Ok(Some(signal)),
        result = announce(&node, &subject, arguments, output) => result.map(|()| None),
    };
    node.shutdown().await;
    signal?.map_or(Ok(()), super::interrupt::Signal::end_of_service)
}

/// Ends by itself only after a failure, or if once is enough.
async fn announce(
    node: &Node,
    subject: &Subject,
    arguments: &Arguments,
    output: &Output,
) -> Result<(), Failure> {
    let begin = Instant::now();
    arguments.entrance.wait(node).await?;
    let patience = arguments.entrance.patience();
    // Who stays has as much time for each announce.
    let left = patience.map(|patience| {
        if arguments.once {
            patience.saturating_sub(begin.elapsed())
        } else {
            patience
        }
    });
    let node = &node.with_patience(left);
    loop {
        let start = tokio::time::Instant::now();
        let told = match subject {
            Subject::One(info_hash) => tell_one(node, *info_hash, arguments.port, output).await,
            Subject::Many(info_hashes) => tell_all(node, info_hashes, arguments.port, output).await,
        };
        let pause = match told {
            Err(
                Failure::NobodyTookIt { .. }
                | Failure::NobodyTookAny { .. }
                | Failure::Node(trackless::Error::Unanswered { .. }),
            ) if !arguments.once => RETRY,
            Ok(()) if !arguments.once => RENEWAL,
            told => return told,
        };
        output.note(format_args!(
            "announced again in {}; Ctrl-C ends it",
            units::time(pause)
        ));
        tokio::time::sleep_until(start + pause).await;
    }
}

/// Announces it, and asks who names peers for it then.
async fn tell_one(
    node: &Node,
    info_hash: InfoHash,
    port: NonZeroU16,
    output: &Output,
) -> Result<(), Failure> {
    let holders = tell(node, info_hash, port, output).await?;
    if holders.is_empty() {
        return Err(Failure::NobodyTookIt { info_hash });
    }
    confirm(node, info_hash, &holders, output).await
}

async fn tell_all(
    node: &Node,
    info_hashes: &[InfoHash],
    port: NonZeroU16,
    output: &Output,
) -> Result<(), Failure> {
    let all = node.announce_all(info_hashes, Some(port.get()));
    let tally = batch::follow(all, node.patience(), "announce", output, |answer| {
        let info_hash = answer.info_hash.to_string();
        let nodes = units::count(answer.holders, "node");
        output.result(format_args!("{info_hash}  held by {nodes}"));
        output.event(&Report::BatchAnnounced {
            info_hash,
            nodes: answer.holders,
            queried: answer.queried,
            responded: answer.responded,
            failed: answer.failed,
            seconds: answer.elapsed.as_secs_f64(),
        });
        answer.holders > 0
    });
    match tally.await?.successes {
        0 => Err(Failure::NobodyTookAny {
            info_hashes: info_hashes.len(),
        }),
        _ => Ok(()),
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
            LookupEvent::Ended {
                responded: 0,
                elapsed: after,
                ..
            } if holders.is_empty() => return Err(trackless::Error::Unanswered { after }.into()),
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
