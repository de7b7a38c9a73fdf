//! What is wanted of a torrent, and in which order.

use super::{Context, Torrent};
use crate::{Event, ExtensionHandshake, Message, Order, Priority};

/// What was said of it and has to be remembered.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Said before there was a picker.
    pub(super) priorities: Vec<Priority>,
    pub(super) order: Order,
    pub(super) urgent: Vec<u32>,
    /// We have said that we fetch nothing, and some may believe it still. BEP 21.
    pub(super) told_upload_only: bool,
}

impl Torrent {
    pub(super) fn prioritise(&mut self, context: &mut Context<'_>, priorities: &[Priority]) {
        let Some(picker) = &mut self.picker else {
            self.selection.priorities = priorities.to_vec();
            return;
        };
        let was_finished = picker.is_finished();
        picker.prioritise(priorities, context.rng);
        for (&link, connection) in &mut self.connections {
            let unwanted: Vec<_> = connection
                .requests
                .iter()
                .filter(|block| !picker.is_missing(block.piece))
                .collect();
            for block in unwanted {
                connection.requests.withdraw(block);
                picker.release(block, context.rng);
                context.send(link, connection, Message::Cancel(block));
            }
            if let Some(bitfield) = connection.bitfield() {
                connection.wanted = picker.missing_of(bitfield);
            }
            connection.searched = None;
        }
        match (was_finished, self.is_finished()) {
            (false, true) => self.finished(context),
            (true, false) => self.wants_more(context),
            _ => {}
        }
        self.express_interest(context);
        self.fill_slots(context);
        self.dial(context);
        self.stirred = true;
    }

    pub(super) fn set_order(&mut self, order: Order) {
        self.selection.order = order;
        if let Some(picker) = &mut self.picker {
            picker.set_order(order);
        }
    }

    /// Nothing that is wanted is missing.
    pub(super) fn finished(&mut self, context: &mut Context<'_>) {
        context.out.event(Event::Finished);
        // Whoever has everything need not say it: its pieces tell.
        if !self.have().is_some_and(crate::Bitfield::is_full) {
            self.tell_upload_only(context);
        }
        self.close_useless(context);
    }

    /// Something is wanted again: those who gave us up for that are to know, and those whom we gave up are of use.
    pub(super) fn wants_more(&mut self, context: &mut Context<'_>) {
        self.tell_upload_only(context);
        self.peers.wake(context.now);
    }

    /// Tells peers whether we fetch anything. BEP 21, "extension header".
    pub(super) fn tell_upload_only(&mut self, context: &mut Context<'_>) {
        self.selection.told_upload_only = true;
        let links: Vec<_> = self.connections.keys().copied().collect();
        for link in links {
            let Some(mut connection) = self.connections.remove(&link) else {
                continue;
            };
            if connection.speaks_extension() {
                let payload = self.extension_handshake(context, &connection).encode();
                let id = ExtensionHandshake::ID;
                let payload = &payload;
                context.send(link, &mut connection, Message::Extended { id, payload });
            }
            self.connections.insert(link, connection);
        }
    }
}
