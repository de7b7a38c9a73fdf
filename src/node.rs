//! The node: one DHT, one listening port, any number of torrents.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dht::{AnnouncedPort, Id, Item, Salt};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use wire::{Handshake, HostPort, Info, InfoHash, Magnet, Metainfo, Order, PeerId, Reserved};

use crate::batch::Batch;
use crate::dht_driver::{Dht, DhtStatistics, Question};
use crate::following::Following;
use crate::item::{self, ItemSearch, KeptItem, Receipt};
use crate::lookup::{Lookup, LookupEvent, Peers};
use crate::peer_driver::{Ceilings, Door, Doors};
use crate::publisher::Publisher;
use crate::receipt::{AnnounceReceipt, Announcer, KeptAnnounce};
use crate::selection::Selection;
use crate::session::{Begin, Command, INBOX, Manner, Opening, Session};
use crate::state::StateDir;
use crate::storage::{OpenFiles, Storage};
use crate::throttle::Throttles;
use crate::{Error, Limits, Torrent};

mod builder;
mod surveys;

pub use builder::Builder;
pub use surveys::{Estimate, NodeSample, Pong, Samples, Scraped, SurveySummary, TableView};

/// What our peer ids begin with. BEP 20.
const CLIENT: [u8; 8] = *b"-TL0100-";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);

/// What to fetch.
#[derive(Debug, Clone)]
pub enum Source {
    /// Twenty bytes; everything else comes from the network.
    InfoHash(InfoHash),
    /// A magnet link: an info-hash, perhaps a name and peers.
    Magnet(Magnet),
    /// A .torrent file that was read already.
    Metainfo(Box<Metainfo>),
}

impl Source {
    /// The torrent that is meant.
    pub fn info_hash(&self) -> InfoHash {
        match self {
            Source::InfoHash(info_hash) => *info_hash,
            Source::Magnet(magnet) => magnet.info_hash,
            Source::Metainfo(metainfo) => metainfo.info.hash(),
        }
    }
}

impl From<InfoHash> for Source {
    fn from(info_hash: InfoHash) -> Self {
        Source::InfoHash(info_hash)
    }
}

/// How a torrent is fetched.
#[derive(Debug, Clone)]
pub struct GetOptions {
    /// The content goes to this directory, under the torrent's name.
    pub directory: PathBuf,
    /// The files that are wanted.
    pub selection: Selection,
    /// In which order pieces are fetched.
    pub order: Order,
    /// The content is for this time only: nothing of the torrent is kept in the state directory.
    pub temporary: bool,
    /// Peers to ask besides those that the DHT names.
    pub peers: Vec<SocketAddr>,
    /// Nothing moved for so long: the download ends, with the error of the phase it was in. `None` waits for ever.
    pub timeout: Option<Duration>,
}

impl Default for GetOptions {
    /// Into the current directory, with two minutes of patience.
    fn default() -> Self {
        GetOptions {
            directory: PathBuf::from("."),
            selection: Selection::default(),
            order: Order::default(),
            temporary: false,
            peers: Vec::new(),
            timeout: Some(DEFAULT_TIMEOUT),
        }
    }
}

/// A running node. Clones share it; it ends with the last of them, or by [`Node::shutdown`].
#[derive(Debug, Clone)]
pub struct Node {
    inner: Arc<Inner>,
    dht: Dht,
}

#[derive(Debug)]
struct Inner {
    doors: Doors,
    addresses: Vec<SocketAddr>,
    listeners: Vec<AbortHandle>,
    state: Option<Arc<StateDir>>,
    throttles: Throttles,
    ceilings: Ceilings,
    open_files: OpenFiles,
    manner: Manner,
}

impl Drop for Inner {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

impl Node {
    /// A node with nothing set: no bootstrap host, the customary port, no state.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The same node, asked with a limit: what this handle looks up, announces or puts ends after so long, with what has been found by then. Without one, as
    /// in the handle that [`Builder::start`] returns, a question that nobody answers waits until somebody does. Torrents have a time-out of their own
    /// ([`GetOptions::timeout`]).
    #[must_use]
    pub fn with_patience(&self, patience: Option<Duration>) -> Node {
        Node {
            dht: self.dht.with_patience(patience),
            ..self.clone()
        }
    }

    /// How long a question of this handle may take.
    pub fn patience(&self) -> Option<Duration> {
        self.dht.patience()
    }

    /// The first address listened on, by TCP and UDP.
    pub fn local_address(&self) -> SocketAddr {
        self.inner.addresses[0]
    }

    /// All addresses listened on.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.inner.addresses
    }

    /// Our id in the DHT, on the first address if there are several. It changes once when our address becomes known (BEP 42).
    pub fn id(&self) -> [u8; 20] {
        self.ids().next().map_or([0; 20], |(id, _)| id)
    }

    /// Our ids in the DHT, each with the addresses that it has: one, or one a family. BEP 45.
    pub fn ids(&self) -> impl Iterator<Item = ([u8; 20], &[SocketAddr])> {
        let ids = self.dht.ids();
        ids.map(|(id, addresses)| (*id.as_bytes(), addresses))
    }

    /// How much the DHT node holds.
    pub fn dht_statistics(&self) -> DhtStatistics {
        self.dht.statistics()
    }

    /// Waits until a DHT node has answered; at once if one has. Returns how many the routing tables hold.
    ///
    /// # Errors
    /// Not one bootstrap host resolves, or nobody answers in time.
    pub async fn bootstrapped(&self, patience: Duration) -> Result<usize, Error> {
        let dht = &self.dht;
        let mut entrance = dht.entrance();
        let waiting = entrance.wait_for(|entrance| entrance.ready || entrance.closed().is_some());
        let silent = || Error::NoNodeAnswered {
            asked: dht.asked().to_owned(),
            after: patience,
        };
        let reached = timeout(patience, waiting).await.map_err(|_| silent())?;
        let reached = reached.map_err(|_| Error::ShutDown)?;
        if let Some((host, source)) = reached.closed() {
            return Err(Error::Resolve {
                host: host.clone(),
                source: std::io::Error::new(source.kind(), source.to_string()),
            });
        }
        let statistics = dht.statistics();
        Ok(statistics.nodes_v4 + statistics.nodes_v6)
    }

    /// Waits, for as long as it takes, until a DHT node has answered; at once if one has.
    ///
    /// # Errors
    /// The node was shut down.
    pub async fn entered(&self) -> Result<(), Error> {
        let mut entrance = self.dht.entrance();
        let entered = entrance.wait_for(|entrance| entrance.ready).await;
        entered.map(drop).map_err(|_| Error::ShutDown)
    }

    /// The peers that the DHT knows for an info-hash, as they are found.
    pub fn get_peers(&self, info_hash: InfoHash) -> Peers {
        Peers::new(self.lookup(info_hash))
    }

    /// The same, with every step on the way.
    pub fn lookup(&self, info_hash: InfoHash) -> Lookup {
        Lookup::new(self.dht.lookup(*info_hash.as_bytes(), Question::GetPeers))
    }

    /// Announces a TCP port for an info-hash, once, as one who has not all of it; without a port, the one we listen on. It holds for 30 to 45 minutes.
    /// Returns how many nodes acknowledged it.
    ///
    /// # Errors
    /// The node was shut down.
    pub async fn announce(&self, info_hash: InfoHash, port: Option<u16>) -> Result<usize, Error> {
        let mut announcement = self.announcement(info_hash, port);
        let mut holders = 0;
        while let Some(event) = announcement.next().await {
            match event {
                LookupEvent::Announced { .. } => holders += 1,
                LookupEvent::Ended { .. } => return Ok(holders),
                _ => {}
            }
        }
        Err(Error::ShutDown)
    }

    /// The same, with every step on the way: [`LookupEvent::Announced`] names each node that holds it.
    pub fn announcement(&self, info_hash: InfoHash, port: Option<u16>) -> Lookup {
        let question = self.announcing(port);
        Lookup::new(self.dht.lookup(*info_hash.as_bytes(), question))
    }

    /// Announces it once, and asks each node that acknowledged that whether it names us.
    ///
    /// # Errors
    /// Nobody answered, or the node was shut down.
    pub async fn announce_with_receipt(
        &self,
        info_hash: InfoHash,
        port: Option<u16>,
    ) -> Result<AnnounceReceipt, Error> {
        self.announcer(info_hash, port).announce().await
    }

    /// Announces it with a receipt, and goes on doing so every 15 minutes for as long as what this returns lives.
    pub fn keep_announced(&self, info_hash: InfoHash, port: Option<u16>) -> KeptAnnounce {
        KeptAnnounce::start(self.announcer(info_hash, port))
    }

    fn announcer(&self, info_hash: InfoHash, port: Option<u16>) -> Announcer {
        Announcer {
            dht: self.dht.clone(),
            addresses: self.inner.addresses.clone(),
            info_hash,
            port: self.announced(port),
        }
    }

    /// Looks for peers of many info-hashes, each once, with a few queries each. Returns at once.
    pub fn look_up_all(&self, info_hashes: &[InfoHash]) -> Batch {
        Batch::start(&self.dht, info_hashes, Question::GetPeers)
    }

    /// Announces many info-hashes, as [`Node::announce`] does one.
    pub fn announce_all(&self, info_hashes: &[InfoHash], port: Option<u16>) -> Batch {
        Batch::start(&self.dht, info_hashes, self.announcing(port))
    }

    fn announcing(&self, port: Option<u16>) -> Question {
        let port = self.announced(port);
        Question::Announce { port, seed: false }
    }

    fn announced(&self, port: Option<u16>) -> AnnouncedPort {
        port.map_or(
            AnnouncedPort::Implied(self.local_address().port()),
            AnnouncedPort::Given,
        )
    }

    /// Searches an item, and checks that what is found is genuine. A mutable one needs its salt for that. BEP 44.
    pub fn get_item(&self, target: Id, salt: &Salt) -> ItemSearch {
        ItemSearch::new(self.dht.get_item(target, salt.clone(), None))
    }

    /// Puts an item to the nodes nearest to its target, once. It holds for two hours. With `cas`, nodes that hold another version
    /// than this one keep theirs. BEP 44.
    ///
    /// # Errors
    /// Nobody took it, a newer version is known, or the node was shut down.
    pub async fn put_item(
        &self,
        item: &Item,
        salt: &Salt,
        cas: Option<i64>,
    ) -> Result<Receipt, Error> {
        item::put(&self.dht, item, salt, cas).await
    }

    /// Puts an item, and goes on doing so about once an hour for as long as what this returns lives.
    pub fn keep_item(&self, item: &Item, salt: &Salt) -> KeptItem {
        KeptItem::start(self.dht.clone(), item.clone(), salt.clone())
    }

    /// Follows a publisher: its newest torrent, and each that is newer, looked for about so often. BEP 46.
    pub fn follow(&self, publisher: Publisher, interval: Duration) -> Following {
        Following::start(self.dht.clone(), publisher, interval)
    }

    /// Serves a torrent whose content lies below `directory`, after checking it: files that look as they did when an earlier run found them right are not read again. It
    /// is announced meanwhile.
    ///
    /// # Errors
    /// Not all of it is there and right, or it cannot be read.
    pub async fn seed(&self, metainfo: &Metainfo, directory: &Path) -> Result<Torrent, Error> {
        let storage = Storage::open(Arc::clone(&metainfo.info), directory);
        let torrent = self.serve(Begin::Content(self.shared(storage)))?;
        torrent.complete().await
    }

    /// The same where the content itself is at `path`, whatever it is called: the file of a torrent of one file, the directory of any other.
    ///
    /// # Errors
    /// Not all of it is there and right, or it cannot be read.
    pub async fn seed_at(&self, metainfo: &Metainfo, path: &Path) -> Result<Torrent, Error> {
        let storage = self.shared(Storage::open_at(Arc::clone(&metainfo.info), path));
        let torrent = self.serve(Begin::Content(storage))?;
        torrent.complete().await
    }

    /// The same without the check: for content that was hashed a moment ago, as by [`create`](crate::create) of that path.
    ///
    /// # Errors
    /// The torrent is open in this node already.
    pub async fn seed_unchecked(&self, metainfo: &Metainfo, path: &Path) -> Result<Torrent, Error> {
        let storage = self.shared(Storage::open_at(Arc::clone(&metainfo.info), path));
        let files = Arc::clone(&storage);
        // Without it what happens to them later would not show, and no more than that.
        let _ = tokio::task::spawn_blocking(move || files.look()).await;
        self.serve(Begin::Complete(storage))
    }

    /// With its files open among those of the node.
    fn shared(&self, storage: Storage) -> Arc<Storage> {
        Arc::new(storage.sharing(&self.inner.open_files))
    }

    fn serve(&self, begin: Begin) -> Result<Torrent, Error> {
        let options = GetOptions {
            timeout: None,
            ..GetOptions::default()
        };
        self.open(begin, options, Instant::now())
    }

    /// Fetches a torrent below a directory. What is there already is kept: after checking it, unless its file looks as it did when an earlier run knew it.
    ///
    /// # Errors
    /// There is nobody to ask, a private torrent comes without a peer, or the torrent is open in this node already. What goes
    /// wrong later is told by [`Torrent::finished`].
    pub async fn get(
        &self,
        source: impl Into<Source>,
        mut options: GetOptions,
    ) -> Result<Torrent, Error> {
        let started = Instant::now();
        let (info_hash, info, peers) = match source.into() {
            Source::InfoHash(info_hash) => (info_hash, None, Vec::new()),
            Source::Magnet(magnet) => {
                options.selection = options.selection.or(magnet.files);
                (magnet.info_hash, None, magnet.peers)
            }
            Source::Metainfo(metainfo) => {
                let info = metainfo.info;
                (info.hash(), Some(info), Vec::new())
            }
        };
        let info = match info {
            Some(info) => Some(info),
            None => self.kept(info_hash).await,
        };
        let has_peers = !options.peers.is_empty() || !peers.is_empty();
        match &info {
            Some(info) if info.is_private() && !has_peers => {
                return Err(Error::Private {
                    name: info.name().to_owned(),
                });
            }
            _ if !has_peers && !self.dht.knows_somebody() => {
                return Err(Error::NobodyToAsk { info_hash });
            }
            _ => {}
        }
        let begin = info.map_or(Begin::Hash(info_hash), Begin::Info);
        let user = options.peers.clone();
        let torrent = self.open(begin, options, started)?;
        if !user.is_empty() {
            torrent.add_peers(user, wire::Source::User);
        }
        for peer in peers {
            tokio::spawn(introduce(peer, torrent.commands()));
        }
        Ok(torrent)
    }

    /// Forgets which pieces of a torrent earlier runs found right, so that the next [`Node::get`] or [`Node::seed`] reads and hashes all that is there. Without a
    /// directory of state they do so always.
    pub async fn forget_record(&self, info_hash: InfoHash) {
        let Some(state) = self.inner.state.clone() else {
            return;
        };
        let forgotten = tokio::task::spawn_blocking(move || state.forget_record(info_hash)).await;
        if let Ok(Err(error)) = forgotten {
            tracing::warn!(%error, "cannot forget which pieces are there");
        }
    }

    /// The info dictionary that an earlier run has kept.
    async fn kept(&self, info_hash: InfoHash) -> Option<Arc<Info>> {
        let state = Arc::clone(self.inner.state.as_ref()?);
        let load = move || -> Option<Bytes> { state.load_info(info_hash) };
        let bytes = tokio::task::spawn_blocking(load).await.ok()??;
        Info::from_bytes(bytes).ok().map(Arc::new)
    }

    fn open(&self, begin: Begin, options: GetOptions, started: Instant) -> Result<Torrent, Error> {
        let inner = &self.inner;
        let info_hash = begin.info_hash();
        let (news, inbox) = mpsc::channel(INBOX);
        let door = Door {
            handshake: Handshake {
                reserved: Reserved::default().with_dht().with_fast().with_extension(),
                info_hash,
                peer_id: PeerId::generate(&mut rand::rng(), CLIENT),
            },
            inbox: news,
        };
        if !inner.doors.open(info_hash, door.clone()) {
            return Err(Error::AlreadyOpen { info_hash });
        }
        let lanes = inner.throttles.lanes();
        let (torrent, owner) = Torrent::channels(info_hash, lanes.clone());
        let opening = Opening {
            begin,
            directory: options.directory,
            wanted: options.selection.files(),
            order: options.order,
            timeout: options.timeout,
            started,
            door,
            inbox,
            dht: self.dht.with_patience(None),
            port: self.local_address().port(),
            local: self.dial_from(),
            state: inner.state.clone().filter(|_| !options.temporary),
            lanes,
            ceilings: inner.ceilings.clone(),
            open_files: inner.open_files.clone(),
            manner: inner.manner,
        };
        let doors = inner.doors.clone();
        tokio::spawn(async move {
            let stopped = Session::run(opening, owner).await;
            doors.close(info_hash);
            if let Some(stopped) = stopped {
                let _ = stopped.send(());
            }
        });
        Ok(torrent)
    }

    /// Limits how fast all torrents together may go: they share it, whatever number of peers each has. A torrent may be limited to less
    /// ([`Torrent::set_limits`]).
    pub fn set_limits(&self, limits: Limits) {
        self.inner.throttles.set(limits);
    }

    /// The addresses that we were told to use, for what we dial ourselves.
    fn dial_from(&self) -> Vec<IpAddr> {
        self.inner
            .addresses
            .iter()
            .map(SocketAddr::ip)
            .filter(|ip| !ip.is_unspecified())
            .collect()
    }

    /// Saves what is kept between runs and closes the node's sockets. Torrents are to be stopped before.
    pub async fn shutdown(self) {
        self.dht.stop().await;
    }
}

/// Resolves a peer that a magnet link names.
async fn introduce(peer: HostPort, commands: mpsc::WeakSender<Command>) {
    match tokio::net::lookup_host((peer.host.as_str(), peer.port)).await {
        Ok(addresses) => {
            if let Some(commands) = commands.upgrade() {
                let peers = Command::AddPeers(addresses.collect(), wire::Source::Magnet);
                let _ = commands.send(peers).await;
            }
        }
        Err(error) => tracing::warn!(%peer, %error, "a peer of the magnet link does not resolve"),
    }
}
