//! SHA-1 of pieces on one core, in each way that this processor has: MiB a second, with content that is in the cache.

use divan::Bencher;
use divan::counter::BytesCount;

use trackless::piece_hash::{Compressor, PieceHashes};

// What is measured is not part of the library's surface.
#[path = "../src"]
mod trackless {
    #[allow(
        dead_code,
        unused_imports,
        reason = "the storage needs more of it, and its tests"
    )]
    pub(crate) mod piece_hash;
}

const PIECES: usize = 16;
const RUN: usize = 16 * 1024;

fn main() {
    divan::main();
}

#[divan::bench(args = Compressor::all())]
fn sixteen_pieces(bencher: Bencher, compressor: &Compressor) {
    let content = vec![0x5a; PIECES * RUN];
    let runs: Vec<&[u8]> = content.chunks(RUN).collect();
    bencher
        .counter(BytesCount::new(content.len()))
        .bench_local(|| {
            let mut hashes = PieceHashes::with(compressor, runs.len());
            hashes.update(&runs);
            hashes.finish()
        });
}
