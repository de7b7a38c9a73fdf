//! `trackless simulate replay`: what one node saw at a certain time of an earlier run.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use simulations::{Breach, Experiment, Findings, Watch};

use super::super::failure::Failure;
use super::super::report::Report;
use super::course::{self, End};
use super::engine::{Engine, EngineArguments};
use super::record::{self, Record};
use super::subject::Subject;
use super::{Operator, duration, memory, shell};

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
    #[arg(long, value_name = "TIME", env = "TRACKLESS_AT", hide_env_values = true, value_parser = duration::parse)]
    at: Duration,
    /// How long before and after it.
    #[arg(long, value_name = "TIME", env = "TRACKLESS_AROUND", hide_env_values = true, default_value = "10s", value_parser = duration::parse)]
    around: Duration,
    #[command(flatten)]
    engine: EngineArguments,
}

pub(super) fn run(arguments: &Arguments, operator: &Operator) -> Result<(), Failure> {
    let subject = Subject::of_folder(&arguments.folder)?;
    let residents = subject.plan.residents();
    if u64::from(arguments.node) >= residents {
        return Err(Failure::Usage(format!(
            "there is no node {}: {} has {residents} nodes, numbered from 0",
            arguments.node,
            arguments.folder.display()
        )));
    }
    memory::warn_of(&subject.plan, &operator.output);
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
            record::this_build(),
        ));
    }
}

/// What to type to see what happened.
pub(super) fn command(folder: &Path, breach: &Breach) -> String {
    // What no node is to blame for is seen from the first one.
    let node = breach.node.unwrap_or(0).to_string();
    let at = format!("{}s", breach.at.as_secs_f64());
    let folder = folder.display().to_string();
    shell::line([
        "trackless",
        "simulate",
        "replay",
        &folder,
        "--node",
        &node,
        "--at",
        &at,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breach_says_what_when_where_with_which_seed_and_how_to_see_it_again() {
        let breach = Breach {
            invariant: "every lookup ends",
            at: Duration::from_micros(312_250_001),
            node: Some(17),
            what: "one goes on for an hour".to_owned(),
        };
        let failure = Failure::Broken {
            seed: 7,
            replay: command(Path::new("my runs/churn-7"), &breach),
            breach,
        };
        assert_eq!(
            failure.to_string(),
            "it does not hold that every lookup ends: after 312.250001s, at node 17, one goes on for an hour (seed 7); \
             see it again with `trackless simulate replay 'my runs/churn-7' --node 17 --at 312.250001s`"
        );
    }
}
