//! The end of a download.

use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

use super::Session;
use crate::storage::StorageError;
use crate::{Error, Event, Finished};

impl Session {
    /// Everything is there. A download is sealed before anybody hears of it.
    pub(super) fn finish(&mut self) {
        self.intake = None;
        let Some(storage) = self.content.get() else {
            return;
        };
        if !self.opening.begin.is_download() {
            return self.done();
        }
        let storage = Arc::clone(storage);
        let state = self.opening.state.clone();
        let keeping = self.keeping.take();
        let info_hash = self.info_hash;
        self.sealing = Some(tokio::spawn(async move {
            if let Some(keeping) = keeping {
                let _ = keeping.await;
            }
            let seal = move || {
                storage.finish()?;
                if let Some(state) = state {
                    // Left behind, it costs a few bytes.
                    let _ = state.forget_info(info_hash);
                }
                Ok(())
            };
            spawn_blocking(seal)
                .await
                .unwrap_or(Err(StorageError::Interrupted))
        }));
    }

    pub(super) fn done(&mut self) {
        let Some(storage) = self.content.get() else {
            return;
        };
        let finished = Finished {
            path: storage.path().to_owned(),
            bytes: storage.info().total_length(),
            elapsed: self.opening.started.elapsed(),
        };
        self.report();
        if self.opening.begin.is_download() {
            self.tell(Event::Done {
                path: finished.path.clone(),
                bytes: finished.bytes,
                elapsed: finished.elapsed,
            });
        }
        self.end(Ok(finished));
    }

    pub(super) fn end(&mut self, result: Result<Finished, Error>) {
        if let Some(outcome) = self.outcome.take() {
            let _ = outcome.send(result);
        }
    }
}

/// Waits for the last touches.
pub(super) async fn sealed(
    sealing: &mut JoinHandle<Result<(), StorageError>>,
) -> Result<(), StorageError> {
    sealing.await.unwrap_or(Err(StorageError::Interrupted))
}
