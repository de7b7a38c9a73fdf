use std::borrow::Cow;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use arrayvec::ArrayVec;
use smallvec::SmallVec;

use crate::address::Family;
use crate::id::Id;
use crate::item::{Item, Salt};

mod rare;
mod sample;
mod scrape;

pub use rare::Rare;
pub use sample::Sample;
pub use scrape::{Flag, Scrape, Wishes};

/// The most nodes that a message names in one family: Kademlia's k on the wire.
pub const MAX_NODES: usize = 8;

/// One KRPC message. BEP 5, "KRPC Protocol".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// `t`: chosen by the one who asks, repeated in the answer.
    pub transaction: TransactionId,
    /// `v`: client and version. BEP 20.
    pub version: Option<[u8; 4]>,
    /// `ip`: in a response, the address that the asker is seen at. BEP 42, "Bootstrapping".
    pub external: Option<SocketAddr>,
    /// What is asked or answered.
    pub body: Body,
}

/// The three kinds of message (`y`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::large_enum_variant,
    reason = "a response is built once and moved twice; a box would cost an allocation a query"
)]
pub enum Body {
    /// A question.
    Query(Query),
    /// Its answer.
    Response(Response),
    /// Its refusal.
    Error(KrpcError),
}

/// BEP 5, "DHT Queries".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// The id of the asking node.
    pub id: Id,
    /// `ro`: the asker does not answer queries and is not to be put into a routing table. BEP 43.
    pub read_only: bool,
    /// What is asked.
    pub method: Method,
}

impl Query {
    /// The point whose neighbourhood is asked for, or the torrent.
    pub(crate) const fn target(&self) -> Option<&Id> {
        self.method.target()
    }
}

/// The methods of BEP 5 with their arguments, and those of other BEPs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `ping`
    Ping,
    /// `find_node`
    FindNode {
        /// Whose neighbourhood is asked for.
        target: Id,
        /// The families asked for. BEP 32.
        want: Want,
    },
    /// `get_peers`
    GetPeers {
        /// The torrent.
        info_hash: Id,
        /// The families asked for. BEP 32.
        want: Want,
        /// `noseed` and `scrape`. BEP 33.
        wishes: Wishes,
    },
    /// `announce_peer`
    AnnouncePeer {
        /// The torrent.
        info_hash: Id,
        /// Where the peer listens.
        port: AnnouncedPort,
        /// The token that this node gave us for the torrent.
        token: Token,
        /// `seed`: the peer has all of it. BEP 33.
        seed: Flag,
    },
    /// A method that this version does not know.
    Other {
        /// Its name, cut to 32 bytes.
        name: ArrayVec<u8, 32>,
        /// Its `target` or `info_hash`, if it has one: then it can be answered like `find_node`.
        target: Option<Id>,
        /// The families asked for. BEP 32.
        want: Want,
    },
    /// `get`. BEP 44, "get message".
    Get {
        /// The item.
        target: Id,
        /// `seq`: only a newer one is wanted.
        newer_than: Option<i64>,
        /// The families asked for. BEP 32.
        want: Want,
    },
    /// `put`; boxed, since few messages are one.
    Put(Box<Put>),
    /// `sample_infohashes`. BEP 51.
    SampleInfohashes {
        /// Whose neighbourhood is asked for beside the sample.
        target: Id,
        /// The families asked for. BEP 32.
        want: Want,
    },
}

/// The arguments of `put`. BEP 44, "put message".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Put {
    /// What is to be stored.
    pub item: Item,
    /// Of a mutable item; it means nothing beside another one.
    pub salt: Salt,
    /// `cas`: the item to be replaced has this sequence number.
    pub cas: Option<i64>,
    /// The token that this node gave us for the target of the item.
    pub token: Token,
}

impl Method {
    /// The point whose neighbourhood is asked for, if one is.
    pub const fn target(&self) -> Option<&Id> {
        match self {
            Self::Ping | Self::Put(_) => None,
            Self::FindNode { target, .. }
            | Self::Get { target, .. }
            | Self::SampleInfohashes { target, .. } => Some(target),
            Self::GetPeers { info_hash, .. } | Self::AnnouncePeer { info_hash, .. } => {
                Some(info_hash)
            }
            Self::Other { target, .. } => target.as_ref(),
        }
    }
}

/// The port of `announce_peer`. BEP 5, "`announce_peer`".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnnouncedPort {
    /// The port that the message says.
    Given(u16),
    /// `implied_port`: the port that the datagram comes from. The number is what `port` says, for nodes that know no implied port.
    Implied(u16),
}

/// `want`: which families a response shall name nodes of. BEP 32, "want".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Want {
    /// `n4`
    pub v4: bool,
    /// `n6`
    pub v6: bool,
}

impl Want {
    /// No `want` in the message: the family of the datagram is meant.
    pub const UNSAID: Self = Self {
        v4: false,
        v6: false,
    };
    /// Both families.
    pub const BOTH: Self = Self { v4: true, v6: true };

    /// Whether nodes of `family` are wanted by a query that came over `transport`.
    pub fn includes(self, family: Family, transport: Family) -> bool {
        match (self, family) {
            (Self::UNSAID, _) => family == transport,
            (_, Family::V4) => self.v4,
            (_, Family::V6) => self.v6,
        }
    }
}

/// BEP 5, "DHT Queries": what the methods return, in one structure, since a response does not say which it answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Response {
    /// The id of the answering node.
    pub id: Id,
    /// `nodes`
    pub nodes: Option<Nodes<SocketAddrV4>>,
    /// `nodes6`. BEP 32; boxed, since few messages carry it.
    pub nodes6: Option<Box<Nodes<SocketAddrV6>>>,
    /// `token`, to be shown in a later `announce_peer`.
    pub token: Option<Token>,
    /// `values`: peers of the torrent.
    pub values: Vec<SocketAddr>,
    /// `k`, `seq`, `sig` and `v`: the item that was asked for. BEP 44.
    pub item: Rare<Holding>,
    /// `samples`, `num` and `interval`. BEP 51.
    pub sample: Rare<Sample>,
    /// `BFsd` and `BFpe`. BEP 33.
    pub scrape: Rare<Scrape>,
}

/// What a node says about an item that it holds. BEP 44, "get message".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holding {
    /// `v`, with `k`, `seq` and `sig` if it is mutable.
    Item(Item),
    /// `seq` alone: it is not newer than the one that was asked for.
    Seq(i64),
}

impl Response {
    /// A response that says nothing but who answers: that of `ping` and `announce_peer`.
    pub const fn new(id: Id) -> Self {
        Self {
            id,
            nodes: None,
            nodes6: None,
            token: None,
            values: Vec::new(),
            item: Rare::MISSING,
            sample: Rare::MISSING,
            scrape: Rare::MISSING,
        }
    }

    /// All named nodes, both families.
    pub fn named(&self) -> impl Iterator<Item = NodeInfo> + '_ {
        let v4 = self.nodes.iter().flatten().map(NodeInfo::widen);
        let v6 = self
            .nodes6
            .iter()
            .flat_map(|nodes| nodes.iter())
            .map(NodeInfo::widen);
        v4.chain(v6)
    }
}

/// The nodes that a message names in one family, nearest first.
pub type Nodes<A> = ArrayVec<NodeInfo<A>, MAX_NODES>;

/// A node: its id and where it listens. BEP 5, "Contact Encoding".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeInfo<A = SocketAddr> {
    /// Who.
    pub id: Id,
    /// Where.
    pub address: A,
}

impl<A: Copy + Into<SocketAddr>> NodeInfo<A> {
    /// The same node with an address of either family.
    pub fn widen(&self) -> NodeInfo {
        NodeInfo {
            id: self.id,
            address: self.address.into(),
        }
    }
}

/// An opaque proof that its holder receives what is sent to his address. BEP 5, "`get_peers`".
///
/// At most [`Token::MAX_LENGTH`] bytes; ours have 8.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token(SmallVec<[u8; 24]>);

impl Token {
    /// Longer tokens of others are not kept: nothing is stored at such a node.
    pub const MAX_LENGTH: usize = 255;

    /// A token, unless it is too long.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= Self::MAX_LENGTH).then(|| Self(SmallVec::from_slice(bytes)))
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; 8]> for Token {
    fn from(bytes: [u8; 8]) -> Self {
        Self(SmallVec::from_slice(&bytes))
    }
}

/// `t`: correlates an answer with its query. At most [`TransactionId::MAX_LENGTH`] bytes; ours have 4.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TransactionId(ArrayVec<u8, { TransactionId::MAX_LENGTH }>);

impl TransactionId {
    /// Nobody is known to use more.
    pub const MAX_LENGTH: usize = 20;

    /// A transaction id, unless it is too long.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<u32> for TransactionId {
    fn from(number: u32) -> Self {
        Self(number.to_be_bytes().into_iter().collect())
    }
}

/// A refusal. BEP 5, "Errors".
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{code} {message}")]
pub struct KrpcError {
    /// See the constants of this type; others may come from other software.
    pub code: i64,
    /// For people; at most 256 bytes are kept of what others send.
    pub message: Cow<'static, str>,
}

impl KrpcError {
    /// Generic error.
    pub const GENERIC: i64 = 201;
    /// Server error.
    pub const SERVER: i64 = 202;
    /// Protocol error: malformed packet, invalid arguments, bad token.
    pub const PROTOCOL: i64 = 203;
    /// Method unknown.
    pub const METHOD_UNKNOWN: i64 = 204;
    /// The value of an item is too big. BEP 44, "Errors", as those below.
    pub const VALUE_TOO_BIG: i64 = 205;
    /// The signature of an item is wrong.
    pub const INVALID_SIGNATURE: i64 = 206;
    /// The salt of an item is too big.
    pub const SALT_TOO_BIG: i64 = 207;
    /// The item to be replaced has another sequence number than `cas` says.
    pub const CAS_MISMATCH: i64 = 301;
    /// The stored item is as new or newer.
    pub const SEQUENCE_NUMBER_TOO_LOW: i64 = 302;

    pub(crate) const fn new(code: i64, message: &'static str) -> Self {
        Self {
            code,
            message: Cow::Borrowed(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_small_enough_to_be_moved() {
        assert!(size_of::<NodeInfo<SocketAddrV4>>() == 26);
        assert!(size_of::<Message>() <= 448, "{}", size_of::<Message>());
    }
}
