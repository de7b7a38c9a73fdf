//! Checking what is there, and remembering what came of it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{MutexGuard, PoisonError};
use std::time::SystemTime;

use wire::Bitfield;

use super::pieces::hash_some;
use super::record::{FileRecord, Look, Record};
use super::{Storage, StorageError};
use crate::platform::{self, FileStamp};

/// What the disk has.
#[derive(Debug)]
pub(crate) struct Found {
    /// The pieces that are right.
    pub(crate) have: Bitfield,
    /// Of them, those that were not read, since they are recorded and their files look as they did.
    pub(crate) known: u32,
}

/// A record of now.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) record: Record,
    /// A later one may know more, though nothing more is written.
    pub(crate) pending: bool,
}

impl Storage {
    /// Hashes what is there, on `threads` threads, and says which pieces are right.
    ///
    /// Pieces that are right in `record` and all of whose files still look so are not read; those of the part file always are, since they move. A file that is missing or short is simply not there, and holes cost
    /// nothing. `progress` hears how many pieces are settled, from any of the threads; setting `cancel` ends it with
    /// [`StorageError::Interrupted`].
    pub(crate) fn check(
        &self,
        record: Option<&Record>,
        threads: usize,
        progress: &(dyn Fn(u32) + Sync),
        cancel: &AtomicBool,
    ) -> Result<Found, StorageError> {
        self.files.find_part_file()?;
        let geometry = self.info.geometry();
        let record = record.filter(|record| record.have.len() == geometry.pieces());
        let unchanged = self.first_look(record);
        let mut have = Bitfield::new(geometry.pieces());
        let mut unknown = Vec::new();
        for piece in 0..geometry.pieces() {
            let start = geometry.piece_offset(piece);
            let mut files = self
                .files
                .touched(start, geometry.piece_length(piece).into());
            if record.is_some_and(|record| record.have.get(piece))
                && files.all(|file| unchanged.get(file) == Some(&true))
            {
                have.set(piece);
            } else {
                unknown.push(piece);
            }
        }
        let known = geometry.pieces() - unknown.len() as u32;
        let settled = AtomicU32::new(known);
        let valid = hash_some(&self.files, geometry, &unknown, threads, |piece, hash| {
            if cancel.load(Ordering::Relaxed) {
                return Err(StorageError::Interrupted);
            }
            let valid = match hash {
                Err(error) if error.is_absent() => false,
                hash => self.info.piece_hash(piece) == Some(&hash?),
            };
            progress(settled.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(valid)
        })?;
        for (&piece, _) in unknown.iter().zip(valid).filter(|(_, valid)| *valid) {
            have.set(piece);
        }
        Ok(Found { have, known })
    }

    /// What to remember of the files, `have` being the pieces that are known to be right: those that lie on the disk, not those on their way.
    ///
    /// A file that somebody else has changed since it was looked at is not in it.
    pub(crate) fn record(&self, have: Bitfield) -> Recorded {
        let boot = platform::boot_id();
        let mut files = Vec::new();
        let mut pending = false;
        for (index, entry) in self.files.on_disk() {
            let Some(mut look) = self.look_again(index, || self.files.stamp(index, entry)) else {
                continue;
            };
            let is_worth_a_sync = look.is_worth_a_sync(SystemTime::now(), boot.is_some());
            if is_worth_a_sync && self.files.sync(index, entry) {
                let _turn = self.turn();
                if self.look_of(index) == Some(look) {
                    self.set_look(index, look.synced());
                }
                look = look.synced();
            }
            pending |= look.is_pending();
            if let Look::Settled { stamp, durable } = look {
                files.push(FileRecord {
                    index: index as u32,
                    stamp,
                    durable,
                });
            }
        }
        Recorded {
            record: Record {
                have,
                boot: boot.filter(|_| files.iter().any(|file| !file.durable)),
                files,
            },
            pending,
        }
    }

    /// Has a range written to, and looks at its files before and after: whatever others do to them in between shows.
    pub(super) fn watched<T>(&self, offset: u64, length: u64, write: impl FnOnce() -> T) -> T {
        let turn = self.turn();
        for index in self.files.touched(offset, length) {
            if let (Some(look), false) = (self.look_of(index), self.files.is_written(index)) {
                let stamp = self.files.writer_stamp(index);
                self.set_look(index, look.before_writing(stamp));
                self.files.note_written(index);
            }
        }
        let done = write();
        for index in self.files.touched(offset, length) {
            self.look_in_turn(&turn, index, || self.files.writer_stamp(index));
        }
        done
    }

    /// Whoever holds it knows that nothing is written by us.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a file, if it was written to since the last time or that was too early to tell.
    pub(super) fn look_again(
        &self,
        index: usize,
        stamp: impl FnOnce() -> Option<FileStamp>,
    ) -> Option<Look> {
        self.look_in_turn(&self.turn(), index, stamp)
    }

    fn look_in_turn(
        &self,
        _turn: &MutexGuard<'_, ()>,
        index: usize,
        stamp: impl FnOnce() -> Option<FileStamp>,
    ) -> Option<Look> {
        let before = self.look_of(index)?;
        let written = self.files.take_written(index);
        let look = before.again(written, SystemTime::now(), stamp);
        self.set_look(index, look);
        Some(look)
    }

    pub(super) fn look_of(&self, index: usize) -> Option<Look> {
        self.looks().get(index).copied()
    }

    /// Looks at the files of content that was hashed a moment ago, so that whatever happens to them later shows.
    pub(crate) fn look(&self) {
        self.first_look(None);
    }

    /// Looks at all files before a byte of them is read. Says which are as recorded; padding, which is nowhere, always is.
    fn first_look(&self, record: Option<&Record>) -> Vec<bool> {
        let boot = platform::boot_id();
        let mut looks = vec![Look::Unknown; self.files.count()];
        let mut unchanged = vec![true; looks.len()];
        for (index, entry) in self.files.on_disk() {
            self.files.take_written(index);
            let now = SystemTime::now();
            let stamp = self.files.stamp(index, entry);
            let recorded = record.and_then(|record| record.file(index, boot.as_deref()));
            let same = recorded.filter(|recorded| Some(recorded.stamp) == stamp);
            let look = match (same, stamp) {
                (Some(recorded), _) => Look::Settled {
                    stamp: recorded.stamp,
                    durable: recorded.durable,
                },
                (None, Some(stamp)) => Look::at(stamp, now),
                (None, None) => Look::Unknown,
            };
            if let (Some(known), Some(unchanged)) = (looks.get_mut(index), unchanged.get_mut(index))
            {
                *known = look;
                *unchanged = same.is_some();
            }
        }
        *self.looks() = looks;
        unchanged
    }

    fn set_look(&self, index: usize, look: Look) {
        if let Some(known) = self.looks().get_mut(index) {
            *known = look;
        }
    }

    fn looks(&self) -> MutexGuard<'_, Vec<Look>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
