//! `manifest.json`: a run as its folder keeps it.

use std::path::Path;
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};
use simulations::{Breach, Circumstances, Findings, Manifest, Plan};

use super::super::failure::Failure;
use super::course::{Course, End};
use super::memory;

/// Its name in a run folder.
pub(super) const NAME: &str = "manifest.json";

/// The manifest of a run, with what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(default)]
    pub(super) state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) breach: Option<BreachRecord>,
    /// What lies beside the manifest.
    #[serde(default)]
    pub(super) files: Vec<String>,
    #[serde(flatten)]
    pub(super) manifest: Manifest,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It has begun. A folder that stays like this was left by a run that was killed.
    #[default]
    Begun,
    Finished,
    Interrupted,
    Broken,
}

/// What must always hold, and did not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BreachRecord {
    pub(super) invariant: String,
    /// Seconds since the start of the run.
    pub(super) at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<u32>,
    pub(super) what: String,
}

impl Record {
    /// Of a run that begins.
    pub(super) fn begun(circumstances: &Circumstances, plan: Plan) -> Self {
        let nothing = Findings::nothing(plan);
        Self {
            state: State::Begun,
            breach: None,
            files: Vec::new(),
            manifest: Manifest::new(&nothing, circumstances),
        }
    }

    /// Of a run that is over. What lies beside it is not known yet.
    pub(super) fn ended(course: &Course, circumstances: &Circumstances) -> Self {
        let circumstances = Circumstances {
            wall: course.wall,
            memory: memory::peak(),
            ..circumstances.clone()
        };
        let (state, breach) = match &course.end {
            End::Over => (State::Finished, None),
            End::Stopped => (State::Interrupted, None),
            End::Broken(breach) => (State::Broken, Some(breach.into())),
        };
        Self {
            state,
            breach,
            files: Vec::new(),
            manifest: Manifest::new(&course.findings, &circumstances),
        }
    }

    /// That of a run folder.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => {
                return Err(Failure::NotARun {
                    path: folder.to_owned(),
                });
            }
            Err(source) => return Err(Failure::Read { path, source }),
        };
        // The manifest alone has sentences for all that can be wrong with it.
        Manifest::parse(&text)
            .and_then(|_| serde_json::from_str(&text).map_err(simulations::ManifestError::NotJson))
            .map_err(|source| Failure::Manifest { path, source })
    }

    /// As it is written: for people too.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// Whether both are the same run, made once more.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        let (this, other) = (&self.manifest, &other.manifest);
        this.name == other.name && this.assignment == other.assignment && this.plan == other.plan
    }

    /// What it was made with: `0.1.0 (commit)`.
    pub(super) fn build(&self) -> String {
        let version = &self.manifest.version;
        match &self.manifest.commit {
            Some(commit) => format!("{version} ({commit})"),
            None => version.clone(),
        }
    }
}

impl BreachRecord {
    /// The command that shows it again.
    pub(super) fn replay(&self, folder: &Path) -> String {
        // What no node is to blame for is seen from the first one.
        let node = self.node.unwrap_or(0);
        let folder = folder.display();
        let at = self.at;
        format!("trackless simulate replay {folder} --node {node} --at {at}s")
    }
}

impl From<&Breach> for BreachRecord {
    fn from(breach: &Breach) -> Self {
        Self {
            invariant: breach.invariant.to_owned(),
            at: breach.at.as_secs_f64(),
            node: breach.node,
            what: breach.what.clone(),
        }
    }
}

impl fmt::Display for BreachRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            invariant,
            at,
            what,
            ..
        } = self;
        write!(f, "it does not hold that {invariant}: {what}")?;
        if let Some(node) = self.node {
            write!(f, ", at node {node}")?;
        }
        write!(f, ", {at} s after the start")
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::Engine;
    use super::super::subject::Subject;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_record_can_be_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let subject = Subject::find("baseline").unwrap();
        let engine = Engine::default();
        let record = Record::begun(&subject.circumstances(engine), subject.portable_plan());
        fs::write(folder.path().join(NAME), record.to_json()).unwrap();
        let read = Record::read(folder.path()).unwrap();
        assert!(read.repeats(&record));
        assert_eq!(read.state, State::Begun);
        assert_eq!(read.manifest, record.manifest);
    }

    #[test]
    fn a_breach_says_what_when_where_and_how_to_see_it_again() {
        let breach = BreachRecord::from(&Breach {
            invariant: "every lookup ends",
            at: Duration::from_micros(312_250_001),
            node: Some(17),
            what: "one goes on for an hour".to_owned(),
        });
        let failure = Failure::Broken {
            breach: breach.to_string(),
            replay: breach.replay(Path::new("runs/churn-7")),
        };
        assert_eq!(
            failure.to_string(),
            "it does not hold that every lookup ends: one goes on for an hour, at node 17, 312.250001 s after the start; \
             see it again with `trackless simulate replay runs/churn-7 --node 17 --at 312.250001s`"
        );
    }

    #[test]
    fn what_is_no_run_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = Record::read(folder.path()).unwrap_err();
        assert!(matches!(refusal, Failure::NotARun { .. }), "{refusal}");
        fs::write(folder.path().join(NAME), "{}").unwrap();
        let refusal = Record::read(folder.path()).unwrap_err();
        assert!(matches!(refusal, Failure::Manifest { .. }), "{refusal}");
    }
}
