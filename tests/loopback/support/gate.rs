//! A gate between the threads of a test.

use std::sync::{Arc, Condvar, Mutex};

use super::PATIENCE;

/// Holds back whoever comes until it is opened. Once open it stays open.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    state: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    pub(crate) fn open(&self) {
        let (is_open, opened) = &*self.state;
        *is_open.lock().unwrap() = true;
        opened.notify_all();
    }

    /// Waits until it is open; says whether it was within [`PATIENCE`].
    #[must_use]
    pub(crate) fn pass(&self) -> bool {
        let (is_open, opened) = &*self.state;
        let guard = is_open.lock().unwrap();
        *opened
            .wait_timeout_while(guard, PATIENCE, |is_open| !*is_open)
            .unwrap()
            .0
    }
}
