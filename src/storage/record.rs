//! What is known of a torrent's content without reading it.

use std::time::{Duration, SystemTime};

use wire::Bitfield;

use crate::platform::FileStamp;

/// How long a file has been left alone when the system is made to have it on the disk. By then it has done so by itself, as a rule, and nobody waits.
const WRITTEN_BACK: Duration = Duration::from_secs(60);

/// Which pieces were found right, and how the files looked then: a file that still looks so need not be read again.
///
/// A file that is not there, or was changed too short a time before it was looked at, is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Pieces that are right. Another one may be, too: written already, and not judged yet.
    pub(crate) have: Bitfield,
    /// In the order of the torrent.
    pub(crate) files: Vec<FileRecord>,
    /// The run of the machine in which it was made, where the system names it; not needed if all files are durable.
    pub(crate) boot: Option<String>,
}

/// A file as it was when its bytes were known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileRecord {
    /// Which file of the torrent.
    pub(crate) index: u32,
    pub(crate) stamp: FileStamp,
    /// The disk has its bytes. Without that they may be lost when the machine stops, and how the file looks need not tell.
    pub(crate) durable: bool,
}

/// What is known of a file in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing: it is not there, or is another one than it was.
    Unknown,
    /// Somebody else has changed it: nothing vouches for its bytes any more, in this run.
    Foreign,
    /// How it looked so short a time after a change that another one might not show.
    Fresh(FileStamp),
    /// How it looked, and any later change shows.
    Settled { stamp: FileStamp, durable: bool },
}

impl Record {
    /// The file as recorded, if it may be believed when it still looks so. `boot` is the present run of the machine.
    pub(super) fn file(&self, index: usize, boot: Option<&str>) -> Option<&FileRecord> {
        let place = self
            .files
            .binary_search_by_key(&index, |file| file.index as usize)
            .ok()?;
        let file = self.files.get(place)?;
        let same_boot = boot.is_some() && self.boot.as_deref() == boot;
        (file.durable || same_boot).then_some(file)
    }
}

impl Look {
    /// A file that nobody of us is writing to, looked at just now.
    pub(super) fn at(stamp: FileStamp, now: SystemTime) -> Self {
        if stamp.is_settled(now) {
            Look::Settled {
                stamp,
                durable: false,
            }
        } else {
            Look::Fresh(stamp)
        }
    }

    /// How it looked when its bytes were known.
    pub(super) fn stamp(self) -> Option<FileStamp> {
        match self {
            Look::Unknown | Look::Foreign => None,
            Look::Fresh(stamp) | Look::Settled { stamp, .. } => Some(stamp),
        }
    }

    /// Whether another look would tell more, though nobody writes to it.
    pub(super) fn is_pending(self) -> bool {
        match self {
            Look::Unknown | Look::Foreign => false,
            Look::Fresh(_) => true,
            Look::Settled { durable, .. } => !durable,
        }
    }

    /// Looks at it before we write to it: nobody has, since the last time. `stamp` is how it looks, if it is there.
    pub(super) fn before_writing(self, stamp: Option<FileStamp>) -> Self {
        if stamp.is_none() || stamp == self.stamp() {
            self
        } else {
            Look::Foreign
        }
    }

    /// Looks again with `stamp`. `written` tells whether we have written to the file since the last time; if not, and it looks otherwise, somebody else has: then its
    /// bytes are not known any more.
    pub(super) fn again(
        self,
        written: bool,
        now: SystemTime,
        stamp: impl FnOnce() -> Option<FileStamp>,
    ) -> Self {
        match self {
            Look::Foreign => self,
            _ if written => stamp().map_or(Look::Unknown, |stamp| Look::at(stamp, now)),
            Look::Fresh(before) => match stamp() {
                Some(stamp) if stamp == before => Look::at(stamp, now),
                _ => Look::Foreign,
            },
            known => known,
        }
    }

    /// Whether to have it written to the disk for certain: nobody has to wait for that, or it is good for nothing otherwise, since the system does not name
    /// its runs (`boot`).
    pub(super) fn is_worth_a_sync(self, now: SystemTime, boot: bool) -> bool {
        match self {
            Look::Settled {
                stamp,
                durable: false,
            } => !boot || stamp.at_rest(now) >= WRITTEN_BACK,
            _ => false,
        }
    }

    /// The disk has it.
    pub(super) fn synced(self) -> Self {
        match self {
            Look::Settled { stamp, .. } => Look::Settled {
                stamp,
                durable: true,
            },
            look => look,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// A file that was changed `seconds` and a bit after 1970.
    const fn stamp(seconds: i64) -> FileStamp {
        let time = seconds * 1_000_000_000 + 7;
        FileStamp {
            length: 1,
            modified: time,
            changed: time,
            number: 1,
        }
    }

    fn second(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    const fn settled(seconds: i64, durable: bool) -> Look {
        Look::Settled {
            stamp: stamp(seconds),
            durable,
        }
    }

    fn never_looks() -> Option<FileStamp> {
        panic!("it need not be looked at")
    }

    #[test]
    fn a_file_that_was_just_written_waits_for_the_clock() {
        let fresh = Look::at(stamp(5), second(5));
        assert_eq!(fresh, Look::Fresh(stamp(5)));
        let look = fresh.again(false, second(6), || Some(stamp(5)));
        assert_eq!(look, settled(5, false));
    }

    #[test]
    fn somebody_elses_change_is_not_taken_for_ours() {
        let look = Look::Fresh(stamp(5)).again(false, second(8), || Some(stamp(6)));
        assert_eq!(look, Look::Foreign);
        // Once settled it is not looked at again: at the next start it will not look as recorded.
        let known = settled(5, false);
        assert_eq!(known.again(false, second(8), never_looks), known);
        // Unless we write to it.
        assert_eq!(known.before_writing(Some(stamp(5))), known);
        let foreign = known.before_writing(Some(stamp(6)));
        assert_eq!(foreign, Look::Foreign);
        assert_eq!(foreign.again(true, second(9), never_looks), foreign);
    }

    #[test]
    fn what_we_write_is_looked_at_anew() {
        let look = settled(5, true).again(true, second(9), || Some(stamp(8)));
        assert_eq!(look, settled(8, false));
        let gone = settled(5, true).again(true, second(9), || None);
        assert_eq!(gone, Look::Unknown);
    }

    #[test]
    fn a_file_is_synced_when_it_has_been_at_rest_or_nothing_else_vouches_for_it() {
        let known = settled(5, false);
        assert!(!known.is_worth_a_sync(second(64), true));
        assert!(known.is_worth_a_sync(second(66), true));
        assert!(known.is_worth_a_sync(second(6), false));
        assert!(!settled(5, true).is_worth_a_sync(second(66), false));
        assert!(known.is_pending() && !known.synced().is_pending());
    }

    #[test]
    fn what_is_not_on_the_disk_is_believed_until_the_machine_stops() {
        let file = |index, durable| FileRecord {
            index,
            stamp: stamp(5),
            durable,
        };
        let record = Record {
            have: Bitfield::full(1),
            files: vec![file(1, false), file(4, true)],
            boot: Some("monday".to_owned()),
        };
        let believed = |boot| [0, 1, 4].map(|index| record.file(index, boot).is_some());
        assert_eq!(believed(Some("monday")), [false, true, true]);
        assert_eq!(believed(Some("tuesday")), [false, false, true]);
        assert_eq!(believed(None), [false, false, true]);
    }
}
