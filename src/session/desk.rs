//! What the engine wants done, collected during one call and carried out after it.

use std::collections::HashMap;
use std::net::SocketAddr;

use wire::{Block, CloseReason, Event, Link, Message, Outbox};

use crate::peer_driver::{Mailbox, Order};

/// The connections of a session and the engine's orders for them.
#[derive(Debug, Default)]
pub(super) struct Desk {
    links: HashMap<Link, Peer>,
    next_link: u32,
    /// Links with orders that are not posted.
    touched: Vec<Link>,
    /// Addresses to dial.
    pub(super) dials: Vec<SocketAddr>,
    /// What happened.
    pub(super) events: Vec<Event>,
    /// Pieces whose buffers are to be dropped.
    pub(super) discards: Vec<u32>,
    /// Whether the block at hand is wanted.
    kept: bool,
}

#[derive(Debug)]
struct Peer {
    mailbox: Mailbox,
    address: SocketAddr,
    orders: Vec<Order>,
}

impl Desk {
    /// Names a new connection.
    pub(super) fn open(&mut self, address: SocketAddr) -> (Link, Mailbox) {
        while self.links.contains_key(&Link(self.next_link)) {
            self.next_link = self.next_link.wrapping_add(1);
        }
        let link = Link(self.next_link);
        self.next_link = self.next_link.wrapping_add(1);
        let mailbox = Mailbox::default();
        let peer = Peer {
            mailbox: mailbox.clone(),
            address,
            orders: Vec::new(),
        };
        self.links.insert(link, peer);
        (link, mailbox)
    }

    /// Whether nobody is connected.
    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Whether the connection is still in use. What comes from another is late.
    pub(super) fn is_open(&self, link: Link) -> bool {
        self.links.contains_key(&link)
    }

    /// The connection has ended by itself. Returns whose it was.
    pub(super) fn closed(&mut self, link: Link) -> Option<SocketAddr> {
        self.links.remove(&link).map(|peer| peer.address)
    }

    /// Whether the engine wants the block of the last call.
    pub(super) fn take_kept(&mut self) -> bool {
        std::mem::take(&mut self.kept)
    }

    /// Hands the orders to the connections.
    pub(super) fn post(&mut self) {
        for link in self.touched.drain(..) {
            if let Some(peer) = self.links.get_mut(&link) {
                peer.mailbox.post(&mut peer.orders);
            }
        }
    }

    fn order(&mut self, link: Link, order: Order) {
        let Some(peer) = self.links.get_mut(&link) else {
            return;
        };
        if peer.orders.is_empty() {
            self.touched.push(link);
        }
        peer.orders.push(order);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for peer in self.links.values() {
            peer.mailbox.close();
        }
    }
}

impl Outbox for Desk {
    fn connect(&mut self, to: SocketAddr) {
        self.dials.push(to);
    }

    fn send(&mut self, link: Link, message: Message<'_>) {
        let order = match message {
            Message::Request(block) => Order::Request(block),
            Message::Cancel(block) => Order::Cancel(block),
            message => {
                let mut bytes = Vec::new();
                message.encode(&mut bytes);
                Order::Send(bytes)
            }
        };
        self.order(link, order);
    }

    fn upload(&mut self, link: Link, block: Block) {
        self.order(link, Order::Upload(block));
    }

    fn cancel_upload(&mut self, link: Link, block: Block, reject: bool) {
        self.order(link, Order::CancelUpload { block, reject });
    }

    fn store(&mut self, _: Link, _: Block) {
        self.kept = true;
    }

    fn discard(&mut self, piece: u32) {
        self.discards.push(piece);
    }

    fn close(&mut self, link: Link, reason: &CloseReason) {
        if let Some(mut peer) = self.links.remove(&link) {
            tracing::debug!(address = %peer.address, %reason, "closing a connection");
            peer.mailbox.post(&mut peer.orders);
            peer.mailbox.close();
        }
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}
