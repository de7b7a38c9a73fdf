//! `trackless simulate shrink`: the smallest plan that still breaks the same rule.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use simulations::{Breach, Plan};

use super::super::failure::Failure;
use super::super::flag;
use super::super::report::Report;
use super::super::units;
use super::super::whole_file;
use super::course::{self, End};
use super::engine::Engine;
use super::subject::{Changes, Subject};
use super::{Operator, memory};

/// Nothing is measured in less.
const SHORTEST: Duration = Duration::from_secs(1);

/// Make a failing run smaller, as long as it fails in the same way.
///
/// Fewer nodes, fewer kinds of faults, a shorter time: each is tried, and kept if the same invariant still breaks. What
/// is left is written as a plan of its own.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless simulate shrink runs/churn-7 -o small.toml
  trackless simulate shrink churn --seed 7 -o small.toml
  trackless simulate small.toml                   (breaks in the same way, in less time)")]
pub(super) struct Arguments {
    /// The folder of a broken run, or a plan that breaks.
    #[arg(value_name = "DIR|PLAN")]
    plan: String,
    #[command(flatten)]
    changes: Changes,
    /// Write the plan here, and its matrix of latencies, if it has one, beside it: FILE.matrix.csv.
    #[arg(
        short,
        long,
        value_name = "FILE.toml",
        env = "TRACKLESS_SHRUNK",
        hide_env_values = true
    )]
    output: PathBuf,
    /// Replace the file if it exists.
    #[arg(long, env = "TRACKLESS_FORCE", hide_env_values = true, value_parser = flag::parse)]
    force: bool,
}

pub(super) fn run(arguments: &Arguments, operator: &Operator) -> Result<(), Failure> {
    let subject = Subject::resolve(&arguments.plan, &arguments.changes)?;
    let matrix = matrix_beside(&arguments.output);
    let matrix = subject.regions.as_ref().map(|_| matrix.as_path());
    let mut files = [Some(arguments.output.as_path()), matrix]
        .into_iter()
        .flatten();
    if let Some(path) = files.find(|path| path.exists() && !arguments.force) {
        return Err(Failure::Exists {
            path: path.to_owned(),
        });
    }
    memory::warn_of(&subject.plan, &operator.output);
    let Some(breach) = breach(&subject, operator)? else {
        return Err(Failure::Usage(format!(
            "{} does not break: there is nothing to shrink",
            arguments.plan
        )));
    };
    let mut shrinking = Shrinking {
        subject,
        breach,
        runs: 1,
    };
    while shrinking.step(operator) {}

    let Shrinking {
        subject,
        breach,
        runs,
    } = shrinking;
    let about = format!("It did not hold that {}.", breach.invariant);
    write(&subject, about, &arguments.output, arguments.force)?;
    let nodes = subject.plan.nodes;
    operator.output.event(&Report::Shrunk {
        path: &arguments.output,
        nodes,
        runs,
        invariant: breach.invariant,
    });
    operator.output.result(format_args!(
        "{}: {} after {}, and {breach}",
        arguments.output.display(),
        units::count(nodes as usize, "node"),
        units::count(runs, "run"),
    ));
    Ok(())
}

/// Writes a plan, and beside it the matrix that it names: both can be taken elsewhere together.
fn write(subject: &Subject, about: String, path: &Path, force: bool) -> Result<(), Failure> {
    let put = if force {
        whole_file::replace
    } else {
        whole_file::write_new
    };
    let matrix = matrix_beside(path);
    if let Some(regions) = &subject.regions {
        put(&matrix, regions.text.as_bytes())?;
    }
    let name = matrix.file_name().unwrap_or_default().to_string_lossy();
    let mut plan = subject.plan_with_matrix_at(&name);
    plan.about = about;
    put(path, plan.to_toml().as_bytes())
}

fn matrix_beside(plan: &Path) -> PathBuf {
    plan.with_extension("matrix.csv")
}

/// The smallest plan so far that breaks, and how it does.
struct Shrinking {
    subject: Subject,
    breach: Breach,
    runs: usize,
}

impl Shrinking {
    /// Takes the first simpler plan that breaks in the same way. Says whether there is one; what was reached before
    /// Ctrl-C is kept.
    fn step(&mut self, operator: &Operator) -> bool {
        for (left_out, plan) in self.candidates() {
            if operator.stop.is_asked() {
                return false;
            }
            self.runs += 1;
            let simpler = self.subject.simplified(plan);
            // A plan that has become impossible is no simpler one.
            let Ok(Some(breach)) = breach(&simpler, operator) else {
                continue;
            };
            if breach.invariant == self.breach.invariant {
                operator
                    .output
                    .note(format_args!("breaks without {left_out}, too"));
                (self.subject, self.breach) = (simpler, breach);
                return true;
            }
        }
        false
    }

    /// What can be left out, and the plan without it: at first all that comes after the breach.
    fn candidates(&self) -> Vec<(String, Plan)> {
        let plan = &self.subject.plan;
        let duration = Duration::from_secs(self.breach.at.as_secs() + 1);
        let duration = duration.saturating_sub(plan.settle).max(SHORTEST);
        let mut candidates = plan.simpler();
        if duration < plan.duration {
            let shorter = Plan {
                duration,
                ..plan.clone()
            };
            candidates.insert(0, ("what comes after it".to_owned(), shorter));
        }
        candidates
    }
}

/// How a plan breaks, if it does.
fn breach(subject: &Subject, operator: &Operator) -> Result<Option<Breach>, Failure> {
    let experiment = Engine::default().start(subject, None)?;
    let course = course::run(experiment, operator, "shrink", course::to_the_end);
    match course.end {
        End::Broken(breach) => Ok(Some(breach)),
        End::Over => Ok(None),
        End::Stopped => Err(Failure::Interrupted("")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_left_can_be_run_wherever_it_was_written() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = here.path().join("mine.toml");
        fs::write(&path, "[network.latency]\nmatrix = \"regions.csv\"\n").unwrap();
        fs::write(here.path().join("regions.csv"), "10").unwrap();
        let subject = Subject::find(path.to_str().unwrap()).unwrap();

        let small = there.path().join("small.toml");
        write(&subject, "It was so.".to_owned(), &small, false).unwrap();
        drop(here);
        let left = Subject::find(small.to_str().unwrap()).unwrap();
        assert_eq!(left.latencies(), subject.latencies());
        assert_eq!(left.plan.about, "It was so.");
        let again = write(&subject, String::new(), &small, false).unwrap_err();
        assert!(matches!(again, Failure::Exists { .. }), "{again}");
    }
}
