use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::id::Id;
use crate::item::Item;
use crate::message::{KrpcError, Message, NodeInfo, Sample};
use crate::scrape_count::ScrapeCount;

/// Where a node puts what it wants to be done and known. The driver implements it.
pub trait Outbox {
    /// Send this message. A message that gets lost is as good as sent.
    fn transmit(&mut self, to: SocketAddr, message: Message);
    /// Something happened that the application may want to know.
    fn event(&mut self, event: Event);
}

/// The driver's name for a lookup. It may be used again when the lookup has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(pub u64);

/// What a node reports. Nothing has to be done about any of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody answered: the routing table is not empty any more. Comes again after it was.
    Ready,
    /// The neighbourhood of our id was found, and with it the table as good as it gets at once. Comes again with another id, or when everybody was lost;
    /// not when the same neighbourhood is looked for again.
    Bootstrapped {
        /// Contacts in both tables.
        contacts: usize,
    },
    /// The bootstrap addresses are silent and nobody else is known. They are asked again, with growing pauses.
    Unreachable {
        /// How often each was asked so far, at most.
        attempts: u32,
    },
    /// Peers of a torrent that is looked up. Each is reported once a lookup.
    Peers {
        /// The lookup that asked.
        lookup: LookupId,
        /// Who named them; `None` if they were announced to this node itself.
        from: Option<SocketAddr>,
        /// Never empty.
        peers: Vec<SocketAddr>,
    },
    /// A peer announced itself to this node: who waits for that torrent need not look further.
    PeerAnnounced {
        /// The torrent.
        info_hash: Id,
        /// Where the peer listens.
        peer: SocketAddr,
    },
    /// A node holds our announce.
    Announced {
        /// The lookup that announces.
        lookup: LookupId,
        /// Who acknowledged it.
        node: NodeInfo,
    },
    /// A step of a lookup, for those who want to watch. Queries that only look for nodes that others may hide have none: [`LookupReport::asked`] counts them.
    Trace {
        /// The lookup.
        lookup: LookupId,
        /// Who was asked.
        address: SocketAddr,
        /// Its id, where it is known.
        id: Option<Id>,
        /// What happened.
        step: Step,
    },
    /// A lookup is over, or a survey.
    LookupEnded {
        /// Which.
        lookup: LookupId,
        /// How it went.
        report: Box<LookupReport>,
    },
    /// Nodes of several networks agree about our address. BEP 42.
    ExternalAddress {
        /// The address they see.
        ip: IpAddr,
    },
    /// Our id follows our address, which had changed or become known. BEP 42.
    IdChanged {
        /// The new one.
        id: Id,
    },
    /// The item that is looked up, verified; of a mutable one, one that is newer than those before.
    Item {
        /// The lookup that asked.
        lookup: LookupId,
        /// Who has it; `None` if it was put to this node itself.
        from: Option<SocketAddr>,
        /// The best one so far.
        item: Box<Item>,
    },
    /// A node holds the item that we put.
    Stored {
        /// The lookup that puts.
        lookup: LookupId,
        /// Who acknowledged it.
        node: NodeInfo,
    },
    /// A node does not take the item that we put.
    PutRefused {
        /// The lookup that puts.
        lookup: LookupId,
        /// Its address.
        node: SocketAddr,
        /// Why.
        error: KrpcError,
    },
    /// A node that a survey asked told which torrents it keeps peers of. BEP 51.
    Sampled {
        /// The survey.
        lookup: LookupId,
        /// Who told.
        node: NodeInfo,
        /// What it told.
        sample: Box<Sample>,
    },
    /// How many have a torrent: what [`Input::Scrape`](crate::Input::Scrape) counted until its end, which follows.
    Scraped {
        /// The lookup.
        lookup: LookupId,
        /// What it counted.
        count: Box<ScrapeCount>,
    },
    /// What came of [`Input::Probe`](crate::Input::Probe).
    Probed {
        /// The question.
        lookup: LookupId,
        /// Its answer.
        outcome: Probe,
    },
}

impl Event {
    /// The lookup, survey or question that it is about; `None` if it is about the node.
    pub const fn lookup(&self) -> Option<LookupId> {
        match self {
            Self::Peers { lookup, .. }
            | Self::Announced { lookup, .. }
            | Self::Trace { lookup, .. }
            | Self::LookupEnded { lookup, .. }
            | Self::Item { lookup, .. }
            | Self::Stored { lookup, .. }
            | Self::PutRefused { lookup, .. }
            | Self::Sampled { lookup, .. }
            | Self::Scraped { lookup, .. }
            | Self::Probed { lookup, .. } => Some(*lookup),
            Self::Ready
            | Self::Bootstrapped { .. }
            | Self::Unreachable { .. }
            | Self::PeerAnnounced { .. }
            | Self::ExternalAddress { .. }
            | Self::IdChanged { .. } => None,
        }
    }

    /// Whether nothing more follows about its lookup.
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::LookupEnded { .. } | Self::Probed { .. })
    }
}

/// What an address says to a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A node is there.
    Answered {
        /// Which.
        node: NodeInfo,
        /// `v`: its client and version. BEP 20.
        version: Option<[u8; 4]>,
        /// The time it took.
        round_trip: Duration,
    },
    /// Somebody is there, who answers with an error.
    Refused {
        /// The code of BEP 5, "Errors".
        code: i64,
    },
    /// Nobody answered.
    Silent,
}

/// One thing that happened to one query of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It was sent.
    Asked {
        /// Whose answer had named the node first; `None` if it stood in our own table, or the address was given.
        named_by: Option<SocketAddr>,
    },
    /// It was answered.
    Answered {
        /// The time it took.
        round_trip: Duration,
        /// Nodes that the answer names.
        nodes: usize,
        /// Peers that the answer names.
        peers: usize,
    },
    /// It is not waited for any longer; a late answer counts.
    Stalled,
    /// It was never answered.
    TimedOut,
    /// It was answered by another id than the expected one.
    Impostor {
        /// Who answered.
        id: Id,
    },
    /// It was answered with an error.
    Refused {
        /// The code of BEP 5, "Errors".
        code: i64,
    },
}

/// How a lookup went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupReport {
    /// What was looked for.
    pub target: Id,
    /// Why it ended.
    pub outcome: Outcome,
    /// Queries sent, announces not counted.
    pub asked: usize,
    /// Queries answered.
    pub answered: usize,
    /// Queries that were not waited for.
    pub stalled: usize,
    /// Queries answered by nobody, by an error or by somebody else.
    pub failed: usize,
    /// Different peers found.
    pub peers: usize,
    /// Nodes that hold the announce, or the item that was put.
    pub announced_to: usize,
    /// Nodes that had the best item that was found; if none was newer than the one that was known already, nodes that say that they have that. BEP 44.
    pub copies: usize,
    /// The longest chain of answers that led to one of `closest`; a node of our own table is one hop away. 0 if nobody answered.
    pub hops: u8,
    /// From the input that started it to its end.
    pub elapsed: Duration,
    /// The nearest nodes that answered, nearest first, at most 8 a family.
    pub closest: Vec<NodeInfo>,
}

/// Why a lookup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The nearest living nodes have answered.
    Converged,
    /// [`Input::Cancel`](crate::Input::Cancel), or another lookup took its name.
    Cancelled,
    /// Nobody answered within [`Config::lookup_patience`](crate::Config::lookup_patience).
    OutOfPatience,
    /// The immutable item was found: nothing better can be.
    Found,
}
