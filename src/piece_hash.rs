//! SHA-1 of pieces, several side by side.
//!
//! A SHA-1 is a chain of steps that wait for each other, and leaves most of a processor idle. Pieces do not wait for
//! each other: their blocks are compressed in the lanes of vector registers, or by interleaved SHA instructions, whichever
//! this processor does fastest.

mod compressor;
// Without vector registers there is nobody to use it.
#[cfg(any(target_arch = "x86_64", test))]
mod lanes;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub(crate) use compressor::Compressor;
use compressor::{Block, State, compress_alone};

const BLOCK_LENGTH: usize = size_of::<Block>();

/// Where the length stands in the last block.
const LENGTH_OFFSET: usize = BLOCK_LENGTH - size_of::<u64>();

/// FIPS 180-4, 5.3.1.
const INITIAL: State = [
    0x6745_2301,
    0xefcd_ab89,
    0x98ba_dcfe,
    0x1032_5476,
    0xc3d2_e1f0,
];

/// SHA-1 of several pieces that are read at the same time, run by run.
pub(crate) struct PieceHashes<'a> {
    compressor: &'a Compressor,
    states: Vec<State>,
    tails: Vec<Tail>,
}

/// What is known of a piece beside the state of its hash.
#[derive(Clone)]
struct Tail {
    /// Bytes of the piece so far.
    length: u64,
    /// The last of them, which do not fill a block yet.
    bytes: Block,
}

impl PieceHashes<'static> {
    /// The hashes of so many pieces, of which nothing has been read yet, by what does them fastest.
    pub(crate) fn new(pieces: usize) -> Self {
        Self::with(Compressor::fastest_for(pieces), pieces)
    }
}

impl<'a> PieceHashes<'a> {
    pub(crate) fn with(compressor: &'a Compressor, pieces: usize) -> Self {
        let tail = Tail {
            length: 0,
            bytes: [0; BLOCK_LENGTH],
        };
        Self {
            compressor,
            states: vec![INITIAL; pieces],
            tails: vec![tail; pieces],
        }
    }

    /// Adds the next bytes of each piece. What a run has more than the shortest one is hashed alone, and slower.
    ///
    /// # Panics
    /// If there are not as many runs as pieces.
    pub(crate) fn update(&mut self, runs: &[&[u8]]) {
        assert_eq!(runs.len(), self.states.len(), "one run a piece");
        let pieces = self.states.iter_mut().zip(&mut self.tails).zip(runs);
        let (blocks, rests): (Vec<_>, Vec<_>) = pieces
            .map(|((state, tail), run)| tail.complete(state, run).as_chunks::<BLOCK_LENGTH>())
            .unzip();
        self.compressor.compress(&mut self.states, &blocks);
        for (tail, rest) in self.tails.iter_mut().zip(rests) {
            tail.keep(rest);
        }
    }

    /// The hashes, in the order of the pieces.
    pub(crate) fn finish(self) -> Vec<[u8; 20]> {
        let pieces = self.states.into_iter().zip(self.tails);
        pieces.map(|(state, tail)| tail.finish(state)).collect()
    }
}

impl Tail {
    /// Completes a block that was begun with the first bytes of a run, and returns the others.
    fn complete<'a>(&mut self, state: &mut State, run: &'a [u8]) -> &'a [u8] {
        let begun = self.begun();
        self.length += run.len() as u64;
        if begun == 0 {
            return run;
        }
        let (first, rest) = run.split_at(run.len().min(BLOCK_LENGTH - begun));
        let end = begun + first.len();
        self.bytes[begun..end].copy_from_slice(first);
        if end == BLOCK_LENGTH {
            compress_alone(state, &[self.bytes]);
        }
        rest
    }

    /// Keeps what is less than a block.
    fn keep(&mut self, rest: &[u8]) {
        self.bytes[..rest.len()].copy_from_slice(rest);
    }

    /// FIPS 180-4, 5.1.1: a bit that is set, zeros, and the length in bits.
    fn finish(mut self, mut state: State) -> [u8; 20] {
        let begun = self.begun();
        self.bytes[begun..].fill(0);
        self.bytes[begun] = 0x80;
        if begun >= LENGTH_OFFSET {
            compress_alone(&mut state, &[self.bytes]);
            self.bytes.fill(0);
        }
        self.bytes[LENGTH_OFFSET..].copy_from_slice(&(self.length * 8).to_be_bytes());
        compress_alone(&mut state, &[self.bytes]);

        let mut digest = [0; 20];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }

    fn begun(&self) -> usize {
        (self.length % BLOCK_LENGTH as u64) as usize
    }
}
