//! What a node keeps between runs: its id, the DHT nodes it knew, and the metadata of torrents that are unfinished.
//!
//! Everything here can be lost without harm. Files are replaced in one step, so that processes may share the directory, and a
//! file that is damaged is set aside with a warning.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use tempfile::NamedTempFile;
use wire::InfoHash;

const NODE: &str = "node.benc";
const NODE_LOCK: &str = "node.lock";

/// Contacts that are kept: plenty to find the network again.
const MAX_CONTACTS: usize = 512;

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
    /// Ids and addresses of the nodes that it knew.
    pub(crate) contacts: Vec<([u8; 20], SocketAddr)>,
}

/// The file: a bencoded dictionary, with contacts as in BEP 5, "Contact Encoding", and BEP 32.
#[derive(Serialize, Deserialize)]
struct NodeFile {
    #[serde(with = "serde_bytes")]
    id: Vec<u8>,
    #[serde(with = "serde_bytes")]
    nodes: Vec<u8>,
    #[serde(with = "serde_bytes")]
    nodes6: Vec<u8>,
}

/// Where state is kept unless the user says otherwise: `$XDG_STATE_HOME/trackless`, which is `~/.local/state/trackless`
/// for most; the application data directory on Windows. `None` if the user has no home.
pub fn default_state_dir() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    let directory = base.state_dir().unwrap_or_else(|| base.data_dir());
    Some(directory.join("trackless"))
}

impl StateDir {
    /// Uses a directory, and creates it if it is missing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(NODE_LOCK))?;
        let identity = match lock.try_lock() {
            Ok(()) => Some(lock),
            // Without locks nobody can tell; most often there is one process.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Some(lock)
            }
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        Ok(Self {
            path: path.to_owned(),
            identity,
        })
    }

    /// The node of the last run, if there was one.
    pub(crate) fn load_node(&self) -> Option<SavedNode> {
        let path = self.path.join(NODE);
        let bytes = read(&path)?;
        let Some(node) = decode_node(&bytes) else {
            set_aside(&path, "it is not a saved node");
            return None;
        };
        Some(SavedNode {
            id: node.id.filter(|_| self.identity.is_some()),
            ..node
        })
    }

    /// Keeps a node for the next run, at most [`MAX_CONTACTS`] of its contacts. Does nothing in a process that shares the
    /// directory with the one whose node is kept.
    pub(crate) fn save_node(
        &self,
        id: [u8; 20],
        contacts: &[([u8; 20], SocketAddr)],
    ) -> io::Result<()> {
        if self.identity.is_none() {
            return Ok(());
        }
        let mut file = NodeFile {
            id: id.to_vec(),
            nodes: Vec::new(),
            nodes6: Vec::new(),
        };
        for (id, address) in contacts.iter().take(MAX_CONTACTS) {
            let nodes = match address {
                SocketAddr::V4(_) => &mut file.nodes,
                SocketAddr::V6(_) => &mut file.nodes6,
            };
            nodes.extend_from_slice(id);
            match address.ip() {
                IpAddr::V4(ip) => nodes.extend_from_slice(&ip.octets()),
                IpAddr::V6(ip) => nodes.extend_from_slice(&ip.octets()),
            }
            nodes.extend_from_slice(&address.port().to_be_bytes());
        }
        let bytes = serde_bencode::to_bytes(&file).map_err(io::Error::other)?;
        self.replace(&self.path.join(NODE), &bytes)
    }

    /// The info dictionary of a torrent that was begun here and is not finished.
    pub(crate) fn load_info(&self, info_hash: InfoHash) -> Option<Bytes> {
        let path = self.info_path(info_hash);
        let bytes = read(&path)?;
        let found: [u8; 20] = Sha1::digest(&bytes).into();
        if found != *info_hash.as_bytes() {
            set_aside(&path, "it does not match its info-hash");
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
        match fs::remove_file(self.info_path(info_hash)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn info_path(&self, info_hash: InfoHash) -> PathBuf {
        self.path.join(format!("{info_hash}.info"))
    }

    /// Either the old file or the new one is there, whatever happens in between.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(&self.path)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
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

fn set_aside(path: &Path, reason: &str) {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".damaged");
    let aside = PathBuf::from(aside);
    match fs::rename(path, &aside) {
        Ok(()) => tracing::warn!(
            "{} is damaged ({reason}); moved to {}",
            path.display(),
            aside.display()
        ),
        Err(error) => tracing::warn!(
            "{} is damaged ({reason}) and cannot be moved: {error}",
            path.display()
        ),
    }
}

fn decode_node(bytes: &[u8]) -> Option<SavedNode> {
    let file: NodeFile = serde_bencode::from_bytes(bytes).ok()?;
    let id = file.id.try_into().ok()?;
    let mut contacts = decode_contacts::<4>(&file.nodes)?;
    contacts.extend(decode_contacts::<16>(&file.nodes6)?);
    Some(SavedNode {
        id: Some(id),
        contacts,
    })
}

/// Contacts with addresses of `N` bytes.
fn decode_contacts<const N: usize>(mut bytes: &[u8]) -> Option<Vec<([u8; 20], SocketAddr)>>
where
    [u8; N]: Into<IpAddr>,
{
    let mut contacts = Vec::new();
    while !bytes.is_empty() {
        let (id, rest) = bytes.split_first_chunk::<20>()?;
        let (ip, rest) = rest.split_first_chunk::<N>()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        contacts.push((
            *id,
            SocketAddr::new((*ip).into(), u16::from_be_bytes(*port)),
        ));
        bytes = rest;
    }
    Some(contacts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contacts() -> Vec<([u8; 20], SocketAddr)> {
        ["192.0.2.1:6881", "192.0.2.2:1", "[2001:db8::1]:65535"]
            .iter()
            .zip(1..)
            .map(|(address, byte)| ([byte; 20], address.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_node_comes_back_with_its_id_and_contacts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/state");
        let state = StateDir::open(&path).unwrap();
        assert_eq!(state.load_node(), None);
        state.save_node([7; 20], &contacts()).unwrap();
        drop(state);

        let expected = SavedNode {
            id: Some([7; 20]),
            contacts: contacts(),
        };
        assert_eq!(StateDir::open(&path).unwrap().load_node(), Some(expected));
    }

    #[test]
    fn a_second_process_gets_the_contacts_but_neither_uses_nor_replaces_the_id() {
        let directory = tempfile::tempdir().unwrap();
        let first = StateDir::open(directory.path()).unwrap();
        first.save_node([7; 20], &contacts()).unwrap();
        let second = StateDir::open(directory.path()).unwrap();

        let seen = second.load_node().unwrap();
        assert_eq!((seen.id, seen.contacts), (None, contacts()));
        second.save_node([9; 20], &[]).unwrap();
        assert_eq!(first.load_node().unwrap().id, Some([7; 20]));
    }

    #[test]
    fn a_damaged_node_is_set_aside_and_the_next_one_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        state.save_node([7; 20], &contacts()).unwrap();
        let path = directory.path().join(NODE);
        let whole = fs::read(&path).unwrap();
        for damaged in [
            &b""[..],
            b"d",
            b"d2:id3:abc5:nodes0:6:nodes60:e",
            &whole[..whole.len() / 2],
        ] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(state.load_node(), None);
            assert!(directory.path().join("node.benc.damaged").exists());
            assert!(!path.exists());
        }
        state.save_node([7; 20], &[]).unwrap();
        assert!(state.load_node().is_some());
    }

    #[test]
    fn metadata_are_kept_until_the_torrent_is_finished() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        let info_hash = InfoHash::from(<[u8; 20]>::from(Sha1::digest(b"d4:name1:ae")));
        assert_eq!(state.load_info(info_hash), None);
        state.save_info(info_hash, b"d4:name1:ae").unwrap();
        assert_eq!(
            state.load_info(info_hash).as_deref(),
            Some(&b"d4:name1:ae"[..])
        );
        state.forget_info(info_hash).unwrap();
        state.forget_info(info_hash).unwrap();
        assert_eq!(state.load_info(info_hash), None);
    }

    #[test]
    fn metadata_that_do_not_match_their_hash_are_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        let info_hash = InfoHash::from([1; 20]);
        state.save_info(info_hash, b"de").unwrap();
        assert_eq!(state.load_info(info_hash), None);
        let damaged = directory.path().join(format!("{info_hash}.info.damaged"));
        assert!(damaged.exists());
    }

    #[test]
    fn nothing_but_the_files_themselves_is_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        for _ in 0..3 {
            state.save_node([7; 20], &contacts()).unwrap();
        }
        let names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
}
