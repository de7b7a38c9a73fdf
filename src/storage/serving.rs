//! Reading for others: they get what was found right, whatever has been done to the files since.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::sync::PoisonError;

use wire::Bitfield;

use super::pieces::hash_some;
use super::record::Look;
use super::{Storage, StorageError};
use crate::platform::FileStamp;

/// Bytes read at a time where nobody waits for them.
const CHUNK: u32 = 256 * 1024;

/// What is known of files that were changed behind our back. Each piece is judged once for each change.
#[derive(Debug)]
pub(super) struct Doubts {
    /// How the changed files look, by index.
    stamps: BTreeMap<usize, FileStamp>,
    /// Pieces that are right all the same, and pieces that are not. Empty before there is any doubt.
    right: Bitfield,
    wrong: Bitfield,
}

impl Default for Doubts {
    fn default() -> Self {
        Self {
            stamps: BTreeMap::new(),
            right: Bitfield::new(0),
            wrong: Bitfield::new(0),
        }
    }
}

impl Storage {
    /// Fills the buffers, one after the other, with the torrent's bytes from `offset` on.
    ///
    /// # Errors
    /// The bytes are not there, or are not right any more.
    pub(crate) fn read_verified(
        &self,
        offset: u64,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Result<(), StorageError> {
        let length = total(buffers);
        let mut turn = Some(self.turn());
        let before = self.changed(offset, length)?;
        if before.is_empty() {
            turn = None;
        } else {
            self.judge(offset, length, &before)?;
        }
        self.files.read(offset, buffers)?;
        let _turn = turn.unwrap_or_else(|| self.turn());
        let after = self.changed(offset, length)?;
        match after.iter().find(|changed| !before.contains(changed)) {
            Some((index, _)) => Err(self.changed_file(*index)),
            None => Ok(()),
        }
    }

    /// The same, if no disk has to be waited for, and the files have not changed; `false` if otherwise.
    pub(crate) fn read_at_hand(
        &self,
        offset: u64,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Result<bool, StorageError> {
        let length = total(buffers);
        Ok(self.files.read_at_hand(offset, buffers)? && self.changed(offset, length)?.is_empty())
    }

    /// Whether the whole of a piece can be read, and is right.
    pub(crate) fn serves(&self, piece: u32) -> bool {
        let geometry = self.info.geometry();
        let (start, length) = (geometry.piece_offset(piece), geometry.piece_length(piece));
        let mut buffer = vec![0; CHUNK.min(length) as usize];
        (0..length).step_by(CHUNK as usize).all(|offset| {
            let rest = (length - offset).min(CHUNK) as usize;
            let part = IoSliceMut::new(&mut buffer[..rest]);
            let read = self.read_verified(start + u64::from(offset), &mut [part]);
            read.is_ok()
        })
    }

    /// After the last piece: makes sure that all wanted files are there, and hashes what others have changed or replaced meanwhile, and the pieces that were `lost` and not
    /// fetched again.
    ///
    /// # Errors
    /// A file is gone, or something in it cannot be read, or is not right any more.
    pub(crate) fn vouch(&self, lost: &[u32]) -> Result<(), StorageError> {
        let wanted = self.wanted();
        let on_disk = self.files.on_disk();
        for (index, entry) in on_disk.filter(|&(index, _)| wanted.contains(index)) {
            let stamp = self.files.path_stamp(index, entry)?;
            // Another file is not looked at in the place of the one that was written.
            let look = self.look_again(index, || self.files.stamp(index, entry));
            if let (Some(look), Some(stamp)) = (look, stamp)
                && look.stamp() != Some(stamp)
                && entry.length > 0
            {
                self.judge(entry.offset, entry.length, &[(index, stamp)])?;
            }
        }
        let geometry = self.info.geometry();
        for &piece in lost {
            let length = geometry.piece_length(piece).into();
            let mut files = self.files.touched(geometry.piece_offset(piece), length);
            if let Some(index) = files.find(|&index| wanted.contains(index))
                && !self.is_right(piece)?
            {
                return Err(self.changed_file(index));
            }
        }
        Ok(())
    }

    /// Reads a piece and hashes it.
    fn is_right(&self, piece: u32) -> Result<bool, StorageError> {
        let geometry = self.info.geometry();
        let judged = hash_some(&self.files, geometry, &[piece], 1, |piece, hash| {
            Ok(self.info.piece_hash(piece) == Some(&hash?))
        })?;
        Ok(judged == [true])
    }

    /// The files of a range that look otherwise than when their bytes were found right, and how they look. What we are writing to at the moment is left
    /// out: whoever must know it keeps us from that by a [turn](Self::turn).
    fn changed(&self, offset: u64, length: u64) -> Result<Vec<(usize, FileStamp)>, StorageError> {
        let mut changed = Vec::new();
        for index in self.files.touched(offset, length) {
            let Some(look) = self.look_of(index) else {
                continue;
            };
            if look != Look::Foreign && self.files.is_written(index) {
                continue;
            }
            let stamp = self.files.open_stamp(index)?;
            if let Some(stamp) = stamp.filter(|stamp| look.stamp() != Some(*stamp)) {
                changed.push((index, stamp));
            }
        }
        Ok(changed)
    }

    /// Hashes the pieces of a range in which files were changed, unless that was done since. One at a time, whoever asks.
    fn judge(
        &self,
        offset: u64,
        length: u64,
        changed: &[(usize, FileStamp)],
    ) -> Result<(), StorageError> {
        let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        let geometry = self.info.geometry();
        for &(index, stamp) in changed {
            if doubts.stamps.insert(index, stamp) != Some(stamp) {
                tracing::debug!(path = %self.files.path_of(index).display(), "changed behind our back");
                doubts.right = Bitfield::new(geometry.pieces());
                doubts.wrong = Bitfield::new(geometry.pieces());
            }
        }
        let full = u64::from(geometry.full_piece_length());
        let last = offset.saturating_add(length).saturating_sub(1) / full;
        for piece in (offset / full) as u32..=last as u32 {
            if !doubts.right.get(piece) && !doubts.wrong.get(piece) {
                if self.is_right(piece)? {
                    doubts.right.set(piece);
                } else {
                    doubts.wrong.set(piece);
                }
            }
            if let (true, Some((index, _))) = (doubts.wrong.get(piece), changed.first()) {
                return Err(self.changed_file(*index));
            }
        }
        Ok(())
    }

    fn changed_file(&self, index: usize) -> StorageError {
        let path = self.files.path_of(index);
        StorageError::Changed { path }
    }
}

fn total(buffers: &[IoSliceMut<'_>]) -> u64 {
    buffers.iter().map(|buffer| buffer.len() as u64).sum()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::path::PathBuf;
    use std::sync::atomic::AtomicBool;

    use tempfile::TempDir;

    use super::super::tests::Sample;
    use super::*;

    const PIECE: usize = 16_384;

    /// A seed of two files of two pieces and a half each.
    struct Seed {
        sample: Sample,
        directory: TempDir,
        storage: Storage,
    }

    impl Seed {
        fn new() -> Self {
            let sample = Sample::new(&[("a", 40_960), ("b", 40_960)], PIECE as u32);
            let directory = tempfile::tempdir().unwrap();
            fs::create_dir(directory.path().join("sample")).unwrap();
            let seed = Self {
                storage: sample.storage(&directory),
                directory,
                sample,
            };
            seed.put("a", &seed.sample.content[..40_960]);
            seed.put("b", &seed.sample.content[40_960..]);
            let found = seed
                .storage
                .check(None, 1, &|_| {}, &AtomicBool::new(false));
            assert!(found.unwrap().have.is_full());
            seed
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join("sample").join(name)
        }

        fn put(&self, name: &str, content: &[u8]) {
            fs::write(self.path(name), content).unwrap();
        }

        /// Whether the first bytes of a piece can be had; they are never wrong.
        fn serves(&self, piece: usize) -> Result<(), StorageError> {
            let mut bytes = [0; 100];
            let offset = (piece * PIECE) as u64;
            let expected = &self.sample.content[piece * PIECE..piece * PIECE + bytes.len()];
            if self
                .storage
                .read_at_hand(offset, &mut [IoSliceMut::new(&mut bytes)])?
            {
                assert_eq!(bytes, expected);
                return Ok(());
            }
            self.storage
                .read_verified(offset, &mut [IoSliceMut::new(&mut bytes)])?;
            assert_eq!(bytes, expected);
            Ok(())
        }

        fn refuses(&self, piece: usize) -> StorageError {
            self.serves(piece).unwrap_err()
        }
    }

    /// Writes over the first byte, in place.
    fn spoil(path: PathBuf) {
        let mut file = File::options().write(true).open(path).unwrap();
        file.write_all(&[0]).unwrap();
    }

    #[test]
    fn of_a_file_that_was_changed_only_what_is_right_is_served() {
        let seed = Seed::new();
        (0..5).for_each(|piece| seed.serves(piece).unwrap());
        spoil(seed.path("a"));
        for _ in 0..2 {
            let error = seed.refuses(0);
            assert!(
                matches!(&error, StorageError::Changed { path } if path.ends_with("a")),
                "{error}"
            );
            (1..5).for_each(|piece| seed.serves(piece).unwrap());
        }
        seed.put("a", &seed.sample.content[..40_960]);
        (0..5).for_each(|piece| seed.serves(piece).unwrap());
    }

    #[test]
    fn a_file_that_was_cut_off_is_served_as_far_as_it_goes_and_again_when_it_is_back() {
        let seed = Seed::new();
        seed.put("b", &seed.sample.content[40_960..3 * PIECE]);
        assert!(matches!(seed.refuses(4), StorageError::TooShort { .. }));
        (0..3).for_each(|piece| seed.serves(piece).unwrap());
        seed.put("b", &seed.sample.content[40_960..]);
        (0..5).for_each(|piece| seed.serves(piece).unwrap());
    }

    #[test]
    fn a_file_that_was_removed_is_missed_and_another_one_in_its_place_is_looked_at() {
        let seed = Seed::new();
        (0..5).for_each(|piece| seed.serves(piece).unwrap());
        fs::remove_file(seed.path("b")).unwrap();
        assert!(matches!(seed.refuses(4), StorageError::Missing { .. }));
        seed.serves(0).unwrap();
        seed.put("b", &vec![1; 40_960]);
        assert!(matches!(seed.refuses(4), StorageError::Changed { .. }));
        seed.put("other", &seed.sample.content[40_960..]);
        fs::rename(seed.path("other"), seed.path("b")).unwrap();
        (0..5).for_each(|piece| seed.serves(piece).unwrap());
    }
}
