//! What a session wants a connection to do, in order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wire::Block;

/// One thing to do on a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Send these frames.
    Send(Vec<u8>),
    /// Send a request, and expect the block.
    Request(Block),
    /// Take a request back, and do not expect the block.
    Cancel(Block),
    /// Read this block from the disk and send it.
    Upload(Block),
    /// Forget an upload that has not begun, and send a reject in its place if the peer knows such messages.
    CancelUpload { block: Block, reject: bool },
}

/// A queue from a session, which never waits, to one connection.
///
/// It has no length limit of its own: the engine bounds requests and uploads, and a connection that cannot get rid of
/// its orders is closed by its writer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mailbox(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    orders: Vec<Order>,
    closed: bool,
}

impl Mailbox {
    /// Puts orders in; the vector is left empty.
    pub(crate) fn post(&self, orders: &mut Vec<Order>) {
        self.state().orders.append(orders);
        self.0.changed.notify_one();
    }

    /// Tells the connection to end once what was posted before is written as far as the socket takes it at once.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.0.changed.notify_one();
    }

    /// Takes all orders. `false` when the connection is to end.
    pub(crate) fn take(&self, into: &mut Vec<Order>) -> bool {
        let mut state = self.state();
        into.append(&mut state.orders);
        !state.closed
    }

    /// Waits until something was posted since the last wait.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
