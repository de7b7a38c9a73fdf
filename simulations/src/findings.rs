//! What an experiment found out: rows and counts, made for tables and plots, without any wall-clock time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Digest, Plan};

/// All that is known after a run, or after the part of it that was run.
#[derive(Clone, Debug)]
pub struct Findings {
    /// What was run, with all its numbers.
    pub plan: Plan,
    /// Whether it was run to its end.
    pub is_finished: bool,
    /// Virtual time that was run, settling included.
    pub simulated: Duration,
    /// The run in one number.
    pub digest: Digest,
    /// The digest at the end of each simulated minute, settling included.
    pub minutes: Vec<Digest>,
    /// Things that happened: messages delivered, timers, arrivals and departures.
    pub events: u64,
    /// Every lookup that the workload began while it was measured, by the time at which it began.
    pub lookups: Vec<LookupRow>,
    /// The world at the end of each simulated minute of the measurement.
    pub samples: Vec<Sample>,
    /// Nodes at the end, at most [`Findings::MAX_NODES`] of them, evenly spread.
    pub nodes: Vec<NodeRow>,
    /// Contacts in each bucket at the end, from the root on, as a mean over the nodes that are online, with what the bucket holds at most.
    pub buckets: Vec<BucketRow>,
    /// Where the packets are.
    pub traffic: Traffic,
    /// Messages and bytes by type, as sent.
    pub messages: BTreeMap<&'static str, MessageCount>,
    /// What enemies tried, and how often it came to something.
    pub attacks: Vec<AttackRow>,
    /// The torrent that was fetched.
    pub swarm: Option<SwarmFindings>,
}

impl Findings {
    /// Rows of `nodes` at most.
    pub const MAX_NODES: usize = 20_000;

    /// What is known of a plan before it is run.
    pub fn nothing(plan: Plan) -> Self {
        Self {
            plan,
            is_finished: false,
            simulated: Duration::ZERO,
            digest: Digest::default(),
            minutes: Vec::new(),
            events: 0,
            lookups: Vec::new(),
            samples: Vec::new(),
            nodes: Vec::new(),
            buckets: Vec::new(),
            traffic: Traffic::default(),
            messages: BTreeMap::new(),
            attacks: Vec::new(),
            swarm: None,
        }
    }

    /// The lookups of some kinds.
    pub(crate) fn of<'a>(
        &'a self,
        kinds: &'a [Kind],
    ) -> impl Iterator<Item = &'a LookupRow> + Clone + use<'a> {
        self.lookups
            .iter()
            .filter(|lookup| kinds.contains(&lookup.kind))
    }
}

/// What a measured lookup was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `find_node` for a random point.
    FindNode,
    /// `get_peers` for an info-hash that was announced.
    GetPeers,
    /// `get_peers` and `announce_peer` for a new info-hash.
    Announce,
    /// `get_peers` some time after such an announce.
    Recall,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FindNode => "find_node",
            Self::GetPeers => "get_peers",
            Self::Announce => "announce",
            Self::Recall => "recall",
        }
    }
}

/// How a measured lookup went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Success {
    /// It found what there was to be found: an honest peer; for `find_node` the nearest living node; for an announce, somebody who holds it.
    Yes,
    /// It ended without, or did not end.
    No,
    /// The one who asked left before it ended, the run ended, or there was nothing to be found: it says nothing.
    Void,
}

impl Success {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Void => "void",
        }
    }

    /// The share that succeeded of those that say something; `None` if none does.
    pub(crate) fn share<'a>(lookups: impl IntoIterator<Item = &'a LookupRow>) -> Option<f64> {
        let (mut yes, mut all) = (0_u32, 0_u32);
        for lookup in lookups {
            match lookup.success {
                Self::Yes => (yes, all) = (yes + 1, all + 1),
                Self::No => all += 1,
                Self::Void => {}
            }
        }
        (all > 0).then(|| f64::from(yes) / f64::from(all))
    }
}

/// One measured lookup.
#[derive(Clone, Debug, PartialEq)]
pub struct LookupRow {
    /// When it began, counted from the start of the run.
    pub at: Duration,
    /// What it was for.
    pub kind: Kind,
    /// Who asked.
    pub node: u32,
    /// The number of the info-hash among those announced; `None` for `find_node`.
    pub info_hash: Option<u32>,
    /// The info-hash was attacked.
    pub is_attacked: bool,
    /// How it went.
    pub success: Success,
    /// From its beginning to the first peers.
    pub first_peers: Option<Duration>,
    /// From its beginning to its end.
    pub elapsed: Option<Duration>,
    /// The longest chain of answers that led to one of the nodes nearest to the target.
    pub hops: u8,
    /// Queries sent, answered, not waited for, and failed.
    pub asked: u32,
    /// Queries answered.
    pub answered: u32,
    /// Queries not waited for.
    pub stalled: u32,
    /// Queries that failed.
    pub failed: u32,
    /// Different peers found.
    pub peers: u32,
    /// Of the k nearest living reachable nodes, how many it ended with: 0 to 8. Asked of the oracle for a sample only.
    pub accuracy: Option<u8>,
}

/// The world at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// When, counted from the start of the run.
    pub at: Duration,
    /// Nodes online.
    pub online: u32,
    /// Lookups of the last minute that succeeded, and all that say something.
    pub lookups_succeeded: u32,
    /// All lookups begun in the last minute that say something.
    pub lookups: u32,
    /// Recalls of the last minute that found the announced peer.
    pub recalls_succeeded: u32,
    /// All recalls begun in the last minute that say something.
    pub recalls: u32,
    /// Messages sent in the last minute.
    pub sent: u64,
    /// Messages delivered in the last minute.
    pub delivered: u64,
    /// Bytes sent in the last minute, headers of IP and UDP not counted.
    pub bytes: u64,
    /// Mean contacts of a table, over nodes online.
    pub contacts: f64,
    /// The share of contacts that are offline or unreachable, over a sample of nodes.
    pub dead_contacts: f64,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Its number.
    pub node: u32,
    /// Where it is, as others see it.
    pub address: std::net::SocketAddr,
    /// Its part: `honest`, `bootstrap`, `sybil`, ….
    pub part: &'static str,
    /// Whether nobody reaches it unasked.
    pub is_behind_nat: bool,
    /// Whether it is online.
    pub is_online: bool,
    /// Messages that it sent.
    pub sent: u32,
    /// Messages that it received.
    pub received: u32,
    /// Contacts in its table.
    pub contacts: u32,
    /// Peers that it stores for others.
    pub peers: u32,
}

/// One bucket, over many nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BucketRow {
    /// Leading bits that its ids share with their owner's.
    pub shared_bits: u8,
    /// Mean contacts.
    pub contacts: f64,
    /// How many it may hold.
    pub capacity: u32,
}

/// Where packets are: `sent + duplicated = delivered + (all drops) + in_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages that nodes wanted sent.
    pub sent: u64,
    /// Copies that the network made.
    pub duplicated: u64,
    /// Packets that reached a node.
    pub delivered: u64,
    /// Lost on the way, at random or in a burst.
    pub lost: u64,
    /// The sender's line was too busy.
    pub congested: u64,
    /// Across a cut.
    pub cut: u64,
    /// To an address that nobody has.
    pub nobody: u64,
    /// To somebody who is not online.
    pub offline: u64,
    /// Not let in by a NAT.
    pub filtered: u64,
    /// Not read by the receiver's limiter.
    pub limited: u64,
    /// On their way.
    pub in_flight: u64,
}

impl Traffic {
    /// What became of packets that reached nobody, by cause.
    pub(crate) const fn drops(&self) -> [(&'static str, u64); 7] {
        [
            ("lost on the way", self.lost),
            ("line too busy", self.congested),
            ("across a cut", self.cut),
            ("to nobody", self.nobody),
            ("to somebody offline", self.offline),
            ("stopped by a NAT", self.filtered),
            ("over the limits", self.limited),
        ]
    }

    /// Packets that were on their way: what was sent, and the copies of it.
    pub(crate) const fn packets(&self) -> u64 {
        self.sent + self.duplicated
    }
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.duplicated += other.duplicated;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.congested += other.congested;
        self.cut += other.cut;
        self.nobody += other.nobody;
        self.offline += other.offline;
        self.filtered += other.filtered;
        self.limited += other.limited;
        self.in_flight += other.in_flight;
    }
}

/// Messages of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCount {
    /// How many.
    pub messages: u64,
    /// Their length, headers of IP and UDP not counted.
    pub bytes: u64,
}

/// What one kind of enemy did.
#[derive(Clone, Debug, PartialEq)]
pub struct AttackRow {
    /// Its kind.
    pub kind: &'static str,
    /// How many there were.
    pub enemies: u32,
    /// What was counted, in words: "announces with made-up tokens that were stored".
    pub what: String,
    /// How often it was tried.
    pub tried: u64,
    /// How often it came to something.
    pub succeeded: u64,
}

/// How a torrent was fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct SwarmFindings {
    /// Those that wanted it.
    pub leechers: u32,
    /// From the arrival of the first leecher to when each had everything, sorted. Shorter than `leechers` if some never had.
    pub completions: Vec<Duration>,
    /// No distribution can be faster: Kumar and Ross 2006, `max(F/u_s, F/d_min, N·F/(u_s+Σu))`.
    pub bound: Duration,
    /// Pieces done of all leechers together at times, counted from the arrival of the first: a share.
    pub progress: Vec<(Duration, f64)>,
    /// Bytes of payload that seeds sent.
    pub seed_bytes: u64,
    /// Bytes of payload that leechers sent.
    pub leecher_bytes: u64,
}
