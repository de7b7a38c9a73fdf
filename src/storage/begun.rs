//! Which files on the disk a download has begun, and so may write over when it is gone on with.

use std::collections::BTreeMap;

use wire::Bitfield;

use super::layout::FileEntry;
use super::{Storage, StorageError};
use crate::platform::FileStamp;

/// The files of a torrent that a run found right or wrote to, for the next one: whatever else stands there then is somebody else's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Where they are: a path without links, in the system's own bytes.
    pub(crate) directory: Vec<u8>,
    /// By index.
    pub(crate) files: BTreeMap<u32, Mark>,
}

/// By what a file is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It may be written to until the run ends, however that comes: it is the same file, whatever is in it.
    Open(Identity),
    /// The run does not write to it any more: it looks the same.
    Left(FileStamp),
}

/// Tells a file from another one that has taken its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// What the system numbers it. The number of one that was removed is given to others.
    pub(crate) number: u64,
    /// When it was made, nanoseconds since 1970, if the system tells.
    pub(crate) born: Option<i64>,
}

impl Storage {
    /// The files as they are while the download runs. Those of which `have` has all pieces are not written to.
    pub(crate) fn begun(&self, have: &Bitfield) -> Begun {
        self.marked(|index, entry| {
            if self.pieces_of(index).all(|piece| have.get(piece)) {
                self.left_mark(index, entry)
            } else {
                self.files.identity(index, entry).map(Mark::Open)
            }
        })
    }

    /// The same at the end, when nothing more is written. What somebody else has changed meanwhile is his.
    pub(crate) fn left(&self) -> Begun {
        self.marked(|index, entry| self.left_mark(index, entry))
    }

    fn left_mark(&self, index: usize, entry: &FileEntry) -> Option<Mark> {
        let look = self.look_again(index, || self.files.stamp(index, entry))?;
        look.stamp().map(Mark::Left)
    }

    fn marked(&self, mark: impl Fn(usize, &FileEntry) -> Option<Mark>) -> Begun {
        let on_disk = self.files.on_disk();
        Begun {
            directory: self.files.real_directory().unwrap_or_default(),
            files: on_disk
                .filter_map(|(index, entry)| Some((index as u32, mark(index, entry)?)))
                .collect(),
        }
    }

    /// Which of the files that stand here an earlier run had begun, by what it has left: its marks, and what the part file says was left out.
    pub(super) fn ours(
        &self,
        begun: Option<&Begun>,
    ) -> Result<impl Fn(usize, &FileEntry) -> bool, StorageError> {
        let here = self.files.real_directory();
        let begun = begun.filter(|begun| here.as_ref() == Some(&begun.directory));
        let not_left_out = self.files.ours()?;
        Ok(move |index: usize, entry: &FileEntry| {
            let mark = begun.and_then(|begun| begun.files.get(&(index as u32)));
            let is_same = match mark {
                None => false,
                Some(Mark::Open(identity)) => {
                    self.files.identity(index, entry).as_ref() == Some(identity)
                }
                Some(Mark::Left(stamp)) => self.files.stamp(index, entry).as_ref() == Some(stamp),
            };
            is_same
                && not_left_out
                    .as_ref()
                    .is_none_or(|ours| ours.get(index as u32))
        })
    }
}
