//! `manifest.json`: a run as its folder keeps it.

use std::ffi::OsStr;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use simulations::{Breach, Circumstances, Findings, Manifest, Plan};

use super::super::failure::Failure;
use super::course::{Course, End};

/// Its name in a run folder.
pub(super) const NAME: &str = "manifest.json";

/// The version control's name of this program, if it was built where that is known.
pub(super) const COMMIT: Option<&str> = option_env!("TRACKLESS_COMMIT");

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

/// What must always hold, and did not: for other programs.
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
        let (state, breach) = match &course.end {
            End::Over => (State::Finished, None),
            End::Stopped => (State::Interrupted, None),
            End::Broken(breach) => (State::Broken, Some(breach.into())),
        };
        Self {
            state,
            breach,
            files: Vec::new(),
            manifest: Manifest::new(&course.findings, circumstances),
        }
    }

    /// The same before it is written: of what lies beside it, nothing can be relied on.
    pub(super) fn unwritten(&self) -> Self {
        let mut record = self.clone();
        record.state = State::Begun;
        record.manifest.is_finished = false;
        record
    }

    /// That of a run folder. It may be from anybody.
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
        let record: Self = match Manifest::parse(&text)
            .and_then(|_| serde_json::from_str(&text).map_err(simulations::ManifestError::NotJson))
        {
            Ok(record) => record,
            Err(source) => return Err(Failure::Manifest { path, source }),
        };
        // Folders are called after it.
        let name = &record.manifest.name;
        if Path::new(name).file_name() != Some(OsStr::new(name)) {
            return Err(Failure::Usage(format!(
                "{}: a run cannot be called {name:?}; give it the name of its plan again",
                path.display()
            )));
        }
        Ok(record)
    }

    /// As it is written: for people too.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// Whether both are runs of the same plan.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let (this, other) = (&self.manifest, &other.manifest);
        this.name == other.name && this.assignment == other.assignment && this.plan == other.plan
    }

    /// Whether both are the same run, made once more by the same program.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        let (this, that) = (&self.manifest, &other.manifest);
        self.is_like(other) && this.version == that.version && this.commit == that.commit
    }

    /// Whether it knows more than another one, which may be the same run or not: that is not over.
    pub(super) fn is_ahead_of(&self, other: &Self) -> bool {
        let (this, other) = (&self.manifest, &other.manifest);
        !other.is_finished && (this.is_finished || this.simulated_s > other.simulated_s)
    }

    /// What it was made with: `0.1.0 (commit)`.
    pub(super) fn build(&self) -> String {
        build(&self.manifest.version, self.manifest.commit.as_deref())
    }
}

/// What this program is: `0.1.0 (commit)`.
pub(super) fn this_build() -> String {
    build(env!("CARGO_PKG_VERSION"), COMMIT)
}

fn build(version: &str, commit: Option<&str>) -> String {
    match commit {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::super::engine::Engine;
    use super::super::subject::Subject;
    use super::*;

    #[test]
    fn a_record_can_be_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let subject = Subject::find("baseline").unwrap();
        let engine = Engine::default();
        let record = Record::begun(&engine.circumstances(&subject), subject.portable_plan());
        fs::write(folder.path().join(NAME), record.to_json()).unwrap();
        let read = Record::read(folder.path()).unwrap();
        assert!(read.repeats(&record));
        assert_eq!(read.state, State::Begun);
        assert_eq!(read.manifest, record.manifest);
    }

    #[test]
    fn another_build_makes_another_run_of_the_same_plan() {
        let subject = Subject::find("baseline").unwrap();
        let circumstances = Engine::default().circumstances(&subject);
        let run = Record::begun(&circumstances, subject.portable_plan());
        let mut other = run.clone();
        assert!(other.repeats(&run));
        other.manifest.commit = Some("0123456789ab".to_owned());
        assert!(other.is_like(&run) && !other.repeats(&run));
        other.manifest.plan.nodes += 1;
        assert!(!other.is_like(&run));
    }

    #[test]
    fn a_run_has_no_name_that_leads_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let subject = Subject::find("baseline").unwrap();
        let circumstances = Engine::default().circumstances(&subject);
        let mut record = Record::begun(&circumstances, subject.portable_plan());
        for name in ["../../x", "/home/u/x", "..", "", "a/b", "x/"] {
            name.clone_into(&mut record.manifest.name);
            fs::write(folder.path().join(NAME), record.to_json()).unwrap();
            let refusal = Record::read(folder.path()).unwrap_err();
            assert!(matches!(refusal, Failure::Usage(_)), "{name}: {refusal}");
        }
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
