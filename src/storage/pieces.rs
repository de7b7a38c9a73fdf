use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use sha1::{Digest, Sha1};

use super::StorageError;
use super::files::Files;

/// Bytes that are read and hashed at a time: large enough for the disk, small enough for the cache.
const RUN: usize = 256 * 1024;

/// Does `work` for each piece, the pieces spread over `threads` threads (this one is one of them), and returns the results
/// in the order of the pieces. Each thread lends its work a buffer for [`hash`]. The first error ends it all.
pub(crate) fn map<T: Send, E: Send>(
    pieces: u32,
    threads: usize,
    work: impl Fn(u32, &mut [u8]) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicU32::new(0);
    let failed = AtomicBool::new(false);
    let run = &|| {
        let mut buffer = vec![0; RUN];
        let mut results = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces {
                break;
            }
            match work(piece, &mut buffer) {
                Ok(result) => results.push((piece, result)),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(results)
    };
    let mut results = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(pieces as usize))
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
    results.sort_unstable_by_key(|(piece, _)| *piece);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// SHA-1 of a range of the files.
pub(crate) fn hash(
    files: &Files,
    mut offset: u64,
    mut length: u64,
    buffer: &mut [u8],
) -> Result<[u8; 20], StorageError> {
    let mut sha1 = Sha1::new();
    while length > 0 {
        let count = length.min(buffer.len() as u64);
        let (run, _) = buffer.split_at_mut(count as usize);
        files.read(offset, run)?;
        sha1.update(run);
        offset += count;
        length -= count;
    }
    Ok(sha1.finalize().into())
}

/// SHA-1 of so many zeros.
pub(crate) fn hash_of_zeros(mut length: u64) -> [u8; 20] {
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
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_pieces_from_any_number_of_threads() {
        for threads in [0, 1, 2, 7, 200] {
            let results = map(100, threads, |piece, _| Ok::<_, ()>(piece * 2));
            assert_eq!(results, Ok((0..100).map(|piece| piece * 2).collect()));
        }
        assert_eq!(map(0, 4, |piece, _| Ok::<_, ()>(piece)), Ok(vec![]));
    }

    #[test]
    fn one_error_ends_the_work() {
        let results = map(
            1000,
            4,
            |piece, _| if piece == 17 { Err("bad") } else { Ok(()) },
        );
        assert_eq!(results, Err("bad"));
    }

    #[test]
    fn zeros_hash_as_zeros() {
        let expected: [u8; 20] = Sha1::digest(vec![0; 10_000]).into();
        assert_eq!(hash_of_zeros(10_000), expected);
    }
}
