use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use wire::BLOCK_LENGTH;

use super::super::{Job, Storage, StorageError};
use super::{Backlog, Order, Outcome};
use crate::piece_hash::{Compressor, PieceHash, update};

/// Bytes that are read back at a time, where a run had to be written before it could be hashed.
const READ_BACK: usize = 256 * 1024;

/// How long a piece that is there as a whole waits for others, to be hashed beside them.
const COMPANY: Duration = Duration::from_millis(2);

/// Hashes runs that have been written, several pieces side by side, and judges the pieces that they make up.
///
/// A run waits in memory until its piece is there, and a piece for as many as are best hashed together: not for long, and only as long as there is
/// room.
pub(super) struct Hasher<R> {
    storage: Arc<Storage>,
    backlog: Backlog,
    /// How many pieces are best hashed together.
    width: usize,
    pieces: HashMap<u32, State>,
    /// Pieces of which all runs are there, in the order in which they came.
    whole: Vec<u32>,
    /// Blocks that wait, and how many may.
    waiting: usize,
    room: usize,
    report: R,
}

enum State {
    Begun(Begun),
    /// It could not be read back.
    Failed,
}

/// How far the hash of a piece has come.
#[derive(Default)]
struct Begun {
    hash: PieceHash,
    /// Runs that wait in memory, one after the other.
    runs: Vec<Job>,
    /// Bytes from the start of the piece that are in `hash` or wait.
    end: u32,
    /// Runs further on that are on the disk only: offset to length.
    ahead: BTreeMap<u32, u32>,
}

impl<R: Fn(Outcome)> Hasher<R> {
    /// Keeps at most `room` blocks waiting, and those of one run.
    pub(super) fn new(storage: Arc<Storage>, backlog: Backlog, room: usize, report: R) -> Self {
        Self {
            storage,
            backlog,
            width: Compressor::best_width(),
            pieces: HashMap::new(),
            whole: Vec::new(),
            waiting: 0,
            room,
            report,
        }
    }

    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let order = if self.whole.is_empty() {
                orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                orders.recv_timeout(COMPANY)
            };
            match order {
                Ok(Order::Forget(piece)) => self.forget(piece),
                Ok(Order::Run(job)) => self.take(job),
                Err(RecvTimeoutError::Timeout) => self.judge(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.judge();
    }

    fn forget(&mut self, piece: u32) {
        self.whole.retain(|&whole| whole != piece);
        if let Some(State::Begun(begun)) = self.pieces.remove(&piece) {
            self.waiting -= blocks_of(&begun.runs);
        }
    }

    fn take(&mut self, job: Job) {
        let piece = job.piece;
        self.backlog.remove(job.blocks.len());
        let state = self
            .pieces
            .entry(piece)
            .or_insert_with(|| State::Begun(Begun::default()));
        let State::Begun(begun) = state else {
            return;
        };
        if job.offset != begun.end {
            begun.ahead.insert(job.offset, job.length());
            return;
        }
        begun.end += job.length();
        self.waiting += job.blocks.len();
        begun.runs.push(job);
        if begun.ahead.contains_key(&begun.end) {
            self.catch_up(piece);
        }
        if self.is_whole(piece) {
            self.whole.push(piece);
        }
        if self.whole.len() >= self.width {
            self.judge();
        } else if self.waiting > self.room {
            self.judge();
            self.hash(&self.begun_pieces());
        }
    }

    /// Reads what follows and is on the disk only. What waits is hashed first.
    fn catch_up(&mut self, piece: u32) {
        self.hash(&[piece]);
        let start = self.storage.info().geometry().piece_offset(piece);
        let Some(State::Begun(begun)) = self.pieces.get_mut(&piece) else {
            return;
        };
        if let Err(error) = begun.read_back(&self.storage, start) {
            self.pieces.insert(piece, State::Failed);
            (self.report)(Outcome::Failed { piece, error });
        }
    }

    /// All of it is there but padding, which never comes.
    fn is_whole(&self, piece: u32) -> bool {
        let fetched = self.fetched_length(piece);
        matches!(self.pieces.get(&piece), Some(State::Begun(begun)) if begun.end == fetched)
    }

    /// Bytes of a piece that come from peers. BEP 47.
    fn fetched_length(&self, piece: u32) -> u32 {
        let info = self.storage.info();
        let fetched = info.blocks_to_fetch(piece).saturating_mul(BLOCK_LENGTH);
        fetched.min(info.geometry().piece_length(piece))
    }

    fn begun_pieces(&self) -> Vec<u32> {
        let begun = self
            .pieces
            .iter()
            .filter_map(|(&piece, state)| match state {
                State::Begun(begun) if !begun.runs.is_empty() => Some(piece),
                _ => None,
            });
        begun.collect()
    }

    /// Compares the pieces that are there as a whole with their hashes.
    fn judge(&mut self) {
        let whole = mem::take(&mut self.whole);
        self.hash(&whole);
        for piece in whole {
            let Some(State::Begun(mut begun)) = self.pieces.remove(&piece) else {
                continue;
            };
            let length = self.storage.info().geometry().piece_length(piece);
            begun.pad(length - self.fetched_length(piece));
            let valid = self.storage.info().piece_hash(piece) == Some(&begun.hash.finish());
            (self.report)(Outcome::Checked { piece, valid });
        }
    }

    /// Hashes what waits of these pieces, side by side.
    fn hash(&mut self, pieces: &[u32]) {
        let begun = self.pieces.iter_mut().filter_map(|(piece, state)| {
            let State::Begun(begun) = state else {
                return None;
            };
            (pieces.contains(piece) && !begun.runs.is_empty())
                .then(|| (mem::take(&mut begun.runs), &mut begun.hash))
        });
        let (runs, mut hashes): (Vec<Vec<Job>>, Vec<_>) = begun.unzip();
        let compressor = Compressor::fastest_for(hashes.len());
        let mut blocks: Vec<_> = runs
            .iter()
            .map(|runs| runs.iter().flat_map(Job::data))
            .collect();
        loop {
            let next = hashes.iter_mut().zip(&mut blocks);
            let next: Vec<_> = next
                .filter_map(|(hash, blocks)| Some((&mut **hash, blocks.next()?)))
                .collect();
            if next.is_empty() {
                break;
            }
            update(compressor, next);
        }
        self.waiting -= runs.iter().map(|runs| blocks_of(runs)).sum::<usize>();
    }
}

fn blocks_of(runs: &[Job]) -> usize {
    runs.iter().map(|job| job.blocks.len()).sum()
}

impl Begun {
    /// Adds so many zeros.
    fn pad(&mut self, mut length: u32) {
        const ZEROS: [u8; 4096] = [0; 4096];
        while length > 0 {
            let (zeros, _) = ZEROS.split_at(ZEROS.len().min(length as usize));
            self.hash.update(zeros);
            length -= zeros.len() as u32;
        }
    }

    fn read_back(&mut self, storage: &Storage, start: u64) -> Result<(), StorageError> {
        while let Some(length) = self.ahead.remove(&self.end) {
            let mut offset = start + u64::from(self.end);
            let mut left = length as usize;
            let mut buffer = vec![0; left.min(READ_BACK)];
            while left > 0 {
                let count = left.min(buffer.len());
                let (run, _) = buffer.split_at_mut(count);
                storage.read(offset, run)?;
                self.hash.update(run);
                offset += count as u64;
                left -= count;
            }
            self.end += length;
        }
        Ok(())
    }
}
