use std::net::SocketAddr;

use crate::{Bitfield, Block, Handshake, Message, Order, Priority};

/// Names one connection of a torrent. The driver chooses the number, and uses it for no other connection while this one is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(pub u32);

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The peer dialled us.
    Incoming,
    /// We dialled the peer.
    Outgoing,
}

/// Where an address is known from. What comes first here is dialled first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The user named it.
    User,
    /// A magnet link named it (`x.pe`).
    Magnet,
    /// It was announced in the DHT.
    Dht,
}

/// How much payload may be requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// As much as there is. So it is until something else is said.
    Unlimited,
    /// So many bytes in addition to what is left. What was requested before the first of these does not count; what comes counts,
    /// wanted or not.
    More(u64),
}

/// What can happen to a [`Torrent`](crate::Torrent).
#[derive(Debug, Clone)]
pub enum Input<'a> {
    /// These addresses may be dialled.
    Candidates(&'a [SocketAddr], Source),
    /// A dial that [`Outbox::connect`](crate::Outbox::connect) asked for came to nothing.
    ConnectFailed {
        /// What was dialled.
        address: SocketAddr,
    },
    /// A connection stands, and both handshakes are exchanged; the driver has compared the info-hash.
    Connected {
        /// The connection's name from here on.
        link: Link,
        /// The other end. For an outgoing connection, exactly what was dialled.
        address: SocketAddr,
        /// Who dialled.
        direction: Direction,
        /// What the peer said.
        handshake: &'a Handshake,
    },
    /// A message came; anything but `piece`.
    Received {
        /// Where from.
        link: Link,
        /// What it says.
        message: Message<'a>,
    },
    /// The payload of a `piece` message was read in full. It stays with the driver.
    Block {
        /// Where from.
        link: Link,
        /// What it is.
        block: Block,
    },
    /// A block of [`Outbox::upload`](crate::Outbox::upload) has been sent.
    Uploaded {
        /// Where to.
        link: Link,
        /// What it was.
        block: Block,
    },
    /// A block of [`Outbox::upload`](crate::Outbox::upload) could not be read, and is not sent. Whoever asked for it hears so, if it speaks BEP 6. If the piece as a whole
    /// is not there any more, say [`PieceLost`](Self::PieceLost) before.
    UploadFailed {
        /// Where it was to go.
        link: Link,
        /// What it was.
        block: Block,
    },
    /// The connection is gone, and not by [`Outbox::close`](crate::Outbox::close).
    Closed {
        /// Which.
        link: Link,
    },
    /// The storage has been checked: this is there. Pieces are neither requested nor served before.
    Start {
        /// One bit a piece; a field of another length counts as empty.
        have: Bitfield,
    },
    /// The hash of a piece whose blocks have all been stored was compared.
    PieceChecked {
        /// Which.
        piece: u32,
        /// Whether it was right.
        valid: bool,
    },
    /// A piece that was there is not any more, or not right: it is served no more, and whoever was told of it hears so (BEP 54). Nothing if it was not there.
    PieceLost {
        /// Which.
        piece: u32,
        /// Whether it is fetched again, as much wanted as it was. If not, it is [`Priority::Skip`] from now on, so that a seed stays one that fetches nothing (BEP 21).
        fetch_again: bool,
    },
    /// A piece is there and right that no peer has sent: one that was lost, as a rule. Nothing if it is being fetched.
    PieceFound {
        /// Which.
        piece: u32,
    },
    /// How much each piece is wanted, from the first one on; those for which nothing is said are [`Priority::Normal`]. May be said at any time and again, the first
    /// time best before [`Input::Start`]. Pieces that have been begun are kept. When nothing that is wanted is missing, the torrent is
    /// [finished](crate::Event::Finished), serves what it has and says that it fetches nothing (BEP 21).
    Prioritize(&'a [Priority]),
    /// In which order pieces of one priority are begun.
    Order(Order),
    /// The pieces that are needed next, the first first: whoever can sends them before anything else, several peers the same one, and a block that is late is
    /// requested from a faster peer, too. Only the latest list counts; an
    /// empty one ends the urgency. Keep it to what is needed within seconds: it is looked through for each request.
    Urgent(&'a [u32]),
    /// Whether the driver's buffers are full: nothing more is requested until they are not.
    Pressure(bool),
    /// How much may be requested from now on. [`Torrent::shortage`](crate::Torrent::shortage) says how much more could be.
    Allowance(Allowance),
    /// The deadline that `handle` returned has come.
    Timeout,
}
