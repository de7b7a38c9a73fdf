//! Pieces that were there and cannot be served any more, until they are right again.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use wire::{Bitfield, Block, Input, Link, Priority};

use super::Session;
use crate::event::Event;
use crate::storage::{Storage, StorageError};

/// How often it is looked whether what was lost is back, and the part of the time that this may take while it is not.
const INTERVAL: Duration = Duration::from_secs(1);
const SHARE: u32 = 50;
/// How long one look takes, if not a single piece takes longer.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Losses {
    /// Pieces that are fetched again: once. Whoever keeps changing a file shall not have it fetched for ever.
    fetched_again: BTreeSet<u32>,
    /// Pieces that are not, and the file to blame.
    gone: BTreeMap<u32, Arc<Path>>,
    damage: BTreeMap<Arc<Path>, Damage>,
    looking: Option<oneshot::Receiver<Look>>,
    /// Where the next look goes on, and when.
    next: u32,
    due: Instant,
}

/// What is wrong with a file.
#[derive(Debug, Default)]
struct Damage {
    /// How many pieces are gone because of it.
    pieces: u32,
    /// What the user has heard. Each reason is told once, however many peers ask for the file, until it is served again.
    told: BTreeSet<String>,
}

/// What is right again.
#[derive(Debug, Default)]
struct Found {
    pieces: Vec<u32>,
    /// Files of which all is served again that was not.
    files: Vec<Arc<Path>>,
}

/// What one look has come to.
#[derive(Debug)]
struct Look {
    right: Vec<u32>,
    /// The first piece that was not looked at.
    next: u32,
    took: Duration,
}

impl Losses {
    pub(super) fn new() -> Self {
        Losses {
            fetched_again: BTreeSet::new(),
            gone: BTreeMap::new(),
            damage: BTreeMap::new(),
            looking: None,
            next: 0,
            due: Instant::now(),
        }
    }

    /// A piece is gone. Returns what the user has not heard of it. `directory` is where the content can be fetched into.
    fn lose(
        &mut self,
        piece: u32,
        error: &StorageError,
        directory: Option<&Path>,
    ) -> Option<Event> {
        let file: Arc<Path> = error.path().unwrap_or(Path::new("")).into();
        self.find(piece);
        self.gone.insert(piece, Arc::clone(&file));
        let damage = self.damage.entry(file).or_default();
        damage.pieces += 1;
        let into = directory
            .filter(|_| error.is_loss())
            .map(|directory| format!(" with `trackless get` into {}", directory.display()));
        let reason = format!("{error}{}", into.unwrap_or_default());
        damage
            .told
            .insert(reason.clone())
            .then_some(Event::Unservable { reason })
    }

    /// Pieces that are not there, and that nobody fetches again.
    pub(super) fn gone(&self) -> Vec<u32> {
        self.gone.keys().copied().collect()
    }

    /// A piece is right again. Returns the file that was to blame, if it was the last of it.
    fn find(&mut self, piece: u32) -> Option<Arc<Path>> {
        let file = self.gone.remove(&piece)?;
        let damage = self.damage.get_mut(&file)?;
        damage.pieces -= 1;
        (damage.pieces == 0).then(|| {
            self.damage.remove(&file);
            file
        })
    }

    /// What nobody shall fetch again is wanted by nobody.
    pub(super) fn leave_out(&self, priorities: &mut [Priority]) {
        for &piece in self.gone.keys() {
            if let Some(priority) = priorities.get_mut(piece as usize) {
                *priority = Priority::Skip;
            }
        }
    }

    /// What a look has found, once it is over.
    fn found(&mut self) -> Found {
        let Some(looking) = &mut self.looking else {
            return Found::default();
        };
        let look = match looking.try_recv() {
            Ok(look) => look,
            Err(TryRecvError::Empty) => return Found::default(),
            // It has panicked, which is said. The next one may fare better, and is in no hurry.
            Err(TryRecvError::Closed) => Look {
                right: Vec::new(),
                next: self.next,
                took: LONGEST_LOOK,
            },
        };
        self.looking = None;
        self.next = look.next;
        let files = look.right.iter().filter_map(|&piece| self.find(piece));
        let files = files.collect();
        // What comes back comes together, as a rule.
        let pause = if look.right.is_empty() || self.gone.is_empty() {
            INTERVAL.max(look.took * SHARE)
        } else {
            look.took
        };
        self.due = Instant::now() + pause;
        Found {
            pieces: look.right,
            files,
        }
    }

    /// To be called now and then: begins to look, if it is time.
    fn look(&mut self, content: &Arc<Storage>) {
        if self.looking.is_some() || self.gone.is_empty() || Instant::now() < self.due {
            return;
        }
        let (before, after) = (self.gone.range(..self.next), self.gone.range(self.next..));
        let pieces: Vec<_> = after.chain(before).map(|(&piece, _)| piece).collect();
        let content = Arc::clone(content);
        let (report, looking) = oneshot::channel();
        self.looking = Some(looking);
        spawn_blocking(move || {
            let _ = report.send(look(&content, &pieces));
        });
    }
}

/// The directory into which content is to be fetched so that it comes to where it is: that above it. None if it is not called like the torrent, which is always
/// fetched under its own name.
pub(super) fn directory_to_fetch_into(content: &Path, name: &str) -> Option<PathBuf> {
    let is_called_so = content.file_name() == Some(OsStr::new(name));
    let above = content.parent().filter(|_| is_called_so)?;
    let is_here = above.as_os_str().is_empty();
    Some(if is_here { Path::new(".") } else { above }.to_owned())
}

fn look(content: &Storage, pieces: &[u32]) -> Look {
    let start = Instant::now();
    let mut right = Vec::new();
    let mut next = 0;
    for &piece in pieces {
        if content.serves(piece) {
            right.push(piece);
        }
        next = piece + 1;
        if start.elapsed() >= LONGEST_LOOK {
            break;
        }
    }
    Look {
        right,
        next,
        took: start.elapsed(),
    }
}

impl Session {
    /// A block that a peer asked for cannot be read, or is not what it was. Whoever only serves writes nothing, so its piece is gone; a download fetches it once
    /// more, unless there is no file to write it to.
    pub(super) fn lose(&mut self, link: Link, block: Block, error: &StorageError) {
        let piece = block.piece;
        if self.engine.have().is_some_and(|have| have.get(piece)) {
            tracing::debug!(piece, %error, "a piece is lost");
            let fetch_again = self.opening.begin.is_download()
                && !self.is_done()
                && self
                    .content
                    .get()
                    .is_some_and(|content| content.wants(piece))
                && !matches!(error, StorageError::Missing { .. })
                && self.losses.fetched_again.insert(piece);
            if !fetch_again {
                let directory = self.content.get().and_then(|content| {
                    directory_to_fetch_into(content.path(), content.info().name())
                });
                if let Some(event) = self.losses.lose(piece, error, directory.as_deref()) {
                    self.standing.tell(event);
                }
            }
            self.handle(Input::PieceLost { piece, fetch_again });
            if fetch_again {
                self.readers.lost(piece);
                self.hurry();
            }
            if let Some(discovery) = &mut self.discovery {
                discovery.lacks_some();
            }
        }
        self.handle(Input::UploadFailed { link, block });
    }

    /// Sees now and then whether something that was lost is back.
    pub(super) fn look_for_lost(&mut self) {
        let Some(content) = self.content.get() else {
            return;
        };
        let found = self.losses.found();
        self.losses.look(content);
        if found.pieces.is_empty() {
            return;
        }
        tracing::debug!(?found, "pieces that were lost are right again");
        for piece in found.pieces {
            self.handle(Input::PieceFound { piece });
        }
        for file in found.files {
            let path = file.to_path_buf();
            self.standing.tell(Event::ServedAgain { path });
        }
        // They are wanted as before.
        self.prioritise();
        if self.engine.have().is_some_and(Bitfield::is_full) {
            self.has_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn missing(path: &str) -> StorageError {
        StorageError::Missing { path: path.into() }
    }

    #[test]
    fn each_file_is_told_of_once() {
        let mut losses = Losses::new();
        assert!(losses.lose(1, &missing("one"), None).is_some());
        assert!(losses.lose(2, &missing("one"), None).is_none());
        assert!(losses.lose(3, &missing("other"), None).is_some());
    }

    #[test]
    fn a_file_is_whole_with_its_last_piece_and_told_of_again_after_that() {
        let mut losses = Losses::new();
        for (piece, file) in [(1, "one"), (2, "one"), (3, "other")] {
            losses.lose(piece, &missing(file), None);
        }
        assert_eq!(losses.find(1), None);
        assert!(losses.lose(1, &missing("one"), None).is_none());
        assert_eq!(losses.find(1), None);
        assert_eq!(losses.find(2).as_deref(), Some(Path::new("one")));
        assert!(losses.lose(1, &missing("one"), None).is_some());
        assert!(losses.lose(4, &missing("other"), None).is_none());
    }

    #[test]
    fn a_look_that_panics_is_not_the_last_one() {
        let mut losses = Losses::new();
        losses.lose(1, &missing("one"), None);
        let (report, looking) = oneshot::channel();
        losses.looking = Some(looking);
        drop(report);
        assert!(losses.found().pieces.is_empty());
        assert!(losses.looking.is_none());
    }

    #[test]
    fn get_is_named_where_it_would_put_back_what_is_lost_and_nowhere_else() {
        let of = |content: &str| directory_to_fetch_into(Path::new(content), "film");
        assert_eq!(of("share/film"), Some("share".into()));
        assert_eq!(of("film"), Some(".".into()));
        assert_eq!(of("share/renamed"), None);
        assert_eq!(of("."), None);

        let told = |content: &str| {
            let path = PathBuf::from(content);
            let directory = of(content);
            let lost = StorageError::Missing { path: path.clone() };
            let lost = match Losses::new().lose(1, &lost, directory.as_deref()) {
                Some(Event::Unservable { reason }) => reason,
                event => panic!("{event:?}"),
            };
            let incomplete = Error::Incomplete {
                path,
                directory,
                have: 1,
                pieces: 2,
            };
            [lost, incomplete.to_string()]
        };
        for sentence in told("share/film") {
            assert!(
                sentence.ends_with("`trackless get` into share"),
                "{sentence}"
            );
        }
        for sentence in told("share/renamed") {
            assert!(
                sentence.contains("put ") && !sentence.contains("trackless get"),
                "{sentence}"
            );
        }
    }
}
