//! The plan that is meant, with the changes that were asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use simulations::{Matrix, Plan, PlanError};

use super::super::failure::Failure;
use super::super::whole_file;
use super::record::{self, Record};
use super::run_folder::MATRIX;
use super::{duration, shell};

/// Bytes of a file with latencies at most: three times what the largest matrix needs.
const LARGEST_MATRIX: u64 = 16 << 20;

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
    #[arg(long = "for", value_name = "TIME", env = "TRACKLESS_FOR", hide_env_values = true, value_parser = duration::parse)]
    lasts: Option<Duration>,
    /// Change any number of the plan; give it once for each. `simulate --keys` has them all.
    #[arg(long, value_name = "KEY=VALUE", env = "TRACKLESS_SET", hide_env_values = true, value_parser = Setting::parse)]
    set: Vec<Setting>,
}

/// One number of a plan, and what it shall be: `dht.alpha=3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: String,
}

impl Setting {
    pub(super) fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }

    /// Reads `KEY=VALUE`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(Self::new(key.trim(), value.trim())),
            _ => Err("write KEY=VALUE: life.session=30min".to_owned()),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// A plan with all that belongs to it, ready to be run.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// Short: for folders and headlines.
    pub(super) name: String,
    /// What it was taken from, as it was typed: a name, a file or a folder.
    source: String,
    /// What was changed in it, in this order.
    settings: Vec<Setting>,
    pub(super) plan: Plan,
    /// What a sweep set.
    pub(super) assignment: BTreeMap<String, String>,
    /// The file that `network.latency.matrix` names, if it names one.
    pub(super) regions: Option<Regions>,
    /// The earlier run, if the plan is that of one.
    pub(super) recorded: Option<Record>,
}

/// A CSV file with the latencies between regions.
#[derive(Debug, Clone)]
pub(super) struct Regions {
    /// Where it was read.
    pub(super) path: PathBuf,
    /// As it was read, to be read again by whoever repeats the run.
    pub(super) text: String,
    matrix: Matrix,
}

impl Subject {
    /// Reads the plan and changes it.
    pub(super) fn resolve(plan: &str, changes: &Changes) -> Result<Self, Failure> {
        let mut subject = Self::find(plan)?;
        for setting in changes.settings() {
            subject.set(setting)?;
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
        let subject = Self {
            name: manifest.name.clone(),
            source: folder.display().to_string(),
            settings: Vec::new(),
            assignment: manifest.assignment.clone(),
            regions: Regions::of_folder(&manifest.plan, folder)?,
            plan: manifest.plan.clone(),
            recorded: Some(record),
        };
        // It was run, unless somebody changed it since.
        subject.check()?;
        Ok(subject)
    }

    fn of_library(name: &str) -> Result<Self, Failure> {
        let plan = Plan::named(name).map_err(Failure::UnknownPlan)?;
        Self::new(name, name.to_owned(), plan, Path::new(""))
    }

    fn of_file(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|source| Failure::Read {
            path: path.to_owned(),
            source,
        })?;
        let source = path.display().to_string();
        let plan = Plan::parse(&text).map_err(|error| Failure::Plan {
            plan: source.clone(),
            source: error,
        })?;
        let name = path.file_stem().unwrap_or(path.as_os_str());
        let directory = whole_file::directory_of(path);
        Self::new(&name.to_string_lossy(), source, plan, directory)
    }

    /// A plan that was not run yet. Files that it names are relative to `directory`.
    fn new(name: &str, source: String, plan: Plan, directory: &Path) -> Result<Self, Failure> {
        Ok(Self {
            name: name.to_owned(),
            source,
            settings: Vec::new(),
            assignment: BTreeMap::new(),
            regions: Regions::of_plan(&plan, directory)?,
            plan,
            recorded: None,
        })
    }

    /// Changes one number. A matrix that is named here lies where the command is run.
    pub(super) fn set(&mut self, setting: Setting) -> Result<(), Failure> {
        let old = self.plan.network.latency.matrix.clone();
        self.plan
            .set(&setting.key, &setting.value)
            .map_err(|source| self.failure(source))?;
        if self.plan.network.latency.matrix != old {
            self.regions = Regions::of_plan(&self.plan, Path::new(""))?;
        }
        self.settings.push(setting);
        self.recorded = None;
        Ok(())
    }

    /// Another world of the same kind.
    pub(super) fn with_seed(mut self, seed: u64) -> Self {
        self.plan.seed = seed;
        self.settings.push(Setting::new("seed", seed.to_string()));
        self.recorded = None;
        self
    }

    /// The same with a plan from which something was taken away.
    pub(super) fn simplified(&self, plan: Plan) -> Self {
        let has_regions = !plan.network.latency.matrix.is_empty();
        Self {
            regions: self.regions.clone().filter(|_| has_regions),
            plan,
            recorded: None,
            ..self.clone()
        }
    }

    /// Whether the numbers go together.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let checked = self.portable_plan().check();
        checked.map_err(|source| self.failure(source))
    }

    /// The folder of the earlier run, if the plan is that of one.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.recorded.as_ref().map(|_| Path::new(&self.source))
    }

    /// What to type to run it.
    pub(super) fn command(&self) -> String {
        let plan = &self.plan;
        // Of these the last word holds, whatever stands between.
        let flags = [
            ("nodes", "--nodes", plan.nodes.to_string()),
            ("seed", "--seed", plan.seed.to_string()),
            ("duration", "--for", written(plan.duration)),
        ];
        let has_flag = |setting: &&Setting| flags.iter().any(|(key, ..)| setting.key == *key);
        let is_set = |key| self.settings.iter().any(|setting| setting.key == key);
        let others = self.settings.iter().filter(|setting| !has_flag(setting));
        let others: Vec<String> = others.map(Setting::to_string).collect();

        let mut words = vec!["trackless", "simulate", self.source.as_str()];
        words.extend(others.iter().flat_map(|other| ["--set", other.as_str()]));
        let flags = flags.iter().filter(|(key, ..)| is_set(*key));
        words.extend(flags.flat_map(|(_, flag, value)| [*flag, value.as_str()]));
        shell::line(words)
    }

    /// The plan as it is run: it names the matrix that will lie in the folder of the run.
    pub(super) fn portable_plan(&self) -> Plan {
        self.plan_with_matrix_at(MATRIX)
    }

    /// The plan for a place from which its matrix is found at `path`, if it has one: there are as many regions as that says.
    pub(super) fn plan_with_matrix_at(&self, path: &str) -> Plan {
        let mut plan = self.plan.clone();
        if let Some(regions) = &self.regions {
            path.clone_into(&mut plan.network.latency.matrix);
            plan.network.regions = regions.matrix.regions();
        }
        plan
    }

    /// The latencies between regions, if the plan has any.
    pub(super) fn latencies(&self) -> Option<Matrix> {
        self.regions.as_ref().map(|regions| regions.matrix.clone())
    }

    pub(super) fn failure(&self, source: PlanError) -> Failure {
        Failure::Plan {
            plan: self.name.clone(),
            source,
        }
    }
}

impl Changes {
    pub(super) fn are_none(&self) -> bool {
        self.settings().is_empty()
    }

    /// All as settings; what is said most plainly is said last, and holds.
    fn settings(&self) -> Vec<Setting> {
        let plain = [
            ("nodes", self.nodes.map(|nodes| nodes.to_string())),
            ("seed", self.seed.map(|seed| seed.to_string())),
            ("duration", self.lasts.map(written)),
        ];
        let plain = plain.into_iter();
        let plain = plain.filter_map(|(key, value)| Some(Setting::new(key, value?)));
        self.set.iter().cloned().chain(plain).collect()
    }
}

impl Regions {
    /// Those that a plan names by a path that is relative to its own place.
    fn of_plan(plan: &Plan, directory: &Path) -> Result<Option<Self>, Failure> {
        match plan.network.latency.matrix.as_str() {
            "" => Ok(None),
            name => Self::read(directory.join(name)).map(Some),
        }
    }

    /// Those that lie in the folder of a run. It may be from anybody: nothing else is read because it says so.
    fn of_folder(plan: &Plan, folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(MATRIX);
        match plan.network.latency.matrix.as_str() {
            "" => return Ok(None),
            MATRIX => {}
            other => {
                return Err(Failure::Usage(format!(
                    "{}: the latencies of a run lie in {MATRIX}, and this one names {other:?}",
                    folder.display()
                )));
            }
        }
        if fs::symlink_metadata(&path).is_ok_and(|file| !file.is_file()) {
            let source = io::Error::other("it is no ordinary file");
            return Err(Failure::Read { path, source });
        }
        Self::read(path).map(Some)
    }

    fn read(path: PathBuf) -> Result<Self, Failure> {
        let mut text = String::new();
        let file = File::open(&path);
        let read = file.and_then(|file| file.take(LARGEST_MATRIX + 1).read_to_string(&mut text));
        let read = read.and_then(|bytes| match bytes as u64 {
            ..=LARGEST_MATRIX => Ok(()),
            _ => Err(io::Error::other(
                "it has more than 16 MiB, which no matrix needs",
            )),
        });
        if let Err(source) = read {
            return Err(Failure::Read { path, source });
        }
        match Matrix::parse(&text) {
            Ok(matrix) => Ok(Self { path, text, matrix }),
            Err(source) => Err(Failure::Matrix { path, source }),
        }
    }
}

/// As plans have it: `1m 30s`.
fn written(time: Duration) -> String {
    humantime::format_duration(time).to_string()
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

    #[cfg(unix)]
    #[test]
    fn the_command_makes_the_same_plan_again() {
        let lines: [&[&str]; 4] = [
            &[],
            &["--for", "90s", "--seed", "7"],
            &[
                "--set",
                "swarm.up=1 MB/s",
                "--set",
                "nodes=30",
                "--nodes",
                "40",
            ],
            &[
                "--set",
                "network.partitions.0.at=1min",
                "--set",
                "network.partitions.0.regions=[0, 1]",
                "--set",
                "network.partitions.0.at=2min 500ms",
                "--set",
                "about=it's $HOME's",
            ],
        ];
        for line in lines {
            let subject = Subject::resolve("baseline", &changes(line)).unwrap();
            let again = repeated(&subject);
            assert_eq!(again.plan, subject.plan, "{}", subject.command());
            assert_eq!(again.command(), subject.command());
        }
        let swept = Subject::resolve("baseline", &changes(&["--nodes", "40"])).unwrap();
        let mut swept = swept.with_seed(9);
        swept.set(Setting::new("nodes", "50")).unwrap();
        assert_eq!(
            swept.command(),
            "trackless simulate baseline --nodes 50 --seed 9"
        );
        assert_eq!(repeated(&swept).plan, swept.plan);
    }

    /// What comes of typing the command of a subject.
    #[cfg(unix)]
    fn repeated(subject: &Subject) -> Subject {
        let words = shell::split(&subject.command());
        let [_, _, plan, line @ ..] = words.as_slice() else {
            panic!("{words:?}");
        };
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        Subject::resolve(plan, &changes(&line)).unwrap()
    }

    #[test]
    fn without_its_matrix_a_plan_has_no_latencies() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mine.toml");
        fs::write(&path, "[network.latency]\nmatrix = \"regions.csv\"\n").unwrap();
        fs::write(directory.path().join("regions.csv"), "10").unwrap();
        let subject = Subject::find(path.to_str().unwrap()).unwrap();
        assert_eq!(subject.portable_plan().network.latency.matrix, MATRIX);
        let candidates = subject.plan.simpler().into_iter();
        let mut without = candidates.filter(|(what, _)| what == "the matrix of latencies");
        let without = subject.simplified(without.next().unwrap().1);
        assert_eq!(without.portable_plan().network.latency.matrix, "");
        assert!(without.latencies().is_none());
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
        assert_eq!(subject.portable_plan().network.regions, 1);
        assert!(subject.regions.is_some_and(|regions| regions.text == "10"));
        assert_eq!(subject.name, "mine");
    }
}
