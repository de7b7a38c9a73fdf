//! Checking content that somebody else has put there.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use wire::{Bitfield, Info};

use crate::StorageError;
use crate::storage::Storage;

/// Hashes what lies at `path`, the file of a torrent of one file and the directory of any other, and returns the pieces
/// that are right.
///
/// Reads all of it, with all cores, whatever is known from earlier runs, and changes nothing. What is missing is not right; only what cannot be read is an error.
/// `progress` hears how many pieces have been looked at, from any thread. Blocks.
///
/// # Errors
///
/// A file that is there and cannot be read.
pub fn verify(
    info: Arc<Info>,
    path: &Path,
    progress: &(dyn Fn(u32) + Sync),
) -> Result<Bitfield, StorageError> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let storage = Storage::open_at(info, path);
    let found = storage.check(None, threads, progress, &AtomicBool::new(false))?;
    Ok(found.have)
}
