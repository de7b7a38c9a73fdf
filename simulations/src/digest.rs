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
pub(crate) fn hash_of(what: impl Hash) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    what.hash(&mut hasher);
    hasher.finish()
}

/// FNV-1a over little-endian numbers, whatever the machine's own order is.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.write(&number.to_le_bytes());
    }

    fn write_u32(&mut self, number: u32) {
        self.write(&number.to_le_bytes());
    }

    fn write_u64(&mut self, number: u64) {
        self.write(&number.to_le_bytes());
    }

    fn write_u128(&mut self, number: u128) {
        self.write(&number.to_le_bytes());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    /// FNV leaves similar inputs with similar high bits; this spreads them.
    fn finish(&self) -> u64 {
        let folded = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        folded ^ (folded >> 29)
    }
}
