use std::fs;
use std::sync::mpsc;

use proptest::prelude::*;
use tempfile::TempDir;
use wire::Block;

use super::super::tests::{Sample, nothing};
use super::super::{Assembly, BlockPool};
use super::*;

struct Download {
    sample: Sample,
    pool: BlockPool,
    assembly: Assembly,
    disk: Disk,
    outcomes: mpsc::Receiver<Outcome>,
    directory: TempDir,
}

impl Download {
    fn new(sample: Sample) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let storage = sample.storage(&directory);
        storage.prepare(&nothing()).unwrap();
        let (report, outcomes) = mpsc::channel();
        let disk = Disk::start(&Arc::new(storage), move |outcome| {
            let _ = report.send(outcome);
        });
        Self {
            pool: BlockPool::new(64),
            assembly: Assembly::new(sample.info.geometry()),
            disk: disk.unwrap(),
            outcomes,
            directory,
            sample,
        }
    }

    fn blocks(&self, piece: u32) -> Vec<Block> {
        let geometry = self.sample.info.geometry();
        (0..geometry.blocks(piece))
            .map(|index| geometry.block(piece, index))
            .collect()
    }

    fn receive(&mut self, block: Block, spoil: bool) {
        let geometry = self.sample.info.geometry();
        let start = (geometry.piece_offset(block.piece) + u64::from(block.offset)) as usize;
        let length = block.length as usize;
        let mut buffer = self.pool.take();
        buffer[..length].copy_from_slice(&self.sample.content[start..start + length]);
        buffer[0] ^= u8::from(spoil);
        for job in self.assembly.store(block, buffer) {
            self.disk.submit(job);
        }
    }

    fn flush(&mut self, piece: u32) {
        for job in self.assembly.flush(piece) {
            self.disk.submit(job);
        }
    }

    fn receive_piece(&mut self, piece: u32) {
        for block in self.blocks(piece) {
            self.receive(block, false);
        }
    }

    fn verdict(&self) -> (u32, bool) {
        match self.outcomes.recv().unwrap() {
            Outcome::Checked { piece, valid } => (piece, valid),
            Outcome::Failed { error, .. } => panic!("{error}"),
        }
    }

    fn content(&self) -> Vec<u8> {
        fs::read(self.directory.path().join("sample")).unwrap()
    }
}

#[test]
fn blocks_become_a_checked_file() {
    let mut download = Download::new(Sample::single(3 * 65_536 + 1, 65_536));
    for piece in [2, 0, 3, 1] {
        let mut blocks = download.blocks(piece);
        blocks.reverse();
        for block in blocks {
            download.receive(block, false);
        }
        assert_eq!(download.verdict(), (piece, true));
    }
    assert_eq!(download.content(), download.sample.content);
}

#[test]
fn a_spoilt_piece_is_found_out_and_can_be_fetched_again() {
    let mut download = Download::new(Sample::single(2 * 65_536, 65_536));
    for block in download.blocks(1) {
        download.receive(block, block.offset == 16_384);
    }
    assert_eq!(download.verdict(), (1, false));
    download.receive_piece(1);
    assert_eq!(download.verdict(), (1, true));
}

#[test]
fn a_piece_that_was_half_there_is_forgotten() {
    let mut download = Download::new(Sample::single(65_536, 65_536));
    let blocks = download.blocks(0);
    download.receive(blocks[0], true);
    download.flush(0);
    download.assembly.discard(0);
    download.disk.forget(0);
    download.receive_piece(0);
    assert_eq!(download.verdict(), (0, true));
}

#[test]
fn buffers_are_back_and_all_is_written_when_the_disk_is_dropped() {
    let mut download = Download::new(Sample::single(20 * 65_536, 65_536));
    for piece in 0..20 {
        download.receive_piece(piece);
    }
    let Download {
        disk,
        outcomes,
        pool,
        sample,
        directory,
        ..
    } = download;
    drop(disk);
    assert_eq!(pool.in_use(), 0);
    assert_eq!(outcomes.iter().count(), 20);
    assert_eq!(
        fs::read(directory.path().join("sample")).unwrap(),
        sample.content
    );
}

#[test]
fn a_write_that_fails_costs_its_piece_and_no_other() {
    let files = [("a", 32_768), ("b", 32_768)];
    let mut download = Download::new(Sample::new(&files, 32_768));
    // The lock keeps the first file open; the second is opened anew below.
    let place = download.directory.path().join("sample/b");
    let storage = download.sample.storage(&download.directory);
    let (report, outcomes) = mpsc::channel();
    download.disk = Disk::start(&Arc::new(storage), move |outcome| {
        let _ = report.send(outcome);
    })
    .unwrap();
    download.outcomes = outcomes;
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();

    let blocks = download.blocks(1);
    download.receive(blocks[0], false);
    download.flush(1);
    let failed = download.outcomes.recv().unwrap();
    assert!(
        matches!(
            &failed,
            Outcome::Failed {
                piece: 1,
                error: StorageError::NotAFile { .. }
            }
        ),
        "{failed:?}"
    );
    download.receive(blocks[1], false);
    download.receive_piece(0);
    assert_eq!(download.verdict(), (0, true));

    fs::remove_dir(&place).unwrap();
    download.assembly.discard(1);
    download.disk.forget(1);
    download.receive_piece(1);
    assert_eq!(download.verdict(), (1, true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_order_of_blocks_and_the_pressure_on_memory_make_no_difference(
        order in Just((0..45_u32).collect::<Vec<_>>()).prop_shuffle(),
        flush_every in 1_usize..45,
    ) {
        let mut download = Download::new(Sample::single(45 * 16_384 - 7, 20 * 16_384));
        for (count, index) in (1..).zip(order) {
            let block = download.sample.info.geometry().block(index / 20, index % 20);
            download.receive(block, false);
            if count % flush_every == 0 {
                download.flush(index / 20);
            }
        }
        let mut verdicts: Vec<_> = (0..3).map(|_| download.verdict()).collect();
        verdicts.sort_unstable();
        prop_assert_eq!(verdicts, [(0, true), (1, true), (2, true)]);
        prop_assert!(download.content() == download.sample.content);
    }
}
