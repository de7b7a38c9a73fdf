//! What a torrent tells the one who asked for it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wire::Info;

/// What a download is busy with. People complain most of not knowing this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Waiting for the first DHT node to answer.
    Bootstrap,
    /// Asking the DHT who has the torrent.
    Lookup,
    /// Peers are known; none is connected yet.
    Connect,
    /// Fetching the info dictionary (BEP 9).
    Metadata,
    /// Checking what is on the disk already.
    Verify,
    /// Fetching pieces.
    Download,
    /// Everything that is wanted is there; serving others.
    Seed,
}

impl Phase {
    /// The word used in JSON events and progress lines.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Bootstrap => "bootstrap",
            Phase::Lookup => "lookup",
            Phase::Connect => "connect",
            Phase::Metadata => "metadata",
            Phase::Verify => "verify",
            Phase::Download => "download",
            Phase::Seed => "seed",
        }
    }
}

/// A torrent's figures at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress {
    /// Verified bytes on the disk.
    pub done: u64,
    /// All bytes; 0 before the metadata.
    pub total: u64,
    /// Bytes of the pieces that are wanted, there or not; 0 before the disk was checked. More than the files have if they share pieces with others.
    pub wanted: u64,
    /// Of these, bytes that are not there.
    pub missing: u64,
    /// Verified pieces.
    pub pieces_done: u32,
    /// All pieces; 0 before the metadata.
    pub pieces: u32,
    /// Payload received, bytes a second, over the last seconds.
    pub download_rate: u64,
    /// Payload sent, bytes a second, over the last seconds.
    pub upload_rate: u64,
    /// Payload received since the start, bytes.
    pub downloaded: u64,
    /// Payload sent since the start, bytes.
    pub uploaded: u64,
    /// Peers connected now.
    pub connected: usize,
    /// Of them, those that have everything.
    pub seeds: usize,
    /// Peer addresses known.
    pub known: usize,
}

/// Something a user of a torrent would want to know, in the order in which it happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The work went into another phase.
    Phase(Phase),
    /// This peer is connected: both handshakes are exchanged.
    Connected(SocketAddr),
    /// The info dictionary is here and matches the info-hash.
    Metadata(Arc<Info>),
    /// This many pieces of those on the disk have been checked so far.
    Checked {
        /// Pieces looked at.
        pieces: u32,
    },
    /// This many pieces are known to be right from an earlier run: their files have not changed since, and were not read.
    Known {
        /// Pieces.
        pieces: u32,
    },
    /// Figures, about four times a second while something moves.
    Progress(Progress),
    /// The DHT took our announce: this many nodes hold it.
    Announced {
        /// Nodes that acknowledged.
        nodes: usize,
    },
    /// A file of the user's stood in the way and was renamed.
    SetAside {
        /// Where it stood.
        from: PathBuf,
        /// What it is called now.
        to: PathBuf,
    },
    /// Something had been added to a file behind the torrent's bytes: it was cut off, and a copy of all of it is kept.
    Copied {
        /// The file.
        from: PathBuf,
        /// The copy of it as it was.
        to: PathBuf,
    },
    /// A peer was found out and will not be spoken to again.
    Banned {
        /// Its address.
        peer: SocketAddr,
        /// Why, in words.
        reason: String,
    },
    /// A file cannot be read any more, or is not what it was: of its pieces those are not served that are not right. Told once for each file,
    /// until it is [served again](Event::ServedAgain), and not of what a download fetches again by itself.
    Unservable {
        /// Which file, why, and what to do.
        reason: String,
    },
    /// Everything that a file was found to lack is right again.
    ServedAgain {
        /// The file, or the directory that could not be read.
        path: PathBuf,
    },
    /// Everything that is wanted is on the disk and verified.
    Done {
        /// The file, or the directory of a torrent with several.
        path: PathBuf,
        /// Bytes of the files that are wanted.
        bytes: u64,
        /// Since the start of the command.
        elapsed: Duration,
    },
}

/// How a download ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The file, or the directory of a torrent with several.
    pub path: PathBuf,
    /// Bytes of the files that are wanted.
    pub bytes: u64,
    /// From the call of [`Node::get`](crate::Node::get) to the last verified byte.
    pub elapsed: Duration,
}
