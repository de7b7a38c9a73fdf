//! The folder of a run: what it is called, what may be replaced, and how it is written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};
use std::{fs, iter};

use simulations::{Findings, Report};

use super::super::failure::Failure;
use super::super::whole_file;
use super::record::{self, Record};

/// Where runs go of which nobody says where.
pub(super) const RUNS: &str = "runs";

/// The latencies between regions, wherever they were read from.
pub(super) const MATRIX: &str = "matrix.csv";

type Out<'a> = BufWriter<&'a File>;
type Table = fn(&Findings, &mut Out<'_>) -> io::Result<()>;

/// The figures for other programs.
const TABLES: [(&str, Table); 3] = [
    ("lookups.csv", |findings, out| {
        simulations::lookups_csv(findings, out)
    }),
    ("timeseries.csv", |findings, out| {
        simulations::timeseries_csv(findings, out)
    }),
    ("nodes.csv", |findings, out| {
        simulations::nodes_csv(findings, out)
    }),
];

/// A folder for one run, whose manifest says that it has begun.
#[derive(Debug)]
pub(super) struct RunFolder {
    path: PathBuf,
}

/// What lies in the place of a run folder.
enum Content {
    Nothing,
    Run(Box<Record>),
    Other,
}

impl RunFolder {
    /// Makes the folder and writes that a run has begun, so that a disk that takes nothing is known before the run.
    /// What an earlier run left there is removed; anything else is a [`Failure::Occupied`].
    pub(super) fn begin(path: PathBuf, record: &Record) -> Result<Self, Failure> {
        match content(&path) {
            Content::Nothing => {}
            Content::Run(old) => remove(&path, &old)?,
            Content::Other => return Err(Failure::Occupied { path }),
        }
        let folder = Self { path };
        folder.write(record::NAME, &record.to_json())?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what was found out, and at last, in the manifest, that all of it is there.
    pub(super) fn fill(
        &self,
        findings: &Findings,
        matrix: Option<&str>,
        record: &mut Record,
    ) -> Result<(), Failure> {
        let report = Report::new(findings, &record.manifest);
        let plots = report.plots();
        let plots = plots
            .iter()
            .map(|(name, plot)| (format!("plots/{name}.svg"), plot.as_str()));
        let html = report.html();
        let page = ("report.html".to_owned(), html.as_str());
        let matrix = matrix.map(|matrix| (MATRIX.to_owned(), matrix));

        let mut files = Vec::new();
        for (name, table) in TABLES {
            self.write_with(name, |out| table(findings, out))?;
            files.push(name.to_owned());
        }
        for (name, text) in matrix.into_iter().chain(plots).chain([page]) {
            self.write(&name, text.as_bytes())?;
            files.push(name);
        }
        record.files = files;
        self.write(record::NAME, &record.to_json())
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        self.write_with(name, |out| out.write_all(content))
    }

    fn write_with(
        &self,
        name: &str,
        content: impl FnOnce(&mut Out<'_>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let path = self.path.join(name);
        let directory = whole_file::directory_of(&path);
        fs::create_dir_all(directory).map_err(|source| Failure::Write {
            path: directory.to_owned(),
            source,
        })?;
        whole_file::replace_with(&path, content)
    }
}

/// The first folder below `parent` with the name of this run that is free, or holds the same run.
pub(super) fn vacant(parent: &Path, record: &Record) -> PathBuf {
    let name = format!("{}-{}", record.manifest.name, record.manifest.seed);
    let further = (2_u64..).map(|number| format!("{name}-{number}"));
    iter::once(name.clone())
        .chain(further)
        .map(|name| parent.join(name))
        .find(|path| match content(path) {
            Content::Nothing => true,
            Content::Run(old) => old.repeats(record),
            Content::Other => false,
        })
        .unwrap_or_else(|| parent.join(&name))
}

fn content(path: &Path) -> Content {
    if let Ok(record) = Record::read(path) {
        return Content::Run(Box::new(record));
    }
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().map_or(Content::Nothing, |_| Content::Other),
        Err(_) if path.exists() => Content::Other,
        Err(_) => Content::Nothing,
    }
}

/// Removes the files of an earlier run, so that none of them is taken for one of the next.
fn remove(folder: &Path, run: &Record) -> Result<(), Failure> {
    // A manifest may be from anybody: what it names is removed inside the folder only.
    let is_inside = |file: &&String| {
        Path::new(file)
            .components()
            .all(|component| matches!(component, Component::Normal(_)))
    };
    for file in run.files.iter().filter(is_inside) {
        let path = folder.join(file);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::Write { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::engine::Engine;
    use super::super::subject::Subject;
    use super::*;

    fn record(change: impl FnOnce(&mut Subject)) -> Record {
        let mut subject = Subject::find("baseline").unwrap();
        change(&mut subject);
        let engine = Engine::default();
        Record::begun(&subject.circumstances(engine), subject.portable_plan())
    }

    fn begun(parent: &Path, record: &Record) -> String {
        let folder = RunFolder::begin(vacant(parent, record), record).unwrap();
        let name = folder.path.strip_prefix(parent).unwrap();
        name.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_run_that_is_repeated_takes_its_own_place() {
        let parent = tempfile::tempdir().unwrap();
        let first = record(|_| {});
        assert_eq!(begun(parent.path(), &first), "baseline-1");
        assert_eq!(begun(parent.path(), &first), "baseline-1");
        let second = record(|subject| subject.plan.seed = 2);
        assert_eq!(begun(parent.path(), &second), "baseline-2");
    }

    #[test]
    fn another_run_and_what_is_no_run_are_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let first = record(|_| {});
        begun(parent.path(), &first);
        let occupied = parent.path().join("baseline-1-2");
        fs::create_dir(&occupied).unwrap();
        fs::write(occupied.join("thesis.txt"), "precious").unwrap();

        let other = record(|subject| subject.plan.nodes += 1);
        assert_eq!(begun(parent.path(), &other), "baseline-1-3");
        let refusal = RunFolder::begin(occupied, &first).unwrap_err();
        assert!(matches!(refusal, Failure::Occupied { .. }), "{refusal}");
    }

    #[test]
    fn a_manifest_cannot_have_files_removed_outside_of_its_folder() {
        let parent = tempfile::tempdir().unwrap();
        let victim = parent.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let folder = parent.path().join("run");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("nodes.csv"), "old").unwrap();
        let mut record = record(|_| {});
        let absolute = victim.to_str().unwrap().to_owned();
        record.files = vec!["nodes.csv".into(), "../victim".into(), absolute];
        remove(&folder, &record).unwrap();
        assert!(victim.exists());
        assert!(!folder.join("nodes.csv").exists());
    }
}
