//! What an engine wants done, kept until it has had its say.

use std::net::SocketAddr;

use wire::{Block, CloseReason, Event, Link, Message, Outbox};

/// One thing that an engine wants done.
pub(super) enum Wish {
    Connect(SocketAddr),
    Send(Link, Vec<u8>),
    Upload(Link, Block),
    CancelUpload(Link, Block, bool),
    Store(Block),
    Discard(u32),
    Close(Link, CloseReason),
    Event(Event),
}

/// All that it wants done after an input, in order.
#[derive(Default)]
pub(super) struct Wishes(pub(super) Vec<Wish>);

impl Outbox for Wishes {
    fn connect(&mut self, to: SocketAddr) {
        self.0.push(Wish::Connect(to));
    }

    fn send(&mut self, link: Link, message: Message<'_>) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.0.push(Wish::Send(link, bytes));
    }

    fn upload(&mut self, link: Link, block: Block) {
        self.0.push(Wish::Upload(link, block));
    }

    fn cancel_upload(&mut self, link: Link, block: Block, reject: bool) {
        self.0.push(Wish::CancelUpload(link, block, reject));
    }

    fn store(&mut self, _: Link, block: Block) {
        self.0.push(Wish::Store(block));
    }

    fn discard(&mut self, piece: u32) {
        self.0.push(Wish::Discard(piece));
    }

    fn close(&mut self, link: Link, reason: &CloseReason) {
        self.0.push(Wish::Close(link, reason.clone()));
    }

    fn event(&mut self, event: Event) {
        self.0.push(Wish::Event(event));
    }
}
