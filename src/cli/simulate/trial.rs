//! One run of a plan: from the folder that is made for it to the folder that is full.

use std::path::{Path, PathBuf};
use std::time::Instant;

use simulations::{Circumstances, Findings};

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::report::Report;
use super::course::{Course, End};
use super::engine::Engine;
use super::record::Record;
use super::subject::Subject;
use super::{Operator, course, memory, replay, run_folder};

/// A run that is over.
pub(super) struct Trial {
    pub(super) record: Record,
    findings: Findings,
    end: End,
}

impl Trial {
    /// Runs a plan, and writes what was found out to the folder that `place` names, or beside it if that would lose more. Returns which.
    pub(super) fn complete(
        subject: &Subject,
        engine: Engine,
        operator: &Operator,
        place: impl FnOnce(&Record) -> PathBuf,
    ) -> Result<(Self, PathBuf), Failure> {
        memory::warn_of(&subject.plan, &operator.output);
        let circumstances = engine.circumstances(subject);
        let record = Record::begun(&circumstances, subject.portable_plan());
        let place = place(&record);
        run_folder::begin(&place, &record)?;
        let mut trial = Self::run(subject, engine, operator, &circumstances)?;
        let matrix = subject.regions.as_ref();
        let matrix = matrix.map(|regions| regions.text.as_str());
        let path = run_folder::destination(&place, &trial.record);
        let written = run_folder::fill(&path, &trial.findings, matrix, &mut trial.record);
        trial.report(&path, &operator.output);
        if let Err(failure) = written {
            // What was found out is not lost with the disk.
            trial.summarize(&operator.output);
            if let End::Broken(breach) = &trial.end {
                operator.output.warning(breach);
            }
            return Err(failure);
        }
        Ok((trial, path))
    }

    fn run(
        subject: &Subject,
        engine: Engine,
        operator: &Operator,
        circumstances: &Circumstances,
    ) -> Result<Self, Failure> {
        memory::forget_peak();
        let start = Instant::now();
        let experiment = engine.start(subject, None)?;
        let course = course::run(experiment, operator, "simulate", course::to_the_end);
        let circumstances = Circumstances {
            wall: start.elapsed(),
            memory: memory::peak(),
            ..circumstances.clone()
        };
        let record = Record::ended(&course, &circumstances);
        let Course { findings, end } = course;
        Ok(Self {
            record,
            findings,
            end,
        })
    }

    fn report(&self, path: &Path, output: &Output) {
        let manifest = &self.record.manifest;
        output.event(&Report::Simulated {
            path,
            state: self.record.state,
            seed: manifest.seed,
            digest: &manifest.digest,
            figures: &manifest.figures,
            cost: &manifest.cost,
        });
    }

    /// Says what was found out, on one screen.
    pub(super) fn summarize(&self, output: &Output) {
        let report = simulations::Report::new(&self.findings, &self.record.manifest);
        for line in report.summary().lines() {
            output.result(line);
        }
    }

    /// What the exit code says of it.
    pub(super) fn verdict(&self, folder: &Path) -> Result<(), Failure> {
        match &self.end {
            End::Over => Ok(()),
            End::Stopped => Err(Failure::Interrupted(
                "; what was computed until then is written, and marked as unfinished",
            )),
            End::Broken(breach) => Err(Failure::Broken {
                seed: self.record.manifest.seed,
                replay: replay::command(folder, breach),
                breach: breach.clone(),
            }),
        }
    }
}
