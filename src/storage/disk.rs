use std::collections::{BTreeMap, HashMap};
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use sha1::{Digest, Sha1};

use super::{Job, Storage, StorageError};

/// Bytes that are read back at a time, where a run had to be written before it could be hashed.
const READ_BACK: usize = 256 * 1024;

/// One thread that hashes and writes what has been downloaded of a torrent.
///
/// Runs that come in order are hashed from memory and never read back. When all bytes of a piece have been hashed, the
/// verdict is reported. Dropping it finishes what is queued first.
#[derive(Debug)]
pub(crate) struct Disk {
    /// `None` while it is being dropped.
    orders: Option<Sender<Order>>,
    backlog: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// What became of a piece.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All of the piece is on the disk, and was compared with its hash.
    Checked {
        /// Index of the piece.
        piece: u32,
        /// Whether it is what the torrent says.
        valid: bool,
    },
    /// A part of the piece could not be written. Said once: what else comes of the piece is dropped, until it is
    /// [forgotten](Disk::forget).
    Failed {
        /// Index of the piece.
        piece: u32,
        /// Why.
        error: StorageError,
    },
}

enum Order {
    Write(Job),
    Forget(u32),
}

impl Disk {
    /// Starts the thread. It calls `report` for each verdict; that must not wait for whoever submits jobs.
    pub(crate) fn start(
        storage: Arc<Storage>,
        report: impl Fn(Outcome) + Send + 'static,
    ) -> Result<Self, StorageError> {
        let (sender, receiver) = channel();
        let backlog = Arc::new(AtomicUsize::new(0));
        let path = storage.path().to_owned();
        let worker = Worker {
            storage,
            pieces: HashMap::new(),
            report,
        };
        let thread = thread::Builder::new()
            .name("disk".into())
            .spawn({
                let backlog = Arc::clone(&backlog);
                move || worker.run(&receiver, &backlog)
            })
            .map_err(|error| StorageError::from_io("start a thread for", &path, error))?;
        Ok(Self {
            orders: Some(sender),
            backlog,
            thread: Some(thread),
        })
    }

    /// Queues a run to be hashed and written. Never waits: [`Disk::backlog`] tells when to stop asking for more.
    pub(crate) fn submit(&self, job: Job) {
        self.backlog.fetch_add(job.blocks.len(), Ordering::Relaxed);
        self.order(Order::Write(job));
    }

    /// Starts a piece anew: after it could not be written, or to drop the half of it that is there.
    ///
    /// Runs that are queued already still count for the old piece, so a verdict on that may yet be reported.
    pub(crate) fn forget(&self, piece: u32) {
        self.order(Order::Forget(piece));
    }

    /// Blocks that have been submitted and not yet written.
    pub(crate) fn backlog(&self) -> usize {
        self.backlog.load(Ordering::Relaxed)
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // It can only fail if the thread has panicked, and that has been printed.
            let _ = orders.send(order);
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker<R> {
    storage: Arc<Storage>,
    pieces: HashMap<u32, State>,
    report: R,
}

enum State {
    Hashing(Hashing),
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

impl<R: Fn(Outcome)> Worker<R> {
    fn run(mut self, orders: &Receiver<Order>, backlog: &AtomicUsize) {
        for order in orders {
            match order {
                Order::Forget(piece) => {
                    self.pieces.remove(&piece);
                }
                Order::Write(job) => {
                    let blocks = job.blocks.len();
                    let outcome = self.write(job);
                    backlog.fetch_sub(blocks, Ordering::Relaxed);
                    if let Some(outcome) = outcome {
                        (self.report)(outcome);
                    }
                }
            }
        }
    }

    fn write(&mut self, job: Job) -> Option<Outcome> {
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
    /// Writes a run, hashes as far as possible, and returns how many bytes of the piece have been hashed.
    fn add(&mut self, storage: &Storage, job: Job) -> Result<u32, StorageError> {
        let start = storage.info().geometry().piece_offset(job.piece);
        let length = job.length();
        if job.offset == self.hashed {
            job.data().for_each(|data| self.sha1.update(data));
            self.hashed += length;
        } else {
            self.ahead.insert(job.offset, length);
        }
        let data: Vec<_> = job.data().map(IoSlice::new).collect();
        storage.write(start + u64::from(job.offset), &data)?;
        drop(data);
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

#[cfg(test)]
mod tests;
