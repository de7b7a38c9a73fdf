//! Making a torrent from files.

mod content;
mod exclusion;
mod sight;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use wire::{HostPort, InfoBuilder, Metainfo, MetainfoError};

use crate::storage::{Files, Layout, StorageError, hash_pieces};
use content::Content;
use sight::Sight;

/// How a torrent is to be made.
#[derive(Clone, Debug, Default)]
pub struct CreateOptions {
    /// Bytes of a piece. Chosen by the length of the content if it is not given.
    pub piece_length: Option<u32>,
    /// Whether the torrent is never to be looked up or announced in the DHT. BEP 27.
    pub private: bool,
    /// DHT nodes to name in the .torrent file. BEP 5, "Torrent File Extensions".
    pub nodes: Vec<HostPort>,
    /// A remark for people.
    pub comment: Option<String>,
    /// The torrent's name, if it is not to be the file's or directory's.
    pub name: Option<String>,
    /// When it was made, in seconds since 1970. Nothing is said of it if it is not given, so that the same content makes the
    /// same file.
    pub creation_date: Option<i64>,
    /// Patterns of what to leave out: `*.tmp` by its name wherever it lies, `raw/*.cr2` (a pattern with a `/`) by its path
    /// from the top, `cache/` only if it is a directory. `*` and `?` stand for no `/`, `**` does; `{a,b}` and `[a-z]` work.
    pub exclude: Vec<String>,
    /// Whether files and directories whose names begin with a dot belong to the content.
    pub hidden: bool,
    /// Whether symbolic links are followed. One that leads out of the content is an error then.
    pub follow_links: bool,
    /// The file that the torrent is going to be written to. It is left out, should it lie in the content from the last time.
    pub output: Option<PathBuf>,
}

impl CreateOptions {
    /// What the torrent of this file or directory is to be called.
    ///
    /// # Errors
    /// There is nothing at the path, or its name cannot be that of a torrent.
    pub fn name_of(&self, path: &Path) -> Result<String, CreateError> {
        match &self.name {
            Some(name) => Ok(name.clone()),
            None => own_name(path, &look_at(path)?.0),
        }
    }
}

/// Something in a directory that did not get into its torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it lies, from the directory down. If it is a directory, so is all in it.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// Why something did not get into a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was [asked for](CreateOptions::exclude).
    Excluded,
    /// Its name begins with a dot.
    Hidden,
    /// It is a symbolic link.
    Link,
    /// It is neither file nor directory: a pipe, a socket, a device.
    Special,
    /// It is what the torrent is [written to](CreateOptions::output).
    Output,
}

/// Why no torrent could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// There is nothing at the path, or it may not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path is a device, a socket or a pipe.
    #[error("{} is neither a file nor a directory", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The torrent would be written over the only file of its content.
    #[error("{} is what the torrent is made of, and cannot be where it is written to; write it to another file", path.display())]
    OverContent {
        /// The file.
        path: PathBuf,
    },
    /// There is not one byte to share.
    #[error("{} has nothing to share: it has no files but hidden or excluded ones and links, or all of them are empty", path.display())]
    Empty {
        /// The file or directory.
        path: PathBuf,
    },
    /// The path ends in a root directory, and no name was given.
    #[error("{} has no name that the torrent could take; give it one with --name", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// Names in torrents are UTF-8.
    #[error("the name {} is not valid UTF-8, which torrents need; rename it", path.display())]
    NotUtf8 {
        /// The file or directory.
        path: PathBuf,
    },
    /// A pattern is none.
    #[error("the pattern {pattern:?} makes no sense: {problem}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A symbolic link makes the tree endless.
    #[error("the symbolic link {} leads back to a directory above it; remove it, or do not follow links", path.display())]
    Loop {
        /// The link.
        path: PathBuf,
    },
    /// A file is not what it was when it was listed.
    #[error("{} changed while it was being read; try again when nothing writes to it", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Reading failed.
    #[error(transparent)]
    Storage(StorageError),
    /// The names or the piece length cannot make a torrent.
    #[error(transparent)]
    Metainfo(#[from] MetainfoError),
}

/// Makes a torrent of a file, or of the files below a directory, hashing on all cores.
///
/// The same content and options give the same torrent everywhere. `progress` hears, from any thread, how many bytes have been
/// hashed and how many there are.
pub fn create(
    path: &Path,
    options: &CreateOptions,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Metainfo, CreateError> {
    create_noting(path, options, &mut |_| {}, progress)
}

/// The same. Before anything is hashed `note` hears of each thing that is left out.
pub fn create_noting(
    path: &Path,
    options: &CreateOptions,
    note: &mut dyn FnMut(LeftOut),
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Metainfo, CreateError> {
    let (real, is_directory) = look_at(path)?;
    let name = options.name_of(path)?;
    let output = options.output.as_ref();
    let output = output.and_then(|path| path.canonicalize().ok());
    if output.as_ref() == Some(&real) {
        let path = path.to_owned();
        return Err(CreateError::OverContent { path });
    }
    let (builder, sights) = if is_directory {
        let content = Content::list(&real, options, output.as_deref())?;
        content.left_out.into_iter().for_each(note);
        let builder = InfoBuilder::multiple_files(name, content.files);
        (builder, content.sights)
    } else {
        let found = fs::metadata(&real).map_err(unreadable(path))?;
        let builder = InfoBuilder::single_file(name, found.len());
        (builder, vec![Sight::new(&real, &found)])
    };
    let builder = builder.private(options.private);
    let builder = match options.piece_length {
        Some(length) => builder.piece_length(length),
        None => builder,
    };
    let geometry = builder.geometry()?;
    if geometry.total() == 0 {
        let path = path.to_owned();
        return Err(CreateError::Empty { path });
    }
    // Names that no torrent may have are refused now, not after an hour of hashing.
    builder.build(&vec![[0; 20]; geometry.pieces() as usize])?;

    let files = if is_directory {
        let paths = builder
            .files()
            .iter()
            .map(|(path, length)| (path.split('/').collect(), *length));
        Files::new(real.clone(), Layout::new(paths))
    } else {
        let directory = real.parent().unwrap_or(&real).to_owned();
        let name = real.file_name().map(PathBuf::from).unwrap_or_default();
        Files::new(directory, Layout::new([(name, geometry.total())]))
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let done = AtomicU64::new(0);
    let hashes = hash_pieces(&files, geometry, threads, |piece, hash| {
        let hash = hash?;
        let length = u64::from(geometry.piece_length(piece));
        progress(
            done.fetch_add(length, Ordering::Relaxed) + length,
            geometry.total(),
        );
        Ok(hash)
    })
    .map_err(|error| match error {
        StorageError::Missing { path } | StorageError::TooShort { path, .. } => {
            CreateError::Changed { path }
        }
        error => CreateError::Storage(error),
    })?;
    if let Some(changed) = sights.iter().find(|sight| !sight.holds()) {
        let path = changed.path().to_owned();
        return Err(CreateError::Changed { path });
    }

    Ok(Metainfo {
        nodes: options.nodes.clone(),
        comment: options.comment.clone(),
        creation_date: options.creation_date,
        created_by: Some(concat!("trackless ", env!("CARGO_PKG_VERSION")).to_owned()),
        ..Metainfo::new(Arc::new(builder.build(&hashes)?))
    })
}

/// The path with all links resolved (the user named it, so it may be one), and whether it is a directory.
fn look_at(path: &Path) -> Result<(PathBuf, bool), CreateError> {
    let real = path.canonicalize().map_err(unreadable(path))?;
    let found = fs::metadata(&real).map_err(unreadable(path))?;
    if !found.is_dir() && !found.is_file() {
        let path = path.to_owned();
        return Err(CreateError::NotAFile { path });
    }
    Ok((real, found.is_dir()))
}

fn own_name(path: &Path, real: &Path) -> Result<String, CreateError> {
    // A path such as `.` or `..` has no name of its own.
    let Some(name) = path.file_name().or_else(|| real.file_name()) else {
        let path = path.to_owned();
        return Err(CreateError::NoName { path });
    };
    match name.to_str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(CreateError::NotUtf8 {
            path: path.to_owned(),
        }),
    }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> CreateError {
    move |source| CreateError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
