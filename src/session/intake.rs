//! From blocks in memory to verified pieces on the disk.

use std::sync::Arc;

use tokio::sync::mpsc;
use wire::Block;

use crate::storage::{Assembly, BlockBuffer, Disk, Job, Outcome, Storage, StorageError};

/// Blocks in memory beyond which nothing more is requested: 10 MiB, which is what comes from a fast peer while the system
/// lets the writing thread wait for a core.
const HIGH_WATER: usize = 640;
/// Blocks in memory below which requesting goes on: near the other, so that the peers do not run dry before.
const LOW_WATER: usize = 512;

/// Blocks on their way to the disk.
#[derive(Debug)]
pub(super) struct Intake {
    assembly: Assembly,
    disk: Disk,
    pressed: bool,
}

impl Intake {
    /// `outcomes` gets a verdict a piece.
    pub(super) fn start(
        storage: &Arc<Storage>,
        outcomes: mpsc::UnboundedSender<Outcome>,
    ) -> Result<Self, StorageError> {
        let disk = Disk::start(storage, move |outcome| {
            // Without a session nobody is waiting for it.
            let _ = outcomes.send(outcome);
        })?;
        Ok(Intake {
            assembly: Assembly::of(storage.info()),
            disk,
            pressed: false,
        })
    }

    pub(super) fn store(&mut self, block: Block, buffer: BlockBuffer) {
        let jobs = self.assembly.store(block, buffer);
        self.submit(jobs);
    }

    /// Forgets what there is of a piece that will be fetched anew.
    pub(super) fn discard(&mut self, piece: u32) {
        self.assembly.discard(piece);
        self.disk.forget(piece);
    }

    /// Whether requesting has to change: stop, or go on.
    pub(super) fn pressure(&mut self) -> Option<bool> {
        let blocks = self.disk.backlog() + self.assembly.buffered();
        let pressed = if self.pressed {
            blocks > LOW_WATER
        } else {
            blocks > HIGH_WATER
        };
        if pressed {
            self.make_room();
        }
        (pressed != self.pressed).then(|| {
            self.pressed = pressed;
            pressed
        })
    }

    pub(super) fn is_pressed(&self) -> bool {
        self.pressed
    }

    /// Hands out what has not become a whole run, so that a disk that keeps up is enough to lift the pressure.
    fn make_room(&mut self) {
        while self.assembly.buffered() > LOW_WATER / 2 {
            let Some(piece) = self.assembly.fullest() else {
                return;
            };
            let jobs = self.assembly.flush(piece);
            self.submit(jobs);
        }
    }

    fn submit(&self, jobs: Vec<Job>) {
        for job in jobs {
            self.disk.submit(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use sha1::{Digest, Sha1};
    use wire::InfoBuilder;

    use super::*;
    use crate::storage::BlockPool;

    const PIECE: u32 = 1 << 18;
    const PIECES: u32 = 64;

    /// Whoever would wait for the disk here would wait for ever.
    #[test]
    fn a_disk_that_does_not_answer_stops_the_requests_and_holds_up_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let content = vec![7; PIECE as usize];
        let hashes = vec![Sha1::digest(&content).into(); PIECES as usize];
        let film = InfoBuilder::single_file("film", u64::from(PIECE * PIECES));
        let info = Arc::new(film.piece_length(PIECE).build(&hashes).unwrap());
        let storage = Arc::new(Storage::open(info, directory.path()));
        storage.prepare(&wire::Bitfield::new(0)).unwrap();
        let (outcomes, mut verdicts) = mpsc::unbounded_channel();
        let mut intake = Intake::start(&storage, outcomes).unwrap();
        let pool = BlockPool::new(0);
        let geometry = storage.info().geometry();
        let mut blocks = (0..PIECES).flat_map(|piece| {
            (0..geometry.blocks(piece)).map(move |block| geometry.block(piece, block))
        });
        let mut receive = |intake: &mut Intake| {
            blocks.next().map(|block| {
                let mut buffer = pool.take();
                buffer.fill(7);
                intake.store(block, buffer);
            })
        };

        let held = storage.hold();
        let mut received = 0;
        while intake.pressure() != Some(true) {
            receive(&mut intake).unwrap();
            received += 1;
        }
        // What was on its way comes all the same.
        for _ in 0..100 {
            receive(&mut intake).unwrap();
        }
        assert_eq!(intake.pressure(), None);
        // Of what was received a run or two may be with the writer.
        assert!(received <= HIGH_WATER + 64, "{received} blocks");

        drop(held);
        while intake.pressure() != Some(false) {
            std::thread::yield_now();
        }
        while receive(&mut intake).is_some() {}
        drop(intake);
        let mut right = 0;
        while let Ok(outcome) = verdicts.try_recv() {
            assert!(
                matches!(outcome, Outcome::Checked { valid: true, .. }),
                "{outcome:?}"
            );
            right += 1;
        }
        assert_eq!(right, PIECES);
    }
}
