use std::collections::HashSet;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use super::super::{Job, Storage, StorageError};
use super::{Backlog, Order, Outcome};

/// Writes runs as they come, and hands them on to those who hash.
pub(super) struct Writer<R> {
    storage: Arc<Storage>,
    backlog: Backlog,
    /// Each piece has one of them.
    hashers: Vec<Sender<Order>>,
    /// Pieces of which something could not be written.
    failed: HashSet<u32>,
    report: R,
}

impl<R: Fn(Outcome)> Writer<R> {
    pub(super) fn new(
        storage: Arc<Storage>,
        backlog: Backlog,
        hashers: Vec<Sender<Order>>,
        report: R,
    ) -> Self {
        Self {
            storage,
            backlog,
            hashers,
            failed: HashSet::new(),
            report,
        }
    }

    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        for order in orders {
            match order {
                Order::Forget(piece) => {
                    self.failed.remove(&piece);
                    self.hand_on(piece, order);
                }
                Order::Run(job) => self.take(job),
            }
        }
    }

    fn take(&mut self, job: Job) {
        let piece = job.piece;
        let written = if self.failed.contains(&piece) {
            None
        } else {
            Some(self.write(&job))
        };
        match written {
            Some(Ok(())) => self.hand_on(piece, Order::Run(job)),
            Some(Err(error)) => {
                self.failed.insert(piece);
                self.backlog.remove(job.blocks.len());
                (self.report)(Outcome::Failed { piece, error });
            }
            None => self.backlog.remove(job.blocks.len()),
        }
    }

    fn write(&self, job: &Job) -> Result<(), StorageError> {
        let start = self.storage.info().geometry().piece_offset(job.piece);
        let data: Vec<_> = job.data().map(IoSlice::new).collect();
        self.storage.write(start + u64::from(job.offset), &data)
    }

    fn hand_on(&self, piece: u32, order: Order) {
        let hasher = piece as usize % self.hashers.len();
        // It can only fail if that thread has panicked, and that has been printed.
        let _ = self.hashers[hasher].send(order);
    }
}
