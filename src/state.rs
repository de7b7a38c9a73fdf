//! What a node keeps between runs: its id, the DHT nodes it knew, the metadata of torrents that are unfinished and which files are theirs, and which pieces of torrents are on the disk.
//!
//! Everything here can be lost without harm. Files are replaced in one step, so that processes may share the directory. One that is damaged, or of a
//! newer version of the program, is set aside with a warning; one of another user is left as it is and not used.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use etcetera::BaseStrategy;
use sha1::{Digest, Sha1};
use tempfile::NamedTempFile;
use wire::InfoHash;

use crate::platform;
use crate::storage::{Begun, Record};

mod begun_file;
mod node_file;
mod resume_record;
mod stored_file;

pub(crate) use stored_file::Stored;

const NODE: &str = "node.benc";
const NODE_LOCK: &str = "node.lock";
const RECORD: &str = "resume";

/// Torrents whose content is remembered: those that were used last. The record of one has a bit a piece and 37 bytes a file.
const MAX_RECORDS: usize = 4096;

/// A directory of state.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    /// Held by the first process that uses the directory; the node id is its own as long as it runs.
    identity: Option<File>,
}

/// A DHT node as it was when it last ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SavedNode {
    /// Its id; `None` if another process is using it now: two nodes with one id would hide each other.
    pub(crate) id: Option<[u8; 20]>,
    /// The nodes that it knew, those first that promise most.
    pub(crate) contacts: Vec<SavedContact>,
}

/// A node that was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SavedContact {
    pub(crate) id: [u8; 20],
    pub(crate) address: SocketAddr,
    /// How long it had not been heard of when it was saved, in whole seconds.
    pub(crate) silent_for: Duration,
    /// How long its last answer took, in whole milliseconds, if that is known.
    pub(crate) round_trip: Option<Duration>,
}

/// Why a file is of no use.
enum Unreadable {
    /// In words.
    Damaged(&'static str),
    /// A later version of the program wrote it.
    Newer { version: u32, known: u32 },
}

/// Where state is kept unless the user says otherwise: `$XDG_STATE_HOME/trackless`, which is `~/.local/state/trackless`
/// for most; the application data directory on Windows. `None` if the user has no home.
pub fn default_state_dir() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    let directory = base.state_dir().unwrap_or_else(|| base.data_dir());
    Some(directory.join("trackless"))
}

impl StateDir {
    /// Uses a directory, and creates it if it is missing. It and its lock are for their owner alone: whoever may open the lock may hold it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        platform::create_private_dir(path)?;
        let lock = platform::open_private(&path.join(NODE_LOCK))?;
        let identity = match lock.try_lock() {
            Ok(()) => Some(lock),
            // Without locks nobody can tell; most often there is one process.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Some(lock)
            }
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        let state = Self {
            path: path.to_owned(),
            identity,
        };
        if let Err(error) = state.drop_old_records(MAX_RECORDS) {
            tracing::debug!(%error, "cannot drop old records");
        }
        Ok(state)
    }

    /// Whether another process uses the directory: nothing of this one's node is kept then, and it has another id.
    pub(crate) fn is_taken(&self) -> bool {
        self.identity.is_none()
    }

    /// The node on the address number `place` of the last run, if there was one.
    pub(crate) fn load_node(&self, place: usize) -> Option<SavedNode> {
        let path = self.node_path(place);
        let bytes = read(&path)?;
        let node = node_file::decode(&bytes)
            .map_err(|why| set_aside(&path, &why))
            .ok()?;
        Some(SavedNode {
            id: node.id.filter(|_| self.identity.is_some()),
            ..node
        })
    }

    /// Keeps a node for the next run, with at most 512 of its contacts. Does nothing in a process that shares the
    /// directory with the one whose node is kept.
    pub(crate) fn save_node(
        &self,
        place: usize,
        id: [u8; 20],
        contacts: Vec<SavedContact>,
    ) -> io::Result<()> {
        if self.is_taken() {
            return Ok(());
        }
        let bytes = node_file::encode(id, contacts).map_err(io::Error::other)?;
        self.replace(&self.node_path(place), &bytes)
    }

    /// What the node on the address number `place` stored for others when it last ran, less what has outlived itself by `now`. `None` in a process that shares the directory with
    /// the one whose node is kept, too.
    pub(crate) fn load_stored(&self, place: usize, now: SystemTime) -> Option<Stored> {
        self.identity.as_ref()?;
        let path = self.stored_path(place);
        let bytes = read(&path)?;
        stored_file::decode(&bytes, now)
            .map_err(|why| set_aside(&path, &why))
            .ok()
    }

    /// Keeps it for the next run, as [`encode_stored`] writes it.
    pub(crate) fn save_stored(&self, place: usize, bytes: &[u8]) -> io::Result<()> {
        match self.identity {
            Some(_) => self.replace(&self.stored_path(place), bytes),
            None => Ok(()),
        }
    }

    /// The info dictionary of a torrent that was begun here and is not finished.
    pub(crate) fn load_info(&self, info_hash: InfoHash) -> Option<Bytes> {
        let path = self.info_path(info_hash);
        let bytes = read(&path)?;
        let found: [u8; 20] = Sha1::digest(&bytes).into();
        if found != *info_hash.as_bytes() {
            let why = Unreadable::Damaged("it does not match its info-hash");
            set_aside(&path, &why);
            return None;
        }
        Some(bytes.into())
    }

    /// Keeps the info dictionary of a torrent that is being fetched, so that it can be resumed without its peers.
    pub(crate) fn save_info(&self, info_hash: InfoHash, info: &[u8]) -> io::Result<()> {
        self.replace(&self.info_path(info_hash), info)
    }

    /// Drops the info dictionary of a torrent that is finished.
    pub(crate) fn forget_info(&self, info_hash: InfoHash) -> io::Result<()> {
        remove(&self.info_path(info_hash))
    }

    /// Which files a download that is not finished has begun.
    pub(crate) fn load_begun(&self, info_hash: InfoHash) -> Option<Begun> {
        let path = self.begun_path(info_hash);
        let bytes = read(&path)?;
        begun_file::decode(&bytes)
            .map_err(|why| set_aside(&path, &why))
            .ok()
    }

    /// Keeps that for the next run.
    pub(crate) fn save_begun(&self, info_hash: InfoHash, begun: &Begun) -> io::Result<()> {
        let bytes = begun_file::encode(begun).map_err(io::Error::other)?;
        self.replace(&self.begun_path(info_hash), &bytes)
    }

    /// Drops it: the download is finished.
    pub(crate) fn forget_begun(&self, info_hash: InfoHash) -> io::Result<()> {
        remove(&self.begun_path(info_hash))
    }

    /// Which pieces of a torrent were on the disk when it was last at work.
    pub(crate) fn load_record(&self, info_hash: InfoHash) -> Option<Record> {
        let path = self.record_path(info_hash);
        let bytes = read(&path)?;
        let record = resume_record::decode(info_hash, &bytes)
            .map_err(|why| set_aside(&path, &why))
            .ok()?;
        // It is in use, and the last to be dropped.
        let _ = File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Some(record)
    }

    /// Keeps that for the next run.
    pub(crate) fn save_record(&self, info_hash: InfoHash, record: &Record) -> io::Result<()> {
        let bytes = resume_record::encode(info_hash, record).map_err(io::Error::other)?;
        self.replace(&self.record_path(info_hash), &bytes)
    }

    /// Drops it, so that the next run looks for itself.
    pub(crate) fn forget_record(&self, info_hash: InfoHash) -> io::Result<()> {
        remove(&self.record_path(info_hash))
    }

    /// Drops the records that have not been used for longest, if there are more than `most`.
    fn drop_old_records(&self, most: usize) -> io::Result<()> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let path = entry.path();
            if path
                .extension()
                .is_some_and(|extension| extension == RECORD)
            {
                records.push((entry.metadata()?.modified()?, path));
            }
        }
        records.sort_unstable();
        let surplus = records.len().saturating_sub(most);
        for (_, path) in records.into_iter().take(surplus) {
            remove(&path)?;
        }
        Ok(())
    }

    fn node_path(&self, place: usize) -> PathBuf {
        self.path.join(match place {
            0 => NODE.to_owned(),
            _ => format!("node-{place}.benc"),
        })
    }

    fn stored_path(&self, place: usize) -> PathBuf {
        self.path.join(match place {
            0 => "stored.benc".to_owned(),
            _ => format!("stored-{place}.benc"),
        })
    }

    fn info_path(&self, info_hash: InfoHash) -> PathBuf {
        self.path.join(format!("{info_hash}.info"))
    }

    fn begun_path(&self, info_hash: InfoHash) -> PathBuf {
        self.path.join(format!("{info_hash}.begun"))
    }

    fn record_path(&self, info_hash: InfoHash) -> PathBuf {
        self.path.join(format!("{info_hash}.{RECORD}"))
    }

    /// Either the old file or the new one is there, whatever happens in between. What belongs to another user stays.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if is_foreign(path) {
            return Ok(());
        }
        let mut file = NamedTempFile::new_in(&self.path)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}

/// The file of what a node stores for others at the time `now`.
pub(crate) fn encode_stored(
    peers: impl Iterator<Item = dht::StoredPeer>,
    items: impl Iterator<Item = dht::StoredItem>,
    now: SystemTime,
) -> io::Result<Vec<u8>> {
    stored_file::encode(peers, items, now).map_err(io::Error::other)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_foreign(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !platform::is_own(&metadata))
}

fn read(path: &Path) -> Option<Vec<u8>> {
    if is_foreign(path) {
        tracing::warn!(
            "{} belongs to another user and is left as it is: nothing is read from it or written to it; \
             use another --state-dir, or remove it",
            path.display()
        );
        return None;
    }
    match fs::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(
                "cannot read {}: {error}; going on without it",
                path.display()
            );
            None
        }
    }
}

fn set_aside(path: &Path, why: &Unreadable) {
    let (ending, reason) = match why {
        Unreadable::Damaged(reason) => (".damaged", format!("is damaged ({reason})")),
        Unreadable::Newer { version, known } => (
            ".newer",
            format!(
                "was written by a newer trackless (version {version}; this one reads up to {known})"
            ),
        ),
    };
    let mut aside = path.as_os_str().to_owned();
    aside.push(ending);
    let aside = PathBuf::from(aside);
    let moved = fs::rename(path, &aside);
    let path = path.display();
    match moved {
        Ok(()) => tracing::warn!("{path} {reason}; moved to {}", aside.display()),
        Err(error) => tracing::warn!("{path} {reason} and cannot be moved: {error}"),
    }
}

#[cfg(test)]
mod tests;
