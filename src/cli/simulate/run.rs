//! `trackless simulate PLAN`: one run, or a sweep of many.

use std::path::{Path, PathBuf};

use clap::Args;
use simulations::Findings;

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::report::Report;
use super::super::units;
use super::engine::{Engine, EngineArguments};
use super::record::{Record, State};
use super::run_folder::{self, RUNS, RunFolder};
use super::subject::{Changes, Subject};
use super::sweep::SweepArguments;
use super::{Operator, course, huge_pages, memory};

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// A name from --list, a TOML file, or the folder of an earlier run.
    plan: Option<String>,
    #[command(flatten)]
    changes: Changes,
    /// Write the results here. [default: runs/PLAN-SEED, numbered on if another run is there]
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
    pub(super) fn has_plan(&self) -> bool {
        self.plan.is_some()
    }
}

pub(super) fn run(arguments: &RunArguments, operator: &Operator) -> Result<(), Failure> {
    let plan = arguments.plan.as_deref().unwrap_or_default();
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
    let place = |record: &Record| match out {
        Some(path) => path.to_owned(),
        None => run_folder::vacant(Path::new(RUNS), record),
    };
    let run = complete(subject, engine, operator, place)?;
    let report = simulations::Report::new(&run.findings, &run.record.manifest);
    for line in report.summary().lines() {
        operator.output.result(line);
    }
    operator.output.result(format_args!(
        "{:<14}{}",
        "report",
        run.folder.join("report.html").display()
    ));
    if let Some(recorded) = &subject.recorded {
        compare(recorded, &run.record, &operator.output);
    }
    run.verdict()
}

/// A run that is over, and written.
pub(super) struct Run {
    pub(super) folder: PathBuf,
    pub(super) record: Record,
    findings: Findings,
}

/// Runs a plan, from the folder that is made for it to the folder that is full.
pub(super) fn complete(
    subject: &Subject,
    engine: Engine,
    operator: &Operator,
    place: impl FnOnce(&Record) -> PathBuf,
) -> Result<Run, Failure> {
    huge_pages::begin_again_if_worth_it(&subject.plan);
    warn_of_memory(subject, &operator.output);
    let circumstances = subject.circumstances(engine);
    let record = Record::begun(&circumstances, subject.portable_plan());
    let folder = RunFolder::begin(place(&record), &record)?;
    memory::forget_peak();
    let experiment = engine.start(subject, None)?;
    let course = course::run(experiment, operator, "simulate", course::to_the_end);
    let mut record = Record::ended(&course, &circumstances);
    folder.fill(
        &course.findings,
        subject
            .regions
            .as_ref()
            .map(|regions| regions.text.as_str()),
        &mut record,
    )?;
    operator.output.event(&Report::Simulated {
        path: folder.path(),
        state: record.state,
        seed: record.manifest.seed,
        digest: &record.manifest.digest,
        figures: &record.manifest.figures,
        cost: &record.manifest.cost,
    });
    Ok(Run {
        folder: folder.path().to_owned(),
        record,
        findings: course.findings,
    })
}

impl Run {
    /// What the exit code says of it.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        if let Some(breach) = &self.record.breach {
            return Err(Failure::Broken {
                breach: breach.to_string(),
                replay: breach.replay(&self.folder),
            });
        }
        match self.record.state {
            State::Interrupted => Err(Failure::Interrupted(
                "; what was computed until then is written, and marked as unfinished",
            )),
            _ => Ok(()),
        }
    }
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

/// A world that does not fit makes the whole machine slow: better said before.
fn warn_of_memory(subject: &Subject, output: &Output) {
    let plan = &subject.plan;
    let wanted = memory::estimate(plan.nodes, plan.dht.buckets);
    let Some(available) = memory::available() else {
        return;
    };
    if wanted > available {
        output.warning(format_args!(
            "{} nodes take about {}, and this machine has {} left: try fewer with --nodes, or --set dht.buckets=narrow",
            plan.nodes,
            units::bytes(wanted),
            units::bytes(available),
        ));
    }
}
