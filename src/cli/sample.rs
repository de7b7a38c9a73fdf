//! `trackless sample`: what torrents there are, as the nodes of the DHT tell.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::time::timeout_at;
use trackless::{Node, Samples};
use wire::InfoHash;

use super::entrance::EntranceArguments;
use super::failure::Failure;
use super::output::Output;
use super::report::Report;
use super::source;
use super::timeout::Timeout;
use super::units;

/// Ask DHT nodes which torrents they keep peers of.
///
/// Prints info-hashes as they are told, one a line and each once (BEP 51). Begins with the nodes nearest to TARGET, or to any point of the key
/// space, and goes on outwards, one question a node, until it has enough, the time is over or nobody is left. What a hash belongs to
/// nobody says: `trackless get` and `trackless scrape` find out.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless sample                                          (a thousand info-hashes from anywhere)
  trackless sample 0123456789abcdef0123456789abcdef01234567 --limit 20   (the nodes around a point first)
  trackless sample --limit 0 --within 600 --json > hashes.jsonl
  trackless sample --bootstrap 127.0.0.1:7001 --listen 127.0.0.1:0

Exit code 3: nobody told any info-hash. 5: no DHT node answered.")]
pub(crate) struct Arguments {
    /// Begin here: 40 hex or 32 base32 characters. [default: anywhere]
    #[arg(value_name = "TARGET")]
    target: Option<String>,
    /// Enough info-hashes; 0 for as many as there are.
    #[arg(
        long,
        value_name = "COUNT",
        env = "TRACKLESS_LIMIT",
        hide_env_values = true,
        default_value_t = 1000
    )]
    limit: usize,
    /// End after so long, counted from the first answer; 0 for when nobody is left to ask.
    #[arg(
        long,
        value_name = "SECS",
        env = "TRACKLESS_WITHIN",
        hide_env_values = true,
        default_value = "60",
        allow_negative_numbers = true
    )]
    within: Timeout,
    #[command(flatten)]
    entrance: EntranceArguments,
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let target = match &arguments.target {
        Some(target) => *source::info_hash(target)?.as_bytes(),
        None => rand::random(),
    };
    let question = async |node: &Node| ask(node, target, arguments, output).await;
    arguments.entrance.ask(output, question).await
}

async fn ask(
    node: &Node,
    target: [u8; 20],
    arguments: &Arguments,
    output: &Output,
) -> Result<(), Failure> {
    let limit = match arguments.limit {
        0 => usize::MAX,
        limit => limit,
    };
    let start = Instant::now();
    let within = arguments.within.limit();
    let end = within.and_then(|limit| start.checked_add(limit));
    // Whoever told something gives the others as much time again.
    let patience = node.patience();
    let mut samples = node.with_patience(within).sample(target);
    let mut catch = Catch {
        limit,
        start,
        info_hashes: BTreeSet::new(),
        sampled: 0,
        stored: 0,
        output,
    };
    while let Some(sample) = next(&mut samples, end, patience).await {
        catch.take(&sample);
        if catch.info_hashes.len() >= limit {
            break;
        }
    }
    catch.end(&samples)
}

/// The next sample, unless the time is over, nobody has told anything for long, or nobody is left.
async fn next(
    samples: &mut Samples,
    end: Option<Instant>,
    patience: Option<Duration>,
) -> Option<trackless::NodeSample> {
    let quiet = patience.and_then(|patience| Instant::now().checked_add(patience));
    match [end, quiet].into_iter().flatten().min() {
        Some(end) => timeout_at(end.into(), samples.next()).await.ok().flatten(),
        None => samples.next().await,
    }
}

/// What has been told.
struct Catch<'a> {
    limit: usize,
    start: Instant,
    info_hashes: BTreeSet<InfoHash>,
    /// Nodes that told.
    sampled: usize,
    /// How much they keep, all together.
    stored: u64,
    output: &'a Output,
}

impl Catch<'_> {
    fn take(&mut self, sample: &trackless::NodeSample) {
        self.sampled += 1;
        self.stored = self.stored.saturating_add(sample.total);
        let mut fresh = Vec::new();
        for &info_hash in &sample.info_hashes {
            if self.info_hashes.len() < self.limit && self.info_hashes.insert(info_hash) {
                self.output.result(info_hash);
                fresh.push(info_hash.to_string());
            }
        }
        self.output.event(&Report::Sample {
            node: sample.node,
            node_id: hex::encode(sample.id),
            info_hashes: fresh,
            total: sample.total,
            interval: sample.interval.as_secs_f64(),
            seconds: self.start.elapsed().as_secs_f64(),
        });
    }

    fn end(&self, survey: &Samples) -> Result<(), Failure> {
        let (sampled, found) = (self.sampled, self.info_hashes.len());
        // A survey that was ended early has no summary of its own.
        let summary = survey.summary();
        let queried = summary.map_or(sampled, |summary| summary.queried);
        let responded = summary.map_or(sampled, |summary| summary.responded);
        self.output.event(&Report::SampleEnded {
            info_hashes: found,
            sampled,
            stored: self.stored,
            queried,
            responded,
            seconds: self.start.elapsed().as_secs_f64(),
        });
        if found == 0 && responded == 0 {
            let after = self.start.elapsed();
            return Err(trackless::Error::Unanswered { after }.into());
        }
        if found == 0 {
            return Err(Failure::NothingSampled { responded, sampled });
        }
        self.output.note(format_args!(
            "{} from {} in {}",
            if found == 1 {
                "1 info-hash".to_owned()
            } else {
                format!("{found} info-hashes")
            },
            units::count(sampled, "node"),
            units::time(self.start.elapsed()),
        ));
        Ok(())
    }
}
