use std::time::Duration;

use rand::Rng;

use crate::connection::Connection;
use crate::{Config, Link, Message, Outbox};

/// What one call of [`Torrent::handle`](crate::Torrent::handle) works with.
pub(super) struct Context<'a> {
    pub(super) config: &'a Config,
    pub(super) now: Duration,
    pub(super) rng: &'a mut dyn Rng,
    pub(super) out: &'a mut dyn Outbox,
}

impl Context<'_> {
    pub(super) fn send(&mut self, link: Link, connection: &mut Connection, message: Message<'_>) {
        connection.last_sent = self.now;
        self.out.send(link, message);
    }
}
