use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use wire::{Block, CloseReason, Event, Info, Link, Message, Outbox, PeerId, Torrent};

use super::Role;
use super::uplink::{Parcel, Uplink};
use crate::network::Generator;
use crate::scheduler::Alarm;

/// One engine with what a driver keeps for it.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) role: Role,
    pub(super) torrent: Torrent,
    pub(super) id: PeerId,
    pub(super) rng: Generator,
    pub(super) alarm: Alarm,
    pub(super) is_gone: bool,
    /// At whom each connection ends, and what it is called there.
    pub(super) links: BTreeMap<Link, (usize, Link)>,
    /// How many there have been.
    connections: u32,
    pub(super) uplink: Uplink,
    /// The pieces that are not whole yet.
    pub(super) stored: BTreeMap<u32, Stored>,
}

/// What there is of a piece.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) bytes: u32,
    /// Something of it came from a liar.
    pub(super) is_wrong: bool,
}

impl Peer {
    pub(super) fn new(
        address: SocketAddr,
        role: Role,
        info: &Arc<Info>,
        mut rng: Generator,
    ) -> Self {
        let id = PeerId::generate(&mut rng, *b"-TL0100-");
        let known = role.is_seed.then(|| Arc::clone(info));
        Self {
            address,
            role,
            torrent: Torrent::new(info.hash(), id, known),
            id,
            rng,
            alarm: Alarm::default(),
            is_gone: false,
            links: BTreeMap::new(),
            connections: 0,
            uplink: Uplink::new(role.bytes_per_second),
            stored: BTreeMap::new(),
        }
    }

    /// The name of another connection.
    pub(super) fn new_link(&mut self) -> Link {
        self.connections += 1;
        Link(self.connections)
    }
}

/// What an engine wants after an input.
pub(super) enum Wish {
    Connect(SocketAddr),
    Send(Link, Parcel),
    Cancel(Link, Block, bool),
    Store(Link, Block),
    Discard(u32),
    Close(Link),
    Tell(Event),
}

#[derive(Default)]
pub(super) struct Wishes(pub(super) Vec<Wish>);

impl Outbox for Wishes {
    fn connect(&mut self, to: SocketAddr) {
        self.0.push(Wish::Connect(to));
    }

    fn send(&mut self, link: Link, message: Message<'_>) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.0.push(Wish::Send(link, Parcel::Message(bytes)));
    }

    fn upload(&mut self, link: Link, block: Block) {
        self.0.push(Wish::Send(link, Parcel::Block(block)));
    }

    fn cancel_upload(&mut self, link: Link, block: Block, reject: bool) {
        self.0.push(Wish::Cancel(link, block, reject));
    }

    fn store(&mut self, link: Link, block: Block) {
        self.0.push(Wish::Store(link, block));
    }

    fn discard(&mut self, piece: u32) {
        self.0.push(Wish::Discard(piece));
    }

    fn close(&mut self, link: Link, _: &CloseReason) {
        self.0.push(Wish::Close(link));
    }

    fn event(&mut self, event: Event) {
        self.0.push(Wish::Tell(event));
    }
}
