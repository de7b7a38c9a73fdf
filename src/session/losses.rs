//! Pieces that were there and cannot be served any more, until they are right again.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
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
    /// What the user has heard. Each file is told of once, however many peers ask for it.
    told: HashSet<String>,
    /// Pieces that are fetched again: once. Whoever keeps changing a file shall not have it fetched for ever.
    fetched_again: BTreeSet<u32>,
    /// Pieces that are not.
    gone: BTreeSet<u32>,
    looking: Option<oneshot::Receiver<Look>>,
    /// Where the next look goes on, and when.
    next: u32,
    due: Instant,
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
            told: HashSet::new(),
            fetched_again: BTreeSet::new(),
            gone: BTreeSet::new(),
            looking: None,
            next: 0,
            due: Instant::now(),
        }
    }

    fn tell(&mut self, error: &StorageError) -> Option<Event> {
        let reason = error.to_string();
        self.told
            .insert(reason.clone())
            .then_some(Event::Unservable { reason })
    }

    /// Pieces that are not there, and that nobody fetches again.
    pub(super) fn gone(&self) -> Vec<u32> {
        self.gone.iter().copied().collect()
    }

    /// What nobody shall fetch again is wanted by nobody.
    pub(super) fn leave_out(&self, priorities: &mut [Priority]) {
        for &piece in &self.gone {
            if let Some(priority) = priorities.get_mut(piece as usize) {
                *priority = Priority::Skip;
            }
        }
    }

    /// To be called now and then. Returns pieces that are right again.
    fn look(&mut self, content: &Arc<Storage>) -> Vec<u32> {
        if let Some(looking) = &mut self.looking {
            let Ok(look) = looking.try_recv() else {
                return Vec::new();
            };
            self.looking = None;
            self.next = look.next;
            for piece in &look.right {
                self.gone.remove(piece);
            }
            // What comes back comes together, as a rule.
            let pause = if look.right.is_empty() || self.gone.is_empty() {
                INTERVAL.max(look.took * SHARE)
            } else {
                look.took
            };
            self.due = Instant::now() + pause;
            return look.right;
        }
        if !self.gone.is_empty() && Instant::now() >= self.due {
            let (before, after) = (self.gone.range(..self.next), self.gone.range(self.next..));
            let pieces: Vec<_> = after.chain(before).copied().collect();
            let content = Arc::clone(content);
            let (report, looking) = oneshot::channel();
            self.looking = Some(looking);
            spawn_blocking(move || {
                let _ = report.send(look(&content, &pieces));
            });
        }
        Vec::new()
    }
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
                && !matches!(error, StorageError::Missing { .. })
                && self.losses.fetched_again.insert(piece);
            if !fetch_again {
                self.losses.gone.insert(piece);
                if let Some(event) = self.losses.tell(error) {
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
        let found = self.losses.look(content);
        if found.is_empty() {
            return;
        }
        tracing::debug!(?found, "pieces that were lost are right again");
        for piece in found {
            self.handle(Input::PieceFound { piece });
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

    #[test]
    fn each_file_is_told_of_once() {
        let missing = |path: &str| StorageError::Missing { path: path.into() };
        let mut losses = Losses::new();
        assert!(losses.tell(&missing("one")).is_some());
        assert!(losses.tell(&missing("one")).is_none());
        assert!(losses.tell(&missing("other")).is_some());
    }
}
