use std::array;

use proptest::prelude::*;
use sha1::{Digest, Sha1};

use super::compressor::{blocks, fill_lanes};
use super::lanes::Operations;
use super::*;

/// The rounds in lanes that any processor has, as many as AVX-512.
fn plain_lanes() -> Compressor {
    Compressor {
        name: "plain",
        lanes: 16,
        advance: |states, runs| fill_lanes(states, runs, plain::<16>),
    }
}

fn plain<const N: usize>(states: &mut [State; N], runs: [&[Block]; N]) {
    let both = |x: [u32; N], y: [u32; N], operation: fn(u32, u32) -> u32| {
        array::from_fn(|lane| operation(x[lane], y[lane]))
    };
    let operations = Operations {
        splat: |word| [word; N],
        add: |x, y| both(x, y, u32::wrapping_add),
        and: |x, y| both(x, y, |x, y| x & y),
        xor: |x, y| both(x, y, |x, y| x ^ y),
        rotate_1: |x: [u32; N]| x.map(|word| word.rotate_left(1)),
        rotate_5: |x: [u32; N]| x.map(|word| word.rotate_left(5)),
        rotate_30: |x: [u32; N]| x.map(|word| word.rotate_left(30)),
    };
    for blocks in blocks(runs) {
        let state = array::from_fn(|word| array::from_fn(|lane| states[lane][word]));
        let message = array::from_fn(|word| {
            blocks.map(|block| u32::from_be_bytes(block.as_chunks().0[word]))
        });
        let state = operations.compress(state, message);
        for (lane, words) in states.iter_mut().enumerate() {
            *words = state.map(|word| word[lane]);
        }
    }
}

/// All that this processor has, and the plain ones.
fn compressors() -> Vec<Compressor> {
    let mut all = Compressor::all();
    all.push(plain_lanes());
    all
}

fn digest_all(compressor: &Compressor, pieces: &[&[u8]]) -> Vec<[u8; 20]> {
    let mut hashes = PieceHashes::with(compressor, pieces.len());
    hashes.update(pieces);
    hashes.finish()
}

#[test]
fn the_examples_of_the_standard() {
    let examples: [(&[u8], &str); 4] = [
        (b"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
        ),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn\
              hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "a49b2446a02c645bf419f995b67091253a04a259",
        ),
    ];
    for compressor in compressors() {
        for (message, expected) in examples {
            let digests = digest_all(&compressor, &[message; 20]);
            let digests: Vec<_> = digests.iter().map(hex::encode).collect();
            assert_eq!(digests, [expected; 20], "{compressor}");
        }
    }
}

#[test]
fn pieces_of_one_length_keep_their_order_whatever_their_number() {
    let content: Vec<u8> = (0..20 * 150_u32).map(|at| ((at * at) >> 5) as u8).collect();
    let pieces: Vec<&[u8]> = content.chunks(150).collect();
    let expected: Vec<[u8; 20]> = pieces
        .iter()
        .map(|piece| Sha1::digest(piece).into())
        .collect();
    for compressor in compressors() {
        for count in [0, 1, 3, 4, 7, 8, 15, 16, 20] {
            let digests = digest_all(&compressor, &pieces[..count]);
            assert_eq!(digests, expected[..count], "{compressor}");
        }
    }
}

#[test]
fn there_is_a_fastest_for_any_number() {
    let all = Compressor::all();
    let lanes: Vec<_> = all.iter().map(|compressor| compressor.lanes).collect();
    assert_eq!(Compressor::fastest_for(1).lanes, 1);
    for pieces in 0..40 {
        assert!(lanes.contains(&Compressor::fastest_for(pieces).lanes));
    }
    assert!(lanes.contains(&Compressor::best_width()));
    let mut hashes = PieceHashes::new(3);
    hashes.update(&[b"a", b"b", b"c"]);
    assert_eq!(hashes.finish()[1][..], Sha1::digest(b"b")[..]);
}

#[test]
#[should_panic(expected = "one run a piece")]
fn a_run_too_few_is_a_mistake() {
    PieceHashes::new(3).update(&[b"a", b"b"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn all_ways_agree_with_the_library_on_pieces_of_any_length_in_any_runs(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..=192), 1..=20),
        cuts in prop::collection::vec(0_usize..=192, 0..4),
    ) {
        let expected: Vec<[u8; 20]> = pieces.iter().map(|piece| Sha1::digest(piece).into()).collect();
        let mut borders = cuts;
        borders.extend([0, 192]);
        borders.sort_unstable();
        for compressor in compressors() {
            let mut hashes = PieceHashes::with(&compressor, pieces.len());
            for border in borders.windows(2) {
                let part = |piece: &'_ Vec<u8>| border[0].min(piece.len())..border[1].min(piece.len());
                let runs: Vec<&[u8]> = pieces.iter().map(|piece| &piece[part(piece)]).collect();
                hashes.update(&runs);
            }
            prop_assert_eq!(hashes.finish(), &expected[..], "{}", compressor);
        }
    }
}
