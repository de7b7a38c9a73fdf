//! What can go wrong in a node, in sentences for the person who started it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dht::{Id, KrpcError};
use wire::InfoHash;

use crate::create::CreateError;
use crate::storage::StorageError;

/// Why a node, a lookup or a download could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The listening address could not be had.
    #[error(
        "cannot listen on {address}: {source}; choose another with --listen ADDR:PORT (port 0 takes any free one)"
    )]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A host name did not resolve.
    #[error("cannot resolve {host}: {source}; check the name, and that it is given as HOST:PORT")]
    Resolve {
        /// The host as it was given.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// No DHT node answered before the time was over.
    #[error(
        "no DHT node answered within {} s (asked: {asked}); check the bootstrap address and that UDP is not blocked",
        seconds(*after)
    )]
    NoNodeAnswered {
        /// The bootstrap addresses, for the sentence.
        asked: String,
        /// How long was waited.
        after: Duration,
    },
    /// Nodes are known, but none answered this question before the time was over.
    #[error(
        "no DHT node answered the question within {} s; those that are known may be gone or overloaded, or not know this kind of question",
        seconds(*after)
    )]
    Unanswered {
        /// How long was waited.
        after: Duration,
    },
    /// Somebody is there, and answers a ping with an error.
    #[error("{address} answers, but with error {code}; it may be no DHT node, or be overloaded")]
    Refused {
        /// Who was asked.
        address: SocketAddr,
        /// The code of BEP 5, "Errors".
        code: i64,
    },
    /// There was nobody to ask: no bootstrap address, no saved node, no peer.
    #[error(
        "there is nobody to ask for {info_hash}: give a DHT node with --bootstrap HOST:PORT, or a peer with --peer HOST:PORT"
    )]
    NobodyToAsk {
        /// What was looked for.
        info_hash: InfoHash,
    },
    /// The DHT answered, and nobody has the torrent.
    #[error("no peers for {info_hash} within {} s; the DHT answers, but nobody who has this torrent was found", seconds(*after))]
    NoPeers {
        /// What was looked for.
        info_hash: InfoHash,
        /// How long was waited.
        after: Duration,
    },
    /// Peers were found, but none gave metadata that match the info-hash.
    #[error("no metadata for {info_hash} within {} s: {}", seconds(*after), met(*connected, *known))]
    NoMetadata {
        /// What was looked for.
        info_hash: InfoHash,
        /// The most peers that were connected at once.
        connected: usize,
        /// The most addresses that were known at once.
        known: usize,
        /// How long was waited.
        after: Duration,
    },
    /// The download stood still for too long.
    #[error("the download of {name} stopped at {done} of {total} bytes: nothing arrived for {} s; the same command resumes it", seconds(*after))]
    Stalled {
        /// The torrent's name.
        name: String,
        /// Verified bytes.
        done: u64,
        /// All bytes.
        total: u64,
        /// How long nothing came.
        after: Duration,
    },
    /// A private torrent came without anybody to ask but the DHT.
    #[error(
        "{name} is marked private (BEP 27): it is never looked up or announced in the DHT; name a peer with --peer HOST:PORT"
    )]
    Private {
        /// The torrent's name.
        name: String,
    },
    /// The same torrent runs in this node already.
    #[error("{info_hash} is open in this node already")]
    AlreadyOpen {
        /// Which one.
        info_hash: InfoHash,
    },
    /// The files of a seed are not all there.
    #[error("{path} has {have} of {pieces} pieces right, and a seed needs all of them; put back what is missing or wrong{remedy}", path = path.display(), remedy = fetched_into(directory.as_deref()))]
    Incomplete {
        /// Where the content was looked for.
        path: PathBuf,
        /// Where [`Node::get`](crate::Node::get) would mend it: the directory above. None if the content is called otherwise than the torrent, since it would be fetched
        /// beside it.
        directory: Option<PathBuf>,
        /// Pieces that are right.
        have: u32,
        /// Pieces in all.
        pieces: u32,
    },
    /// Files were chosen that the torrent has not.
    #[error(
        "{name} has {files} files, and none of those that are wanted; `trackless get --list` shows them"
    )]
    NothingWanted {
        /// The torrent's name.
        name: String,
        /// How many files it has.
        files: usize,
    },
    /// Disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Making a torrent from files.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The kept state could not be opened.
    #[error("cannot use the state directory {path}: {source}; choose another with --state-dir", path = path.display())]
    State {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The metadata has the right hash and describes nothing that could be fetched.
    #[error("{info_hash} cannot be fetched: {reason}")]
    UnusableMetadata {
        /// Which torrent.
        info_hash: InfoHash,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer version of an item is known, or another one of the same number.
    #[error(
        "{target} is at version {current} already, which is kept: put a higher one (without --seq it is the next one)"
    )]
    ItemSuperseded {
        /// Where the item is.
        target: Id,
        /// The newest version that was found.
        current: i64,
    },
    /// No DHT node took an item.
    #[error("nobody stored {target}: {}", reason(*answered, refusal.as_ref()))]
    NotStored {
        /// Where the item was to be.
        target: Id,
        /// Nodes that answered.
        answered: usize,
        /// What one of them said.
        refusal: Option<KrpcError>,
    },
    /// The torrent or its node was stopped while the work was under way.
    #[error("stopped before it was done")]
    ShutDown,
}

/// Why an item is nowhere, for a sentence.
fn reason(answered: usize, refusal: Option<&KrpcError>) -> String {
    match refusal {
        Some(error) if error.code == KrpcError::CAS_MISMATCH => {
            "the version to be replaced is not the current one; read it and try again".to_owned()
        }
        Some(error) => format!("a DHT node refused it ({error})"),
        None => format!("{answered} DHT nodes answered, none of them acknowledged it"),
    }
}

/// For the end of a sentence: where fetching would help, if anywhere.
pub(crate) fn fetched_into(directory: Option<&Path>) -> String {
    directory.map_or_else(String::new, |directory| {
        format!(
            ", or fetch it again with `trackless get` into {}",
            directory.display()
        )
    })
}

/// For a sentence: as it was set, whatever came on top until it was noticed.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

/// How far it came with the peers, for a sentence.
fn met(connected: usize, known: usize) -> String {
    let peers = if known == 1 {
        "1 peer is".to_owned()
    } else {
        format!("{known} peers are")
    };
    if connected == 0 {
        format!("{peers} known, none could be connected")
    } else {
        format!("{peers} known, {connected} connected, none gave an info dictionary that matches")
    }
}
