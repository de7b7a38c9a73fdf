use std::net::SocketAddr;
use std::sync::Arc;

use crate::{Block, CloseReason, Info, Link, Message};

/// What a [`Torrent`](crate::Torrent) wants done. Calls for one link are to be carried out in their order.
pub trait Outbox {
    /// Dial; the answer is [`Input::Connected`](crate::Input::Connected) or [`Input::ConnectFailed`](crate::Input::ConnectFailed).
    fn connect(&mut self, to: SocketAddr);
    /// Send a message; never [`Message::Piece`].
    fn send(&mut self, link: Link, message: Message<'_>);
    /// Read the block and send it; the answer is [`Input::Uploaded`](crate::Input::Uploaded).
    fn upload(&mut self, link: Link, block: Block);
    /// Drop a block of `upload` if it can still be held back, and if `reject` send [`Message::Reject`] in its place: each request has one answer
    /// (BEP 6). A block that is on its way out goes on as if nothing had been said, [`Input::Uploaded`](crate::Input::Uploaded) included.
    fn cancel_upload(&mut self, link: Link, block: Block, reject: bool);
    /// The payload of the [`Input::Block`](crate::Input::Block) at hand is wanted: keep it. Without this call it is dropped.
    fn store(&mut self, link: Link, block: Block);
    /// Forget the stored blocks of a piece: it failed its check and is fetched again.
    fn discard(&mut self, piece: u32);
    /// End the connection. Nothing more will be said about it, and nothing about it is expected.
    fn close(&mut self, link: Link, reason: &CloseReason);
    /// Something that the user or the driver may want to know.
    fn event(&mut self, event: Event);
}

/// What has happened, for the driver and the user.
#[derive(Debug, Clone)]
pub enum Event {
    /// The info dictionary arrived and has the right hash. The driver opens the storage, checks it, and answers with [`Input::Start`](crate::Input::Start).
    Metadata(Arc<Info>),
    /// Metadata with the right hash describes no torrent that can be fetched; there is nothing to wait for.
    MetadataUnusable {
        /// What is wrong with it, in a sentence.
        reason: String,
    },
    /// A piece passed its check, or was [found](crate::Input::PieceFound).
    PieceCompleted {
        /// Which.
        piece: u32,
    },
    /// All pieces that are wanted are there. Also said on [`Input::Start`](crate::Input::Start) if there was nothing to fetch, and again when
    /// something else was wanted meanwhile.
    Finished,
    /// A connection is in use.
    PeerConnected {
        /// Its name.
        link: Link,
        /// The other end.
        address: SocketAddr,
    },
    /// A peer is not talked to again.
    PeerBanned {
        /// The peer.
        address: SocketAddr,
        /// What it did.
        reason: CloseReason,
    },
    /// A peer runs a DHT node here. BEP 5, "BitTorrent Protocol Extension".
    DhtNode {
        /// Its UDP address.
        address: SocketAddr,
    },
    /// There is nobody left to dial and too few are connected: the DHT should be asked again.
    NeedPeers,
}
