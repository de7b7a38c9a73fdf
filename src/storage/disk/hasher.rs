use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use sha1::{Digest, Sha1};

use super::super::{Job, Storage, StorageError};
use super::{Backlog, Order, Outcome};

/// Bytes that are read back at a time, where a run had to be written before it could be hashed.
const READ_BACK: usize = 256 * 1024;

/// Hashes runs that have been written, and judges the pieces that they make up.
pub(super) struct Hasher<R> {
    storage: Arc<Storage>,
    backlog: Backlog,
    pieces: HashMap<u32, State>,
    report: R,
}

enum State {
    Hashing(Hashing),
    /// It could not be read back.
    Failed,
}

/// How far the hash of a piece has come.
#[derive(Default)]
struct Hashing {
    sha1: Sha1,
    /// Bytes from the start of the piece that are in `sha1`.
    hashed: u32,
    /// Runs further on that are on the disk: offset to length.
    ahead: BTreeMap<u32, u32>,
}

impl<R: Fn(Outcome)> Hasher<R> {
    pub(super) fn new(storage: Arc<Storage>, backlog: Backlog, report: R) -> Self {
        Self {
            storage,
            backlog,
            pieces: HashMap::new(),
            report,
        }
    }

    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        for order in orders {
            match order {
                Order::Forget(piece) => {
                    self.pieces.remove(&piece);
                }
                Order::Run(job) => {
                    let blocks = job.blocks.len();
                    let outcome = self.hash(job);
                    self.backlog.remove(blocks);
                    if let Some(outcome) = outcome {
                        (self.report)(outcome);
                    }
                }
            }
        }
    }

    fn hash(&mut self, job: Job) -> Option<Outcome> {
        let piece = job.piece;
        let state = self
            .pieces
            .entry(piece)
            .or_insert_with(|| State::Hashing(Hashing::default()));
        let State::Hashing(hashing) = state else {
            return None;
        };
        match hashing.add(&self.storage, job) {
            Ok(hashed) if hashed < self.storage.info().geometry().piece_length(piece) => None,
            Ok(_) => {
                let found: [u8; 20] = hashing.sha1.finalize_reset().into();
                self.pieces.remove(&piece);
                let valid = self.storage.info().piece_hash(piece) == Some(&found);
                Some(Outcome::Checked { piece, valid })
            }
            Err(error) => {
                *state = State::Failed;
                Some(Outcome::Failed { piece, error })
            }
        }
    }
}

impl Hashing {
    /// Hashes as far as possible, and returns how many bytes of the piece have been hashed.
    fn add(&mut self, storage: &Storage, job: Job) -> Result<u32, StorageError> {
        let start = storage.info().geometry().piece_offset(job.piece);
        let length = job.length();
        if job.offset == self.hashed {
            job.data().for_each(|data| self.sha1.update(data));
            self.hashed += length;
        } else {
            self.ahead.insert(job.offset, length);
        }
        // The buffers are needed elsewhere, and reading back may take a while.
        drop(job);
        while let Some(length) = self.ahead.remove(&self.hashed) {
            self.read_back(storage, start + u64::from(self.hashed), length)?;
            self.hashed += length;
        }
        Ok(self.hashed)
    }

    fn read_back(
        &mut self,
        storage: &Storage,
        mut offset: u64,
        length: u32,
    ) -> Result<(), StorageError> {
        let mut left = length as usize;
        let mut buffer = vec![0; left.min(READ_BACK)];
        while left > 0 {
            let count = left.min(buffer.len());
            let (run, _) = buffer.split_at_mut(count);
            storage.read(offset, run)?;
            self.sha1.update(run);
            offset += count as u64;
            left -= count;
        }
        Ok(())
    }
}
