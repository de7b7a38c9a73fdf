//! Which files are wanted, at first and when that changes.

use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};
use wire::{Bitfield, FileSet, Info, Input, Priority, piece_priorities};

use super::Session;
use super::checking::Checking;
use super::ownership::keep_begun;
use crate::Error;
use crate::event::Event;
use crate::storage::{Kept, Storage, StorageError};

/// What the user has chosen.
#[derive(Debug)]
pub(super) struct Choice {
    /// Nothing before he has said it.
    wanted: Option<FileSet>,
    /// While the disk gets ready for another choice than before.
    moving: Option<JoinHandle<Result<Vec<Kept>, StorageError>>>,
}

impl Choice {
    pub(super) fn new(wanted: Option<FileSet>) -> Self {
        Choice {
            wanted,
            moving: None,
        }
    }

    /// Waits until the disk is ready for what was chosen. Can be dropped and called again.
    pub(super) async fn ready(&mut self) -> Result<Vec<Kept>, StorageError> {
        let Some(moving) = &mut self.moving else {
            return std::future::pending().await;
        };
        let result = moving.await.unwrap_or(Err(StorageError::Interrupted));
        self.moving = None;
        result
    }

    fn of(&self, storage: &Storage) -> bool {
        self.wanted
            .as_ref()
            .is_none_or(|wanted| *wanted == storage.wanted())
    }
}

impl Session {
    /// The metadata are there, and it is waited for a word on what of it is wanted.
    pub(super) fn is_undecided(&self) -> bool {
        self.choice.wanted.is_none() && self.engine.info().is_some()
    }

    /// The user says which files he wants.
    pub(super) fn choose(&mut self, files: FileSet) -> Result<(), Error> {
        let was_undecided = self.is_undecided();
        self.choice.wanted = Some(files);
        match self.engine.info() {
            Some(info) if was_undecided => {
                let info = Arc::clone(info);
                self.fetch(info)
            }
            _ => {
                self.choose_anew();
                Ok(())
            }
        }
    }

    /// These files are wanted, too.
    pub(super) fn choose_more(&mut self, files: &FileSet) {
        if let Some(wanted) = &mut self.choice.wanted {
            wanted.extend(files);
            self.choose_anew();
        }
    }

    /// It is known what is wanted, and of what: what does the disk have of it?
    pub(super) fn fetch(&mut self, info: Arc<Info>) -> Result<(), Error> {
        let Some(wanted) = self.choice.wanted.clone() else {
            return Ok(());
        };
        some_of(&info, &wanted)?;
        self.announce();
        self.standing.moved();
        let directory = self.opening.directory.clone();
        let open_files = self.opening.open_files.clone();
        let open = move || {
            let storage = Storage::open(info, &directory).sharing(&open_files);
            storage.select(wanted);
            storage
        };
        self.checking = Some(Checking::of_download(open, self.opening.state.clone()));
        Ok(())
    }

    /// Gets the disk ready, if something else is wanted than what it is ready for.
    pub(super) fn choose_anew(&mut self) {
        let Some(storage) = self.content.get() else {
            return;
        };
        if self.choice.moving.is_some() || self.choice.of(storage) {
            return;
        }
        let (storage, wanted) = (Arc::clone(storage), self.choice.wanted.clone());
        let have = self.engine.have().cloned();
        let have = have.unwrap_or_else(|| Bitfield::new(0));
        let state = self.opening.state.clone();
        self.choice.moving = Some(spawn_blocking(move || {
            storage.select(wanted.unwrap_or_default());
            let kept = storage.prepare(&have)?;
            keep_begun(state.as_deref(), &storage, &storage.begun(&have));
            Ok(kept)
        }));
    }

    /// The disk is ready for what was chosen.
    pub(super) fn chosen(&mut self, kept: Vec<Kept>) {
        self.tell_kept(kept);
        self.standing.moved();
        let was_done = self.is_done();
        self.prioritise();
        if was_done && self.is_done() {
            // To the engine that is no news; to whoever chose it is.
            self.finish();
        }
        self.choose_anew();
    }

    /// The user hears what has become of his files.
    pub(super) fn tell_kept(&mut self, kept: Vec<Kept>) {
        for kept in kept {
            self.standing.tell(match kept {
                Kept::Renamed { from, to } => Event::SetAside { from, to },
                Kept::Copied { from, to } => Event::Copied { from, to },
            });
        }
    }

    /// Nothing that is wanted is missing.
    pub(super) fn is_done(&self) -> bool {
        self.engine.progress(self.epoch.elapsed()).bytes_missing == 0
    }

    /// Tells the engine which pieces are wanted.
    pub(super) fn prioritise(&mut self) {
        let Some(storage) = self.content.get() else {
            return;
        };
        let wanted = storage.wanted();
        let mut priorities = piece_priorities(storage.info(), |file| {
            if wanted.contains(file) {
                Priority::Normal
            } else {
                Priority::Skip
            }
        });
        self.losses.leave_out(&mut priorities);
        self.handle(Input::Prioritize(&priorities));
    }
}

/// Refuses to fetch nothing.
pub(crate) fn some_of(info: &Info, wanted: &FileSet) -> Result<(), Error> {
    let mut files = info.files().iter().enumerate();
    if files.any(|(index, file)| !file.padding && wanted.contains(index)) {
        return Ok(());
    }
    Err(Error::NothingWanted {
        name: info.name().to_owned(),
        files: info.files().len(),
    })
}
