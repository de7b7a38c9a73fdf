//! What a node keeps between runs: its id, the DHT nodes it knew, and the metadata of torrents that are unfinished.
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

mod node_file;
mod stored_file;

pub(crate) use stored_file::Stored;

const NODE: &str = "node.benc";
const NODE_LOCK: &str = "node.lock";

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
        Ok(Self {
            path: path.to_owned(),
            identity,
        })
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
        match fs::remove_file(self.info_path(info_hash)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
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
mod tests {
    use super::*;

    /// The fastest first.
    fn contacts() -> Vec<SavedContact> {
        ["192.0.2.1:6881", "[2001:db8::1]:65535", "192.0.2.2:1"]
            .iter()
            .zip(1..)
            .map(|(address, byte)| SavedContact {
                id: [byte; 20],
                address: address.parse().unwrap(),
                silent_for: Duration::from_secs(60 * u64::from(byte)),
                round_trip: (byte < 3).then(|| Duration::from_millis(byte.into())),
            })
            .collect()
    }

    #[test]
    fn a_node_comes_back_with_its_id_and_contacts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/state");
        let state = StateDir::open(&path).unwrap();
        assert_eq!(state.load_node(0), None);
        state.save_node(0, [7; 20], contacts()).unwrap();
        drop(state);

        let expected = SavedNode {
            id: Some([7; 20]),
            contacts: contacts(),
        };
        assert_eq!(StateDir::open(&path).unwrap().load_node(0), Some(expected));
    }

    #[cfg(unix)]
    #[test]
    fn no_other_user_may_look_into_the_directory_or_hold_its_lock() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/state");
        let state = StateDir::open(&path).unwrap();
        state.save_node(0, [7; 20], contacts()).unwrap();
        assert_eq!(mode(&path), 0o700);
        for file in [NODE_LOCK, NODE] {
            assert_eq!(mode(&path.join(file)), 0o600, "{file}");
        }
        drop(state);
        // One that an earlier version has left.
        let lock = path.join(NODE_LOCK);
        fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(!StateDir::open(&path).unwrap().is_taken());
        assert_eq!(mode(&lock), 0o600);
    }

    #[test]
    fn each_address_has_a_node_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        state.save_node(0, [7; 20], contacts()).unwrap();
        state.save_node(1, [9; 20], Vec::new()).unwrap();
        let ids = [0, 1, 2].map(|place| state.load_node(place).and_then(|node| node.id));
        assert_eq!(ids, [Some([7; 20]), Some([9; 20]), None]);
    }

    #[test]
    fn a_second_process_gets_the_contacts_but_neither_uses_nor_replaces_the_id() {
        let directory = tempfile::tempdir().unwrap();
        let first = StateDir::open(directory.path()).unwrap();
        first.save_node(0, [7; 20], contacts()).unwrap();
        let second = StateDir::open(directory.path()).unwrap();

        let seen = second.load_node(0).unwrap();
        assert_eq!((seen.id, seen.contacts), (None, contacts()));
        second.save_node(0, [9; 20], Vec::new()).unwrap();
        assert_eq!(first.load_node(0).unwrap().id, Some([7; 20]));
    }

    #[test]
    fn a_damaged_node_is_set_aside_and_the_next_one_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        state.save_node(0, [7; 20], contacts()).unwrap();
        let path = directory.path().join(NODE);
        let whole = fs::read(&path).unwrap();
        for damaged in [
            &b""[..],
            b"d",
            b"d2:id3:abc5:nodes0:6:nodes60:e",
            &whole[..whole.len() / 2],
        ] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(state.load_node(0), None);
            assert!(directory.path().join("node.benc.damaged").exists());
            assert!(!path.exists());
        }
        state.save_node(0, [7; 20], Vec::new()).unwrap();
        assert!(state.load_node(0).is_some());
    }

    #[test]
    fn who_was_heard_of_last_comes_first_and_the_others_make_room() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        let many = (0..2 * node_file::MAX_CONTACTS as u32).rev();
        let many = many.map(|second| SavedContact {
            id: [1; 20],
            address: (second.to_be_bytes(), 6881).into(),
            silent_for: Duration::from_secs(second.into()),
            round_trip: None,
        });
        state.save_node(0, [7; 20], many.collect()).unwrap();
        let saved = state.load_node(0).unwrap().contacts;
        let ages: Vec<_> = saved
            .iter()
            .map(|contact| contact.silent_for.as_secs())
            .collect();
        assert!(ages.into_iter().eq(0..node_file::MAX_CONTACTS as u64));
    }

    #[test]
    fn the_fastest_come_first_of_those_heard_of_within_ten_minutes() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        let contact = |minutes: u64, milliseconds: Option<u64>| SavedContact {
            id: [1; 20],
            address: "192.0.2.1:6881".parse().unwrap(),
            silent_for: Duration::from_secs(60 * minutes),
            round_trip: milliseconds.map(Duration::from_millis),
        };
        let by_promise = [
            contact(9, Some(20)),
            contact(1, Some(300)),
            contact(0, None),
            contact(12, Some(10)),
            contact(25, Some(1)),
        ];
        let mut shuffled = by_promise;
        shuffled.reverse();
        shuffled.swap(1, 3);
        state.save_node(0, [7; 20], shuffled.to_vec()).unwrap();
        assert_eq!(state.load_node(0).unwrap().contacts, by_promise);
    }

    #[test]
    fn a_node_of_the_first_version_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        let mut file = b"d2:id20:".to_vec();
        file.extend([7; 20]);
        file.extend(b"5:nodes26:");
        file.extend([1; 20]);
        file.extend(b"\xc0\0\x02\x01\x1a\xe16:nodes60:e");
        fs::write(directory.path().join(NODE), file).unwrap();
        let node = state.load_node(0).unwrap();
        assert_eq!(node.id, Some([7; 20]));
        let [contact] = node.contacts[..] else {
            panic!("{node:?}")
        };
        assert_eq!(contact.address, "192.0.2.1:6881".parse().unwrap());
    }

    #[test]
    fn a_node_of_a_newer_version_is_set_aside_whole() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        let (path, newer) = (directory.path().join(NODE), b"d4:mind5:blown7:versioni3ee");
        fs::write(&path, newer).unwrap();
        assert_eq!(state.load_node(0), None);
        state.save_node(0, [7; 20], Vec::new()).unwrap();
        assert_eq!(
            fs::read(directory.path().join("node.benc.newer")).unwrap(),
            newer
        );
        assert_eq!(state.load_node(0).unwrap().id, Some([7; 20]));
    }

    #[cfg(unix)]
    #[test]
    fn a_node_of_another_user_is_neither_used_nor_replaced() {
        use std::os::unix::fs::{chown, symlink};

        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        state.save_node(0, [7; 20], contacts()).unwrap();
        let path = directory.path().join(NODE);
        // Who may not give a file away shows one that is the system's.
        if chown(&path, Some(12345), None).is_err() {
            fs::remove_file(&path).unwrap();
            symlink("/etc/passwd", &path).unwrap();
        }
        let before = fs::read(&path).unwrap();
        assert_eq!(state.load_node(0), None);
        state.save_node(0, [9; 20], Vec::new()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), before);
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
            state.save_node(0, [7; 20], contacts()).unwrap();
        }
        let names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
}
