//! Which files are a download's own, kept for the run that goes on with it.

use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};
use wire::Bitfield;

use super::Session;
use crate::state::StateDir;
use crate::storage::{Begun, Storage};

/// Keeps which files were begun. Where that cannot be, the next run takes one without a right piece for somebody else's, and renames it.
pub(super) fn keep_begun(state: Option<&StateDir>, storage: &Storage, begun: &Begun) {
    if let Some(state) = state
        && let Err(error) = state.save_begun(storage.info().hash(), begun)
    {
        tracing::warn!(%error, "cannot keep which files were begun");
    }
}

impl Session {
    /// Keeps how a download that is to be gone on with leaves its files. Nothing is written any more.
    pub(super) fn leave_files(&self) -> Option<JoinHandle<()>> {
        let storage = Arc::clone(self.content.get()?);
        let state = self.opening.state.clone()?;
        let is_over = storage.is_whole() && self.engine.have().is_some_and(Bitfield::is_full);
        if is_over || !self.opening.begin.is_download() {
            return None;
        }
        Some(spawn_blocking(move || {
            keep_begun(Some(&state), &storage, &storage.left());
        }))
    }
}
