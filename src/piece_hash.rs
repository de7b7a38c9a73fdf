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
    hashes: Vec<PieceHash>,
}

/// SHA-1 of one piece, as far as it has come.
#[derive(Clone)]
pub(crate) struct PieceHash {
    state: State,
    tail: Tail,
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
        Self {
            compressor,
            hashes: vec![PieceHash::default(); pieces],
        }
    }

    /// Adds the next bytes of each piece. What a run has more than the shortest one is hashed alone, and slower.
    ///
    /// # Panics
    /// If there are not as many runs as pieces.
    pub(crate) fn update(&mut self, runs: &[&[u8]]) {
        assert_eq!(runs.len(), self.hashes.len(), "one run a piece");
        let pieces = self.hashes.iter_mut().zip(runs.iter().copied());
        update(self.compressor, pieces);
    }

    /// The hashes, in the order of the pieces.
    pub(crate) fn finish(self) -> Vec<[u8; 20]> {
        self.hashes.into_iter().map(PieceHash::finish).collect()
    }
}

impl Default for PieceHash {
    fn default() -> Self {
        let tail = Tail {
            length: 0,
            bytes: [0; BLOCK_LENGTH],
        };
        let state = INITIAL;
        Self { state, tail }
    }
}

impl PieceHash {
    /// Adds the next bytes.
    pub(crate) fn update(&mut self, run: &[u8]) {
        let (blocks, rest) = self
            .tail
            .complete(&mut self.state, run)
            .as_chunks::<BLOCK_LENGTH>();
        compress_alone(&mut self.state, blocks);
        self.tail.keep(rest);
    }

    /// The hash of all bytes.
    pub(crate) fn finish(self) -> [u8; 20] {
        self.tail.finish(self.state)
    }
}

/// Adds the next bytes of each of several pieces. What a run has more than the shortest one is hashed alone, and slower.
pub(crate) fn update<'a>(
    compressor: &Compressor,
    pieces: impl IntoIterator<Item = (&'a mut PieceHash, &'a [u8])>,
) {
    let (mut hashes, blocks_and_rests): (Vec<_>, Vec<_>) = pieces
        .into_iter()
        .map(|(hash, run)| {
            let run = hash.tail.complete(&mut hash.state, run);
            (hash, run.as_chunks::<BLOCK_LENGTH>())
        })
        .unzip();
    let (blocks, rests): (Vec<_>, Vec<_>) = blocks_and_rests.into_iter().unzip();
    let mut states: Vec<_> = hashes.iter().map(|hash| hash.state).collect();
    compressor.compress(&mut states, &blocks);
    for ((hash, state), rest) in hashes.iter_mut().zip(states).zip(rests) {
        hash.state = state;
        hash.tail.keep(rest);
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
