//! `trackless announce`: tell the DHT that somebody here has a torrent, and show who took note.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use clap::Args;
use trackless::{AnnounceReceipt, KeptAnnounce, Node, Testimony};
use wire::InfoHash;

use super::batch::{self, Subject, SubjectArguments};
use super::entrance::EntranceArguments;
use super::failure::Failure;
use super::flag;
use super::interrupt::Interrupt;
use super::network::Role;
use super::output::Output;
use super::report::Report;
use super::style::{BAD, FAINT, GOOD, paint};
use super::units;

/// Some nodes have forgotten an announce by then.
const FORGOTTEN: Duration = Duration::from_secs(30 * 60);

/// Tell the DHT that a torrent is to be had here, or many.
///
/// For a client that has no DHT of its own, or a service that is found by an info-hash. Prints a receipt: each node that
/// holds the announce, and whether it names this machine and the port when it is asked from elsewhere. The announce is renewed every 15 minutes
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
    #[arg(short, long, env = "TRACKLESS_PORT", hide_env_values = true, value_parser = parse_port)]
    port: NonZeroU16,
    /// End after the first receipt; the announce holds for half an hour. The node is read-only: others do not put it into their tables.
    #[arg(long, env = "TRACKLESS_ONCE", hide_env_values = true, value_parser = flag::parse)]
    once: bool,
    #[command(flatten)]
    entrance: EntranceArguments,
}

fn parse_port(text: &str) -> Result<NonZeroU16, &'static str> {
    text.parse()
        .map_err(|_| "a port is a number from 1 to 65535")
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let subject = arguments.subject.read()?;
    let mut interrupt = Interrupt::listen()?;
    // Who leaves as soon as he has announced is not to be put into tables.
    let role = if arguments.once {
        Role::ReadOnly
    } else {
        Role::Participant
    };
    let node = arguments.entrance.start(role, output).await?;
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
    let port = arguments.port;
    match subject {
        Subject::One(info_hash) if arguments.once => {
            let receipt = node
                .announce_with_receipt(*info_hash, Some(port.get()))
                .await?;
            tell(&receipt, port, output)
        }
        Subject::One(info_hash) => keep_one(node, *info_hash, port, output).await,
        Subject::Many(info_hashes) if arguments.once => {
            announce_all(node, info_hashes, port, output).await
        }
        Subject::Many(info_hashes) => keep_all(node, info_hashes, port, output).await,
    }
}

/// Ends by a failure alone.
async fn keep_one(
    node: &Node,
    info_hash: InfoHash,
    port: NonZeroU16,
    output: &Output,
) -> Result<(), Failure> {
    let mut kept = node.keep_announced(info_hash, Some(port.get()));
    while let Some(result) = kept.next().await {
        let told = match result {
            Ok(receipt) => tell(&receipt, port, output),
            Err(error) => Err(error.into()),
        };
        let pause = pause(told, output)?;
        again(pause, output);
    }
    Err(trackless::Error::ShutDown.into())
}

/// Goes round and round, so that each is announced again when its time has come: a round begins so long after the one before did, or as soon as that is done. Ends by a
/// failure alone.
async fn keep_all(
    node: &Node,
    info_hashes: &[InfoHash],
    port: NonZeroU16,
    output: &Output,
) -> Result<(), Failure> {
    loop {
        let start = Instant::now();
        let told = announce_all(node, info_hashes, port, output).await;
        let pause = pause(told, output)?;
        let round = start.elapsed();
        if round > FORGOTTEN {
            output.warning(overdue(info_hashes.len(), round));
        }
        let left = pause.saturating_sub(round);
        again(left, output);
        tokio::time::sleep(left).await;
    }
}

/// How long after the beginning of an announce the next one begins, unless it failed for good.
fn pause(told: Result<(), Failure>, output: &Output) -> Result<Duration, Failure> {
    match told {
        Ok(()) => Ok(KeptAnnounce::RENEWAL),
        Err(
            failure @ (Failure::NobodyTookIt { .. }
            | Failure::NobodyTookAny { .. }
            | Failure::Node(trackless::Error::Unanswered { .. })),
        ) => {
            output.warning(failure.sentence());
            Ok(KeptAnnounce::RETRY)
        }
        Err(failure) => Err(failure),
    }
}

fn again(pause: Duration, output: &Output) {
    if pause.is_zero() {
        output.note("announced again at once; Ctrl-C ends it");
    } else {
        output.note(format_args!(
            "announced again in {}; Ctrl-C ends it",
            units::time(pause)
        ));
    }
}

/// That more is announced than nodes remember until its turn comes again.
fn overdue(all: usize, round: Duration) -> String {
    let held = all as f64 * FORGOTTEN.as_secs_f64() / round.as_secs_f64();
    format!(
        "{} take {} at this pace, and nodes forget an announce after 30 to 45 minutes: about {held:.0} of them are to be found at a time; \
         --pace writes to more nodes in a second, if your router bears it",
        batch::hashes(all),
        units::time(round),
    )
}

async fn announce_all(
    node: &Node,
    info_hashes: &[InfoHash],
    port: NonZeroU16,
    output: &Output,
) -> Result<(), Failure> {
    let all = node.announce_all(info_hashes, Some(port.get()));
    let tally = batch::follow(all, node.patience(), "announce", output, |answer| {
        let info_hash = answer.info_hash.to_string();
        let nodes = units::count(answer.holders.len(), "node");
        output.result(format_args!("{info_hash}  held by {nodes}"));
        output.event(&Report::BatchAnnounced {
            info_hash,
            nodes: answer.holders.len(),
            holders: &answer.holders,
            queried: answer.queried,
            responded: answer.responded,
            failed: answer.failed,
            seconds: answer.elapsed.as_secs_f64(),
        });
        !answer.holders.is_empty()
    });
    match tally.await?.successes {
        0 => Err(Failure::NobodyTookAny {
            info_hashes: info_hashes.len(),
        }),
        _ => Ok(()),
    }
}

/// Shows who holds an announce, and who of these says so.
fn tell(receipt: &AnnounceReceipt, port: NonZeroU16, output: &Output) -> Result<(), Failure> {
    let holders = &receipt.holders;
    for holder in holders {
        let id = hex::encode(holder.id);
        let (colour, testimony) = match holder.testimony {
            Testimony::NamesUs => (GOOD, "names it when asked".to_owned()),
            Testimony::NamesOthers { peers } => {
                (FAINT, format!("names {} when asked", others(peers)))
            }
            Testimony::NamesNobody => (BAD, "names nobody when asked".to_owned()),
            Testimony::Silent => (BAD, "does not answer when asked".to_owned()),
        };
        output.result(format_args!(
            "{:>9}  {}  {:<21}  {}  {}",
            units::time(holder.after),
            paint(GOOD, "holds it"),
            holder.node.to_string(),
            paint(FAINT, &id),
            paint(colour, testimony),
        ));
        output.event(&Report::Holder {
            node: holder.node,
            id,
            testimony: word(holder.testimony),
            seconds: holder.after.as_secs_f64(),
        });
    }
    output.event(&Report::Announced {
        nodes: holders.len(),
    });
    if holders.is_empty() {
        return Err(Failure::NobodyTookIt {
            info_hash: receipt.info_hash,
        });
    }
    output.note(format_args!(
        "announced to {} in {}",
        units::count(holders.len(), "node"),
        units::time(receipt.elapsed)
    ));
    let confirmed = receipt.confirmed();
    output.event(&Report::Confirmed {
        nodes: confirmed,
        of: holders.len(),
    });
    let all = confirmed == holders.len();
    output.result(format_args!(
        "{}  {confirmed} of {} name port {port} of this machine when they are asked",
        paint(if all { GOOD } else { BAD }, "confirmed"),
        units::count(holders.len(), "node")
    ));
    if holders
        .iter()
        .any(|holder| matches!(holder.testimony, Testimony::NamesOthers { .. }))
    {
        output
            .note("of many peers a node names a sample: who names others may hold it all the same");
    }
    Ok(())
}

/// `1 other`, `3 others`.
fn others(number: usize) -> String {
    units::count(number, "other")
}

/// What a holder says, for programs.
fn word(testimony: Testimony) -> &'static str {
    match testimony {
        Testimony::NamesUs => "names_us",
        Testimony::NamesOthers { .. } => "names_others",
        Testimony::NamesNobody => "names_nobody",
        Testimony::Silent => "silent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_nodes_remember_until_its_turn_comes_is_said() {
        let sentence = overdue(100_000, Duration::from_secs(5 * 60 * 60));
        assert!(sentence.contains("about 10000 of them"), "{sentence}");
        assert!(sentence.contains("--pace"), "{sentence}");
    }
}
