//! `trackless simulate verify`: is a run the same every time?

use clap::Args;

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::report::Report;
use super::super::style::{GOOD, paint};
use super::super::units;
use super::course::{self, Course, End};
use super::engine::{Encoding, Engine};
use super::subject::{Changes, Subject};
use super::{Operator, memory, replay};

/// Run a plan more than once, and compare minute by minute.
///
/// Every message that is delivered goes into a digest. Two runs are the same if their digests are, at the end of every
/// simulated minute; if not, the first minute that differs is named. A run folder is compared with what it holds: if that
/// was interrupted, as far as it goes.
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

/// A run in digests.
struct Trace {
    name: String,
    /// After each whole minute.
    minutes: Vec<String>,
    /// At the end, if it came to that.
    end: Option<String>,
}

pub(super) fn run(arguments: &Arguments, operator: &Operator) -> Result<(), Failure> {
    let subject = Subject::resolve(&arguments.plan, &arguments.changes)?;
    memory::warn_of(&subject.plan, &operator.output);
    let recorded = recorded(&subject);
    let mut engines = arguments.engines();
    if engines.len() == 1 && recorded.is_none() {
        engines.extend_from_within(..);
    }
    let mut traces = Vec::new();
    for engine in engines {
        let trace = trace(&subject, engine, operator)?;
        operator.output.result(format_args!(
            "{}  {}",
            trace.end.as_deref().unwrap_or_default(),
            trace.name
        ));
        traces.push(trace);
    }
    // All are compared with the first, and a recorded run may be a short one.
    traces.extend(recorded);
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

/// What the folder of an earlier run says, if the plan is from one, and if that run came far enough to say something.
fn recorded(subject: &Subject) -> Option<Trace> {
    let record = subject.recorded.as_ref()?;
    let manifest = &record.manifest;
    let trace = Trace {
        name: format!("recorded by trackless {}", record.build()),
        minutes: manifest.digests_a_minute.clone(),
        end: manifest.is_finished.then(|| manifest.digest.clone()),
    };
    let says_something = trace.end.is_some() || !trace.minutes.is_empty();
    says_something.then_some(trace)
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
                seed: subject.plan.seed,
                // Only a run that has a folder can be replayed.
                replay: match subject.folder() {
                    Some(folder) => replay::command(folder, &breach),
                    None => subject.command(),
                },
                breach,
            });
        }
    }
    Ok(Trace {
        name: format!(
            "{}, {} messages",
            units::count(engine.threads(&subject.plan), "thread"),
            engine.codec.name()
        ),
        minutes: findings.minutes.iter().map(ToString::to_string).collect(),
        end: Some(findings.digest.to_string()),
    })
}

/// All like the first, which came to its end.
fn judge(traces: &[Trace], output: &Output) -> Result<(), Failure> {
    let Some((first, others)) = traces.split_first() else {
        return Ok(());
    };
    let mut minutes = first.minutes.len();
    for other in others {
        let compared = compare(first, other).map_err(|minute| Failure::Diverged {
            minute,
            first: first.name.clone(),
            second: other.name.clone(),
        })?;
        minutes = minutes.min(compared);
    }
    output.event(&Report::SimulationVerified {
        runs: traces.len(),
        minutes,
        digest: first.end.as_deref().unwrap_or_default(),
    });
    let is_whole = others.iter().all(|other| other.end.is_some());
    output.result(format_args!(
        "{}  {} runs, {} {}",
        paint(GOOD, "all the same"),
        traces.len(),
        units::count(minutes, "simulated minute"),
        if is_whole {
            "and the end"
        } else {
            "of one that was not finished"
        },
    ));
    Ok(())
}

/// How many minutes of two runs are the same: all that both have. Otherwise the first minute, from 1, at whose end they differ.
fn compare(a: &Trace, b: &Trace) -> Result<usize, usize> {
    let common = a.minutes.len().min(b.minutes.len());
    let mut minutes = a.minutes.iter().zip(&b.minutes);
    if let Some(index) = minutes.position(|(a, b)| a != b) {
        return Err(index + 1);
    }
    let both_ended = a.end.is_some() && b.end.is_some();
    let ends_differ = a.minutes.len() != b.minutes.len() || a.end != b.end;
    if both_ended && ends_differ {
        return Err(common + 1);
    }
    Ok(common)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(minutes: &str, end: Option<&str>) -> Trace {
        Trace {
            name: String::new(),
            minutes: minutes.split_whitespace().map(str::to_owned).collect(),
            end: end.map(str::to_owned),
        }
    }

    #[test]
    fn the_first_minute_that_differs_is_named() {
        let whole = trace("a b c", Some("c"));
        assert_eq!(compare(&whole, &trace("a b c", Some("c"))), Ok(3));
        assert_eq!(compare(&whole, &trace("a x x", Some("x"))), Err(2));
        assert_eq!(compare(&whole, &trace("a b c", Some("d"))), Err(4));
    }

    #[test]
    fn a_run_that_was_interrupted_is_compared_as_far_as_it_goes_and_a_shorter_one_is_another() {
        let whole = trace("a b c", Some("c"));
        assert_eq!(compare(&whole, &trace("a b", None)), Ok(2));
        assert_eq!(compare(&whole, &trace("a b", Some("b"))), Err(3));
        assert_eq!(
            compare(&trace("", Some("a")), &trace("", Some("b"))),
            Err(1)
        );
    }
}
