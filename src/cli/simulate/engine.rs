//! How a plan is run; the result does not depend on it.

use std::thread;

use clap::Args;
use clap::builder::PossibleValue;
use simulations::{Circumstances, Codec, Experiment, Means, Options, Plan, Watch};

use super::super::failure::Failure;
use super::super::flag;
use super::record;
use super::subject::Subject;

/// Threads wait for each other after every slot. Of fewer nodes a slot has so little work that they mostly wait, and on a
/// machine that does other things, too, for one that is not even running.
const NODES_A_THREAD: u32 = 20_000;

#[derive(Debug, Args)]
#[command(next_help_heading = "Engine (the result does not depend on it)")]
pub(super) struct EngineArguments {
    /// Threads to run on. [default: one for each 20,000 nodes, and no more than there are cores]
    #[arg(long, value_name = "N", env = "TRACKLESS_THREADS", hide_env_values = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// How messages travel: as they are, or as bytes that are encoded and decoded.
    #[arg(
        long,
        value_name = "CODEC",
        env = "TRACKLESS_CODEC",
        hide_env_values = true,
        default_value = "structured"
    )]
    codec: Encoding,
    /// Do not check what must always hold: for timing.
    #[arg(long, env = "TRACKLESS_NO_CHECKS", hide_env_values = true, value_parser = flag::parse)]
    no_checks: bool,
}

/// [`Codec`], by the names that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding(pub(super) Codec);

impl clap::ValueEnum for Encoding {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(Codec::Structured), Self(Codec::Bytes)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self.0 {
            Codec::Structured => "structured",
            Codec::Bytes => "bytes",
        }
    }
}

/// How one run is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Engine {
    /// As many as are worth it, if nobody says.
    pub(super) threads: Option<u16>,
    pub(super) codec: Encoding,
    pub(super) checks: bool,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            threads: None,
            codec: Encoding(Codec::Structured),
            checks: true,
        }
    }
}

impl From<&EngineArguments> for Engine {
    fn from(arguments: &EngineArguments) -> Self {
        Self {
            threads: arguments.threads,
            codec: arguments.codec,
            checks: !arguments.no_checks,
        }
    }
}

impl Engine {
    /// The threads that a plan is run on.
    pub(super) fn threads(self, plan: &Plan) -> usize {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let worth = (plan.nodes / NODES_A_THREAD) as usize;
        self.threads.map_or(worth.clamp(1, cores), usize::from)
    }

    /// What the manifest of such a run says beside what was found out.
    pub(super) fn circumstances(self, subject: &Subject) -> Circumstances {
        Circumstances {
            name: subject.name.clone(),
            commit: record::COMMIT.map(str::to_owned),
            command: subject.command(),
            assignment: subject.assignment.clone(),
            threads: self.threads(&subject.plan),
            codec: self.codec.0,
            ..Circumstances::default()
        }
    }

    /// The experiment at its beginning.
    pub(super) fn start(
        self,
        subject: &Subject,
        watch: Option<Watch>,
    ) -> Result<Experiment, Failure> {
        let options = Options {
            means: Means {
                threads: self.threads(&subject.plan),
                codec: self.codec.0,
            },
            check: self.checks,
            watch,
        };
        Experiment::new(subject.portable_plan(), subject.latencies(), options)
            .map_err(|source| subject.failure(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_world_is_not_spread_over_threads_unless_somebody_says() {
        let small = Plan {
            nodes: 10_000,
            ..Plan::default()
        };
        assert_eq!(Engine::default().threads(&small), 1);
        let told = Engine {
            threads: Some(2),
            ..Engine::default()
        };
        assert_eq!(told.threads(&small), 2);
    }
}
