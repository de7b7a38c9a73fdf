use std::collections::BTreeMap;
use std::sync::Arc;

use wire::{BLOCK_LENGTH, Bitfield, Block, Geometry, Info};

use super::BlockBuffer;

/// Blocks that are written with one call, where they come in order: 256 KiB. Longer runs were measured to be no faster,
/// and every piece on its way may hold as much.
const RUN: u32 = 16;

/// Puts blocks, which arrive in any order, together to runs that are worth a write.
///
/// A run is handed out from the front of a piece, so that its hash can be taken in passing, when it has [`RUN`] blocks or
/// nothing more can be added to it. Under memory pressure [`flush`](Self::flush) hands out what there is.
#[derive(Debug)]
pub(crate) struct Assembly {
    geometry: Geometry,
    /// Knows which blocks are padding, and come from nobody.
    padded: Option<Arc<Info>>,
    pieces: BTreeMap<u32, Partial>,
    buffered: usize,
}

/// Neighbouring blocks of one piece, to be hashed and written.
#[derive(Debug)]
pub(crate) struct Job {
    /// Index of the piece.
    pub(crate) piece: u32,
    /// Bytes from the start of the piece.
    pub(crate) offset: u32,
    /// Each buffer, and how many of its bytes are the block's.
    pub(crate) blocks: Vec<(BlockBuffer, u32)>,
}

#[derive(Debug)]
struct Partial {
    /// Blocks that ever came.
    seen: Bitfield,
    /// Those of them that have not been handed out, by index.
    blocks: BTreeMap<u32, (BlockBuffer, u32)>,
    /// The first block that has not been handed out.
    next: u32,
    /// Blocks that are here without a gap from `next` on.
    ready: u32,
}

impl Assembly {
    /// Blocks that are nothing but padding are not waited for. BEP 47.
    pub(crate) fn of(info: &Arc<Info>) -> Self {
        Self {
            padded: Some(Arc::clone(info)),
            ..Self::new(info.geometry())
        }
    }

    /// Nothing has come yet.
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
            padded: None,
            pieces: BTreeMap::new(),
            buffered: 0,
        }
    }

    /// Adds a block, of which `data` has the bytes. Returns the runs that are now complete, most often none.
    ///
    /// What is no block of the torrent, or came before, is dropped.
    pub(crate) fn store(&mut self, block: Block, data: BlockBuffer) -> Vec<Job> {
        let Some(index) = self.geometry.block_index(block) else {
            return Vec::new();
        };
        let blocks = self.geometry.blocks(block.piece);
        let padded = self.padded.as_ref();
        let partial = self.pieces.entry(block.piece).or_insert_with(|| {
            let fetched = padded.map(|info| info.blocks_to_fetch(block.piece));
            Partial::new(blocks, fetched.unwrap_or(blocks))
        });
        if partial.seen.get(index) {
            return Vec::new();
        }
        partial.seen.set(index);
        partial.blocks.insert(index, (data, block.length));
        self.buffered += 1;

        let mut jobs = Vec::new();
        while partial.find_run() {
            jobs.push(partial.hand_out(block.piece, partial.next, partial.ready));
        }
        self.settle(block.piece, &jobs);
        jobs
    }

    /// Hands out all blocks of a piece, in runs that may be short and out of order.
    pub(crate) fn flush(&mut self, piece: u32) -> Vec<Job> {
        let Some(partial) = self.pieces.get_mut(&piece) else {
            return Vec::new();
        };
        let mut jobs = Vec::new();
        while let Some((&first, _)) = partial.blocks.first_key_value() {
            let count = partial
                .blocks
                .keys()
                .zip(first..)
                .take_while(|(index, expected)| *index == expected)
                .count();
            jobs.push(partial.hand_out(piece, first, count as u32));
        }
        self.settle(piece, &jobs);
        jobs
    }

    /// Forgets a piece, handed out or not: its blocks may come anew.
    pub(crate) fn discard(&mut self, piece: u32) {
        if let Some(partial) = self.pieces.remove(&piece) {
            self.buffered -= partial.blocks.len();
        }
    }

    /// Blocks that are held.
    pub(crate) fn buffered(&self) -> usize {
        self.buffered
    }

    /// The piece that holds most blocks: the one to [`flush`](Self::flush) when buffers run short.
    pub(crate) fn fullest(&self) -> Option<u32> {
        self.pieces
            .iter()
            .filter(|(_, partial)| !partial.blocks.is_empty())
            .max_by_key(|(_, partial)| partial.blocks.len())
            .map(|(&piece, _)| piece)
    }

    fn settle(&mut self, piece: u32, jobs: &[Job]) {
        self.buffered -= jobs.iter().map(|job| job.blocks.len()).sum::<usize>();
        if self
            .pieces
            .get(&piece)
            .is_some_and(|partial| partial.seen.is_full() && partial.blocks.is_empty())
        {
            self.pieces.remove(&piece);
        }
    }
}

impl Partial {
    /// The blocks behind the first `fetched` count as handed out.
    fn new(blocks: u32, fetched: u32) -> Self {
        let mut seen = Bitfield::new(blocks);
        (fetched..blocks).for_each(|block| {
            seen.set(block);
        });
        Self {
            seen,
            blocks: BTreeMap::new(),
            next: 0,
            ready: 0,
        }
    }

    /// Looks for a run at the front that is long enough, or cannot grow because what follows has been handed out or does
    /// not exist.
    fn find_run(&mut self) -> bool {
        while self.seen.get(self.next) && !self.blocks.contains_key(&self.next) {
            self.next += 1;
        }
        while self.blocks.contains_key(&(self.next + self.ready)) {
            self.ready += 1;
        }
        let end = self.next + self.ready;
        self.ready >= RUN || self.ready > 0 && (end == self.seen.len() || self.seen.get(end))
    }

    fn hand_out(&mut self, piece: u32, first: u32, count: u32) -> Job {
        if first == self.next {
            self.next += count;
            self.ready = 0;
        }
        let blocks = (first..first + count)
            .filter_map(|index| self.blocks.remove(&index))
            .collect();
        Job {
            piece,
            offset: first * BLOCK_LENGTH,
            blocks,
        }
    }
}

impl Job {
    /// Bytes of all blocks.
    pub(crate) fn length(&self) -> u32 {
        self.blocks.iter().map(|(_, length)| length).sum()
    }

    /// The bytes, block by block.
    pub(crate) fn data(&self) -> impl Iterator<Item = &[u8]> {
        self.blocks
            .iter()
            .map(|(buffer, length)| buffer.get(..*length as usize).unwrap_or(buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::super::BlockPool;
    use super::*;
    use proptest::prelude::*;

    /// Stores the blocks with these indices, and returns (first block, number of blocks) of each job.
    fn store(assembly: &mut Assembly, pool: &BlockPool, indices: &[u32]) -> Vec<(u32, usize)> {
        let jobs = indices.iter().flat_map(|&index| {
            let block = assembly.geometry.block(0, index);
            assembly.store(block, pool.take())
        });
        shapes(jobs)
    }

    fn shapes(jobs: impl IntoIterator<Item = Job>) -> Vec<(u32, usize)> {
        jobs.into_iter()
            .map(|job| (job.offset / BLOCK_LENGTH, job.blocks.len()))
            .collect()
    }

    fn one_piece(blocks: u32) -> (Assembly, BlockPool) {
        let length = u64::from(blocks * BLOCK_LENGTH);
        let geometry = Geometry::new(length, length).unwrap();
        (Assembly::new(geometry), BlockPool::new(16))
    }

    #[test]
    fn a_small_piece_is_one_job_in_whatever_order_its_blocks_come() {
        let (mut assembly, pool) = one_piece(4);
        assert_eq!(store(&mut assembly, &pool, &[2, 0, 3]), []);
        assert_eq!(assembly.buffered(), 3);
        assert_eq!(store(&mut assembly, &pool, &[1]), [(0, 4)]);
        assert_eq!((assembly.buffered(), pool.in_use()), (0, 0));
        assert_eq!(assembly.fullest(), None);
    }

    #[test]
    fn a_large_piece_is_handed_out_run_by_run() {
        let (mut assembly, pool) = one_piece(40);
        let all: Vec<_> = (0..40).collect();
        assert_eq!(
            store(&mut assembly, &pool, &all),
            [(0, 16), (16, 16), (32, 8)]
        );
    }

    #[test]
    fn a_late_first_block_releases_all_that_waited_for_it() {
        let (mut assembly, pool) = one_piece(150);
        let but_first: Vec<_> = (1..150).collect();
        assert_eq!(store(&mut assembly, &pool, &but_first), []);
        assert_eq!(store(&mut assembly, &pool, &[0]), [(0, 150)]);
    }

    #[test]
    fn flushed_blocks_leave_a_gap_that_is_not_waited_for() {
        let (mut assembly, pool) = one_piece(10);
        store(&mut assembly, &pool, &[3, 4, 6]);
        assert_eq!(assembly.fullest(), Some(0));
        assert_eq!(shapes(assembly.flush(0)), [(3, 2), (6, 1)]);
        assert_eq!((assembly.buffered(), pool.in_use()), (0, 0));
        assert_eq!(store(&mut assembly, &pool, &[7, 8, 9, 5, 0, 1]), []);
        assert_eq!(store(&mut assembly, &pool, &[2]), [(0, 3), (5, 1), (7, 3)]);
    }

    #[test]
    fn a_block_counts_once() {
        let (mut assembly, pool) = one_piece(3);
        store(&mut assembly, &pool, &[0, 0, 1]);
        assert_eq!(assembly.buffered(), 2);
        let _flushed = assembly.flush(0);
        assert_eq!(store(&mut assembly, &pool, &[0, 1]), []);
        assert_eq!(assembly.buffered(), 0);
    }

    #[test]
    fn a_discarded_piece_can_come_anew() {
        let (mut assembly, pool) = one_piece(3);
        store(&mut assembly, &pool, &[0, 2]);
        assembly.discard(0);
        assert_eq!((assembly.buffered(), pool.in_use()), (0, 0));
        assert_eq!(store(&mut assembly, &pool, &[2, 1, 0]), [(0, 3)]);
    }

    #[test]
    fn what_is_no_block_of_the_torrent_is_dropped() {
        let (mut assembly, pool) = one_piece(3);
        for (piece, offset, length) in [
            (1, 0, 16_384),
            (0, 1, 16_384),
            (0, 0, 5),
            (0, 49_152, 16_384),
        ] {
            let block = Block {
                piece,
                offset,
                length,
            };
            assert!(assembly.store(block, pool.take()).is_empty());
        }
        assert_eq!((assembly.buffered(), pool.in_use()), (0, 0));
    }

    proptest! {
        #[test]
        fn every_block_is_handed_out_once(
            order in Just((0..200_u32).collect::<Vec<_>>()).prop_shuffle(),
            flush_after in prop::collection::btree_set(0_usize..200, 0..4),
        ) {
            let (mut assembly, pool) = one_piece(200);
            let mut count = vec![0; 200];
            for (position, &index) in order.iter().enumerate() {
                let mut jobs = assembly.store(assembly.geometry.block(0, index), pool.take());
                if flush_after.contains(&position) {
                    jobs.extend(assembly.flush(0));
                }
                for (first, blocks) in shapes(jobs) {
                    for index in first..first + blocks as u32 {
                        count[index as usize] += 1;
                    }
                }
            }
            prop_assert!(count.iter().all(|&count| count == 1), "{count:?}");
            prop_assert_eq!((assembly.buffered(), assembly.pieces.len()), (0, 0));
        }
    }
}
