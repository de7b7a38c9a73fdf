//! How a session begins, and how its owner reaches it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use wire::{FileSet, Info, InfoHash};

use super::readers::Request;
use crate::Error;
use crate::dht_driver::Dht;
use crate::event::{Event, Finished, Phase, Progress};
use crate::peer_driver::{Ceilings, Door, News};
use crate::state::StateDir;
use crate::storage::{OpenFiles, Storage};
use crate::throttle::Lanes;

/// What the owner of a torrent may ask of its session.
#[derive(Debug)]
pub(crate) enum Command {
    AddPeers(Vec<SocketAddr>, wire::Source),
    /// Fetch these files.
    Select(FileSet),
    /// Let a file be read while it is fetched.
    Read(Request),
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

    pub(super) fn info(&self) -> Option<&Arc<Info>> {
        match self {
            Begin::Hash(_) => None,
            Begin::Info(info) => Some(info),
            Begin::Content(storage) | Begin::Complete(storage) => Some(storage.info()),
        }
    }

    /// The torrent is fetched, not served only.
    pub(super) fn is_download(&self) -> bool {
        matches!(self, Begin::Hash(_) | Begin::Info(_))
    }
}

/// How a torrent is opened.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) begin: Begin,
    pub(crate) directory: PathBuf,
    /// The files to fetch, if that is known.
    pub(crate) wanted: Option<FileSet>,
    /// In which order.
    pub(crate) order: wire::Order,
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
    pub(crate) lanes: Lanes,
    pub(crate) ceilings: Ceilings,
    pub(crate) open_files: OpenFiles,
    pub(crate) manner: Manner,
}

/// How each torrent of a node is served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Connections that it may have.
    pub(crate) connections: usize,
    /// BEP 16, if it is there at the beginning; not for what is fetched.
    pub(crate) super_seeding: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Manner {
            connections: 100,
            super_seeding: false,
        }
    }
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
