//! The files of a torrent with their numbers.

use serde::Serialize;
use wire::{FileSet, Info};

use super::super::output::{Output, printable};
use super::super::report::Report;
use super::super::show::{full_path, size};
use super::super::style::{FAINT, STRONG, paint};
use super::super::units;

/// A file as programs are told of it.
#[derive(Debug, Serialize)]
pub(crate) struct ListedFile {
    /// For `--select`, from 1 on.
    number: usize,
    path: String,
    length: u64,
    /// It is among those that the link names.
    wanted: bool,
}

/// Tells which files there are. `linked` are those that a link names.
pub(super) fn show(info: &Info, linked: Option<&FileSet>, output: &Output) {
    let files = listed(info, linked);
    output.note(headline(info, files.len()));
    for row in rows(&files) {
        output.result(row);
    }
    output.event(&Report::Files {
        info_hash: info.hash().to_string(),
        name: info.name(),
        length: info.total_length(),
        files,
    });
}

/// The same for somebody who is to choose, as lines.
pub(super) fn lines(info: &Info) -> Vec<String> {
    let files = listed(info, None);
    let mut lines = vec![headline(info, files.len())];
    lines.extend(rows(&files));
    lines
}

fn listed(info: &Info, linked: Option<&FileSet>) -> Vec<ListedFile> {
    let numbered = info.files().iter().enumerate();
    let files = numbered.filter(|(_, file)| !file.padding);
    let listed = files.map(|(index, file)| ListedFile {
        number: index + 1,
        path: full_path(info, file),
        length: file.length,
        wanted: linked.is_none_or(|linked| linked.contains(index)),
    });
    listed.collect()
}

fn headline(info: &Info, files: usize) -> String {
    let name = paint(STRONG, printable(info.name()));
    format!("{name}  {}", size(info.total_length(), files))
}

fn rows(files: &[ListedFile]) -> Vec<String> {
    let last = files.last().map_or(0, |file| file.number);
    let width = last.to_string().len().max(3);
    let rows = files.iter().map(|file| {
        let length = paint(FAINT, format!("{:>10}", units::bytes(file.length)));
        let row = format!(
            "{:>width$}  {length}  {}",
            file.number,
            printable(&file.path)
        );
        if file.wanted {
            row
        } else {
            paint(FAINT, row).to_string()
        }
    });
    rows.collect()
}
