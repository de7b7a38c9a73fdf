//! The plan that is meant, with the changes that were asked for.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use simulations::{Circumstances, Matrix, Plan, PlanError};

use super::super::failure::Failure;
use super::super::whole_file;
use super::engine::Engine;
use super::record::{self, Record};
use super::run_folder::MATRIX;

/// What differs from the plan as it is written.
#[derive(Debug, Args)]
pub(super) struct Changes {
    /// So many nodes at once instead of the plan's.
    #[arg(
        long,
        value_name = "N",
        env = "TRACKLESS_NODES",
        hide_env_values = true
    )]
    nodes: Option<u32>,
    /// Another world of the same kind: all that is left to chance follows from it.
    #[arg(long, value_name = "S", env = "TRACKLESS_SEED", hide_env_values = true)]
    seed: Option<u64>,
    /// Measure so long, in virtual time: 90s, 5min, 2h.
    #[arg(long = "for", value_name = "TIME", env = "TRACKLESS_FOR", hide_env_values = true, value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
    /// Change any number of the plan; give it once for each. `simulate --keys` has them all.
    #[arg(long, value_name = "KEY=VALUE", env = "TRACKLESS_SET", hide_env_values = true, value_parser = Setting::parse)]
    set: Vec<Setting>,
}

/// One number of a plan, and what it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: String,
}

impl Setting {
    /// Reads `KEY=VALUE`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(Self {
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
            }),
            _ => Err("write KEY=VALUE: life.session=30min".to_owned()),
        }
    }
}

/// A plan with all that belongs to it, ready to be run.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// Short: for folders and headlines.
    pub(super) name: String,
    /// What to type to run it.
    pub(super) command: String,
    pub(super) plan: Plan,
    /// What a sweep set.
    pub(super) assignment: BTreeMap<String, String>,
    /// The file that `network.latency.matrix` names, if it names one.
    pub(super) regions: Option<Regions>,
    /// The earlier run, if the plan was taken from one.
    pub(super) recorded: Option<Record>,
}

/// A CSV file with the latencies between regions.
#[derive(Debug, Clone)]
pub(super) struct Regions {
    /// As it was read, to be read again by whoever repeats the run.
    pub(super) text: String,
    matrix: Matrix,
}

impl Subject {
    /// Reads the plan and changes it.
    pub(super) fn resolve(plan: &str, changes: &Changes) -> Result<Self, Failure> {
        let mut subject = Self::find(plan)?;
        let settings = changes.settings();
        for setting in &settings {
            subject.set(setting)?;
            subject.command = format!(
                "{} --set {}={}",
                subject.command, setting.key, setting.value
            );
        }
        if !settings.is_empty() {
            subject.recorded = None;
        }
        subject.check()?;
        Ok(subject)
    }

    /// Reads the plan as it is written.
    pub(super) fn find(plan: &str) -> Result<Self, Failure> {
        let path = Path::new(plan);
        let is_toml = path.extension().is_some_and(|end| end == "toml");
        if path.join(record::NAME).is_file() {
            Self::of_folder(path)
        } else if is_toml {
            Self::of_file(path)
        } else {
            Self::of_library(plan)
        }
    }

    /// The run that a folder holds.
    pub(super) fn of_folder(folder: &Path) -> Result<Self, Failure> {
        let record = Record::read(folder)?;
        let manifest = &record.manifest;
        Ok(Self {
            command: command(folder.display()),
            name: manifest.name.clone(),
            assignment: manifest.assignment.clone(),
            regions: regions(&manifest.plan, folder)?,
            plan: manifest.plan.clone(),
            recorded: Some(record),
        })
    }

    fn of_library(name: &str) -> Result<Self, Failure> {
        let plan = Plan::named(name).map_err(Failure::UnknownPlan)?;
        Ok(Self {
            command: command(name),
            name: name.to_owned(),
            assignment: BTreeMap::new(),
            regions: regions(&plan, Path::new(""))?,
            plan,
            recorded: None,
        })
    }

    fn of_file(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|source| Failure::Read {
            path: path.to_owned(),
            source,
        })?;
        let plan = Plan::parse(&text).map_err(|source| Failure::Plan {
            plan: path.display().to_string(),
            source,
        })?;
        let name = path.file_stem().unwrap_or(path.as_os_str());
        Ok(Self {
            command: command(path.display()),
            name: name.to_string_lossy().into_owned(),
            assignment: BTreeMap::new(),
            regions: regions(&plan, whole_file::directory_of(path))?,
            plan,
            recorded: None,
        })
    }

    /// Changes one number. A matrix that is named here lies where the command is run.
    pub(super) fn set(&mut self, setting: &Setting) -> Result<(), Failure> {
        let old = self.plan.network.latency.matrix.clone();
        self.plan
            .set(&setting.key, &setting.value)
            .map_err(|source| self.failure(source))?;
        if self.plan.network.latency.matrix != old {
            self.regions = regions(&self.plan, Path::new(""))?;
        }
        Ok(())
    }

    /// Whether the numbers go together.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.plan.check().map_err(|source| self.failure(source))
    }

    /// The plan as it is run: it names the matrix that will lie in the folder of the run.
    pub(super) fn portable_plan(&self) -> Plan {
        let mut plan = self.plan.clone();
        if self.regions.is_some() {
            MATRIX.clone_into(&mut plan.network.latency.matrix);
        }
        plan
    }

    /// The latencies between regions, if the plan has any.
    pub(super) fn latencies(&self) -> Option<Matrix> {
        self.regions.as_ref().map(|regions| regions.matrix.clone())
    }

    /// What the manifest of a run of it says beside what was found out.
    pub(super) fn circumstances(&self, engine: Engine) -> Circumstances {
        Circumstances {
            name: self.name.clone(),
            commit: option_env!("TRACKLESS_COMMIT").map(str::to_owned),
            command: self.command.clone(),
            assignment: self.assignment.clone(),
            threads: engine.threads(&self.plan),
            codec: engine.codec.0,
            ..Circumstances::default()
        }
    }

    pub(super) fn failure(&self, source: PlanError) -> Failure {
        Failure::Plan {
            plan: self.name.clone(),
            source,
        }
    }
}

impl Changes {
    /// All as settings; what is said most plainly is said last, and holds.
    fn settings(&self) -> Vec<Setting> {
        let setting = |key: &str, value: String| Setting {
            key: key.to_owned(),
            value,
        };
        let lasts = self.lasts.map(humantime::format_duration);
        let plain = [
            self.nodes.map(|nodes| setting("nodes", nodes.to_string())),
            self.seed.map(|seed| setting("seed", seed.to_string())),
            lasts.map(|lasts| setting("duration", lasts.to_string())),
        ];
        let plain = plain.into_iter().flatten();
        self.set.iter().cloned().chain(plain).collect()
    }
}

/// The file with the latencies, whose path is relative to that of the plan.
fn regions(plan: &Plan, directory: &Path) -> Result<Option<Regions>, Failure> {
    let name = &plan.network.latency.matrix;
    if name.is_empty() {
        return Ok(None);
    }
    let path = directory.join(name);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(Failure::Read { path, source }),
    };
    match Matrix::parse(&text) {
        Ok(matrix) => Ok(Some(Regions { text, matrix })),
        Err(source) => Err(Failure::Matrix { path, source }),
    }
}

fn command(plan: impl Display) -> String {
    format!("trackless simulate {plan}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(line: &[&str]) -> Changes {
        use clap::{FromArgMatches, Parser};
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            changes: Changes,
        }
        let matches = <Line as clap::CommandFactory>::command()
            .get_matches_from([&["simulate"], line].concat());
        Line::from_arg_matches(&matches).unwrap().changes
    }

    #[test]
    fn flags_change_the_plan_and_the_plainest_holds() {
        let line = [
            "--set",
            "nodes=30",
            "--set",
            "dht.alpha = 2",
            "--nodes",
            "40",
            "--for",
            "90s",
        ];
        let subject = Subject::resolve("baseline", &changes(&line)).unwrap();
        assert_eq!(subject.plan.nodes, 40);
        assert_eq!(subject.plan.dht.alpha, 2);
        assert_eq!(subject.plan.duration, Duration::from_secs(90));
    }

    #[test]
    fn an_unknown_plan_gets_the_name_of_the_nearest() {
        let refusal = Subject::find("basline").unwrap_err().to_string();
        assert!(refusal.contains("baseline"), "{refusal}");
    }

    #[test]
    fn a_matrix_lies_beside_its_plan() {
        let directory = tempfile::tempdir().unwrap();
        let plan = directory.path().join("mine.toml");
        fs::write(&plan, "[network.latency]\nmatrix = \"regions.csv\"\n").unwrap();
        let missing = Subject::find(plan.to_str().unwrap()).unwrap_err();
        assert!(missing.to_string().contains("regions.csv"), "{missing}");
        fs::write(directory.path().join("regions.csv"), "10").unwrap();
        let subject = Subject::find(plan.to_str().unwrap()).unwrap();
        assert!(subject.regions.is_some_and(|regions| regions.text == "10"));
        assert_eq!(subject.name, "mine");
    }
}
