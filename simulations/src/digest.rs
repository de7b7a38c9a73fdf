//! Numbers that follow from what they are made of, on every machine and in every run.

use std::fmt;
use std::hash::{Hash, Hasher};

/// A run in one number: two runs with the same digest delivered the same messages to the same nodes at the same times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// Counts one delivery. Digests are sums, so that it does not matter which of two simultaneous ones is counted first.
    pub(crate) fn count(&mut self, delivery: impl Hash) {
        self.0 = self.0.wrapping_add(hash_of(delivery));
    }
}

impl Digest {
    /// Counts all that another one counted.
    pub(crate) fn join(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A hash that depends on nothing but its argument; the standard library promises that of none of its own.
#[inline]
pub(crate) fn hash_of(what: impl Hash) -> u64 {
    let mut hasher = Folding(START);
    what.hash(&mut hasher);
    hasher.finish()
}

/// Odd numbers without pattern.
const START: u64 = 0x2d35_8dcc_aa6c_78a5;
const FIRST: u64 = 0x8bb8_4b93_962e_acc9;
const SECOND: u64 = 0x4b33_a62e_d433_d4a3;
const THIRD: u64 = 0x4d5a_2da5_1de1_aa47;
const FOURTH: u64 = 0x9e6c_63d0_676a_9a99;
const STEP: u64 = 0x9fb2_1c65_1e98_df25;

/// Both halves of a product in one: every bit of it depends on every bit of the factors.
#[inline]
const fn fold(left: u64, right: u64) -> u64 {
    let product = left as u128 * right as u128;
    product as u64 ^ (product >> 64) as u64
}

/// A polynomial over words, modulo 2⁶⁴. Long words are folded before they come in, so that the processor works on several at
/// once, and only a sum and a product have to wait for the one before. Numbers count as little-endian, whatever the machine's
/// own order is, and `usize` as 64 bits.
struct Folding(u64);

impl Folding {
    #[inline]
    fn add(&mut self, word: u64) {
        self.0 = self.0.wrapping_add(word).wrapping_mul(STEP);
    }
}

/// The words at a place; what is beyond the end counts as zeros.
#[inline]
fn word(bytes: &[u8], place: usize) -> u64 {
    let rest = bytes.get(place..).unwrap_or_default();
    rest.first_chunk().map_or_else(
        || {
            let mut padded = [0; 8];
            padded
                .iter_mut()
                .zip(rest)
                .for_each(|(to, from)| *to = *from);
            u64::from_le_bytes(padded)
        },
        |word| u64::from_le_bytes(*word),
    )
}

impl Hasher for Folding {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        match *bytes {
            [a, b, c, d] => self.write_u32(u32::from_le_bytes([a, b, c, d])),
            _ => {
                for chunk in bytes.chunks(32) {
                    let front = fold(word(chunk, 0) ^ FIRST, word(chunk, 8) ^ SECOND);
                    let back = fold(word(chunk, 16) ^ THIRD, word(chunk, 24) ^ FOURTH);
                    self.add(front.wrapping_add(back) ^ chunk.len() as u64);
                }
            }
        }
    }

    #[inline]
    fn write_u8(&mut self, number: u8) {
        self.add(u64::from(number));
    }

    #[inline]
    fn write_u16(&mut self, number: u16) {
        self.add(u64::from(number));
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.add(u64::from(number));
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.add(fold(number ^ FIRST, SECOND));
    }

    #[inline]
    fn write_u128(&mut self, number: u128) {
        self.add(fold(number as u64 ^ FIRST, (number >> 64) as u64 ^ SECOND));
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        fold(fold(self.0 ^ FIRST, SECOND) ^ THIRD, FOURTH)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dht::{Body, Id, Message, NodeInfo, Response, TransactionId};

    use super::*;

    fn response() -> Message {
        let node = |number: u8| NodeInfo {
            id: Id::new([number; 20]),
            address: std::net::SocketAddrV4::new([9, 8, 7, number].into(), 6881),
        };
        Message {
            transaction: TransactionId::from(7),
            version: Some(*b"TL01"),
            external: Some(([1, 2, 3, 4], 5).into()),
            body: Body::Response(Response {
                nodes: Some((0..8).map(node).collect()),
                values: vec![([4, 3, 2, 1], 9).into()],
                ..Response::new(Id::new([3; 20]))
            }),
        }
    }

    #[test]
    fn digests_stay_what_they_are() {
        let found = [
            hash_of(()),
            hash_of(7_u8),
            hash_of(7_u64),
            hash_of((1_usize, -1_i64, "planet")),
            hash_of(u128::MAX - 5),
            hash_of([7_u8; 100]),
        ];
        let expected = [
            0x168e_cdd2_f47d_b37f,
            0xc2f7_cd1f_7343_a021,
            0x020e_5e05_9615_e17b,
            0xd129_f55f_4459_aefb,
            0xb2dd_1dfb_d876_9d29,
            0xcc55_93cd_17b9_84bd,
        ];
        assert_eq!(found, expected, "{found:#018x?}");
    }

    #[test]
    fn inputs_that_differ_in_one_bit_share_half_of_their_hash() {
        for length in [1, 3, 4, 8, 20, 31, 32, 33, 100] {
            let bytes: Vec<u8> = (0..length).collect();
            for bit in 0..usize::from(length) * 8 {
                let mut other = bytes.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                let turned = (hash_of(&bytes) ^ hash_of(&other)).count_ones();
                assert!(
                    (10..55).contains(&turned),
                    "{turned} by bit {bit} of {length} bytes"
                );
            }
        }
    }

    #[test]
    fn similar_inputs_do_not_meet() {
        let mut seen = BTreeSet::new();
        for one in 0..300_u32 {
            for other in 0..300_u32 {
                assert!(seen.insert(hash_of((one, other))), "({one}, {other})");
            }
        }
        for length in 0..2_000 {
            assert!(seen.insert(hash_of(vec![0_u8; length])), "{length} zeros");
        }
    }

    #[test]
    fn messages_that_differ_anywhere_differ_in_their_hash() {
        let mut seen = BTreeSet::from([hash_of(response())]);
        for place in 0..8 {
            let mut message = response();
            let Body::Response(response) = &mut message.body else {
                panic!("it was a response");
            };
            let node = &mut response.nodes.as_mut().unwrap()[place];
            node.address.set_port(6882);
            assert!(seen.insert(hash_of(&message)));
        }
        let mut message = response();
        message.external = None;
        assert!(seen.insert(hash_of(&message)));
    }
}
