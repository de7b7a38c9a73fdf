//! SHA-1 with the vector registers and the SHA instructions of x86-64.
//!
//! The only file with `unsafe` in it, for two reasons: to call a function that uses instructions which not every processor
//! has, and to take bytes for a vector.
#![allow(unsafe_code)]
#![allow(clippy::wildcard_imports, reason = "forty instructions by name")]

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::*;
use std::array;
use std::mem::transmute;

use super::compressor::{Block, Compressor, State, blocks, fill_lanes};
use super::lanes::Operations;

/// Those that this processor has the instructions for.
pub(super) fn compressors() -> Vec<Compressor> {
    let mut all = Vec::new();
    if is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("sse4.1")
    {
        all.push(Compressor {
            name: "SHA-NI",
            lanes: SHA_NI_STREAMS,
            advance: |states, runs| {
                fill_lanes(states, runs, |states, runs| {
                    // SAFETY: the processor has the instructions, or this compressor would not have been made.
                    unsafe { sha_ni::<SHA_NI_STREAMS>(states, runs) }
                });
            },
        });
    }
    if is_x86_feature_detected!("avx2") {
        all.push(Compressor {
            name: "AVX2",
            lanes: 8,
            advance: |states, runs| {
                fill_lanes(states, runs, |states, runs| {
                    // SAFETY: the processor has the instructions, or this compressor would not have been made.
                    unsafe { avx2(states, runs) }
                });
            },
        });
    }
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avx512f") {
        all.push(Compressor {
            name: "AVX-512",
            lanes: 16,
            advance: |states, runs| {
                fill_lanes(states, runs, |states, runs| {
                    // SAFETY: the processor has the instructions, or this compressor would not have been made.
                    unsafe { avx512(states, runs) }
                });
            },
        });
    }
    all
}

#[target_feature(enable = "avx2")]
fn avx2(states: &mut [State; 8], runs: [&[Block]; 8]) {
    let operations = Operations {
        splat: |word: u32| _mm256_set1_epi32(word.cast_signed()),
        add: |a, b| _mm256_add_epi32(a, b),
        and: |a, b| _mm256_and_si256(a, b),
        xor: |a, b| _mm256_xor_si256(a, b),
        rotate_1: |a| _mm256_or_si256(_mm256_slli_epi32::<1>(a), _mm256_srli_epi32::<31>(a)),
        rotate_5: |a| _mm256_or_si256(_mm256_slli_epi32::<5>(a), _mm256_srli_epi32::<27>(a)),
        rotate_30: |a| _mm256_or_si256(_mm256_slli_epi32::<30>(a), _mm256_srli_epi32::<2>(a)),
    };
    let mut state: [__m256i; 5] = array::from_fn(|word| {
        let lanes: [u32; 8] = array::from_fn(|lane| states[lane][word]);
        // SAFETY: eight words are a vector of eight words, whatever they are.
        unsafe { transmute(lanes) }
    });
    for blocks in blocks(runs) {
        let [first, last] = words_avx2(blocks);
        let message = array::from_fn(|word| {
            if word < 8 {
                first[word]
            } else {
                last[word - 8]
            }
        });
        state = operations.compress(state, message);
    }
    for (word, lanes) in state.into_iter().enumerate() {
        // SAFETY: a vector of eight words are eight words.
        let lanes: [u32; 8] = unsafe { transmute(lanes) };
        for (state, lane) in states.iter_mut().zip(lanes) {
            state[word] = lane;
        }
    }
}

/// The two halves of eight blocks, word by word, each with the words of all lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn words_avx2(blocks: [&Block; 8]) -> [[__m256i; 8]; 2] {
    let big_endian = _mm256_set_epi64x(
        0x0c0d_0e0f_0809_0a0b,
        0x0405_0607_0001_0203,
        0x0c0d_0e0f_0809_0a0b,
        0x0405_0607_0001_0203,
    );
    [0, 1].map(|half| {
        let rows = blocks.map(|block| {
            let bytes: [u8; 32] = block.as_chunks().0[half];
            // SAFETY: 32 bytes are a vector of 32 bytes, whatever they are.
            _mm256_shuffle_epi8(unsafe { transmute::<[u8; 32], __m256i>(bytes) }, big_endian)
        });
        transpose_avx2(rows)
    })
}

/// Rows become columns.
#[target_feature(enable = "avx2")]
#[inline]
fn transpose_avx2(rows: [__m256i; 8]) -> [__m256i; 8] {
    // In each half of a register: words of two rows, then of four.
    let four = |first, second, third, fourth| {
        let low = [
            _mm256_unpacklo_epi32(first, second),
            _mm256_unpacklo_epi32(third, fourth),
        ];
        let high = [
            _mm256_unpackhi_epi32(first, second),
            _mm256_unpackhi_epi32(third, fourth),
        ];
        [
            _mm256_unpacklo_epi64(low[0], low[1]),
            _mm256_unpackhi_epi64(low[0], low[1]),
            _mm256_unpacklo_epi64(high[0], high[1]),
            _mm256_unpackhi_epi64(high[0], high[1]),
        ]
    };
    let upper = four(rows[0], rows[1], rows[2], rows[3]);
    let lower = four(rows[4], rows[5], rows[6], rows[7]);
    array::from_fn(|word| match word {
        0..4 => _mm256_permute2x128_si256::<0x20>(upper[word], lower[word]),
        _ => _mm256_permute2x128_si256::<0x31>(upper[word - 4], lower[word - 4]),
    })
}

#[target_feature(enable = "avx2,avx512f")]
fn avx512(states: &mut [State; 16], runs: [&[Block]; 16]) {
    let operations = Operations {
        splat: |word: u32| _mm512_set1_epi32(word.cast_signed()),
        add: |a, b| _mm512_add_epi32(a, b),
        and: |a, b| _mm512_and_si512(a, b),
        xor: |a, b| _mm512_xor_si512(a, b),
        rotate_1: |a| _mm512_rol_epi32::<1>(a),
        rotate_5: |a| _mm512_rol_epi32::<5>(a),
        rotate_30: |a| _mm512_rol_epi32::<30>(a),
    };
    let mut state: [__m512i; 5] = array::from_fn(|word| {
        let lanes: [u32; 16] = array::from_fn(|lane| states[lane][word]);
        // SAFETY: sixteen words are a vector of sixteen words, whatever they are.
        unsafe { transmute(lanes) }
    });
    for blocks in blocks(runs) {
        let [lower, upper] = array::from_fn(|half| words_avx2(blocks.as_chunks().0[half]));
        let message = array::from_fn(|word| {
            let (half, word) = (word / 8, word % 8);
            _mm512_inserti64x4::<1>(_mm512_castsi256_si512(lower[half][word]), upper[half][word])
        });
        state = operations.compress(state, message);
    }
    for (word, lanes) in state.into_iter().enumerate() {
        // SAFETY: a vector of sixteen words are sixteen words.
        let lanes: [u32; 16] = unsafe { transmute(lanes) };
        for (state, lane) in states.iter_mut().zip(lanes) {
            state[word] = lane;
        }
    }
}

/// Measured: two are 1.8 times as fast as one, three 2.2, four 2.45, five 1.9, since a fifth has no registers left.
const SHA_NI_STREAMS: usize = 4;

/// A hash in the registers of the SHA instructions, which take four rounds at a time.
#[derive(Clone, Copy)]
struct Stream {
    /// The words a to d of the state, a being the highest.
    abcd: __m128i,
    /// The same four rounds ago: its a, rotated by 30, is the e of now.
    before: __m128i,
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn sha_ni<const N: usize>(states: &mut [State; N], runs: [&[Block]; N]) {
    let mut streams: [Stream; N] = array::from_fn(|lane| Stream::new(states[lane]));
    for blocks in blocks(runs) {
        let begin = streams;
        let mut messages = blocks.map(|block| words_sha_ni(block));
        twenty_rounds::<0, N>(&mut streams, &mut messages);
        twenty_rounds::<1, N>(&mut streams, &mut messages);
        twenty_rounds::<2, N>(&mut streams, &mut messages);
        twenty_rounds::<3, N>(&mut streams, &mut messages);
        for (stream, begin) in streams.iter_mut().zip(begin) {
            stream.add(begin);
        }
    }
    *states = streams.map(|stream| stream.state());
}

/// One after the other, so that while one waits the others have something to do.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn twenty_rounds<const PHASE: i32, const N: usize>(
    streams: &mut [Stream; N],
    messages: &mut [[__m128i; 4]; N],
) {
    for step in 0..5 {
        for (stream, message) in streams.iter_mut().zip(&mut *messages) {
            stream.four_rounds::<PHASE>(5 * PHASE as usize + step, message);
        }
    }
}

/// The words of a block, the first being the highest.
#[target_feature(enable = "ssse3")]
#[inline]
fn words_sha_ni(block: &Block) -> [__m128i; 4] {
    let big_endian = _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
    array::from_fn(|quarter| {
        let bytes: [u8; 16] = block.as_chunks().0[quarter];
        // SAFETY: 16 bytes are a vector of 16 bytes, whatever they are.
        _mm_shuffle_epi8(unsafe { transmute::<[u8; 16], __m128i>(bytes) }, big_endian)
    })
}

impl Stream {
    #[target_feature(enable = "sse2")]
    #[inline]
    fn new(state: State) -> Self {
        let words = state.map(u32::cast_signed);
        Self {
            abcd: _mm_set_epi32(words[0], words[1], words[2], words[3]),
            before: _mm_set_epi32(words[4].rotate_right(30), 0, 0, 0),
        }
    }

    /// Rounds 4 · `step` to 4 · `step` + 3. `message` has the sixteen words before them, and those of the first ones
    /// from the beginning.
    #[target_feature(enable = "sha,sse2")]
    #[inline]
    fn four_rounds<const PHASE: i32>(&mut self, step: usize, message: &mut [__m128i; 4]) {
        if step >= 4 {
            let [w16, w12, w8, w4] = array::from_fn(|place| message[(step + place) % 4]);
            let sum = _mm_xor_si128(_mm_sha1msg1_epu32(w16, w12), w8);
            message[step % 4] = _mm_sha1msg2_epu32(sum, w4);
        }
        let words_and_e = _mm_sha1nexte_epu32(self.before, message[step % 4]);
        self.before = self.abcd;
        self.abcd = _mm_sha1rnds4_epu32::<PHASE>(self.abcd, words_and_e);
    }

    /// Adds the state before the block to that after it.
    #[target_feature(enable = "sha,sse2")]
    #[inline]
    fn add(&mut self, begin: Self) {
        let e = _mm_sha1nexte_epu32(self.before, begin.e());
        self.abcd = _mm_add_epi32(self.abcd, begin.abcd);
        self.before = _mm_or_si128(_mm_slli_epi32::<2>(e), _mm_srli_epi32::<30>(e));
    }

    /// The word e, in the highest place.
    #[target_feature(enable = "sha,sse2")]
    #[inline]
    fn e(self) -> __m128i {
        _mm_sha1nexte_epu32(self.before, _mm_setzero_si128())
    }

    #[target_feature(enable = "sha,sse4.1")]
    #[inline]
    fn state(self) -> State {
        let words = [
            _mm_extract_epi32::<3>(self.abcd),
            _mm_extract_epi32::<2>(self.abcd),
            _mm_extract_epi32::<1>(self.abcd),
            _mm_extract_epi32::<0>(self.abcd),
            _mm_extract_epi32::<3>(self.e()),
        ];
        words.map(i32::cast_unsigned)
    }
}
