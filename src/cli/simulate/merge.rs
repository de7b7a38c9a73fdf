//! `trackless simulate merge`: the runs of a sweep, wherever they were made, side by side.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Args;
use simulations::{Comparison, Manifest};

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::report::Report;
use super::super::units;
use super::super::whole_file;
use super::record::{self, Record};

/// The runs, a row each.
const TABLE: &str = "summary.csv";
/// Their figures with confidence intervals, to look at.
const PAGE: &str = "sweep.html";

/// Join runs of a sweep: a table of them, and a page that compares them.
///
/// Each DIR is a run folder, or a folder that holds some, such as one shard of a sweep. Only the manifests are read. The
/// page shows every figure against what was varied, with 95 % confidence intervals over the repeats.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  parallel trackless simulate baseline --sweep dht.alpha=1,3,5 --repeat 10 --shard {}/8 --out sweep ::: $(seq 8)
  trackless simulate merge sweep -o sweep
  trackless simulate merge host-*/sweep -o all")]
pub(super) struct Arguments {
    /// Run folders, or folders of such.
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Write summary.csv and sweep.html here.
    #[arg(
        short,
        long,
        value_name = "DIR",
        env = "TRACKLESS_OUT",
        hide_env_values = true
    )]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let mut manifests = Vec::new();
    for folder in &arguments.folders {
        for run in runs(folder)? {
            let manifest = Record::read(&run)?.manifest;
            if !manifest.is_finished {
                output.note(format_args!(
                    "{} was not finished: it is in the table, and not on the page",
                    run.display()
                ));
            }
            manifests.push(manifest);
        }
    }
    compare(manifests, &arguments.out, output)
}

/// Writes what runs come to side by side.
pub(super) fn compare(
    manifests: Vec<Manifest>,
    out: &Path,
    output: &Output,
) -> Result<(), Failure> {
    let runs = manifests.len();
    let comparison = Comparison::new(manifests);
    let page = out.join(PAGE);
    fs::create_dir_all(out).map_err(|source| Failure::Write {
        path: out.to_owned(),
        source,
    })?;
    whole_file::replace_with(&out.join(TABLE), |file| comparison.summary_csv(file))?;
    whole_file::replace(&page, comparison.html().as_bytes())?;
    output.event(&Report::Merged { path: out, runs });
    output.result(format_args!(
        "{} side by side: {} ({TABLE})",
        units::count(runs, "run"),
        page.display()
    ));
    Ok(())
}

/// The run folders that are meant: the folder itself, or those in it.
fn runs(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let is_run = |path: &Path| path.join(record::NAME).is_file();
    if is_run(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let entries: Result<Vec<_>, io::Error> = fs::read_dir(folder).and_then(Iterator::collect);
    let entries = entries.map_err(|source| Failure::Read {
        path: folder.to_owned(),
        source,
    })?;
    let mut runs: Vec<PathBuf> = entries
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| is_run(path))
        .collect();
    runs.sort();
    if runs.is_empty() {
        return Err(Failure::NotARun {
            path: folder.to_owned(),
        });
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_runs_stands_for_them_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(matches!(runs(folder.path()), Err(Failure::NotARun { .. })));
        for name in ["b", "a", "neither"] {
            fs::create_dir(path(name)).unwrap();
        }
        for name in ["a", "b"] {
            fs::write(path(name).join(record::NAME), "{}").unwrap();
        }
        assert_eq!(runs(folder.path()).unwrap(), [path("a"), path("b")]);
        assert_eq!(runs(&path("a")).unwrap(), [path("a")]);
    }
}
