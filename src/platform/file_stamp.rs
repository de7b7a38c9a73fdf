//! How a file looks from outside.

use std::fs::Metadata;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A step of the clock by which the system stamps files: within one a second change leaves no trace. Linux has 10 ms at most, Windows 16.
pub(crate) const STEP: Duration = Duration::from_millis(20);

/// The same where a file system keeps whole seconds only; FAT keeps every second one.
const COARSE_STEP: Duration = Duration::from_secs(2);

/// What the system tells of a file without its bytes. Whoever changes those changes this, unless he does so within one step of the system's clock after the change
/// before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileStamp {
    /// Bytes.
    pub(crate) length: u64,
    /// When its bytes were changed last, nanoseconds since 1970. Programs may set it to anything.
    pub(crate) modified: i64,
    /// When anything of it was changed last, by the system's own clock. Where the system does not keep that: when the file was made.
    pub(crate) changed: i64,
    /// Its number in its file system; 0 where there is none.
    pub(crate) number: u64,
}

impl FileStamp {
    /// `None` for a time that is further from 1970 than 292 years.
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let time = |seconds: i64, nanoseconds: i64| {
                seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
            };
            Some(Self {
                length: metadata.len(),
                modified: time(metadata.mtime(), metadata.mtime_nsec())?,
                changed: time(metadata.ctime(), metadata.ctime_nsec())?,
                number: super::file_number(metadata),
            })
        }
        #[cfg(not(unix))]
        {
            Some(Self {
                length: metadata.len(),
                modified: nanoseconds(metadata.modified().ok()?)?,
                changed: nanoseconds(metadata.created().ok()?)?,
                number: super::file_number(metadata),
            })
        }
    }

    /// How long before `now` it was changed last. Zero for one of the future.
    pub(crate) fn at_rest(&self, now: SystemTime) -> Duration {
        let last = if cfg!(unix) {
            self.changed
        } else {
            self.modified
        };
        let age = nanoseconds(now).and_then(|now| u64::try_from(now.checked_sub(last)?).ok());
        age.map_or(Duration::ZERO, Duration::from_nanos)
    }

    /// Whether every change after `now` will show.
    pub(crate) fn is_settled(&self, now: SystemTime) -> bool {
        let whole_seconds = self.modified % 1_000_000_000 == 0 && self.changed % 1_000_000_000 == 0;
        let step = if whole_seconds { COARSE_STEP } else { STEP };
        self.at_rest(now) >= step
    }
}

pub(super) fn nanoseconds(time: SystemTime) -> Option<i64> {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).ok(),
        Err(before) => Some(-i64::try_from(before.duration().as_nanos()).ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn stamp(changed: i64) -> FileStamp {
        FileStamp {
            length: 1,
            modified: 1,
            changed,
            number: 1,
        }
    }

    fn at(nanoseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(nanoseconds)
    }

    #[cfg(unix)]
    #[test]
    fn a_change_within_a_step_of_the_clock_might_not_show() {
        assert!(!stamp(1_000_000_007).is_settled(at(1_000_000_008)));
        assert!(!stamp(1_000_000_007).is_settled(at(1_019_000_000)));
        assert!(stamp(1_000_000_007).is_settled(at(1_021_000_000)));
    }

    #[cfg(unix)]
    #[test]
    fn where_there_are_whole_seconds_only_it_takes_longer() {
        let whole = FileStamp {
            modified: 5_000_000_000,
            ..stamp(5_000_000_000)
        };
        assert!(!whole.is_settled(at(6_900_000_000)));
        assert!(whole.is_settled(at(7_000_000_000)));
    }

    #[cfg(unix)]
    #[test]
    fn a_clock_that_was_set_back_settles_nothing_and_a_time_set_by_a_program_says_nothing() {
        assert_eq!(
            stamp(2_000_000_007).at_rest(at(1_000_000_000)),
            Duration::ZERO
        );
        assert!(!stamp(2_000_000_007).is_settled(at(1_000_000_000)));
        let of_the_future = FileStamp {
            modified: i64::MAX,
            ..stamp(1_000_000_007)
        };
        assert!(of_the_future.is_settled(at(2_000_000_000)));
    }

    #[test]
    fn what_changes_a_file_changes_how_it_looks() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "one").unwrap();
        let look = || FileStamp::of(&std::fs::metadata(&path).unwrap()).unwrap();
        let before = look();
        assert_eq!(before, look());
        std::fs::write(&path, "three").unwrap();
        assert_ne!(before, look());
    }
}
