//! What is to be done with a torrent once it is known what is in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use trackless::{Selection, Source};
use wire::{FileSet, Info};

use super::super::failure::Failure;
use super::super::interrupt::Interrupt;
use super::super::output::Output;
use super::choice::Choice;
use super::{ask, listing};

/// The word that has the user asked.
const ASK: &str = "ask";

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

impl Wish {
    /// What `--list` and `--select` say.
    pub(super) fn new(list: bool, select: &[String]) -> Result<Self, Failure> {
        match select {
            _ if list => Ok(Wish::List(None)),
            [] => Ok(Wish::All),
            [word] if word == ASK => ask::needs_somebody().map(|()| Wish::Asked),
            parts => Choice::read(parts.iter().map(String::as_str)).map(Wish::Chosen),
        }
    }

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
    /// Where they are, if they are not all of them. `content` is where the torrent is.
    pub(super) fn paths(&self, content: &Path) -> Option<Vec<PathBuf>> {
        let files = self.info.files().iter().enumerate();
        let files = files.filter(|(_, file)| !file.padding);
        let chosen = files
            .clone()
            .filter(|&(index, _)| self.files.contains(index));
        if self.info.is_single_file() || chosen.clone().count() == files.count() {
            return None;
        }
        let paths = chosen.map(|(_, file)| {
            let mut path = content.to_owned();
            path.extend(file.components());
            path
        });
        Some(paths.collect())
    }
}
