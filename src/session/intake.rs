//! From blocks in memory to verified pieces on the disk.

use std::sync::Arc;

use tokio::sync::mpsc;
use wire::Block;

use crate::storage::{Assembly, BlockBuffer, Disk, Job, Outcome, Storage, StorageError};

/// Blocks in memory beyond which nothing more is requested: 6 MiB.
const HIGH_WATER: usize = 384;
/// Blocks in memory below which requesting goes on.
const LOW_WATER: usize = 192;

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
