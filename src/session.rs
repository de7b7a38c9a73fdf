//! One torrent at work: the task that owns the engine and brings it together with peers, disk and DHT.

mod checking;
mod choice;
mod completion;
mod desk;
mod discovery;
mod intake;
mod losses;
mod opening;
mod ownership;
mod patience;
mod pulse;
mod ration;
mod readers;
mod recording;
mod renewal;
mod standing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use wire::{Allowance, Bitfield, Frame, Info, InfoHash, Input, Link, decode_frame};

use crate::event::{Event, Phase};
use crate::peer_driver::{Arrival, Batch, Connection, Content, News, dial};
use crate::storage::{BlockPool, Kept, Outcome, StorageError};
use crate::{Error, Finished};
use checking::{Checked, Checking, Inventory};
use choice::Choice;
pub(crate) use choice::some_of;
use completion::Completion;
use desk::Desk;
use discovery::{Discovery, Found};
use intake::Intake;
use losses::Losses;
pub(crate) use opening::{Begin, Command, Manner, Opening, Owner};
use pulse::Pulse;
use ration::Ration;
use readers::Readers;
pub(crate) use readers::{Access, Attention, Request};
use recording::Recording;
use standing::Standing;

/// Batches from the connections that wait for the session. A full queue stops their reading.
pub(crate) const INBOX: usize = 64;
/// Buffers that are kept for reuse: 8 MiB.
const POOLED_BLOCKS: usize = 512;
/// How soon a disk that is behind is looked at again.
const PRESSURE_INTERVAL: Duration = Duration::from_millis(2);

pub(crate) struct Session {
    info_hash: InfoHash,
    engine: wire::Torrent,
    config: wire::Config,
    rng: StdRng,
    epoch: Instant,
    deadline: Option<Duration>,
    desk: Desk,
    opening: Opening,
    ration: Ration,
    /// Reached by the connections that upload.
    content: Content,
    choice: Choice,
    readers: Readers,
    pool: BlockPool,
    /// While the disk is being checked.
    checking: Option<Checking>,
    /// While something is missing.
    intake: Option<Intake>,
    outcomes: mpsc::UnboundedSender<Outcome>,
    discovery: Option<Discovery>,
    standing: Standing,
    completion: Completion,
    recording: Recording,
    losses: Losses,
    info: watch::Sender<Option<Arc<Info>>>,
}

/// What woke the session.
enum Wake {
    News(News),
    Command(Command),
    Found(Found),
    Outcome(Outcome),
    Checked(Checked),
    Sealed(Result<Vec<Kept>, StorageError>),
    Allowed(Allowance),
    /// The disk is ready for another choice of files.
    Chosen(Result<Vec<Kept>, StorageError>),
    /// Readers need something else.
    Turned,
    /// The way into the DHT looks different.
    Entrance,
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
                max_connections: opening.manner.connections,
                super_seeding: opening.manner.super_seeding && !opening.begin.is_download(),
                ..wire::Config::default()
            },
            rng: StdRng::from_rng(&mut rand::rng()),
            epoch: Instant::now(),
            deadline: None,
            desk: Desk::default(),
            content: Content::default(),
            choice: Choice::new(opening.wanted.clone()),
            readers: Readers::new(),
            pool: BlockPool::new(POOLED_BLOCKS),
            checking: None,
            intake: None,
            outcomes,
            discovery: (!private)
                .then(|| Discovery::start(opening.dht.clone(), info_hash, opening.port)),
            standing: Standing::new(events, phase, progress, opening.timeout),
            completion: Completion::new(opening.state.clone(), outcome),
            ration: Ration::new(opening.lanes.up.clone(), &opening.lanes.down),
            recording: Recording::new(opening.state.clone()),
            losses: Losses::new(),
            opening,
            info,
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
        let mut pulse = Pulse::new();
        let usual_slots = self.config.unchoke_slots;
        self.begin()?;
        loop {
            self.settle()?;
            let wake = tokio::select! {
                wake = self.wake(commands, verdicts, &mut pulse) => wake,
                Ok(()) = entrance.changed() => Wake::Entrance,
            };
            match wake {
                Wake::News(news) => self.news(news),
                Wake::Command(Command::AddPeers(peers, source)) => {
                    self.handle(Input::Candidates(&peers, source));
                }
                Wake::Command(Command::Select(files)) => self.choose(files)?,
                Wake::Command(Command::Read(request)) => self.read(request),
                Wake::Command(Command::Stop(done)) => return Ok(Some(done)),
                Wake::Found(Found::Peers(mut peers)) => {
                    peers.retain(|peer| !self.is_ourselves(peer));
                    self.handle(Input::Candidates(&peers, wire::Source::Dht));
                }
                Wake::Found(Found::Announced(nodes)) => {
                    self.standing.tell(Event::Announced { nodes });
                }
                Wake::Outcome(Outcome::Checked { piece, valid }) => {
                    self.handle(Input::PieceChecked { piece, valid });
                }
                Wake::Outcome(Outcome::Failed { piece, error }) => {
                    tracing::debug!(piece, %error, "a piece could not be written");
                    return Err(error.into());
                }
                Wake::Checked(Checked::Pieces(pieces)) => {
                    self.standing.moved();
                    self.standing.tell(Event::Checked { pieces });
                }
                Wake::Checked(Checked::Done(result)) => self.start(result?)?,
                Wake::Sealed(result) => {
                    self.tell_kept(result?);
                    self.done();
                }
                Wake::Allowed(allowance) => self.handle(Input::Allowance(allowance)),
                Wake::Chosen(result) => self.chosen(result?),
                Wake::Turned => self.hurry(),
                // `settle` looks at it.
                Wake::Entrance => {}
                Wake::Tick => {
                    let figures = self.engine.progress(self.epoch.elapsed());
                    self.standing.report(figures);
                    self.recording.tick(self.engine.have());
                    self.look_for_lost();
                    let entrance = self.opening.dht.entrance();
                    self.config.external.clone_from(&entrance.borrow().external);
                    self.config.unchoke_slots = self.ration.slots(usual_slots);
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
        pulse: &mut Pulse,
    ) -> Wake {
        let engine = self.deadline.map(|deadline| self.epoch + deadline);
        let pressed = self.intake.as_ref().is_some_and(Intake::is_pressed);
        let disk = pressed.then(|| Instant::now() + PRESSURE_INTERVAL);
        let deadline = engine.into_iter().chain(disk).min();
        let is_calm = self.standing.phase() == Some(Phase::Seed) && self.desk.is_empty();
        tokio::select! {
            Some(news) = self.opening.inbox.recv() => Wake::News(news),
            Some(outcome) = verdicts.recv() => Wake::Outcome(outcome),
            command = commands.recv() => command.map_or(Wake::Abandoned, Wake::Command),
            Some(found) = optional(&mut self.discovery, Discovery::next) => Wake::Found(found),
            Some(checked) = optional(&mut self.checking, Checking::next) => Wake::Checked(checked),
            result = self.completion.sealed() => Wake::Sealed(result),
            allowance = self.ration.next() => Wake::Allowed(allowance),
            result = self.choice.ready() => Wake::Chosen(result),
            () = self.readers.turned() => Wake::Turned,
            () = pulse.beat(is_calm) => Wake::Tick,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => Wake::Deadline,
        }
    }

    /// Takes up what is known at the start.
    fn begin(&mut self) -> Result<(), Error> {
        match &self.opening.begin {
            Begin::Hash(_) => Ok(()),
            Begin::Info(info) => {
                let info = Arc::clone(info);
                self.info_known(info)
            }
            // Whoever finds us before the end of the check waits for it at our side.
            Begin::Content(storage) => {
                let storage = Arc::clone(storage);
                self.info.send_replace(Some(Arc::clone(storage.info())));
                self.has_all();
                self.announce();
                self.checking = Some(Checking::of_seed(storage, self.opening.state.clone()));
                Ok(())
            }
            Begin::Complete(storage) => {
                let storage = Arc::clone(storage);
                let pieces = storage.info().geometry().pieces();
                self.info.send_replace(Some(Arc::clone(storage.info())));
                self.has_all();
                self.announce();
                self.start(Inventory {
                    storage,
                    have: Bitfield::full(pieces),
                    record: None,
                    known: 0,
                    kept: Vec::new(),
                })
            }
        }
    }

    /// The info dictionary is here.
    fn info_known(&mut self, info: Arc<Info>) -> Result<(), Error> {
        if info.is_private() {
            // BEP 27: from now on nobody is asked.
            self.discovery = None;
            self.config.dht_port = None;
        }
        self.info.send_replace(Some(Arc::clone(&info)));
        self.standing.tell(Event::Metadata(Arc::clone(&info)));
        self.fetch(info)
    }

    /// Tells the DHT that we are here. Not before it is known whether anybody may be told.
    fn announce(&mut self) {
        if let Some(discovery) = &mut self.discovery {
            discovery.announce();
        }
    }

    /// Who looks for seeds, or for none, is to be told so from now on. BEP 33.
    fn has_all(&mut self) {
        if let Some(discovery) = &mut self.discovery {
            discovery.has_all();
        }
    }

    /// The disk has been checked: fetch what is missing, serve what is there.
    fn start(&mut self, inventory: Inventory) -> Result<(), Error> {
        let Inventory {
            storage,
            have,
            record,
            known,
            kept,
        } = inventory;
        self.checking = None;
        if known > 0 {
            self.standing.tell(Event::Known { pieces: known });
        }
        self.recording.begin(&storage, record);
        self.tell_kept(kept);
        if !have.is_full() && !self.opening.begin.is_download() {
            return Err(Error::Incomplete {
                path: storage.path().to_owned(),
                directory: losses::directory_to_fetch_into(storage.path(), storage.info().name()),
                have: have.count_ones(),
                pieces: have.len(),
            });
        }
        if !have.is_full() {
            self.intake = Some(Intake::start(&storage, self.outcomes.clone())?);
        }
        let info = Arc::clone(storage.info());
        let _ = self.content.set(storage);
        self.standing.moved();
        if self.opening.begin.is_download() {
            self.completion.keep(info);
            self.prioritise();
            self.handle(Input::Order(self.opening.order));
        }
        self.handle(Input::Start { have });
        self.choose_anew();
        self.admit_readers();
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
                place,
            } => {
                let (link, mailbox) = self.desk.open(address);
                let connection = Connection::new(
                    link,
                    stream,
                    place,
                    mailbox,
                    self.pool.clone(),
                    Arc::clone(&self.content),
                    self.ration.purse(),
                );
                tokio::spawn(connection.run(self.opening.door.inbox.clone()));
                self.handle(Input::Connected {
                    link,
                    address,
                    direction,
                    handshake: &handshake,
                });
            }
        }
    }

    fn batch(&mut self, batch: Batch) {
        let link = batch.link;
        for block in batch.uploaded {
            self.handle(Input::Uploaded { link, block });
        }
        for (block, error) in batch.unreadable {
            self.lose(link, block, &error);
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
                let (door, ceilings) = (self.opening.door.clone(), self.opening.ceilings.clone());
                tokio::spawn(dial(address, from, door, ceilings));
            }
            self.desk.post();
            if self.desk.events.is_empty() && self.desk.discards.is_empty() {
                break;
            }
        }
        self.ration.ask(self.engine.shortage());
        self.observe();
        Ok(())
    }

    fn engine_event(&mut self, event: wire::Event) -> Result<(), Error> {
        match event {
            wire::Event::Metadata(info) => self.info_known(info)?,
            wire::Event::MetadataUnusable { reason } => {
                return Err(Error::UnusableMetadata {
                    info_hash: self.info_hash,
                    reason,
                });
            }
            wire::Event::PieceCompleted { piece } => {
                self.standing.moved();
                self.readers.completed(piece);
            }
            wire::Event::Finished => self.finish(),
            wire::Event::PeerConnected { address, .. } => {
                self.standing.tell(Event::Connected(address));
            }
            wire::Event::PeerBanned { address, reason } => {
                tracing::info!(%address, %reason, "banned a peer");
                self.standing.tell(Event::Banned {
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

    /// Everything that is wanted is there. A download is sealed before anybody hears of it.
    fn finish(&mut self) {
        // Of what is not wanted some may have been begun: it goes on where it was, if it is wanted again.
        if self.engine.have().is_some_and(Bitfield::is_full) {
            self.intake = None;
            self.has_all();
        }
        if !self.opening.begin.is_download() {
            self.done();
        } else if let Some(storage) = self.content.get() {
            let lost = self.losses.gone();
            self.completion.seal(Arc::clone(storage), lost);
        }
    }

    fn done(&mut self) {
        let Some(storage) = self.content.get() else {
            return;
        };
        let finished = Finished {
            path: storage.path().to_owned(),
            bytes: storage.wanted_length(),
            elapsed: self.opening.started.elapsed(),
        };
        let figures = self.engine.progress(self.epoch.elapsed());
        self.standing.report(figures);
        if self.opening.begin.is_download() {
            self.standing.tell(Event::Done {
                path: finished.path.clone(),
                bytes: finished.bytes,
                elapsed: finished.elapsed,
            });
        }
        self.completion.end(Ok(finished));
    }

    /// Ends the session; what was received is written before anybody hears of the end.
    async fn close(
        mut self,
        result: Result<Option<oneshot::Sender<()>>, Error>,
        verdicts: mpsc::UnboundedReceiver<Outcome>,
    ) -> Option<oneshot::Sender<()>> {
        self.desk = Desk::default();
        self.checking = None;
        if let Some(intake) = self.intake.take() {
            // It joins a thread that may be writing.
            let _ = spawn_blocking(move || drop(intake)).await;
        }
        let have = self.engine.have().cloned();
        if let Some(leaving) = self.leave_files() {
            let _ = leaving.await;
        }
        self.recording.close(have, verdicts).await;
        self.completion.settle().await;
        match result {
            Ok(stopped) => {
                self.completion.end(Err(Error::ShutDown));
                stopped
            }
            Err(error) => {
                self.completion.end(Err(error));
                None
            }
        }
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
