//! Pieces of any number and length, read in any runs: every way of hashing them that this processor has agrees with the
//! library. The first two bytes say how long a piece and a run are, in turn longer and shorter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sha1::{Digest, Sha1};

use trackless::piece_hash::{Compressor, PieceHashes};

#[path = "../../src"]
mod trackless {
    #[allow(dead_code, reason = "the storage needs more of it")]
    pub(crate) mod piece_hash;
}

fuzz_target!(|input: &[u8]| {
    let [piece_length, run_length, content @ ..] = input else {
        return;
    };
    let lengths = [usize::from(*piece_length) + 1, usize::from(*piece_length) / 2 + 1];
    let mut rest = content;
    let mut pieces = Vec::new();
    for length in lengths.into_iter().cycle().take(40) {
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    let expected: Vec<[u8; 20]> = pieces.iter().map(|piece| Sha1::digest(piece).into()).collect();
    let run_length = usize::from(*run_length) + 1;
    for compressor in &Compressor::all() {
        let mut hashes = PieceHashes::with(compressor, pieces.len());
        for start in (0..=usize::from(*piece_length)).step_by(run_length) {
            let runs: Vec<&[u8]> = pieces
                .iter()
                .map(|piece| &piece[start.min(piece.len())..(start + run_length).min(piece.len())])
                .collect();
            hashes.update(&runs);
        }
        assert_eq!(hashes.finish(), expected, "{compressor}");
    }
});
