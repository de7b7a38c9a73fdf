//! `trackless simulate PLAN`: one run, or a sweep of many.

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::failure::Failure;
use super::super::output::Output;
use super::engine::{Engine, EngineArguments};
use super::record::Record;
use super::run_folder::{self, RUNS};
use super::subject::{Changes, Subject};
use super::sweep::SweepArguments;
use super::trial::Trial;
use super::{Operator, huge_pages};

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// A name from --list, a TOML file, or the folder of an earlier run.
    plan: Option<String>,
    #[command(flatten)]
    changes: Changes,
    /// Write the results here. An earlier run that lies there is replaced when this one is over; one that came further
    /// than this one stays, and so does, of a sweep, a run of another plan. [default: runs/PLAN-SEED, numbered on if
    /// another run is there]
    #[arg(
        short,
        long,
        value_name = "DIR",
        env = "TRACKLESS_OUT",
        hide_env_values = true
    )]
    out: Option<PathBuf>,
    #[command(flatten)]
    sweep: SweepArguments,
    #[command(flatten)]
    engine: EngineArguments,
}

impl RunArguments {
    /// Whether nothing is asked for.
    pub(super) fn are_none(&self) -> bool {
        let is_changed = !self.changes.are_none() || !self.sweep.are_none();
        self.plan.is_none() && self.out.is_none() && !is_changed
    }
}

pub(super) fn run(arguments: &RunArguments, operator: &Operator) -> Result<(), Failure> {
    let Some(plan) = &arguments.plan else {
        return Err(Failure::Usage(
            "no plan is named that could be run: `trackless simulate baseline --nodes 500` has one, \
             and `trackless simulate --list` has them all"
                .to_owned(),
        ));
    };
    let subject = Subject::resolve(plan, &arguments.changes)?;
    let engine = Engine::from(&arguments.engine);
    let out = arguments.out.as_deref();
    match arguments.sweep.over(&subject)? {
        Some(sweep) => sweep.run(out, engine, operator),
        None => once(&subject, out, engine, operator),
    }
}

fn once(
    subject: &Subject,
    out: Option<&Path>,
    engine: Engine,
    operator: &Operator,
) -> Result<(), Failure> {
    huge_pages::begin_again_if_worth_it([&subject.plan]);
    let place = |record: &Record| match out {
        Some(path) => path.to_owned(),
        None => run_folder::vacant(Path::new(RUNS), record),
    };
    let (trial, folder) = Trial::complete(subject, engine, operator, place)?;
    trial.summarize(&operator.output);
    operator.output.result(format_args!(
        "{:<14}{}",
        "report",
        folder.join("report.html").display()
    ));
    if let Some(recorded) = &subject.recorded {
        compare(recorded, &trial.record, &operator.output);
    }
    trial.verdict(&folder)
}

/// Tells whether a repetition is one.
fn compare(recorded: &Record, repeated: &Record, output: &Output) {
    if [recorded, repeated]
        .iter()
        .any(|run| !run.manifest.is_finished)
    {
        return;
    }
    if recorded.manifest.digest == repeated.manifest.digest {
        output.note("the same run as the earlier one, bit for bit");
    } else {
        output.warning(format_args!(
            "not the same run as the earlier one, whose digest was {}: that was made by trackless {}, this one by {}",
            recorded.manifest.digest,
            recorded.build(),
            repeated.build(),
        ));
    }
}
