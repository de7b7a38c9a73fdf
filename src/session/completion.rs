//! The end of a download, and what is kept until then.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use wire::Info;

use super::ownership::keep_begun;
use crate::state::StateDir;
use crate::storage::{Kept, Storage, StorageError};
use crate::{Error, Finished};

#[derive(Debug)]
pub(super) struct Completion {
    state: Option<Arc<StateDir>>,
    /// While the metadata is being kept for a later run.
    keeping: Option<JoinHandle<()>>,
    /// While the last touches are put to a download.
    sealing: Option<JoinHandle<Result<Vec<Kept>, StorageError>>>,
    /// Taken when the download has ended, well or badly.
    outcome: Option<oneshot::Sender<Result<Finished, Error>>>,
}

impl Completion {
    pub(super) fn new(
        state: Option<Arc<StateDir>>,
        outcome: oneshot::Sender<Result<Finished, Error>>,
    ) -> Self {
        Completion {
            state,
            keeping: None,
            sealing: None,
            outcome: Some(outcome),
        }
    }

    /// Keeps the metadata, so that a later run can go on without its peers.
    pub(super) fn keep(&mut self, info: Arc<Info>) {
        let Some(state) = self.state.clone() else {
            return;
        };
        self.keeping = Some(spawn_blocking(move || {
            if let Err(error) = state.save_info(info.hash(), info.raw()) {
                tracing::warn!(%error, "could not keep the metadata for the next run");
            }
        }));
    }

    /// Puts the last touches to the files, of which these pieces were lost. [`Completion::sealed`] tells when it is done.
    pub(super) fn seal(&mut self, storage: Arc<Storage>, lost: Vec<u32>) {
        let state = self.state.clone();
        let keeping = self.keeping.take();
        self.sealing = Some(tokio::spawn(async move {
            if let Some(keeping) = keeping {
                let _ = keeping.await;
            }
            let seal = move || {
                storage.vouch(&lost)?;
                let kept = storage.finish()?;
                // A torrent of which files are left out may be gone on with.
                if !storage.is_whole() {
                    keep_begun(state.as_deref(), &storage, &storage.left());
                } else if let Some(state) = state {
                    // Left behind, they cost a few bytes.
                    let _ = state.forget_info(storage.info().hash());
                    let _ = state.forget_begun(storage.info().hash());
                }
                Ok(kept)
            };
            spawn_blocking(seal)
                .await
                .unwrap_or(Err(StorageError::Interrupted))
        }));
    }

    /// Waits for the end of [`Completion::seal`], and says what has become of files of the user's. Can be dropped and called again.
    pub(super) async fn sealed(&mut self) -> Result<Vec<Kept>, StorageError> {
        let Some(sealing) = &mut self.sealing else {
            return std::future::pending().await;
        };
        let result = sealing.await.unwrap_or(Err(StorageError::Interrupted));
        self.sealing = None;
        result
    }

    /// Says how it ended. Only the first time counts.
    pub(super) fn end(&mut self, result: Result<Finished, Error>) {
        if let Some(outcome) = self.outcome.take() {
            let _ = outcome.send(result);
        }
    }

    /// Whether it was said how it ended.
    pub(super) fn is_over(&self) -> bool {
        self.outcome.is_none()
    }

    /// Waits for what is being written.
    pub(super) async fn settle(&mut self) {
        if let Some(keeping) = self.keeping.take() {
            let _ = keeping.await;
        }
    }
}
