//! `manifest.json`: what was run, so that it can be run again, and how it went in a few figures.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::figures::Figures;
use crate::{Codec, Findings, Plan};

/// What only the one who ran an experiment knows about it.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// The name of the plan: `churn`.
    pub name: String,
    /// The version control's name of the code that ran.
    pub commit: Option<String>,
    /// The command line that does the same again.
    pub command: String,
    /// What a sweep set for this run, key by key; empty if it was not part of one.
    pub assignment: BTreeMap<String, String>,
    /// Time that passed outside.
    pub wall: Duration,
    /// Threads that worked.
    pub threads: usize,
    /// Whether messages became bytes.
    pub codec: Codec,
    /// The most memory that the process had, in bytes.
    pub memory: Option<u64>,
}

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of trackless that ran.
    pub version: String,
    /// The commit of it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The name of the plan.
    pub name: String,
    /// The command line that does the same again.
    pub command: String,
    /// What a sweep set for this run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub assignment: BTreeMap<String, String>,
    /// Everything that is left to chance followed from it.
    pub seed: u64,
    /// Whether it ran to its end.
    pub is_finished: bool,
    /// The run in one number: sixteen digits of base 16.
    pub digest: String,
    /// The same at the end of each simulated minute.
    pub digests_a_minute: Vec<String>,
    /// Virtual time that was run, in seconds.
    pub simulated_s: f64,
    /// Things that happened.
    pub events: u64,
    /// The key figures.
    pub figures: Figures,
    /// What it took; two runs of one seed differ in nothing else.
    pub cost: Cost,
    /// The plan with all its numbers.
    pub plan: Plan,
    /// The same as it is written in a file.
    pub plan_toml: String,
}

/// What a run took of the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Time that passed outside, in seconds.
    pub wall_s: f64,
    /// Threads that worked.
    pub threads: usize,
    /// `structured` or `bytes`.
    pub codec: String,
    /// The most memory that the process had, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

impl Cost {
    /// Events a second of time outside.
    pub(super) fn pace(&self, events: u64) -> Option<f64> {
        (self.wall_s > 0.0).then(|| events as f64 / self.wall_s)
    }
}

/// Why a manifest cannot be read.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// It is not JSON, or broken off.
    #[error("the manifest is not JSON ({0}); if the run was interrupted, run it again")]
    NotJson(#[source] serde_json::Error),
    /// It is JSON of another kind.
    #[error("this is not the manifest of a run: it names no version of trackless")]
    NotAManifest,
    /// It lacks something, or has something that this version does not know.
    #[error(
        "the manifest was written by trackless {version}, and this is {}: {source}; read it with that version, or run its plan again",
        env!("CARGO_PKG_VERSION")
    )]
    Unknown {
        /// The version that wrote it.
        version: String,
        /// What it is about.
        source: serde_json::Error,
    },
}

impl Manifest {
    /// The manifest of a run.
    pub fn new(findings: &Findings, circumstances: &Circumstances) -> Self {
        let plan_toml = findings.plan.to_toml();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: circumstances.commit.clone(),
            name: circumstances.name.clone(),
            command: circumstances.command.clone(),
            assignment: circumstances.assignment.clone(),
            seed: findings.plan.seed,
            is_finished: findings.is_finished,
            digest: findings.digest.to_string(),
            digests_a_minute: findings.minutes.iter().map(ToString::to_string).collect(),
            simulated_s: findings.simulated.as_secs_f64(),
            events: findings.events,
            figures: Figures::new(findings),
            cost: Cost {
                wall_s: circumstances.wall.as_secs_f64(),
                threads: circumstances.threads,
                codec: match circumstances.codec {
                    Codec::Structured => "structured",
                    Codec::Bytes => "bytes",
                }
                .to_owned(),
                memory_bytes: circumstances.memory,
            },
            plan: findings.plan.clone(),
            plan_toml,
        }
    }

    /// The file.
    pub fn to_json(&self) -> String {
        let mut json =
            serde_json::to_string_pretty(self).expect("a manifest has only keys that are text");
        json.push('\n');
        json
    }

    /// Reads the file.
    pub fn parse(json: &str) -> Result<Self, ManifestError> {
        let value: serde_json::Value =
            serde_json::from_str(json).map_err(ManifestError::NotJson)?;
        let Some(version) = value.get("version").and_then(|version| version.as_str()) else {
            return Err(ManifestError::NotAManifest);
        };
        let version = version.to_owned();
        serde_json::from_value(value).map_err(|source| ManifestError::Unknown { version, source })
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let manifest = example::manifest();
        assert_eq!(Manifest::parse(&manifest.to_json()).unwrap(), manifest);
        assert_eq!(
            manifest.digests_a_minute.len(),
            example::findings().minutes.len()
        );
        let plan = Plan::parse(&manifest.plan_toml).unwrap();
        assert_eq!(plan, manifest.plan);
    }

    #[test]
    fn errors_say_what_to_do() {
        let error = |json: &str| Manifest::parse(json).unwrap_err().to_string();
        let json = example::manifest().to_json();
        assert!(error(&json[..json.len() / 2]).contains("run it again"));
        assert!(error("{\"name\": \"left-pad\"}").contains("not the manifest of a run"));
        let newer = json
            .replacen(
                &format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION")),
                "\"version\": \"9.9.9\"",
                1,
            )
            .replacen("\"seed\":", "\"sea\":", 1);
        assert!(error(&newer).contains("trackless 9.9.9"));
        assert!(error(&newer).contains("seed"));
    }
}
