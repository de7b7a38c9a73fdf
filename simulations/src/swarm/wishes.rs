use std::net::SocketAddr;

use wire::{Block, CloseReason, Event, Link, Message, Outbox};

use super::parcel::Parcel;

/// What an engine wants after an input.
pub(super) enum Wish {
    Connect(SocketAddr),
    Send(Link, Parcel),
    Cancel {
        link: Link,
        block: Block,
        reject: bool,
    },
    Store(Link, Block),
    Discard(u32),
    Close(Link),
    Tell(Event),
}

/// Wishes in their order.
#[derive(Default)]
pub(super) struct Wishes {
    pub(super) list: Vec<Wish>,
    scratch: Vec<u8>,
}

impl Outbox for Wishes {
    fn connect(&mut self, to: SocketAddr) {
        self.list.push(Wish::Connect(to));
    }

    fn send(&mut self, link: Link, message: Message<'_>) {
        let parcel = Parcel::message(&message, &mut self.scratch);
        self.list.push(Wish::Send(link, parcel));
    }

    fn upload(&mut self, link: Link, block: Block) {
        self.list.push(Wish::Send(link, Parcel::Block(block)));
    }

    fn cancel_upload(&mut self, link: Link, block: Block, reject: bool) {
        self.list.push(Wish::Cancel {
            link,
            block,
            reject,
        });
    }

    fn store(&mut self, link: Link, block: Block) {
        self.list.push(Wish::Store(link, block));
    }

    fn discard(&mut self, piece: u32) {
        self.list.push(Wish::Discard(piece));
    }

    fn close(&mut self, link: Link, _: &CloseReason) {
        self.list.push(Wish::Close(link));
    }

    fn event(&mut self, event: Event) {
        self.list.push(Wish::Tell(event));
    }
}
