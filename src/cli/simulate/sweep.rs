//! Many runs of one plan: with several values of its numbers, and with several seeds.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;

use super::super::failure::Failure;
use super::super::style::{FAINT, paint};
use super::engine::Engine;
use super::record::{Record, State};
use super::run_folder::{self, RUNS};
use super::subject::{Setting, Subject};
use super::trial::Trial;
use super::{Operator, huge_pages, merge};

#[derive(Debug, Args)]
#[command(next_help_heading = "Sweep")]
pub(super) struct SweepArguments {
    /// Run once with each of these values; given more than once, with all combinations.
    #[arg(
        long,
        value_name = "KEY=VALUE,VALUE",
        env = "TRACKLESS_SWEEP",
        hide_env_values = true,
        value_parser = Setting::parse
    )]
    sweep: Vec<Setting>,
    /// Run each so often, with seeds that count on: for confidence intervals.
    #[arg(long, value_name = "N", env = "TRACKLESS_REPEAT", hide_env_values = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Run only the i-th of n shares, from 1: for a sweep on many machines. `simulate merge` joins them.
    #[arg(
        long,
        value_name = "i/n",
        env = "TRACKLESS_SHARD",
        hide_env_values = true
    )]
    shard: Option<Shard>,
}

/// One share of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    /// From 0.
    index: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shard = || {
            let (number, of) = text.split_once('/')?;
            let (number, of): (usize, usize) = (number.parse().ok()?, of.parse().ok()?);
            let index = number.checked_sub(1)?;
            (index < of).then_some(Self { index, of })
        };
        shard().ok_or_else(|| "write i/n, from 1/n to n/n: 2/8".to_owned())
    }
}

/// The runs of a sweep, and which of them are made here.
pub(super) struct Sweep {
    name: String,
    runs: Vec<Subject>,
    share: Shard,
}

impl SweepArguments {
    pub(super) fn are_none(&self) -> bool {
        self.sweep.is_empty() && self.repeat == 1 && self.shard.is_none()
    }

    /// The runs that are asked for, each of which can be run; none if it is just one.
    pub(super) fn over(&self, subject: &Subject) -> Result<Option<Sweep>, Failure> {
        if self.are_none() {
            return Ok(None);
        }
        let mut runs = vec![subject.clone()];
        for setting in &self.sweep {
            let mut next = Vec::new();
            for run in &runs {
                for value in values(&setting.value) {
                    next.push(with(run, &setting.key, value)?);
                }
            }
            runs = next;
        }
        let repeats = |run: &Subject| {
            let seeds = (0..self.repeat).map(|turn| run.plan.seed.saturating_add(turn.into()));
            let repeat = |seed| run.clone().with_seed(seed);
            seeds.map(repeat).collect::<Vec<_>>()
        };
        if self.repeat > 1 {
            runs = runs.iter().flat_map(repeats).collect();
        }
        runs.iter().try_for_each(Subject::check)?;
        let keys: Vec<&str> = self
            .sweep
            .iter()
            .map(|setting| setting.key.as_str())
            .collect();
        Ok(Some(Sweep {
            name: format!(
                "{}-{}",
                subject.name,
                if keys.is_empty() {
                    "seeds".to_owned()
                } else {
                    keys.join("+")
                }
            ),
            runs,
            share: self.shard.unwrap_or(Shard { index: 0, of: 1 }),
        }))
    }
}

fn with(subject: &Subject, key: &str, value: &str) -> Result<Subject, Failure> {
    let mut subject = subject.clone();
    subject.set(Setting::new(key, value))?;
    let assignment = &mut subject.assignment;
    assignment.insert(key.to_owned(), value.to_owned());
    Ok(subject)
}

/// `dht.alpha=3,seed=7`, without what a file name cannot have.
fn folder_name(run: &Subject) -> String {
    let varied = run.assignment.iter().filter(|(key, _)| *key != "seed");
    let varied = varied.map(|(key, value)| format!("{key}={value},"));
    let name = varied.collect::<String>() + &format!("seed={}", run.plan.seed);
    let safe = |c: char| c.is_ascii_alphanumeric() || "._-=,".contains(c);
    let safe = |c| if safe(c) { c } else { '_' };
    name.chars().map(safe).collect()
}

impl Sweep {
    /// One after the other; what a broken one says is said at the end.
    pub(super) fn run(
        self,
        out: Option<&Path>,
        engine: Engine,
        operator: &Operator,
    ) -> Result<(), Failure> {
        huge_pages::begin_again_if_worth_it(self.share().map(|run| &run.plan));
        let parent = self.parent(out, engine)?;
        let all = self.share().count();
        let mut verdict = Ok(());
        let mut manifests = Vec::new();
        for (run, number) in self.share().zip(1..) {
            let name = folder_name(run);
            let heading = format!("run {number} of {all}: {name}");
            operator.output.note(paint(FAINT, heading));
            let place = |_: &Record| parent.join(&name);
            let (trial, folder) = Trial::complete(run, engine, operator, place)?;
            verdict = verdict.and(trial.verdict(&folder));
            if trial.record.state == State::Interrupted {
                return verdict;
            }
            manifests.push(trial.record.manifest);
        }
        if self.share.of == 1 {
            merge::compare(manifests, &parent, &operator.output)?;
        }
        verdict
    }

    /// The runs that are made here.
    fn share(&self) -> impl Iterator<Item = &Subject> {
        let Shard { index, of } = self.share;
        self.runs.iter().skip(index).step_by(of)
    }

    /// The folder for the folders of all runs: one in which there is no run of another plan under any of their names. All shards
    /// choose the same.
    fn parent(&self, out: Option<&Path>, engine: Engine) -> Result<PathBuf, Failure> {
        let records = self.runs.iter().map(|run| {
            let circumstances = engine.circumstances(run);
            let record = Record::begun(&circumstances, run.portable_plan());
            (folder_name(run), record)
        });
        let records: Vec<(String, Record)> = records.collect();
        let Some(out) = out else {
            let parent = Path::new(RUNS).join(&self.name);
            return Ok(run_folder::first(&parent, |parent| {
                let mut runs = records.iter();
                runs.all(|(name, record)| run_folder::is_free_for(&parent.join(name), record))
            }));
        };
        let mut runs = records.iter();
        runs.try_for_each(|(name, record)| run_folder::check(&out.join(name), record))?;
        Ok(out.to_owned())
    }
}

/// `1,3,5`; commas inside of brackets are not between values.
fn values(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(shard: Option<Shard>) -> Vec<String> {
        let arguments = SweepArguments {
            sweep: vec![
                Setting::new("dht.alpha", "1, 3"),
                Setting::new("nodes", "50,60"),
            ],
            repeat: 2,
            shard,
        };
        let subject = Subject::find("baseline").unwrap();
        let sweep = arguments.over(&subject).unwrap().unwrap();
        sweep.share().map(folder_name).collect()
    }

    #[test]
    fn each_run_has_the_command_that_repeats_it() {
        let arguments = SweepArguments {
            sweep: vec![Setting::new("swarm.up", "1 MB/s,2 MB/s")],
            repeat: 2,
            shard: None,
        };
        let subject = Subject::find("baseline").unwrap();
        let sweep = arguments.over(&subject).unwrap().unwrap();
        let commands: Vec<String> = sweep.runs.iter().map(Subject::command).collect();
        assert_eq!(
            commands,
            [
                "trackless simulate baseline --set 'swarm.up=1 MB/s' --seed 1",
                "trackless simulate baseline --set 'swarm.up=1 MB/s' --seed 2",
                "trackless simulate baseline --set 'swarm.up=2 MB/s' --seed 1",
                "trackless simulate baseline --set 'swarm.up=2 MB/s' --seed 2",
            ]
        );
    }

    #[test]
    fn no_run_begins_if_one_of_them_cannot() {
        let arguments = SweepArguments {
            sweep: Vec::new(),
            repeat: 2,
            shard: None,
        };
        for last in [i64::MAX as u64, i64::MAX as u64 - 1] {
            let subject = Subject::find("baseline").unwrap().with_seed(last);
            let can_be_run = arguments.over(&subject).is_ok();
            assert_eq!(can_be_run, last < i64::MAX as u64);
        }
    }

    #[test]
    fn all_combinations_are_run_with_each_seed() {
        let runs = sweep(None);
        assert_eq!(runs.len(), 8);
        assert_eq!(runs[0], "dht.alpha=1,nodes=50,seed=1");
        assert_eq!(runs[7], "dht.alpha=3,nodes=60,seed=2");
    }

    #[test]
    fn shards_share_out_every_run_once() {
        let shards = |of| (1..=of).map(move |number| format!("{number}/{of}"));
        for of in [1, 3, 8, 11] {
            let mut runs: Vec<String> = shards(of)
                .flat_map(|shard| sweep(Some(shard.parse().unwrap())))
                .collect();
            runs.sort();
            let mut all = sweep(None);
            all.sort();
            assert_eq!(runs, all, "{of}");
        }
    }

    #[test]
    fn a_shard_counts_from_one() {
        for wrong in ["0/2", "3/2", "1", "1/0", "a/b", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_is_one_value() {
        let split = |text| values(text).collect::<Vec<_>>();
        assert_eq!(split("1, 3,5"), ["1", "3", "5"]);
        assert_eq!(split("[0,1],[2]"), ["[0,1]", "[2]"]);
    }
}
