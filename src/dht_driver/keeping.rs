//! What others stored here, kept between two runs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dht::{Node, StoredItem, StoredPeer};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::Command;
use crate::state::{StateDir, encode_stored};

/// Peers, and items, that are restored in one turn of the driver: a few milliseconds' signatures.
const CHUNK: usize = 100;

/// Reads the store when the driver begins, and writes it now and then.
pub(super) struct Keeping {
    state: Arc<StateDir>,
    /// Whose store it is, of the nodes that share the directory.
    place: usize,
    /// All that was read has arrived: what is there now may be written over it.
    is_restored: bool,
    writing: Option<JoinHandle<()>>,
}

/// A part of what an earlier run has stored.
pub(super) struct Restored {
    pub(super) peers: Vec<StoredPeer>,
    pub(super) items: Vec<StoredItem>,
    /// Nothing comes after it.
    pub(super) is_last: bool,
}

impl Keeping {
    /// What is read arrives as commands.
    pub(super) fn start(
        state: Arc<StateDir>,
        place: usize,
        commands: mpsc::WeakSender<Command>,
    ) -> Self {
        tokio::spawn(restore(Arc::clone(&state), place, commands));
        Self {
            state,
            place,
            is_restored: false,
            writing: None,
        }
    }

    pub(super) fn restored(&mut self) {
        self.is_restored = true;
    }

    /// Begins to write what the node stores, unless that is still being done.
    pub(super) fn save(&mut self, node: &Node, now: Duration) {
        let is_writing = |writing: &JoinHandle<()>| !writing.is_finished();
        if !self.is_restored || self.writing.as_ref().is_some_and(is_writing) {
            return;
        }
        let (peers, items) = (node.stored_peers(now), node.stored_items(now));
        let encoded = encode_stored(peers, items, SystemTime::now());
        let (state, place) = (Arc::clone(&self.state), self.place);
        self.writing = Some(spawn_blocking(move || {
            let written = encoded.and_then(|bytes| state.save_stored(place, &bytes));
            if let Err(error) = written {
                tracing::warn!(%error, "could not save what is stored for others");
            }
        }));
    }

    /// Writes it a last time.
    pub(super) async fn finish(mut self, node: &Node, now: Duration) {
        for is_last in [false, true] {
            if let Some(writing) = self.writing.take() {
                // It tells itself what went wrong.
                let _ = writing.await;
            }
            if !is_last {
                self.save(node, now);
            }
        }
    }
}

/// Hands over what was stored bit by bit, so that the node serves others meanwhile.
async fn restore(state: Arc<StateDir>, place: usize, commands: mpsc::WeakSender<Command>) {
    let loading = spawn_blocking(move || state.load_stored(place, SystemTime::now()));
    let stored = loading.await.ok().flatten().unwrap_or_default();
    let (mut peers, mut items) = (stored.peers.into_iter(), stored.items.into_iter());
    loop {
        let peers: Vec<_> = peers.by_ref().take(CHUNK).collect();
        let items: Vec<_> = items.by_ref().take(CHUNK).collect();
        let is_last = peers.is_empty() && items.is_empty();
        let Some(commands) = commands.upgrade() else {
            return;
        };
        let restored = Restored {
            peers,
            items,
            is_last,
        };
        if commands.send(Command::Restore(restored)).await.is_err() || is_last {
            return;
        }
    }
}
