//! Which files below a directory belong into a torrent.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::exclusion::Exclusion;
use super::sight::Sight;
use super::{CreateError, CreateOptions, LeftOut, Reason};
use crate::storage::find_inside;

/// What was found below a directory.
#[derive(Default)]
pub(super) struct Content {
    /// Paths below it with `/` between their components, and lengths.
    pub(super) files: Vec<(String, u64)>,
    /// The same files.
    pub(super) sights: Vec<Sight>,
    pub(super) left_out: Vec<LeftOut>,
}

impl Content {
    /// `output` is where the torrent goes, as it is called without links.
    pub(super) fn list(
        directory: &Path,
        options: &CreateOptions,
        output: Option<&Path>,
    ) -> Result<Self, CreateError> {
        let exclusion = Exclusion::new(&options.exclude)?;
        let mut content = Self::default();
        let mut walk = WalkDir::new(directory)
            .min_depth(1)
            .follow_links(options.follow_links)
            .sort_by_file_name()
            .into_iter();
        while let Some(entry) = walk.next() {
            let entry = entry.map_err(|error| explain(directory, error))?;
            let path = entry.path().strip_prefix(directory).unwrap_or(entry.path());
            if let Some(reason) = reason_to_leave_out(&entry, path, &exclusion, options, output) {
                if entry.file_type().is_dir() {
                    walk.skip_current_dir();
                }
                content.left_out.push(LeftOut {
                    path: path.to_owned(),
                    reason,
                });
                continue;
            }
            if entry.path_is_symlink() {
                find_inside(directory, path).map_err(CreateError::Storage)?;
            }
            if entry.file_type().is_file() {
                let found = entry
                    .metadata()
                    .map_err(|error| explain(directory, error))?;
                content.sights.push(Sight::new(entry.path(), &found));
                content.files.push((portable(&entry, path)?, found.len()));
            }
        }
        Ok(content)
    }
}

fn reason_to_leave_out(
    entry: &DirEntry,
    path: &Path,
    exclusion: &Exclusion,
    options: &CreateOptions,
    output: Option<&Path>,
) -> Option<Reason> {
    let kind = entry.file_type();
    if exclusion.applies_to(path, kind.is_dir()) {
        Some(Reason::Excluded)
    } else if !options.hidden && is_hidden(entry) {
        Some(Reason::Hidden)
    } else if kind.is_symlink() {
        Some(Reason::Link)
    } else if !kind.is_file() && !kind.is_dir() {
        Some(Reason::Special)
    } else if output.is_some_and(|output| leads_to(entry, output, options.follow_links)) {
        Some(Reason::Output)
    } else {
        None
    }
}

/// Whether this is that file, by whatever links it is reached.
fn leads_to(entry: &DirEntry, file: &Path, follow_links: bool) -> bool {
    let path = entry.path();
    path == file || follow_links && path.canonicalize().is_ok_and(|path| path == file)
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn portable(entry: &DirEntry, path: &Path) -> Result<String, CreateError> {
    let components: Option<Vec<&str>> = path.iter().map(|component| component.to_str()).collect();
    match components {
        Some(components) => Ok(components.join("/")),
        None => Err(CreateError::NotUtf8 {
            path: entry.path().to_owned(),
        }),
    }
}

fn explain(directory: &Path, error: walkdir::Error) -> CreateError {
    let path: PathBuf = error.path().unwrap_or(directory).to_owned();
    match error.into_io_error() {
        Some(source) => CreateError::Unreadable { path, source },
        None => CreateError::Loop { path },
    }
}
