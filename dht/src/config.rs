use std::time::Duration;

use crate::message::MAX_NODES;

/// The numbers that a node lives by. The default is what people run; a simulation varies them.
#[derive(Clone, Debug)]
pub struct Config {
    /// `v` of every message: client and version. BEP 20.
    pub version: [u8; 4],
    /// Answer no queries and stay out of routing tables: for nodes that nobody can reach. BEP 43.
    pub read_only: bool,

    /// Contacts of a bucket, from the root on; those after the last one hold [`Config::K`]. Wide first buckets save hops.
    pub first_buckets: &'static [u8],
    /// Verified contacts kept for full buckets, in each family.
    pub spares: usize,
    /// A contact that was silent for so long is asked for a sign of life. BEP 5 calls it questionable after 15 minutes.
    pub questionable_after: Duration,
    /// A contact that came to us by itself is asked sooner, when it was silent for so long: a hole that it made in its NAT to reach us is closed by then
    /// (RFC 4787, REQ-5: after two minutes or more), and if it answers all the same, others can reach it too.
    pub visitor_after: Duration,
    /// How long a visitor that did not is neither verified nor looked up again.
    pub visitor_quarantine: Duration,
    /// A contact leaves the table after so many time-outs in a row; after 7 at the latest.
    pub max_failures: u8,
    /// How long a node that left so is neither verified nor looked up again.
    pub quarantine: Duration,
    /// So many queries of one family in a row that nobody answered, and nobody heard meanwhile: then it is our link that is down, and nobody leaves its table.
    pub frozen_after: u32,
    /// How long a node that asked us, or that others named, waits to be verified once the table is not nearly empty.
    pub verification_delay: Duration,
    /// The pace of maintenance: one packet at most a family in each of these.
    pub maintenance_interval: Duration,
    /// How often every bucket with room, and our own neighbourhood, is looked for. BEP 5, "Routing Table": 15 minutes.
    pub refresh_interval: Duration,

    /// Queries in flight at the start of a lookup.
    pub initial_queries: usize,
    /// Queries in flight that are allowed to a lookup, stalled ones not counted. With the first peers it falls to `initial_queries`.
    pub max_parallel: usize,
    /// New queries at most for each answer.
    pub queries_per_response: usize,
    /// Queries at most that a lookup for peers spends beyond its convergence, where the nearest that answered stand denser or sparser than can be by
    /// chance: so nobody swallows an announce by standing nearest, or by hiding those who do. 0: it ends with the nearest, whoever they are.
    pub region: usize,
    /// Queries in flight in all, stalled ones counted. Lookups wait for one another beyond it.
    pub max_in_flight: usize,
    /// The pace at which lookups write to addresses of the public network that were not written to in the last half minute: one in each of these,
    /// in the long run. Zero: as fast as they can.
    pub query_interval: Duration,
    /// So many of them may be written to at once.
    pub query_burst: u32,
    /// Newcomers (who asked us, or were named by others, and have not answered us yet) that may be asked for a sign of life at the same time; one
    /// a public IP.
    pub max_newcomers_in_flight: usize,
    /// The pace at which newcomers of the public network are asked: one in each of these, in the long run.
    pub newcomer_interval: Duration,
    /// So many of them may be asked at once.
    pub newcomer_burst: u32,
    /// How long a newcomer's answer is waited for.
    pub newcomer_timeout: Duration,
    /// Nodes that answered a moment ago, remembered as a start for lookups, and with how fast they were. 0: each lookup starts from the routing table alone, as it may
    /// where lookups are few; a batch of them in key-space order saves most of the way. About 90 bytes each.
    pub recent_responders: usize,
    /// The shortest time after which a lookup stops waiting for an answer.
    pub min_stall: Duration,
    /// The longest one, and the one used before a round trip was measured.
    pub max_stall: Duration,
    /// An answer is welcome for so long; after it the query has failed.
    pub query_timeout: Duration,
    /// A lookup that nobody ever answered ends after so long; without a limit it waits until somebody does.
    pub lookup_patience: Option<Duration>,

    /// The first pause before silent bootstrap addresses are asked again; it doubles each time.
    pub bootstrap_backoff: Duration,
    /// The longest of these pauses.
    pub max_bootstrap_backoff: Duration,

    /// The life of an announced peer.
    pub peer_lifetime: Duration,
    /// Info-hashes that peers are kept for.
    pub max_info_hashes: usize,
    /// Peers kept for one info-hash, in each family.
    pub max_peers_per_info_hash: usize,
    /// Entries that one source (an IP, in IPv6 a /64; on local networks IP and port) may have in all.
    pub max_peers_per_source: u32,
    /// Entries that the sources of one public /24 (IPv6: /48) may have together.
    pub max_peers_per_network: u32,
    /// Bytes that the peer store may take, approximately.
    pub max_peer_bytes: usize,
    /// How long a sample of the info-hashes that peers are kept for stays the same, six hours at most. BEP 51.
    pub sample_interval: Duration,

    /// The life of a stored item. BEP 44, "Expiration": 2 hours.
    pub item_lifetime: Duration,
    /// Items that one source (as above) may have stored.
    pub max_items_per_source: u32,
    /// Items that the sources of one public /24 (IPv6: /48) may have stored together.
    pub max_items_per_network: u32,
    /// Bytes that the item store may take, approximately.
    pub max_item_bytes: usize,
}

impl Config {
    /// Kademlia's k: nodes in a response, contacts in a deep bucket, nodes that an announce goes to. BEP 5, "Routing Table".
    pub const K: usize = MAX_NODES;

    /// How many contacts a bucket holds; the first one is that of the ids that share no leading bit with ours.
    pub fn bucket_size(&self, bucket: usize) -> usize {
        self.first_buckets
            .get(bucket)
            .map_or(Self::K, |&size| usize::from(size))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            version: *b"TL\x00\x01",
            read_only: false,
            first_buckets: &[128, 64, 32, 16],
            spares: 8,
            questionable_after: Duration::from_secs(10 * 60),
            visitor_after: Duration::from_secs(3 * 60),
            visitor_quarantine: Duration::from_secs(30 * 60),
            max_failures: 2,
            quarantine: Duration::from_secs(3 * 60),
            frozen_after: 8,
            verification_delay: Duration::from_secs(5),
            maintenance_interval: Duration::from_secs(6),
            refresh_interval: Duration::from_secs(15 * 60),
            initial_queries: 4,
            max_parallel: 10,
            queries_per_response: 3,
            region: 64,
            max_in_flight: 256,
            query_interval: Duration::from_millis(10),
            query_burst: 500,
            max_newcomers_in_flight: 32,
            newcomer_interval: Duration::from_millis(40),
            newcomer_burst: 32,
            newcomer_timeout: Duration::from_secs(2),
            recent_responders: 0,
            min_stall: Duration::from_millis(150),
            max_stall: Duration::from_secs(2),
            query_timeout: Duration::from_secs(10),
            lookup_patience: None,
            bootstrap_backoff: Duration::from_secs(1),
            max_bootstrap_backoff: Duration::from_secs(60),
            peer_lifetime: Duration::from_secs(45 * 60),
            max_info_hashes: 20_000,
            max_peers_per_info_hash: 2_000,
            max_peers_per_source: 5_000,
            max_peers_per_network: 10_000,
            max_peer_bytes: 48 << 20,
            sample_interval: Duration::from_secs(10 * 60),
            item_lifetime: Duration::from_secs(2 * 60 * 60),
            max_items_per_source: 128,
            max_items_per_network: 512,
            max_item_bytes: 16 << 20,
        }
    }
}
