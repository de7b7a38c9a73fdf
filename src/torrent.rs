//! The handle on a torrent that is at work in a node.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use wire::{FileSet, Info, InfoHash};

use crate::session::{Command, Owner, Request, some_of};
use crate::throttle::Lanes;
use crate::{Error, Event, Finished, Limits, Phase, Progress, Reader};

/// Events that wait for the owner; if he does not take them, later ones are lost.
const EVENTS: usize = 1024;
const COMMANDS: usize = 64;

/// A torrent at work in a node, being fetched or served. Dropping it stops it.
#[derive(Debug)]
pub struct Torrent {
    info_hash: InfoHash,
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
    progress: watch::Receiver<Progress>,
    info: watch::Receiver<Option<Arc<Info>>>,
    phase: watch::Receiver<Option<Phase>>,
    outcome: oneshot::Receiver<Result<Finished, Error>>,
    lanes: Lanes,
}

impl Torrent {
    /// The handle, and what the session needs to answer it.
    pub(crate) fn channels(info_hash: InfoHash, lanes: Lanes) -> (Self, Owner) {
        let (commands, orders) = mpsc::channel(COMMANDS);
        let (tell, events) = mpsc::channel(EVENTS);
        let (report, progress) = watch::channel(Progress::default());
        let (learn, info) = watch::channel(None);
        let (enter, phase) = watch::channel(None);
        let (end, outcome) = oneshot::channel();
        let torrent = Torrent {
            info_hash,
            commands,
            events,
            progress,
            info,
            phase,
            outcome,
            lanes,
        };
        let owner = Owner {
            commands: orders,
            events: tell,
            progress: report,
            info: learn,
            phase: enter,
            outcome: end,
        };
        (torrent, owner)
    }

    /// What it is called in the network.
    pub fn info_hash(&self) -> InfoHash {
        self.info_hash
    }

    /// The info dictionary, once it is known.
    pub fn info(&self) -> Option<Arc<Info>> {
        self.info.borrow().clone()
    }

    /// Waits for the info dictionary.
    ///
    /// # Errors
    /// The torrent has stopped, or failed before it was there: [`Torrent::finished`] knows.
    pub async fn metadata(&self) -> Result<Arc<Info>, Error> {
        let mut info = self.info.clone();
        let known = info.wait_for(Option::is_some).await;
        let known = known.ok().and_then(|info| info.clone());
        known.ok_or(Error::ShutDown)
    }

    /// Fetches these files and no others, from now on; numbers that the torrent has no file for are passed over. What was fetched of others stays. It can be
    /// called at any time and again; each time that what is wanted is there, [`Event::Done`] is told.
    ///
    /// # Errors
    /// The torrent is known to have none of them, or has stopped.
    pub async fn select(&self, files: FileSet) -> Result<(), Error> {
        if let Some(info) = self.info() {
            some_of(&info, &files)?;
        }
        let sent = self.commands.send(Command::Select(files)).await;
        sent.map_err(|_| Error::ShutDown)
    }

    /// Opens one of its files to be read while it is fetched; `file` is its place in [`Info::files`]. Waits until the disk was checked. The file is fetched if it
    /// was not wanted.
    ///
    /// # Errors
    /// There is no such file, or the torrent has ended.
    pub fn reader(
        &self,
        file: usize,
    ) -> impl Future<Output = Result<Reader, Error>> + Send + 'static + use<> {
        let commands = self.commands.clone();
        async move {
            let (reply, answer) = oneshot::channel();
            let request = Command::Read(Request { file, reply });
            commands.send(request).await.map_err(|_| Error::ShutDown)?;
            // It is not to live for as long as it is waited for.
            drop(commands);
            let access = answer.await.map_err(|_| Error::ShutDown)??;
            Reader::new(access, file)
        }
    }

    /// The latest figures.
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Limits how fast it may go, beside the limits of the whole node ([`Node::set_limits`](crate::Node::set_limits)). To be changed at any time.
    pub fn set_limits(&self, limits: Limits) {
        self.lanes.set(limits);
    }

    /// Waits until it serves everything.
    pub(crate) async fn complete(mut self) -> Result<Self, Error> {
        if self
            .phase
            .wait_for(|&phase| phase == Some(Phase::Seed))
            .await
            .is_err()
        {
            self.finished().await?;
        }
        Ok(self)
    }

    /// Names a peer to be asked.
    pub fn add_peer(&self, address: SocketAddr) {
        self.add_peers(vec![address], wire::Source::User);
    }

    pub(crate) fn add_peers(&self, addresses: Vec<SocketAddr>, source: wire::Source) {
        // A session with so many commands waiting has peers enough.
        let _ = self.commands.try_send(Command::AddPeers(addresses, source));
    }

    pub(crate) fn commands(&self) -> mpsc::WeakSender<Command> {
        self.commands.downgrade()
    }

    /// The next event; `None` when the torrent has stopped or failed, which [`Torrent::finished`] tells apart. Serving goes
    /// on after [`Event::Done`]. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Waits until everything that is wanted is there and verified, for the first time. To be called once.
    ///
    /// # Errors
    /// The download failed, or was stopped.
    pub async fn finished(&mut self) -> Result<Finished, Error> {
        (&mut self.outcome).await.unwrap_or(Err(Error::ShutDown))
    }

    /// Stops it. What was verified is on the disk when this returns, and another [`Node::get`](crate::Node::get) goes on
    /// from there.
    pub async fn stop(self) {
        let (done, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop(done)).await.is_ok() {
            let _ = stopped.await;
        }
    }
}
