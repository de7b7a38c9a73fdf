//! The wish that a computation ends early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asked by who hears the signal, heeded by who computes. Clones are the same wish.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
