//! Finding out what the disk has of a torrent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use wire::Bitfield;

use super::ownership::keep_begun;
use crate::state::StateDir;
use crate::storage::{Found, Kept, Record, Storage, StorageError};

/// How often it tells how far it is.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// A check that runs on other threads. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Checking {
    checked: watch::Receiver<u32>,
    done: mpsc::Receiver<Result<Inventory, StorageError>>,
    cancel: Arc<AtomicBool>,
}

/// What the disk has.
#[derive(Debug)]
pub(super) struct Inventory {
    pub(super) storage: Arc<Storage>,
    pub(super) have: Bitfield,
    /// What was known from an earlier run, and for how many pieces that was enough.
    pub(super) record: Option<Record>,
    pub(super) known: u32,
    /// What has become of files of the user's.
    pub(super) kept: Vec<Kept>,
}

/// How a check goes on.
#[derive(Debug)]
pub(super) enum Checked {
    /// So many pieces have been looked at.
    Pieces(u32),
    Done(Result<Inventory, StorageError>),
}

impl Checking {
    /// Makes room and says what is there. What `state` knows is not read again, and only what it knows to be begun is written over without a right piece in it.
    pub(super) fn of_download(
        open: impl FnOnce() -> Storage + Send + 'static,
        state: Option<Arc<StateDir>>,
    ) -> Self {
        Self::start(move |progress, cancel| {
            let storage = open();
            storage.lock_out()?;
            let record = recorded(&storage, state.as_deref());
            let Found { have, known } = check(&storage, record.as_ref(), progress, cancel)?;
            let begun = state
                .as_ref()
                .and_then(|state| state.load_begun(storage.info().hash()));
            let kept = storage.adopt(&have, begun.as_ref())?;
            keep_begun(state.as_deref(), &storage, &storage.begun(&have));
            Ok(Inventory {
                storage: Arc::new(storage),
                have,
                record,
                known,
                kept,
            })
        })
    }

    /// Says what is there, and touches nothing. What `state` knows is not read again.
    pub(super) fn of_seed(storage: Arc<Storage>, state: Option<Arc<StateDir>>) -> Self {
        Self::start(move |progress, cancel| {
            let record = recorded(&storage, state.as_deref());
            let Found { have, known } = check(&storage, record.as_ref(), progress, cancel)?;
            Ok(Inventory {
                storage,
                have,
                record,
                known,
                kept: Vec::new(),
            })
        })
    }

    fn start(
        look: impl FnOnce(&watch::Sender<u32>, &AtomicBool) -> Result<Inventory, StorageError>
        + Send
        + 'static,
    ) -> Self {
        let (progress, checked) = watch::channel(0);
        let (result, done) = mpsc::channel(1);
        let cancel = Arc::new(AtomicBool::new(false));
        let cancelled = Arc::clone(&cancel);
        tokio::task::spawn_blocking(move || {
            let _ = result.blocking_send(look(&progress, &cancelled));
        });
        Checking {
            checked,
            done,
            cancel,
        }
    }

    /// Waits for news. Can be dropped and called again.
    pub(super) async fn next(&mut self) -> Checked {
        tokio::select! {
            biased;
            Some(result) = self.done.recv() => Checked::Done(result),
            Ok(()) = self.checked.changed() => Checked::Pieces(*self.checked.borrow_and_update()),
            else => std::future::pending().await,
        }
    }
}

impl Drop for Checking {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}

fn recorded(storage: &Storage, state: Option<&StateDir>) -> Option<Record> {
    state?.load_record(storage.info().hash())
}

/// Hashes what is there and not known, with all cores.
fn check(
    storage: &Storage,
    record: Option<&Record>,
    progress: &watch::Sender<u32>,
    cancel: &AtomicBool,
) -> Result<Found, StorageError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let told = Mutex::new(Instant::now());
    let report = |pieces: u32| {
        // Whoever finds it locked is told of by the thread that holds it, or with the next piece.
        if let Ok(mut told) = told.try_lock()
            && told.elapsed() >= REPORT_INTERVAL
        {
            *told = Instant::now();
            progress.send_replace(pieces);
        }
    };
    storage.check(record, threads, &report, cancel)
}
