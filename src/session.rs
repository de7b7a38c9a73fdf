//! One torrent at work: the task that owns the engine and brings it together with peers, disk and DHT.

mod completion;
mod content;
mod desk;
mod discovery;
mod intake;
mod patience;
mod standing;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use wire::{Bitfield, Direction, Frame, Handshake, Info, InfoHash, Input, Link, decode_frame};

use crate::dht_driver::Dht;
use crate::event::{Event, Phase, Progress};
use crate::peer_driver::{Arrival, Batch, Connection, Content, Door, News, dial};
use crate::state::StateDir;
use crate::storage::{BlockPool, Outcome, Storage, StorageError};
use crate::{Error, Finished};
use completion::sealed;
use content::{Checked, Checking};
use desk::Desk;
use discovery::{Discovery, Found};
use intake::Intake;
use patience::Patience;
use standing::Reached;

/// Batches from the connections that wait for the session. A full queue stops their reading.
pub(crate) const INBOX: usize = 64;
/// Buffers that are kept for reuse: 8 MiB.
const POOLED_BLOCKS: usize = 512;
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// How soon a disk that is behind is looked at again.
const PRESSURE_INTERVAL: Duration = Duration::from_millis(2);

/// What the owner of a torrent may ask of its session.
#[derive(Debug)]
pub(crate) enum Command {
    AddPeers(Vec<SocketAddr>, wire::Source),
    /// End, with everything that was verified on the disk.
    Stop(oneshot::Sender<()>),
}

/// What is there when a session begins.
#[derive(Debug)]
pub(crate) enum Begin {
    /// Nothing but the info-hash; the rest comes from peers.
    Hash(InfoHash),
    /// The info dictionary; what is on the disk is to be checked.
    Info(Arc<Info>),
    /// Content that is said to be complete; that is to be checked.
    Content(Arc<Storage>),
    /// Everything, checked.
    Complete(Arc<Storage>),
}

impl Begin {
    pub(crate) fn info_hash(&self) -> InfoHash {
        match self {
            Begin::Hash(info_hash) => *info_hash,
            Begin::Info(info) => info.hash(),
            Begin::Content(storage) | Begin::Complete(storage) => storage.info().hash(),
        }
    }

    fn info(&self) -> Option<&Arc<Info>> {
        match self {
            Begin::Hash(_) => None,
            Begin::Info(info) => Some(info),
            Begin::Content(storage) | Begin::Complete(storage) => Some(storage.info()),
        }
    }

    /// The torrent is fetched, not served only.
    fn is_download(&self) -> bool {
        matches!(self, Begin::Hash(_) | Begin::Info(_))
    }
}

/// How a torrent is opened.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) begin: Begin,
    pub(crate) directory: PathBuf,
    /// An earlier run has begun to fetch it.
    pub(crate) resumed: bool,
    /// How long nothing may move before it fails; `None` waits for ever.
    pub(crate) timeout: Option<Duration>,
    /// Since when the user is waiting.
    pub(crate) started: Instant,
    pub(crate) door: Door,
    pub(crate) inbox: mpsc::Receiver<News>,
    pub(crate) dht: Dht,
    /// Our listening port, of TCP and UDP.
    pub(crate) port: u16,
    /// The addresses to dial from, at most one a family.
    pub(crate) local: Vec<IpAddr>,
    pub(crate) state: Option<Arc<StateDir>>,
}

/// The session's ends of the channels to the torrent's owner.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) info: watch::Sender<Option<Arc<Info>>>,
    pub(crate) phase: watch::Sender<Option<Phase>>,
    pub(crate) outcome: oneshot::Sender<Result<Finished, Error>>,
}

pub(crate) struct Session {
    info_hash: InfoHash,
    engine: wire::Torrent,
    config: wire::Config,
    rng: StdRng,
    epoch: Instant,
    deadline: Option<Duration>,
    desk: Desk,
    opening: Opening,
    /// Reached by the connections that upload.
    content: Content,
    pool: BlockPool,
    /// While the disk is being checked.
    checking: Option<Checking>,
    /// While the metadata is being kept for a later run.
    keeping: Option<JoinHandle<()>>,
    /// While the last touches are put to a download.
    sealing: Option<JoinHandle<Result<(), StorageError>>>,
    /// While something is missing.
    intake: Option<Intake>,
    outcomes: mpsc::UnboundedSender<Outcome>,
    discovery: Option<Discovery>,
    phase: watch::Sender<Option<Phase>>,
    patience: Patience,
    reached: Reached,
    events: mpsc::Sender<Event>,
    progress: watch::Sender<Progress>,
    info: watch::Sender<Option<Arc<Info>>>,
    /// Taken when the download has ended, well or badly.
    outcome: Option<oneshot::Sender<Result<Finished, Error>>>,
}

/// What woke the session.
enum Wake {
    News(News),
    Command(Command),
    Found(Found),
    Outcome(Outcome),
    Checked(Checked),
    Sealed(Result<(), StorageError>),
    Tick,
    /// The engine's deadline, or the disk's.
    Deadline,
    /// Nobody owns the torrent any more.
    Abandoned,
}

impl Session {
    /// Runs until it is stopped, abandoned, or has failed. Whoever stopped it waits for the returned sender.
    pub(crate) async fn run(opening: Opening, owner: Owner) -> Option<oneshot::Sender<()>> {
        let (outcomes, mut verdicts) = mpsc::unbounded_channel();
        let Owner {
            mut commands,
            events,
            progress,
            info,
            phase,
            outcome,
        } = owner;
        let known = opening.begin.info().map(Arc::clone);
        let private = known.as_ref().is_some_and(|info| info.is_private());
        let info_hash = opening.begin.info_hash();
        let peer_id = opening.door.handshake.peer_id;
        let mut session = Session {
            info_hash,
            engine: wire::Torrent::new(info_hash, peer_id, known.clone()),
            config: wire::Config {
                dht_port: (!private).then_some(opening.port),
                listen_port: Some(opening.port),
                ..wire::Config::default()
            },
            rng: StdRng::from_rng(&mut rand::rng()),
            epoch: Instant::now(),
            deadline: None,
            desk: Desk::default(),
            content: Content::default(),
            pool: BlockPool::new(POOLED_BLOCKS),
            checking: None,
            keeping: None,
            sealing: None,
            intake: None,
            outcomes,
            discovery: (!private)
                .then(|| Discovery::start(opening.dht.clone(), info_hash, opening.port)),
            phase,
            patience: Patience::new(opening.timeout),
            reached: Reached::default(),
            opening,
            events,
            progress,
            info,
            outcome: Some(outcome),
        };
        let result = session.drive(&mut commands, &mut verdicts).await;
        session.close(result, verdicts).await
    }

    async fn drive(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        verdicts: &mut mpsc::UnboundedReceiver<Outcome>,
    ) -> Result<Option<oneshot::Sender<()>>, Error> {
        let mut entrance = self.opening.dht.entrance();
        let mut ticks = interval(PROGRESS_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.begin()?;
        loop {
            self.settle()?;
            let wake = tokio::select! {
                wake = self.wake(commands, verdicts, &mut ticks) => wake,
                // The phase may depend on it.
                Ok(()) = entrance.changed() => Wake::Deadline,
            };
            match wake {
                Wake::News(news) => self.news(news),
                Wake::Command(Command::AddPeers(peers, source)) => {
                    self.handle(Input::Candidates(&peers, source));
                }
                Wake::Command(Command::Stop(done)) => return Ok(Some(done)),
                Wake::Found(Found::Peers(mut peers)) => {
                    peers.retain(|peer| !self.is_ourselves(peer));
                    self.handle(Input::Candidates(&peers, wire::Source::Dht));
                }
                Wake::Found(Found::Announced(nodes)) => self.tell(Event::Announced { nodes }),
                Wake::Outcome(Outcome::Checked { piece, valid }) => {
                    self.handle(Input::PieceChecked { piece, valid });
                }
                Wake::Outcome(Outcome::Failed { piece, error }) => {
                    tracing::error!(piece, %error, "a piece could not be written");
                    return Err(error.into());
                }
                Wake::Checked(Checked::Pieces(pieces)) => {
                    self.patience.moved();
                    self.tell(Event::Checked { pieces });
                }
                Wake::Checked(Checked::Done(result)) => self.start(result?)?,
                Wake::Sealed(result) => {
                    self.sealing = None;
                    result?;
                    self.done();
                }
                Wake::Tick => {
                    self.report();
                    self.lose_patience()?;
                }
                Wake::Deadline => self.handle(Input::Timeout),
                Wake::Abandoned => return Ok(None),
            }
        }
    }

    async fn wake(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        verdicts: &mut mpsc::UnboundedReceiver<Outcome>,
        ticks: &mut Interval,
    ) -> Wake {
        let engine = self.deadline.map(|deadline| self.epoch + deadline);
        let pressed = self.intake.as_ref().is_some_and(Intake::is_pressed);
        let disk = pressed.then(|| Instant::now() + PRESSURE_INTERVAL);
        let deadline = engine.into_iter().chain(disk).min();
        tokio::select! {
            Some(news) = self.opening.inbox.recv() => Wake::News(news),
            Some(outcome) = verdicts.recv() => Wake::Outcome(outcome),
            command = commands.recv() => command.map_or(Wake::Abandoned, Wake::Command),
            Some(found) = optional(&mut self.discovery, Discovery::next) => Wake::Found(found),
            Some(checked) = optional(&mut self.checking, Checking::next) => Wake::Checked(checked),
            Some(result) = optional(&mut self.sealing, sealed) => Wake::Sealed(result),
            _ = ticks.tick() => Wake::Tick,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => Wake::Deadline,
        }
    }

    /// Takes up what is known at the start.
    fn begin(&mut self) -> Result<(), Error> {
        match &self.opening.begin {
            Begin::Hash(_) => Ok(()),
            Begin::Info(info) => {
                let info = Arc::clone(info);
                self.info_known(info);
                Ok(())
            }
            // Whoever finds us before the end of the check waits for it at our side.
            Begin::Content(storage) => {
                let storage = Arc::clone(storage);
                self.info.send_replace(Some(Arc::clone(storage.info())));
                self.checking = Some(Checking::of_seed(storage));
                Ok(())
            }
            Begin::Complete(storage) => {
                let storage = Arc::clone(storage);
                let pieces = storage.info().geometry().pieces();
                self.info.send_replace(Some(Arc::clone(storage.info())));
                self.start((storage, Bitfield::full(pieces)))
            }
        }
    }

    /// The info dictionary is here: what does the disk have of it?
    fn info_known(&mut self, info: Arc<Info>) {
        if info.is_private() {
            // BEP 27: from now on nobody is asked, nobody is told.
            self.discovery = None;
            self.config.dht_port = None;
        }
        if let Some(state) = self.opening.state.clone() {
            let info = Arc::clone(&info);
            self.keeping = Some(spawn_blocking(move || {
                if let Err(error) = state.save_info(info.hash(), info.raw()) {
                    tracing::warn!(%error, "could not keep the metadata for the next run");
                }
            }));
        }
        self.info.send_replace(Some(Arc::clone(&info)));
        self.tell(Event::Metadata(Arc::clone(&info)));
        self.patience.moved();
        let directory = self.opening.directory.clone();
        self.checking = Some(Checking::of_download(info, directory, self.opening.resumed));
    }

    /// The disk has been checked: fetch what is missing, serve what is there.
    fn start(&mut self, (storage, have): (Arc<Storage>, Bitfield)) -> Result<(), Error> {
        if let Some(checking) = self.checking.take() {
            for (from, to) in checking.into_set_aside() {
                self.tell(Event::SetAside { from, to });
            }
        }
        if !have.is_full() && !self.opening.begin.is_download() {
            return Err(Error::Incomplete {
                path: storage.path().to_owned(),
                have: have.count_ones(),
                pieces: have.len(),
            });
        }
        if !have.is_full() {
            self.intake = Some(Intake::start(&storage, self.outcomes.clone())?);
        }
        let _ = self.content.set(storage);
        self.patience.moved();
        self.handle(Input::Start { have });
        Ok(())
    }

    /// The DHT names us too, once we have announced ourselves.
    fn is_ourselves(&self, peer: &SocketAddr) -> bool {
        let external = &self.opening.dht.entrance();
        peer.port() == self.opening.port
            && (self.opening.local.contains(&peer.ip())
                || self.opening.local.is_empty() && peer.ip().is_loopback()
                || external.borrow().external.contains(&peer.ip()))
    }

    fn news(&mut self, news: News) {
        match news {
            News::Batch(batch) => self.batch(batch),
            News::DialFailed(address) => self.handle(Input::ConnectFailed { address }),
            News::Connected {
                stream,
                address,
                direction,
                handshake,
            } => self.connected(stream, address, direction, &handshake),
        }
    }

    fn connected(
        &mut self,
        stream: tokio::net::TcpStream,
        address: SocketAddr,
        direction: Direction,
        handshake: &Handshake,
    ) {
        let (link, mailbox) = self.desk.open(address);
        let connection = Connection::new(
            link,
            stream,
            mailbox,
            self.pool.clone(),
            Arc::clone(&self.content),
        );
        tokio::spawn(connection.run(self.opening.door.inbox.clone()));
        self.handle(Input::Connected {
            link,
            address,
            direction,
            handshake,
        });
    }

    fn batch(&mut self, batch: Batch) {
        let link = batch.link;
        for block in batch.uploaded {
            self.handle(Input::Uploaded { link, block });
        }
        let mut frames = batch.frames.as_slice();
        for arrival in batch.arrivals {
            if !self.desk.is_open(link) {
                return;
            }
            match arrival {
                Arrival::Message => {
                    let Ok(Frame::Message { message, consumed }) = decode_frame(frames) else {
                        break;
                    };
                    frames = &frames[consumed..];
                    self.handle(Input::Received { link, message });
                }
                Arrival::Block(block, buffer) => {
                    self.handle(Input::Block { link, block });
                    if self.desk.take_kept()
                        && let Some(intake) = &mut self.intake
                    {
                        intake.store(block, buffer);
                    }
                }
            }
        }
        if let Some(error) = batch.closed {
            self.close_link(link, &error);
        }
    }

    fn close_link(&mut self, link: Link, error: &std::io::Error) {
        if let Some(address) = self.desk.closed(link) {
            tracing::debug!(%address, %error, "a connection ended");
            self.handle(Input::Closed { link });
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        let now = self.epoch.elapsed();
        self.deadline = self
            .engine
            .handle(&self.config, now, &mut self.rng, input, &mut self.desk);
    }

    /// Carries out what the engine has asked for since the last time.
    fn settle(&mut self) -> Result<(), Error> {
        loop {
            for piece in std::mem::take(&mut self.desk.discards) {
                if let Some(intake) = &mut self.intake {
                    intake.discard(piece);
                }
            }
            let events = std::mem::take(&mut self.desk.events);
            for event in events {
                self.engine_event(event)?;
            }
            if let Some(pressure) = self.intake.as_mut().and_then(Intake::pressure) {
                self.handle(Input::Pressure(pressure));
            }
            for address in std::mem::take(&mut self.desk.dials) {
                let from = self
                    .opening
                    .local
                    .iter()
                    .copied()
                    .find(|ip| ip.is_ipv4() == address.is_ipv4());
                tokio::spawn(dial(address, from, self.opening.door.clone()));
            }
            self.desk.post();
            if self.desk.events.is_empty() && self.desk.discards.is_empty() {
                break;
            }
        }
        self.enter_phase();
        Ok(())
    }

    fn engine_event(&mut self, event: wire::Event) -> Result<(), Error> {
        match event {
            wire::Event::Metadata(info) => self.info_known(info),
            wire::Event::MetadataUnusable { reason } => {
                return Err(Error::UnusableMetadata {
                    info_hash: self.info_hash,
                    reason,
                });
            }
            wire::Event::PieceCompleted { .. } => self.patience.moved(),
            wire::Event::Finished => self.finish(),
            wire::Event::PeerConnected { address, .. } => self.tell(Event::Connected(address)),
            wire::Event::PeerBanned { address, reason } => {
                tracing::info!(%address, %reason, "banned a peer");
                self.tell(Event::Banned {
                    peer: address,
                    reason: reason.to_string(),
                });
            }
            wire::Event::DhtNode { address } => {
                if self.discovery.is_some() {
                    self.opening.dht.ping(address);
                }
            }
            wire::Event::NeedPeers => {
                if let Some(discovery) = &mut self.discovery {
                    discovery.ask();
                }
            }
        }
        Ok(())
    }

    /// Ends the session; what was received is written before anybody hears of the end.
    async fn close(
        mut self,
        result: Result<Option<oneshot::Sender<()>>, Error>,
        verdicts: mpsc::UnboundedReceiver<Outcome>,
    ) -> Option<oneshot::Sender<()>> {
        drop(verdicts);
        self.desk = Desk::default();
        self.checking = None;
        if let Some(intake) = self.intake.take() {
            // It joins a thread that may be writing.
            let _ = spawn_blocking(move || drop(intake)).await;
        }
        if let Some(keeping) = self.keeping.take() {
            let _ = keeping.await;
        }
        match result {
            Ok(stopped) => {
                self.end(Err(Error::ShutDown));
                stopped
            }
            Err(error) => {
                self.end(Err(error));
                None
            }
        }
    }

    /// Whoever does not listen misses something; nobody waits for him.
    fn tell(&self, event: Event) {
        let _ = self.events.try_send(event);
    }
}

/// Waits for something that may not be there: then for ever.
async fn optional<'a, T, R>(
    thing: &'a mut Option<T>,
    next: impl AsyncFnOnce(&'a mut T) -> R,
) -> Option<R> {
    match thing {
        Some(thing) => Some(next(thing).await),
        None => std::future::pending().await,
    }
}
