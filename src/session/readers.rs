//! Those who read files of a torrent while it is fetched: what they wait for goes first.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use wire::{Bitfield, FileSet, Input};

use super::Session;
use crate::Error;
use crate::storage::Storage;

/// Pieces that are urgent at a time, of all readers.
const MAX_URGENT: usize = 64;

/// What each reader needs next.
type Windows = BTreeMap<u64, Range<u32>>;

/// Whoever wants to read a file, and where he waits for it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) file: usize,
    pub(crate) reply: oneshot::Sender<Result<Access, Error>>,
}

/// What a reader reaches of a torrent.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) storage: Arc<Storage>,
    /// The pieces that are there. Ends with the torrent.
    pub(crate) have: watch::Receiver<Bitfield>,
    pub(crate) attention: Attention,
}

/// A reader's word on what it needs next. Gone with it.
#[derive(Debug)]
pub(crate) struct Attention {
    reader: u64,
    windows: watch::Sender<Windows>,
}

impl Attention {
    /// These pieces are needed, the first one first.
    pub(crate) fn turn_to(&self, pieces: Range<u32>) {
        self.windows.send_if_modified(|windows| {
            let before = windows.insert(self.reader, pieces.clone());
            before != Some(pieces)
        });
    }
}

impl Drop for Attention {
    fn drop(&mut self) {
        self.windows
            .send_if_modified(|windows| windows.remove(&self.reader).is_some());
    }
}

#[derive(Debug)]
pub(super) struct Readers {
    windows: watch::Receiver<Windows>,
    turn: watch::Sender<Windows>,
    /// Once there was a reader.
    have: Option<watch::Sender<Bitfield>>,
    /// Before the disk was checked.
    waiting: Vec<Request>,
    named: u64,
}

impl Readers {
    pub(super) fn new() -> Self {
        let (turn, windows) = watch::channel(Windows::new());
        Readers {
            windows,
            turn,
            have: None,
            waiting: Vec::new(),
            named: 0,
        }
    }

    /// Waits until somebody needs something else than before. Can be dropped and called again.
    pub(super) async fn turned(&mut self) {
        // There is always a sender: our own.
        let _ = self.windows.changed().await;
    }

    /// This piece is there.
    pub(super) fn completed(&self, piece: u32) {
        if let Some(have) = &self.have {
            have.send_modify(|have| {
                have.set(piece);
            });
        }
    }

    /// This piece is not there any more, and is fetched again: whoever needs it waits for it.
    pub(super) fn lost(&self, piece: u32) {
        if let Some(have) = &self.have {
            have.send_modify(|have| {
                have.clear(piece);
            });
        }
    }

    fn admit(&mut self, storage: &Arc<Storage>, have: &Bitfield) -> Access {
        let have = self
            .have
            .get_or_insert_with(|| watch::Sender::new(have.clone()));
        self.named += 1;
        Access {
            storage: Arc::clone(storage),
            have: have.subscribe(),
            attention: Attention {
                reader: self.named,
                windows: self.turn.clone(),
            },
        }
    }

    /// What is needed and not there: of each reader the first piece, of each the second, and so on.
    fn urgent(&self, have: &Bitfield) -> Vec<u32> {
        let windows = self.windows.borrow();
        let mut missing: Vec<_> = windows
            .values()
            .map(|window| window.clone().filter(|&piece| !have.get(piece)))
            .collect();
        let mut urgent = Vec::new();
        while urgent.len() < MAX_URGENT {
            let round: Vec<u32> = missing.iter_mut().filter_map(Iterator::next).collect();
            if round.is_empty() {
                break;
            }
            for piece in round {
                if !urgent.contains(&piece) {
                    urgent.push(piece);
                }
            }
        }
        urgent.truncate(MAX_URGENT);
        urgent
    }
}

impl Session {
    /// Somebody wants to read a file. It is fetched from now on, if it was not wanted.
    pub(super) fn read(&mut self, request: Request) {
        let (Some(storage), Some(have)) = (self.content.get(), self.engine.have()) else {
            self.readers.waiting.push(request);
            return;
        };
        let files = storage.info().files();
        let is_there = files.get(request.file).is_some_and(|file| !file.padding);
        let _ = if is_there {
            request.reply.send(Ok(self.readers.admit(storage, have)))
        } else {
            request.reply.send(Err(Error::NothingWanted {
                name: storage.info().name().to_owned(),
                files: files.len(),
            }))
        };
        if is_there && self.opening.begin.is_download() {
            self.choose_more(&FileSet::from_iter([request.file as u32]));
        }
    }

    /// The disk was checked: whoever waited for that may read.
    pub(super) fn admit_readers(&mut self) {
        for request in std::mem::take(&mut self.readers.waiting) {
            self.read(request);
        }
    }

    /// Has what the readers need fetched first.
    pub(super) fn hurry(&mut self) {
        if let Some(have) = self.engine.have() {
            let urgent = self.readers.urgent(have);
            self.handle(Input::Urgent(&urgent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_take_turns_and_what_is_there_is_not_urgent() {
        let readers = Readers::new();
        let attention = |reader| Attention {
            reader,
            windows: readers.turn.clone(),
        };
        let (one, other) = (attention(1), attention(2));
        one.turn_to(3..7);
        other.turn_to(90..95);
        let mut have = Bitfield::new(100);
        have.set(4);
        assert_eq!(readers.urgent(&have), [3, 90, 5, 91, 6, 92, 93, 94]);
        other.turn_to(0..100);
        assert_eq!(readers.urgent(&have).len(), MAX_URGENT);
        drop(other);
        assert_eq!(readers.urgent(&have), [3, 5, 6]);
    }
}
