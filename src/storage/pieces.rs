use std::io::IoSliceMut;
use std::panic;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use sha1::{Digest, Sha1};
use wire::Geometry;

use super::StorageError;
use super::files::Files;
use crate::piece_hash::{Compressor, PieceHashes};

/// Bytes that a thread reads and hashes at a time, of all the pieces that it is at: they stay in the cache.
const BUFFER: usize = 256 * 1024;

/// What the system reads and keeps together.
const PAGE: usize = 4096;

/// Bytes that a thread is at, unless one piece is longer: progress is told in such steps.
const GROUP: u32 = 64 * 1024 * 1024;

/// Hashes every piece of the files with `threads` threads (this one is one of them), and returns what `judge` makes of
/// them, in the order of the pieces.
///
/// `judge` hears of what cannot be read, too. The first error that it returns ends it all.
pub(crate) fn hash_pieces<T: Send>(
    files: &Files,
    geometry: Geometry,
    threads: usize,
    judge: impl Fn(u32, Result<[u8; 20], StorageError>) -> Result<T, StorageError> + Sync,
) -> Result<Vec<T>, StorageError> {
    let all: Vec<u32> = (0..geometry.pieces()).collect();
    hash_some(files, geometry, &all, threads, judge)
}

/// The same for some pieces, in their order.
pub(crate) fn hash_some<T: Send>(
    files: &Files,
    geometry: Geometry,
    pieces: &[u32],
    threads: usize,
    judge: impl Fn(u32, Result<[u8; 20], StorageError>) -> Result<T, StorageError> + Sync,
) -> Result<Vec<T>, StorageError> {
    let content = Pieces {
        files,
        geometry,
        zeros: OnceLock::new(),
    };
    let width = group_width(geometry, pieces.len(), threads);
    let group = |number: usize| pieces.chunks(width).nth(number).unwrap_or_default();
    let groups = pieces.len().div_ceil(width);
    in_turn(groups, threads, |number, buffer| {
        content.will_read(group(number.saturating_add(threads)));
        let group = group(number);
        content
            .hash(group, buffer)
            .zip(group)
            .map(|(hash, &piece)| judge(piece, hash))
            .collect()
    })
}

/// How many pieces a thread takes at a time: as many as are best hashed side by side, if there are enough for all threads.
fn group_width(geometry: Geometry, pieces: usize, threads: usize) -> usize {
    let share = pieces.div_ceil(threads.max(1));
    let longest = (GROUP / geometry.full_piece_length()).max(1);
    let width = Compressor::best_width().min(share).min(longest as usize);
    width.max(1)
}

/// The content of a torrent, piece by piece.
struct Pieces<'a> {
    files: &'a Files,
    geometry: Geometry,
    /// The hash of a piece of zeros.
    zeros: OnceLock<[u8; 20]>,
}

impl Pieces<'_> {
    /// The hashes of a few pieces, which are read side by side. Holes are not read.
    fn hash(
        &self,
        pieces: &[u32],
        buffer: &mut [u8],
    ) -> impl Iterator<Item = Result<[u8; 20], StorageError>> + use<> {
        let known: Vec<_> = pieces.iter().map(|&piece| self.known(piece)).collect();
        let unread: Vec<u32> = pieces
            .iter()
            .zip(&known)
            .filter_map(|(&piece, known)| known.is_none().then_some(piece))
            .collect();
        let mut read = self.read(&unread, buffer).into_iter();
        known
            .into_iter()
            .filter_map(move |known| known.or_else(|| read.next()))
    }

    /// What can be said of a piece without reading it.
    fn known(&self, piece: u32) -> Option<Result<[u8; 20], StorageError>> {
        let length = u64::from(self.geometry.piece_length(piece));
        match self
            .files
            .is_hole(self.geometry.piece_offset(piece), length)
        {
            Ok(false) => None,
            // A hole reads as zeros, and zeros may be what the torrent has there.
            Ok(true) if length == self.geometry.full_piece_length().into() => {
                Some(Ok(*self.zeros.get_or_init(|| hash_of_zeros(length))))
            }
            Ok(true) => Some(Ok(hash_of_zeros(length))),
            Err(error) => Some(Err(error)),
        }
    }

    /// The hashes of these pieces, of which a run each is read and hashed in turn.
    fn read(&self, pieces: &[u32], buffer: &mut [u8]) -> Vec<Result<[u8; 20], StorageError>> {
        let share = buffer.len() / pieces.len().max(1);
        let share = (share - share % PAGE).max(1);
        let mut hashes = PieceHashes::new(pieces.len());
        let mut failures: Vec<Option<StorageError>> = pieces.iter().map(|_| None).collect();
        let longest = pieces
            .iter()
            .map(|&piece| self.geometry.piece_length(piece))
            .max();
        for start in (0..longest.unwrap_or(0)).step_by(share) {
            let sides = pieces
                .iter()
                .zip(&mut failures)
                .zip(buffer.chunks_exact_mut(share));
            let runs: Vec<&[u8]> = sides
                .map(|((&piece, failure), run)| {
                    let left = self.geometry.piece_length(piece).saturating_sub(start);
                    let (run, _) = run.split_at_mut(share.min(left as usize));
                    if failure.is_none() && !run.is_empty() {
                        let offset = self.geometry.piece_offset(piece) + u64::from(start);
                        *failure = self.files.read(offset, &mut [IoSliceMut::new(run)]).err();
                    }
                    &*run
                })
                .collect();
            hashes.update(&runs);
        }
        let hashes = hashes.finish().into_iter().zip(failures);
        hashes
            .map(|(hash, failure)| failure.map_or(Ok(hash), Err))
            .collect()
    }

    /// Lets the system read pieces from the disk while others are hashed.
    fn will_read(&self, pieces: &[u32]) {
        for run in pieces.chunk_by(|one, next| one + 1 == *next) {
            if let (Some(&first), Some(&last)) = (run.first(), run.last()) {
                let start = self.geometry.piece_offset(first);
                let end =
                    self.geometry.piece_offset(last) + u64::from(self.geometry.piece_length(last));
                self.files.will_read(start, end.saturating_sub(start));
            }
        }
    }
}

/// Does `work` for each number below `groups`, spread over the threads, and returns the results in order. Each thread lends its work a buffer. The first error ends
/// it all.
fn in_turn<T: Send, E: Send>(
    groups: usize,
    threads: usize,
    work: impl Fn(usize, &mut [u8]) -> Result<Vec<T>, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let run = &|| {
        let mut buffer = vec![0; BUFFER];
        let mut results = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let group = next.fetch_add(1, Ordering::Relaxed);
            if group >= groups {
                break;
            }
            match work(group, &mut buffer) {
                Ok(result) => results.push((group, result)),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(results)
    };
    let mut results = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(groups))
            // With fewer threads than wished for it takes longer, that is all.
            .map_while(|_| {
                thread::Builder::new()
                    .name("hash".into())
                    .spawn_scoped(scope, run)
                    .ok()
            })
            .collect();
        let mut results = run();
        for other in others {
            let theirs = other
                .join()
                .unwrap_or_else(|panic| panic::resume_unwind(panic));
            results = results.and_then(|mut all| {
                all.extend(theirs?);
                Ok(all)
            });
        }
        results
    })?;
    results.sort_unstable_by_key(|(group, _)| *group);
    Ok(results.into_iter().flat_map(|(_, result)| result).collect())
}

/// SHA-1 of so many zeros.
fn hash_of_zeros(mut length: u64) -> [u8; 20] {
    let zeros = [0; 4096];
    let mut sha1 = Sha1::new();
    while length > 0 {
        let count = length.min(zeros.len() as u64);
        sha1.update(zeros.split_at(count as usize).0);
        length -= count;
    }
    sha1.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::super::Layout;
    use super::*;

    #[test]
    fn results_come_in_their_order_from_any_number_of_threads() {
        for threads in [0, 1, 2, 7, 200] {
            let results = in_turn(100, threads, |number, _| {
                Ok::<_, ()>(vec![number; number % 3])
            });
            let expected = (0..100).flat_map(|number| vec![number; number % 3]);
            assert_eq!(results, Ok(expected.collect()));
        }
        assert_eq!(
            in_turn(0, 4, |number, _| Ok::<_, ()>(vec![number])),
            Ok(vec![])
        );
    }

    #[test]
    fn one_error_ends_the_work() {
        let results = in_turn(250, 4, |number, _| {
            if number == 17 {
                Err("bad")
            } else {
                Ok(vec![()])
            }
        });
        assert_eq!(results, Err("bad"));
    }

    #[test]
    fn zeros_hash_as_zeros() {
        let expected: [u8; 20] = Sha1::digest(vec![0; 10_000]).into();
        assert_eq!(hash_of_zeros(10_000), expected);
    }

    #[test]
    fn a_group_has_a_piece_for_each_lane_unless_that_leaves_threads_idle_or_is_long() {
        let width = |total, length, threads| {
            let geometry = Geometry::new(total, length).unwrap();
            group_width(geometry, geometry.pieces() as usize, threads)
        };
        let best = Compressor::best_width();
        assert_eq!(width(1 << 30, 1 << 20, 2), best);
        assert_eq!(width(4 << 20, 1 << 20, 4), 1);
        assert_eq!(width(1 << 34, 1 << 28, 2), 1);
        assert_eq!(width(0, 1 << 20, 0), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn pieces_hash_as_if_each_were_read_alone(
            files in prop::collection::vec(0_usize..300_000, 1..6),
            length in prop::sample::select(vec![1_000_u32, 16_384, 100_001, 300_000]),
            threads in 1_usize..4,
            missing in 0_usize..8,
            left_out in 0_u32..4,
        ) {
            let directory = tempfile::tempdir().unwrap();
            let total: usize = files.iter().sum();
            let content: Vec<u8> = (0..total).map(|at| ((at * at) >> 9) as u8).collect();
            let mut offset = 0;
            for (index, &length) in files.iter().enumerate() {
                if index != missing {
                    let bytes = &content[offset..offset + length];
                    fs::write(directory.path().join(index.to_string()), bytes).unwrap();
                }
                offset += length;
            }
            let absent = files.iter().take(missing).sum::<usize>()
                ..files.iter().take(missing + 1).sum::<usize>();
            let layout = files
                .iter()
                .enumerate()
                .map(|(index, &length)| (PathBuf::from(index.to_string()), length as u64));
            let layout = Files::new(directory.path().to_owned(), Layout::new(layout));
            let geometry = Geometry::new(total as u64, length.into()).unwrap();

            let wanted: Vec<u32> = (0..geometry.pieces())
                .filter(|piece| left_out == 0 || piece % left_out != 0)
                .collect();
            let found = hash_some(&layout, geometry, &wanted, threads, |piece, hash| match hash {
                Ok(hash) => Ok((piece, Some(hash))),
                Err(error) if error.is_absent() => Ok((piece, None)),
                Err(error) => Err(error),
            });
            let expected: Vec<_> = (0..)
                .zip(content.chunks(length as usize))
                .filter(|(piece, _)| wanted.contains(piece))
                .map(|(piece, bytes): (u32, _)| {
                    let start = piece as usize * length as usize;
                    let gap = absent.start < start + bytes.len() && start < absent.end;
                    (piece, (!gap).then(|| Sha1::digest(bytes).into()))
                })
                .collect();
            prop_assert_eq!(found.unwrap(), expected);
        }
    }
}
