//! `trackless simulate verify`: is a run the same every time?

use clap::Args;

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::report::Report;
use super::super::style::{GOOD, paint};
use super::super::units;
use super::Operator;
use super::course::{self, Course, End};
use super::engine::{Encoding, Engine};
use super::record::BreachRecord;
use super::subject::{Changes, Subject};

/// Run a plan more than once, and compare minute by minute.
///
/// Every message that is delivered goes into a digest. Two runs are the same if their digests are, at the end of every
/// simulated minute; if not, the first minute that differs is named. A run folder is compared with what it holds.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless simulate verify baseline --nodes 2000
  trackless simulate verify churn --threads 1,2 --codec structured,bytes     (four runs)
  trackless simulate verify runs/churn-1                                     (is that what I get, too?)

Exit code 0: all are the same. 1: they are not.")]
pub(super) struct Arguments {
    /// A name from `simulate --list`, a TOML file, or the folder of an earlier run.
    plan: String,
    #[command(flatten)]
    changes: Changes,
    /// Run once with each of these numbers of threads. [default: as many as are worth it, twice]
    #[arg(
        long,
        value_name = "N,N",
        env = "TRACKLESS_VERIFY_THREADS",
        hide_env_values = true,
        value_delimiter = ',',
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    threads: Vec<u16>,
    /// Run once with each of these codecs.
    #[arg(
        long,
        value_name = "CODEC,CODEC",
        env = "TRACKLESS_VERIFY_CODEC",
        hide_env_values = true,
        value_delimiter = ',',
        default_value = "structured"
    )]
    codec: Vec<Encoding>,
}

/// A run, and its digest after each minute.
struct Trace {
    name: String,
    minutes: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, operator: &Operator) -> Result<(), Failure> {
    let subject = Subject::resolve(&arguments.plan, &arguments.changes)?;
    let mut traces: Vec<Trace> = recorded(&subject).into_iter().collect();
    let mut engines = arguments.engines();
    if traces.len() + engines.len() == 1 {
        engines.extend_from_within(..);
    }
    for engine in engines {
        let trace = trace(&subject, engine, operator)?;
        operator.output.result(format_args!(
            "{}  {}",
            trace.minutes.last().map_or("", String::as_str),
            trace.name
        ));
        traces.push(trace);
    }
    judge(&traces, &operator.output)
}

impl Arguments {
    /// Every number of threads with every codec.
    fn engines(&self) -> Vec<Engine> {
        let default = Engine::default();
        let threads: Vec<Option<u16>> = match self.threads.as_slice() {
            [] => vec![default.threads],
            given => given.iter().copied().map(Some).collect(),
        };
        let with = |threads| {
            self.codec.iter().map(move |&codec| Engine {
                threads,
                codec,
                ..default
            })
        };
        threads.into_iter().flat_map(with).collect()
    }
}

/// What the folder of an earlier run says, if the plan is from one.
fn recorded(subject: &Subject) -> Option<Trace> {
    let record = subject.recorded.as_ref()?;
    let manifest = &record.manifest;
    let end = Some(&manifest.digest).filter(|_| manifest.is_finished);
    Some(Trace {
        name: format!("recorded by trackless {}", record.build()),
        minutes: manifest
            .digests_a_minute
            .iter()
            .chain(end)
            .cloned()
            .collect(),
    })
}

fn trace(subject: &Subject, engine: Engine, operator: &Operator) -> Result<Trace, Failure> {
    let experiment = engine.start(subject, None)?;
    let Course { findings, end, .. } =
        course::run(experiment, operator, "verify", course::to_the_end);
    match end {
        End::Over => {}
        End::Stopped => return Err(Failure::Interrupted("")),
        End::Broken(breach) => {
            return Err(Failure::Broken {
                breach: BreachRecord::from(&breach).to_string(),
                replay: subject.command.clone(),
            });
        }
    }
    Ok(Trace {
        name: format!(
            "{}, {} messages",
            units::count(engine.threads(&subject.plan), "thread"),
            engine.codec.name()
        ),
        minutes: findings
            .minutes
            .iter()
            .chain([&findings.digest])
            .map(ToString::to_string)
            .collect(),
    })
}

/// All like the first.
fn judge(traces: &[Trace], output: &Output) -> Result<(), Failure> {
    let Some((first, others)) = traces.split_first() else {
        return Ok(());
    };
    for other in others {
        if let Some(minute) = first_difference(&first.minutes, &other.minutes) {
            return Err(Failure::Diverged {
                minute,
                first: first.name.clone(),
                second: other.name.clone(),
            });
        }
    }
    let minutes = first.minutes.len().saturating_sub(1);
    output.event(&Report::SimulationVerified {
        runs: traces.len(),
        minutes,
        digest: first.minutes.last().map_or("", String::as_str),
    });
    output.result(format_args!(
        "{}  {} runs, {} simulated minutes",
        paint(GOOD, "all the same"),
        traces.len(),
        minutes
    ));
    Ok(())
}

/// The first minute, from 1, at whose end two runs differ. One that was interrupted is compared as far as it goes.
fn first_difference(a: &[String], b: &[String]) -> Option<usize> {
    a.iter()
        .zip(b)
        .position(|(a, b)| a != b)
        .map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_minute_that_differs_is_named() {
        let trace = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(first_difference(&trace("a b c"), &trace("a b c")), None);
        assert_eq!(first_difference(&trace("a b c"), &trace("a x x")), Some(2));
        assert_eq!(first_difference(&trace("a b c"), &trace("a b")), None);
    }
}
