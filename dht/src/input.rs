use std::net::SocketAddr;

use crate::event::LookupId;
use crate::id::Id;
use crate::item::{Item, Salt};
use crate::message::{AnnouncedPort, Message, NodeInfo, TransactionId};
use crate::stored::{StoredItem, StoredPeer};

/// What a driver tells a node.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Addresses through which the network may be entered, more than once if there are more. They are asked at once, and until somebody answers.
    Bootstrap(&'a [SocketAddr]),
    /// Nodes known from an earlier run: [`Node::contacts`](crate::Node::contacts).
    Restore(&'a [NodeInfo]),
    /// What was stored here for others in an earlier run: [`Node::stored_peers`](crate::Node::stored_peers) and
    /// [`Node::stored_items`](crate::Node::stored_items). It lives on for the rest of its life, within the bounds of [`Config`](crate::Config), and
    /// items whose signatures are wrong are left out: 44 µs each.
    RestoreStored {
        /// What was announced.
        peers: &'a [StoredPeer],
        /// What was put. BEP 44.
        items: &'a [StoredItem],
    },
    /// A message came in.
    Receive {
        /// Whose datagram it was in.
        from: SocketAddr,
        /// What it said.
        message: &'a Message,
    },
    /// A query came in that [`decode`](crate::decode) could not read: [`DecodeError::Query`](crate::DecodeError::Query).
    Malformed {
        /// Whose datagram it was.
        from: SocketAddr,
        /// The transaction that it named.
        transaction: &'a TransactionId,
        /// The code for it.
        code: i64,
    },
    /// Find the nodes nearest to a point.
    FindNode {
        /// The name of this lookup.
        lookup: LookupId,
        /// The point.
        target: Id,
    },
    /// Find peers of a torrent.
    GetPeers {
        /// The name of this lookup.
        lookup: LookupId,
        /// The torrent.
        info_hash: Id,
    },
    /// Find peers of a torrent, then become one of those that others find. Holds for 45 minutes at the nodes that acknowledge it:
    /// the driver repeats it every 15 minutes for as long as it is true.
    Announce {
        /// The name of this lookup.
        lookup: LookupId,
        /// The torrent.
        info_hash: Id,
        /// Where we listen.
        port: AnnouncedPort,
        /// We have all of it. Others who do are not looked for then. BEP 33.
        seed: bool,
    },
    /// End a lookup.
    Cancel {
        /// Its name.
        lookup: LookupId,
    },
    /// Find an item. BEP 44. An immutable one ends the lookup, of a mutable one the newest is looked for.
    GetItem {
        /// The name of this lookup.
        lookup: LookupId,
        /// Its target: see [`ItemValue::target`](crate::ItemValue::target) and [`PublicKey::target`](crate::PublicKey::target).
        target: Id,
        /// Its salt, if it has one: without it its signature cannot be verified.
        salt: &'a Salt,
        /// The sequence number of a mutable one that is known already: only a newer one is reported, and who holds none need not send it.
        newer_than: Option<i64>,
    },
    /// Store an item at the nodes nearest to its target. Holds for two hours at the nodes that acknowledge it: the driver repeats it every hour for as long
    /// as it shall be found. Nothing is sent to anybody if a newer one is found, or another one of the same number.
    PutItem {
        /// The name of this lookup.
        lookup: LookupId,
        /// What to store.
        item: &'a Item,
        /// The salt that it is signed with.
        salt: &'a Salt,
        /// The sequence number of the item to be replaced: nodes that hold another one keep it.
        cas: Option<i64>,
    },
    /// An address that may be a node's, such as a peer's PORT message names. It enters the table if it answers.
    Ping(SocketAddr),
    /// We are connected to the network in another way than before: an interface came up or has another address, or the machine was asleep.
    /// Contacts are asked at once whether they are still there, and none is lost because of what was asked before. A node notices by itself when
    /// a deadline comes more than half a minute late, but not every clock goes on while a machine sleeps.
    NetworkChanged,
    /// The deadline has come.
    Timeout,
    /// Ask nodes which torrents they keep peers of, from the nearest to a point outwards, until everybody was asked or [`Input::Cancel`] ends it. BEP 51.
    /// Who has told a sample is asked for another one, by whatever survey, only when the interval that he named is over.
    Sample {
        /// The name of this survey.
        lookup: LookupId,
        /// The point.
        target: Id,
    },
    /// Find peers of a torrent, and count those that have all of it and the others. BEP 33.
    Scrape {
        /// The name of this lookup.
        lookup: LookupId,
        /// The torrent.
        info_hash: Id,
    },
    /// Ask one address for a sign of life. [`Event::Probed`](crate::Event::Probed) tells what came of it, within [`Config::query_timeout`](crate::Config::query_timeout).
    Probe {
        /// The name of this question.
        lookup: LookupId,
        /// Whom to ask.
        address: SocketAddr,
    },
}
