//! What has been downloaded of a torrent, written on one thread and hashed on others.

mod hasher;
mod writer;

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use hasher::Hasher;
use writer::Writer;

use super::{Job, Storage, StorageError};

/// Blocks that may wait for their piece to be whole, and for other pieces to be hashed beside: 3 MiB.
const ROOM: usize = 192;

/// Threads that hash, where there are cores for them: pieces are hashed side by side, one by one they are not.
const MAX_HASHERS: usize = 4;

/// The threads that write and hash what has been downloaded of a torrent.
///
/// A run is written, then handed on to be hashed from memory, so that the next one is written meanwhile; nothing that comes in order is read
/// back. When all bytes of a piece have been hashed, they are on the disk too, and the verdict is reported. Dropping it finishes what is queued
/// first.
#[derive(Debug)]
pub(crate) struct Disk {
    /// `None` while it is being dropped.
    orders: Option<Sender<Order>>,
    backlog: Backlog,
    threads: Vec<JoinHandle<()>>,
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
    Run(Job),
    Forget(u32),
}

/// Blocks that are not where they are hashed yet.
#[derive(Clone, Debug, Default)]
struct Backlog(Arc<AtomicUsize>);

impl Backlog {
    fn add(&self, job: &Job) {
        self.0.fetch_add(job.blocks.len(), Ordering::Relaxed);
    }

    fn remove(&self, blocks: usize) {
        self.0.fetch_sub(blocks, Ordering::Relaxed);
    }
}

impl Disk {
    /// Starts the threads. They call `report` for each verdict; that must not wait for whoever submits jobs.
    pub(crate) fn start(
        storage: &Arc<Storage>,
        report: impl Fn(Outcome) + Clone + Send + 'static,
    ) -> Result<Self, StorageError> {
        let (orders, receiver) = channel();
        let mut disk = Self {
            orders: Some(orders),
            backlog: Backlog::default(),
            threads: Vec::new(),
        };
        let mut hashers = Vec::new();
        let wanted = hashers_wanted();
        for _ in 0..wanted {
            let (sender, receiver) = channel();
            hashers.push(sender);
            let (content, backlog) = (Arc::clone(storage), disk.backlog.clone());
            let hasher = Hasher::new(content, backlog, ROOM / wanted, report.clone());
            disk.spawn("hash", storage, move || hasher.run(&receiver))?;
        }
        let writer = Writer::new(Arc::clone(storage), disk.backlog.clone(), hashers, report);
        disk.spawn("write", storage, move || writer.run(&receiver))?;
        Ok(disk)
    }

    /// Queues a run to be written and hashed. Never waits: [`Disk::backlog`] tells when to stop asking for more.
    pub(crate) fn submit(&self, job: Job) {
        self.backlog.add(&job);
        self.order(Order::Run(job));
    }

    /// Starts a piece anew: after it could not be written, or to drop the half of it that is there.
    ///
    /// Runs that are queued already still count for the old piece, so a verdict on that may yet be reported.
    pub(crate) fn forget(&self, piece: u32) {
        self.order(Order::Forget(piece));
    }

    /// Blocks that have been submitted, and neither written nor taken to be hashed yet.
    pub(crate) fn backlog(&self) -> usize {
        self.backlog.0.load(Ordering::Relaxed)
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // It can only fail if the thread has panicked, and that has been printed.
            let _ = orders.send(order);
        }
    }

    fn spawn(
        &mut self,
        name: &str,
        storage: &Storage,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), StorageError> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
        let thread = thread
            .map_err(|error| StorageError::from_io("start a thread for", storage.path(), error))?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The writer ends when nobody orders anything, and the hashers when it has ended.
        self.orders = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// One for every two cores: the others receive, write and serve.
fn hashers_wanted() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    (cores / 2).clamp(1, MAX_HASHERS)
}

#[cfg(test)]
mod tests;
