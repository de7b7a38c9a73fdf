//! The files that are open, of all torrents of a node together.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrayvec::ArrayVec;
use lru::LruCache;

/// Files that one torrent keeps open. It may have far more than a process may open.
const OF_ONE: usize = 128;

/// A file that is open.
#[derive(Clone)]
pub(super) struct Handle {
    pub(super) file: Arc<File>,
    pub(super) writable: bool,
}

/// How many files a node keeps open, whatever number of torrents has them. Who needs another one has the file closed that was used last the longest time
/// ago, of 128 of his own or else of anybody's: so whoever is at work takes the place of those that rest, and who reads a million files of nobody's. Clones share it.
#[derive(Clone)]
pub(crate) struct OpenFiles(Arc<Mutex<Shelves>>);

struct Shelves {
    most: usize,
    /// Rises with each use of a file.
    uses: u64,
    /// Rises with each torrent.
    torrents: u64,
    /// Of the torrents that have a file open.
    opened: BTreeMap<u64, Files>,
}

struct Files {
    /// With the number of its last use.
    recent: LruCache<usize, (u64, Handle)>,
    /// Open for as long as the torrent is: a file, and the part file. Reads and writes use these handles too: on some systems a
    /// lock keeps out the other handles of its own process.
    locked: ArrayVec<(usize, Handle), 2>,
}

impl OpenFiles {
    /// As many files, or two a torrent that has them locked, if those are more.
    pub(crate) fn at_most(files: usize) -> Self {
        Self(Arc::new(Mutex::new(Shelves {
            most: files,
            uses: 0,
            torrents: 0,
            opened: BTreeMap::new(),
        })))
    }

    /// Room for the files of one more torrent.
    pub(super) fn shelf(&self) -> Shelf {
        let mut shelves = self.lock();
        shelves.torrents += 1;
        Shelf {
            torrent: shelves.torrents,
            node: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are open.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().count()
    }
}

impl Default for OpenFiles {
    /// As many as one torrent has use for.
    fn default() -> Self {
        Self::at_most(OF_ONE)
    }
}

impl fmt::Debug for OpenFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shelves = self.lock();
        write!(f, "OpenFiles({} of {})", shelves.count(), shelves.most)
    }
}

impl Shelves {
    fn count(&self) -> usize {
        let shelves = self.opened.values();
        shelves
            .map(|files| files.recent.len() + files.locked.len())
            .sum()
    }

    fn shelf(&mut self, torrent: u64) -> &mut Files {
        self.opened.entry(torrent).or_insert_with(|| Files {
            recent: LruCache::unbounded(),
            locked: ArrayVec::new(),
        })
    }

    /// Closes what nobody has used for the longest time, until there is room.
    fn make_room(&mut self) {
        for _ in self.most..self.count() {
            let oldest = self.opened.iter().filter_map(|(&torrent, files)| {
                let (_, (used, _)) = files.recent.peek_lru()?;
                Some((*used, torrent))
            });
            let Some((_, torrent)) = oldest.min() else {
                return;
            };
            self.close(torrent, |files| drop(files.recent.pop_lru()));
        }
    }

    fn close(&mut self, torrent: u64, close: impl FnOnce(&mut Files)) {
        if let Some(files) = self.opened.get_mut(&torrent) {
            close(files);
            if files.recent.is_empty() && files.locked.is_empty() {
                self.opened.remove(&torrent);
            }
        }
    }
}

/// The open files of one torrent, by their index. They are closed when it is dropped.
pub(super) struct Shelf {
    torrent: u64,
    node: OpenFiles,
}

impl Shelf {
    pub(super) fn get(&self, index: usize) -> Option<Handle> {
        let mut shelves = self.node.lock();
        shelves.uses += 1;
        let now = shelves.uses;
        let files = shelves.opened.get_mut(&self.torrent)?;
        if let Some((_, handle)) = files.locked.iter().find(|(locked, _)| *locked == index) {
            return Some(handle.clone());
        }
        let (used, handle) = files.recent.get_mut(&index)?;
        *used = now;
        Some(handle.clone())
    }

    /// Keeps a file open that was opened just now.
    pub(super) fn put(&self, index: usize, handle: Handle) {
        let mut shelves = self.node.lock();
        shelves.uses += 1;
        let now = shelves.uses;
        let recent = &mut shelves.shelf(self.torrent).recent;
        recent.put(index, (now, handle));
        if recent.len() > OF_ONE {
            recent.pop_lru();
        }
        shelves.make_room();
    }

    /// Keeps a file open that has been locked, until it is [closed](Self::close) or another one is locked in its place.
    pub(super) fn keep_locked(&self, index: usize, handle: Handle) {
        let mut shelves = self.node.lock();
        let files = shelves.shelf(self.torrent);
        files.locked.retain(|(locked, _)| *locked != index);
        // The first file that is there may be another one than before.
        let _ = files.locked.try_push((index, handle));
        files.recent.pop(&index);
        shelves.make_room();
    }

    pub(super) fn is_locked(&self, index: usize) -> bool {
        let shelves = self.node.lock();
        let files = shelves.opened.get(&self.torrent);
        files.is_some_and(|files| files.locked.iter().any(|(locked, _)| *locked == index))
    }

    /// Closes a file, unless it is locked.
    pub(super) fn forget(&self, index: usize) {
        let mut shelves = self.node.lock();
        shelves.close(self.torrent, |files| drop(files.recent.pop(&index)));
    }

    /// Closes a file, its lock included.
    pub(super) fn close(&self, index: usize) {
        let mut shelves = self.node.lock();
        shelves.close(self.torrent, |files| {
            files.locked.retain(|(locked, _)| *locked != index);
            files.recent.pop(&index);
        });
    }

    /// As long as this lives, no file can be had.
    #[cfg(test)]
    pub(super) fn hold(&self) -> impl Drop + '_ {
        self.node.lock()
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.node.lock().opened.remove(&self.torrent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle() -> Handle {
        Handle {
            file: Arc::new(tempfile::tempfile().unwrap()),
            writable: false,
        }
    }

    fn open(shelf: &Shelf) -> Vec<usize> {
        (0..1000)
            .filter(|&index| shelf.get(index).is_some())
            .collect()
    }

    #[test]
    fn who_is_at_work_takes_the_place_of_those_that_rest() {
        let node = OpenFiles::at_most(4);
        let (one, other) = (node.shelf(), node.shelf());
        one.put(0, handle());
        one.put(1, handle());
        other.put(0, handle());
        other.put(1, handle());
        assert!(one.get(0).is_some());
        other.put(2, handle());
        assert_eq!((open(&one), open(&other)), (vec![0], vec![0, 1, 2]));
        (3..20).for_each(|index| other.put(index, handle()));
        assert_eq!((open(&one), open(&other)), (vec![], vec![16, 17, 18, 19]));
        one.put(7, handle());
        assert_eq!((open(&one), open(&other)), (vec![7], vec![17, 18, 19]));
        drop(other);
        assert_eq!((open(&one), node.count()), (vec![7], 1));
    }

    #[test]
    fn one_with_many_files_leaves_the_places_beyond_its_own_to_others() {
        let node = OpenFiles::at_most(OF_ONE + 3);
        let (one, other) = (node.shelf(), node.shelf());
        (0..3).for_each(|index| one.put(index, handle()));
        (0..2 * OF_ONE).for_each(|index| other.put(index, handle()));
        assert_eq!(open(&one), [0, 1, 2]);
        assert_eq!(open(&other).len(), OF_ONE);
    }

    #[test]
    fn what_is_locked_stays_open_until_it_is_closed() {
        let node = OpenFiles::at_most(2);
        let shelf = node.shelf();
        shelf.put(5, handle());
        shelf.keep_locked(5, handle());
        shelf.keep_locked(6, handle());
        assert!(shelf.is_locked(5) && !shelf.is_locked(4));
        (0..4).for_each(|index| shelf.put(index, handle()));
        assert_eq!(open(&shelf), [5, 6]);
        shelf.forget(5);
        shelf.keep_locked(6, handle());
        assert_eq!((open(&shelf), node.count()), (vec![5, 6], 2));
        shelf.close(5);
        shelf.put(0, handle());
        assert_eq!((open(&shelf), node.count()), (vec![0, 6], 2));
        shelf.close(6);
        shelf.close(0);
        assert_eq!(node.count(), 0);
    }
}
