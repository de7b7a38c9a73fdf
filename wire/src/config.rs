use std::net::IpAddr;
use std::time::Duration;

/// Whom a seed serves when more want to be served than can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SeedChoice {
    /// Each in turn, half a minute at a time. Nobody waits for ever, and nobody gains by being near.
    #[default]
    RoundRobin,
    /// Those that take fastest, and one more in turn: the content spreads sooner where those who take fast give fast too.
    FastestUpload,
}

/// What a torrent may use, and what it tells its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Connections at once, both directions together.
    pub max_connections: usize,
    /// Addresses being dialled at once.
    pub max_dials: usize,
    /// Addresses remembered to be dialled.
    pub max_known_peers: usize,
    /// Peers served at once, at least.
    pub unchoke_slots: usize,
    /// Peers served at once, at most, where `unchoke_slots` of them leave a part of the way out unused.
    pub max_unchoke_slots: usize,
    /// Whom to serve while we have everything.
    pub seed_choice: SeedChoice,
    /// While nothing that we want is missing, each peer is shown one piece at a time, and the next when that has been seen elsewhere. For the first seed of a
    /// torrent, if its way out is narrow. BEP 16.
    pub super_seeding: bool,
    /// Requests in flight to one peer, at most; the pipeline decides how many below that.
    pub max_outstanding: u32,
    /// Requests of one peer that wait to be served, at most. Advertised to it (`reqq`); what is above is rejected.
    pub max_queued_uploads: usize,
    /// How long a peer may let requests lie before others are asked, at most; a peer with a known pace gets less.
    pub request_timeout: Duration,
    /// How long a peer may say nothing at all.
    pub idle_timeout: Duration,
    /// After how long without a message of ours a keep-alive is sent. BEP 3 says two minutes.
    pub keep_alive: Duration,
    /// The UDP port of our DHT node, told to peers that have one themselves.
    pub dht_port: Option<u16>,
    /// The TCP port that we listen on, told to peers.
    pub listen_port: Option<u16>,
    /// Our addresses as others see them, at most one a family counts. The connections to keep when there are too many follow from them (BEP 40).
    pub external: Vec<IpAddr>,
    /// The name that peers show to their users.
    pub client: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: 100,
            max_dials: 30,
            max_known_peers: 2000,
            unchoke_slots: 4,
            max_unchoke_slots: 64,
            seed_choice: SeedChoice::RoundRobin,
            super_seeding: false,
            max_outstanding: 512,
            max_queued_uploads: 1000,
            request_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(180),
            keep_alive: Duration::from_secs(110),
            dht_port: None,
            listen_port: None,
            external: Vec::new(),
            client: concat!("trackless ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
