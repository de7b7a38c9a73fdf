//! The folder of a run: what it is called, what may be replaced, and how it is written.

use std::ffi::OsString;
use std::fs::{DirEntry, File};
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};
use std::{fs, iter};

use simulations::{Findings, Report};
use tempfile::NamedTempFile;

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

/// The pictures, in a run folder.
const PLOTS: &str = "plots";

/// How files begin that are not whole yet.
const TEMPORARY: &str = ".tmp";

/// What lies in the place of a run folder.
enum Content {
    Nothing,
    Run(Box<Record>),
    Other,
}

/// Makes sure, before a run, that its results can be written in `place`. A new folder says from now on that a run has begun; of an
/// earlier run nothing is touched yet; anything else is a [`Failure::Occupied`].
pub(super) fn begin(place: &Path, record: &Record) -> Result<(), Failure> {
    match content(place) {
        Content::Nothing => write(place, record::NAME, &record.to_json()),
        Content::Run(_) => probe(place, &record.to_json()),
        Content::Other => Err(occupied(place)),
    }
}

/// Where a run that is over goes that began in `place`: there, unless an earlier one that came further would be lost.
pub(super) fn destination(place: &Path, record: &Record) -> PathBuf {
    first(place, |path| match content(path) {
        Content::Nothing => true,
        Content::Run(old) => (path == place || old.repeats(record)) && !old.is_ahead_of(record),
        Content::Other => false,
    })
}

/// Writes what was found out in the place of what an earlier run left there, and at last, in the manifest, that all of it is there.
pub(super) fn fill(
    folder: &Path,
    findings: &Findings,
    matrix: Option<&str>,
    record: &mut Record,
) -> Result<(), Failure> {
    let report = Report::new(findings, &record.manifest);
    let plots = report.plots();
    let plots = plots
        .iter()
        .map(|(name, plot)| (format!("{PLOTS}/{name}.svg"), plot.as_str()));
    let html = report.html();
    let page = ("report.html".to_owned(), html.as_str());
    let matrix = matrix.map(|matrix| (MATRIX.to_owned(), matrix));
    let texts: Vec<(String, &str)> = matrix.into_iter().chain(plots).chain([page]).collect();

    let tables = TABLES.iter().map(|(name, _)| (*name).to_owned());
    let names = texts.iter().map(|(name, _)| name.clone());
    record.files = tables.chain(names).collect();
    clear(folder, record)?;
    for (name, table) in TABLES {
        write_with(folder, name, |out| table(findings, out))?;
    }
    for (name, text) in texts {
        write(folder, &name, text.as_bytes())?;
    }
    write(folder, record::NAME, &record.to_json())
}

/// The first folder below `parent` with the name of this run that is free for it.
pub(super) fn vacant(parent: &Path, record: &Record) -> PathBuf {
    let name = format!("{}-{}", record.manifest.name, record.manifest.seed);
    first(&parent.join(name), |path| is_free_for(path, record))
}

/// Whether there is nothing but, at most, the same run.
pub(super) fn is_free_for(path: &Path, record: &Record) -> bool {
    match content(path) {
        Content::Nothing => true,
        Content::Run(old) => old.repeats(record),
        Content::Other => false,
    }
}

/// Refuses a place where something else is than, at most, a run of the same plan.
pub(super) fn check(path: &Path, record: &Record) -> Result<(), Failure> {
    match content(path) {
        Content::Nothing => Ok(()),
        Content::Run(old) if old.is_like(record) => Ok(()),
        _ => Err(occupied(path)),
    }
}

/// The first of `path`, `path-2`, `path-3` and so on that is free.
pub(super) fn first(path: &Path, is_free: impl Fn(&Path) -> bool) -> PathBuf {
    let numbered = |number: u64| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!("-{number}"));
        path.with_file_name(name)
    };
    iter::once(path.to_owned())
        .chain((2..=u64::MAX).map(numbered))
        .find(|path| is_free(path))
        .unwrap_or_else(|| path.to_owned())
}

fn content(path: &Path) -> Content {
    let run = || {
        let record = Record::read(path).ok()?;
        // What is written below a link is written elsewhere.
        Some(if path.join(PLOTS).is_symlink() {
            Content::Other
        } else {
            Content::Run(Box::new(record))
        })
    };
    // The manifest may come, as the first file, just after it was looked for: then it is there at the second look.
    run().unwrap_or_else(|| {
        if is_taken(path) {
            run().unwrap_or(Content::Other)
        } else {
            Content::Nothing
        }
    })
}

/// Whether something is there, files that are just being written not counted.
fn is_taken(path: &Path) -> bool {
    let is_temporary = |name: OsString| name.to_string_lossy().starts_with(TEMPORARY);
    let is_whole =
        |entry: io::Result<DirEntry>| !entry.is_ok_and(|it| is_temporary(it.file_name()));
    match fs::read_dir(path) {
        Ok(mut entries) => entries.any(is_whole),
        Err(_) => path.exists(),
    }
}

/// Removes the files of an earlier run, so that none of them is taken for one of the next. From now on the manifest says that `next`
/// is being written.
fn clear(folder: &Path, next: &Record) -> Result<(), Failure> {
    let mut unwritten = next.unwritten();
    let old = match content(folder) {
        Content::Run(old) => old.files,
        _ => Vec::new(),
    };
    // If this is interrupted, the next one has to remove both.
    let others = old.iter().filter(|file| !next.files.contains(file));
    unwritten.files.extend(others.cloned());
    write(folder, record::NAME, &unwritten.to_json())?;
    // A manifest may be from anybody: what it names is removed inside the folder only.
    for file in old.iter().filter(|file| is_inside(folder, file)) {
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

/// Whether a file lies in a folder, or in real folders below it: that neither its name nor a link leads elsewhere.
fn is_inside(folder: &Path, file: &str) -> bool {
    let file = Path::new(file);
    let is_below = |component| matches!(component, Component::Normal(_));
    let mut between = file.ancestors().skip(1);
    let is_real = |part: &Path| part.as_os_str().is_empty() || !folder.join(part).is_symlink();
    file.components().all(is_below) && between.all(is_real)
}

/// Finds out whether so much can be written here, and leaves nothing.
fn probe(folder: &Path, content: &[u8]) -> Result<(), Failure> {
    let written = NamedTempFile::new_in(folder).and_then(|mut file| file.write_all(content));
    // Its error names a file of which the user knows nothing.
    written.map_err(|error| Failure::Write {
        path: folder.join(record::NAME),
        source: error.kind().into(),
    })
}

fn write(folder: &Path, name: &str, content: &[u8]) -> Result<(), Failure> {
    write_with(folder, name, |out| out.write_all(content))
}

fn write_with(
    folder: &Path,
    name: &str,
    content: impl FnOnce(&mut Out<'_>) -> io::Result<()>,
) -> Result<(), Failure> {
    let path = folder.join(name);
    let directory = whole_file::directory_of(&path);
    fs::create_dir_all(directory).map_err(|source| Failure::Write {
        path: directory.to_owned(),
        source,
    })?;
    whole_file::replace_with(&path, content)
}

fn occupied(path: &Path) -> Failure {
    Failure::Occupied {
        path: path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::Engine;
    use super::super::record::State;
    use super::super::subject::Subject;
    use super::*;

    fn record(change: impl FnOnce(&mut Subject)) -> Record {
        let mut subject = Subject::find("baseline").unwrap();
        change(&mut subject);
        let circumstances = Engine::default().circumstances(&subject);
        Record::begun(&circumstances, subject.portable_plan())
    }

    fn begun(parent: &Path, record: &Record) -> String {
        let place = vacant(parent, record);
        begin(&place, record).unwrap();
        let name = place.strip_prefix(parent).unwrap();
        name.to_str().unwrap().to_owned()
    }

    fn fill_with_nothing(folder: &Path, record: &mut Record) {
        let findings = Findings::nothing(record.manifest.plan.clone());
        fill(folder, &findings, None, record).unwrap();
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
        let refusal = begin(&occupied, &first).unwrap_err();
        assert!(matches!(refusal, Failure::Occupied { .. }), "{refusal}");
    }

    #[test]
    fn another_build_takes_another_place() {
        let parent = tempfile::tempdir().unwrap();
        let mut run = record(|_| {});
        assert_eq!(begun(parent.path(), &run), "baseline-1");
        run.manifest.commit = Some("0123456789ab".to_owned());
        assert_eq!(begun(parent.path(), &run), "baseline-1-2");
    }

    #[test]
    fn an_earlier_run_lies_there_until_the_next_one_is_over_and_then_only_if_it_knows_less() {
        let parent = tempfile::tempdir().unwrap();
        let place = parent.path().join("run");
        let mut old = record(|_| {});
        old.state = State::Finished;
        old.manifest.is_finished = true;
        old.manifest.simulated_s = 3_600.0;
        fill_with_nothing(&place, &mut old);

        let mut next = record(|_| {});
        begin(&place, &next).unwrap();
        assert_eq!(Record::read(&place).unwrap().state, State::Finished);
        assert!(place.join("nodes.csv").exists());

        next.manifest.simulated_s = 5.0;
        let beside = destination(&place, &next);
        assert_eq!(beside, parent.path().join("run-2"));
        fill_with_nothing(&beside, &mut next);
        assert_eq!(destination(&place, &next), beside);
        next.manifest.is_finished = true;
        assert_eq!(destination(&place, &next), place);
    }

    #[test]
    fn what_is_replaced_leaves_no_file_behind() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("run");
        let mut old = record(|_| {});
        fill_with_nothing(&folder, &mut old);
        old.files.push("plots/old.svg".into());
        fs::create_dir_all(folder.join(PLOTS)).unwrap();
        fs::write(folder.join("plots/old.svg"), "old").unwrap();
        fs::write(folder.join(record::NAME), old.to_json()).unwrap();
        fill_with_nothing(&folder, &mut record(|_| {}));
        assert!(!folder.join("plots/old.svg").exists());
    }

    #[test]
    fn a_manifest_cannot_have_files_removed_outside_of_its_folder() {
        let parent = tempfile::tempdir().unwrap();
        let victim = parent.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let folder = parent.path().join("run");
        let mut old = record(|_| {});
        fill_with_nothing(&folder, &mut old);
        fs::write(folder.join("more.csv"), "old").unwrap();
        let absolute = victim.to_str().unwrap().to_owned();
        old.files = vec!["more.csv".into(), "../victim".into(), absolute];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(parent.path(), folder.join("link")).unwrap();
            old.files.push("link/victim".into());
        }
        fs::write(folder.join(record::NAME), old.to_json()).unwrap();
        clear(&folder, &record(|_| {})).unwrap();
        assert!(victim.exists());
        assert!(!folder.join("more.csv").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_a_run_folder_leads_nowhere() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("run");
        let mut run = record(|_| {});
        fill_with_nothing(&folder, &mut run);
        std::os::unix::fs::symlink(parent.path(), folder.join(PLOTS)).unwrap();
        let refusal = begin(&folder, &run).unwrap_err();
        assert!(matches!(refusal, Failure::Occupied { .. }), "{refusal}");
    }
}
