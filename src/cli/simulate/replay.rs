//! `trackless simulate replay`: what one node saw at a certain time of an earlier run.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use simulations::{Experiment, Findings, Watch};

use super::super::failure::Failure;
use super::super::report::Report;
use super::Operator;
use super::course::{self, End};
use super::engine::{Engine, EngineArguments};
use super::record::{BreachRecord, Record};
use super::subject::Subject;

/// Run an earlier run again, and print what one node saw.
///
/// Everything follows from the plan and the seed, so nothing has to be recorded to be seen afterwards: messages, timers,
/// what it was asked to do.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless simulate replay runs/churn-1 --node 17 --at 12min
  trackless simulate replay runs/churn-1 --node 17 --at 312.25s --around 500ms

Times count from the start of the run, settling included, as in its tables.")]
pub(super) struct Arguments {
    /// The folder of the run.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The node's number, as in nodes.csv and lookups.csv.
    #[arg(
        long,
        value_name = "N",
        env = "TRACKLESS_REPLAY_NODE",
        hide_env_values = true
    )]
    node: u32,
    /// The time to look at: 90s, 12min, 312.25s.
    #[arg(long, value_name = "TIME", env = "TRACKLESS_AT", hide_env_values = true, value_parser = parse_time)]
    at: Duration,
    /// How long before and after it.
    #[arg(long, value_name = "TIME", env = "TRACKLESS_AROUND", hide_env_values = true, default_value = "10s", value_parser = parse_time)]
    around: Duration,
    #[command(flatten)]
    engine: EngineArguments,
}

pub(super) fn run(arguments: &Arguments, operator: &Operator) -> Result<(), Failure> {
    let subject = Subject::of_folder(&arguments.folder)?;
    let watch = Watch {
        node: arguments.node,
        from: arguments.at.saturating_sub(arguments.around),
        to: arguments.at.saturating_add(arguments.around),
    };
    let experiment = Engine::from(&arguments.engine).start(&subject, Some(watch))?;
    let mut sights: u64 = 0;
    let seen = |experiment: &mut Experiment, now| {
        for sight in experiment.take_sights() {
            sights += 1;
            operator.output.result(&sight);
            operator.output.event(&Report::Sight {
                at: sight.at.as_secs_f64(),
                node: sight.node,
                what: &sight.to_string(),
            });
        }
        if now >= watch.to {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let course = course::run(experiment, operator, "replay", seen);
    if let Some(recorded) = &subject.recorded {
        compare(recorded, &course.findings, operator);
    }
    if operator.stop.is_asked() {
        return Err(Failure::Interrupted(""));
    }
    if let End::Broken(breach) = &course.end {
        let breach = BreachRecord::from(breach);
        operator
            .output
            .result(format_args!("here it breaks: {breach}"));
    }
    if sights == 0 {
        operator.output.note(format_args!(
            "node {} saw nothing between {} and {}: was it online? nodes.csv and lookups.csv have those that were",
            watch.node,
            humantime::format_duration(watch.from),
            humantime::format_duration(watch.to),
        ));
    }
    Ok(())
}

/// A replay by another program than the one that made the run shows another run.
fn compare(recorded: &Record, replayed: &Findings, operator: &Operator) {
    let old = &recorded.manifest.digests_a_minute;
    let mut minutes = old.iter().zip(&replayed.minutes);
    if minutes.any(|(old, new)| *old != new.to_string()) {
        operator.output.warning(format_args!(
            "this is not quite the run that was recorded: that was trackless {}, this is {}",
            recorded.build(),
            env!("CARGO_PKG_VERSION"),
        ));
    }
}

/// `12min`, `312.25s`, and `312.25` as the tables have it.
fn parse_time(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let seconds = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .or_else(|| humantime::parse_duration(text).ok())
        .ok_or_else(|| "write a time since the start of the run: 90s, 12min, 312.25s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_tables_and_people_write_them() {
        assert_eq!(parse_time("312.25"), Ok(Duration::from_millis(312_250)));
        assert_eq!(parse_time("312.25s"), Ok(Duration::from_millis(312_250)));
        assert_eq!(parse_time("12min"), Ok(Duration::from_secs(720)));
        assert_eq!(parse_time("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "soon", "-1s", "nan"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
    }
}
