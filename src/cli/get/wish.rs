//! What is to be done with a torrent once it is known what is in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use trackless::{Selection, Source};
use wire::{File, FileSet, Info};

use super::super::failure::Failure;
use super::super::interrupt::Interrupt;
use super::super::output::{Output, printable};
use super::super::units;
use super::choice::Choice;
use super::{ask, listing};

/// The word that has the user asked.
const ASK: &str = "ask";

/// What is asked for on the command line.
#[derive(Debug, Args)]
pub(super) struct WishArguments {
    /// Show the files and their numbers, and fetch nothing. Of a torrent that is not at hand the metadata are fetched for it.
    #[arg(long)]
    list: bool,
    /// Fetch these files only: numbers as --list shows them, names of files or directories, paths, patterns; or `ask`, to be asked.
    #[arg(
        long,
        value_name = "1-5,8|NAME|ask",
        value_delimiter = ',',
        allow_negative_numbers = true,
        conflicts_with = "list"
    )]
    select: Vec<String>,
}

/// Which files of a torrent are wanted.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    All,
    /// Those that a link names.
    Linked(FileSet),
    Chosen(Choice),
    /// The user is shown what there is, and asked.
    Asked,
    /// The user wants to know what there is, and nothing else.
    List(Option<FileSet>),
}

impl WishArguments {
    pub(super) fn read(&self) -> Result<Wish, Failure> {
        match self.select.as_slice() {
            _ if self.list => Ok(Wish::List(None)),
            [] => Ok(Wish::All),
            [word] if word == ASK => ask::needs_somebody().map(|()| Wish::Asked),
            parts => Choice::read(parts.iter().map(String::as_str)).map(Wish::Chosen),
        }
    }
}

impl Wish {
    /// The same with what a link says where nothing else does. BEP 53.
    pub(super) fn or_linked(self, source: &Source) -> Self {
        let Source::Magnet(magnet) = source else {
            return self;
        };
        match (self, magnet.files.clone()) {
            (Wish::All, Some(files)) => Wish::Linked(files),
            (Wish::List(_), files) => Wish::List(files),
            (wish, _) => wish,
        }
    }

    /// What the library has to know before there are metadata.
    pub(super) fn selection(&self) -> Selection {
        match self {
            Wish::All => Selection::Only(FileSet::all()),
            _ => Selection::Later,
        }
    }

    /// Which files are wanted of this torrent; none if it was only to be listed, which is done.
    pub(super) async fn of(
        &self,
        info: &Arc<Info>,
        output: &Output,
        interrupt: &mut Interrupt,
    ) -> Result<Option<Wanted>, Failure> {
        let files = match self {
            Wish::All => FileSet::all(),
            Wish::Linked(files) => files.clone(),
            Wish::Chosen(choice) => choice.of(info)?,
            Wish::Asked => ask::ask(info, output, interrupt).await?,
            Wish::List(linked) => {
                listing::show(info, linked.as_ref(), output);
                return Ok(None);
            }
        };
        let info = Arc::clone(info);
        Ok(Some(Wanted { info, files }))
    }
}

/// Some files of a torrent.
#[derive(Debug)]
pub(super) struct Wanted {
    info: Arc<Info>,
    pub(super) files: FileSet,
}

impl Wanted {
    /// The place in the torrent of the only one that is wanted.
    pub(super) fn only(&self) -> Result<usize, Failure> {
        let mut chosen = self.chosen();
        match (chosen.next(), chosen.next()) {
            (Some((index, _)), None) => Ok(index),
            _ => Err(Failure::Usage(format!(
                "-o - writes one file, and {} were chosen of {}; name one with --select, as --list shows it",
                units::count(self.chosen().count(), "file"),
                printable(self.info.name())
            ))),
        }
    }

    /// The largest of them, by its place in the torrent: the film, not its subtitles. And where it is, below the directory of the download.
    pub(super) fn largest(&self, directory: &Path) -> Option<(usize, PathBuf)> {
        let (index, file) = self.chosen().max_by_key(|(_, file)| file.length)?;
        let mut path = directory.join(self.info.name());
        path.extend(file.components());
        Some((index, path))
    }

    fn chosen(&self) -> impl Iterator<Item = (usize, &File)> {
        let files = self.info.files().iter().enumerate();
        files.filter(|(index, file)| !file.padding && self.files.contains(*index))
    }

    /// Where they are, if they are not all of them. `content` is where the torrent is.
    pub(super) fn paths(&self, content: &Path) -> Option<Vec<PathBuf>> {
        let all = self.info.files().iter().filter(|file| !file.padding);
        if self.info.is_single_file() || self.chosen().count() == all.count() {
            return None;
        }
        let paths = self.chosen().map(|(_, file)| {
            let mut path = content.to_owned();
            path.extend(file.components());
            path
        });
        Some(paths.collect())
    }
}
