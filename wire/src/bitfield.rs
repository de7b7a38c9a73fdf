use std::fmt;

/// Which pieces somebody has: one bit a piece, the highest bit of the first byte for piece 0. BEP 3, "peer messages".
///
/// Takes 24 bytes and one bit a piece. An index outside of the field is never set.
#[derive(Clone, PartialEq, Eq)]
pub struct Bitfield {
    bytes: Box<[u8]>,
    len: u32,
    ones: u32,
}

/// Why bytes are no bitfield of a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BitfieldError {
    /// The wrong number of bytes.
    #[error("a bitfield for {pieces} pieces has {} bytes, the peer sent {bytes}", pieces.div_ceil(8))]
    Length {
        /// Pieces in the torrent.
        pieces: u32,
        /// Bytes that came.
        bytes: usize,
    },
    /// A bit is set past the last piece.
    #[error("the bitfield has bits set past its last piece")]
    SpareBits,
}

impl Bitfield {
    /// A field of `len` bits, none set.
    pub fn new(len: u32) -> Self {
        Self {
            bytes: vec![0; byte_len(len)].into(),
            len,
            ones: 0,
        }
    }

    /// A field of `len` bits, all set.
    pub fn full(len: u32) -> Self {
        let mut bytes = vec![0xff; byte_len(len)];
        if let Some(last) = bytes.last_mut() {
            *last &= !spare_bits(len);
        }
        Self {
            bytes: bytes.into(),
            len,
            ones: len,
        }
    }

    /// Reads the payload of a `bitfield` message for a torrent of `len` pieces.
    pub fn from_bytes(bytes: &[u8], len: u32) -> Result<Self, BitfieldError> {
        if bytes.len() != byte_len(len) {
            return Err(BitfieldError::Length {
                pieces: len,
                bytes: bytes.len(),
            });
        }
        if bytes.last().is_some_and(|last| last & spare_bits(len) != 0) {
            return Err(BitfieldError::SpareBits);
        }
        Ok(Self {
            ones: bytes.iter().map(|byte| byte.count_ones()).sum(),
            bytes: bytes.into(),
            len,
        })
    }

    /// The payload of a `bitfield` message.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of bits, set or not.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Number of set bits; counted as they change, so asking is free.
    pub const fn count_ones(&self) -> u32 {
        self.ones
    }

    /// Whether no bit is set.
    pub const fn is_empty(&self) -> bool {
        self.ones == 0
    }

    /// Whether every bit is set.
    pub const fn is_full(&self) -> bool {
        self.ones == self.len
    }

    /// Whether the bit is set.
    pub fn get(&self, index: u32) -> bool {
        self.bytes
            .get(byte_of(index))
            .is_some_and(|byte| byte & mask(index) != 0)
    }

    /// Sets the bit and says whether that changed anything.
    pub fn set(&mut self, index: u32) -> bool {
        let changed = index < self.len && !self.get(index);
        if changed {
            self.bytes[byte_of(index)] |= mask(index);
            self.ones += 1;
        }
        changed
    }

    /// Clears the bit and says whether that changed anything.
    pub fn clear(&mut self, index: u32) -> bool {
        let changed = self.get(index);
        if changed {
            self.bytes[byte_of(index)] &= !mask(index);
            self.ones -= 1;
        }
        changed
    }

    /// Sets every bit that is set in `other`, as far as the field goes.
    pub fn include(&mut self, other: &Self) {
        for (here, there) in self.bytes.iter_mut().zip(&other.bytes) {
            *here |= there;
        }
        if let Some(last) = self.bytes.last_mut() {
            *last &= !spare_bits(self.len);
        }
        self.ones = self.bytes.iter().map(|byte| byte.count_ones()).sum();
    }

    /// The indices of the set bits, ascending.
    pub fn iter_ones(&self) -> impl Iterator<Item = u32> + '_ {
        ones(self.bytes.iter().copied())
    }

    /// The indices that are set here and not in `other`, ascending.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u32> + 'a {
        let others = other.bytes.iter().copied().chain(std::iter::repeat(0));
        ones(
            self.bytes
                .iter()
                .zip(others)
                .map(|(here, there)| here & !there),
        )
    }
}

fn ones(bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = u32> {
    (0u32..)
        .step_by(8)
        .zip(bytes)
        .filter(|&(_, byte)| byte != 0)
        .flat_map(|(start, mut byte)| {
            std::iter::from_fn(move || {
                let bit = byte.leading_zeros();
                byte &= !mask(bit);
                (bit < 8).then_some(start + bit)
            })
        })
}

const fn byte_len(len: u32) -> usize {
    len.div_ceil(8) as usize
}

const fn byte_of(index: u32) -> usize {
    (index / 8) as usize
}

const fn mask(index: u32) -> u8 {
    0x80 >> (index % 8)
}

/// The bits of the last byte that stand for no piece.
const fn spare_bits(len: u32) -> u8 {
    match len % 8 {
        0 => 0,
        used => 0xff >> used,
    }
}

impl fmt::Debug for Bitfield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitfield({} of {})", self.ones, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn piece_zero_is_the_highest_bit() {
        let mut field = Bitfield::new(10);
        assert!(field.set(0));
        assert!(field.set(9));
        assert_eq!(field.as_bytes(), [0x80, 0x40]);
    }

    #[test]
    fn a_bitfield_of_the_wrong_size_is_refused() {
        let from = |bytes: &[u8]| Bitfield::from_bytes(bytes, 9);
        for bytes in [&[][..], &[0], &[0, 0, 0]] {
            assert_eq!(
                from(bytes),
                Err(BitfieldError::Length {
                    pieces: 9,
                    bytes: bytes.len()
                })
            );
        }
        assert_eq!(from(&[0, 0x40]), Err(BitfieldError::SpareBits));
        assert!(from(&[0xff, 0x80]).unwrap().is_full());
    }

    #[test]
    fn outside_of_the_field_nothing_is_set() {
        let mut field = Bitfield::full(9);
        for index in [9, 15, 16, u32::MAX] {
            assert!(!field.set(index) && !field.get(index) && !field.clear(index));
        }
        assert_eq!(field, Bitfield::full(9));
    }

    proptest! {
        #[test]
        fn a_bitfield_behaves_as_a_set_of_indices(
            len in 0u32..200, changes in prop::collection::vec((any::<bool>(), 0u32..220), 0..300),
            others in prop::collection::btree_set(0u32..200, 0..200),
        ) {
            let mut field = Bitfield::new(len);
            let mut model = BTreeSet::new();
            for (set, index) in changes {
                let changed = if set { field.set(index) } else { field.clear(index) };
                let expected = if set { index < len && model.insert(index) } else { model.remove(&index) };
                prop_assert_eq!(changed, expected);
            }
            prop_assert_eq!(field.count_ones() as usize, model.len());
            prop_assert!(field.iter_ones().eq(model.iter().copied()));
            prop_assert_eq!(Bitfield::from_bytes(field.as_bytes(), len), Ok(field.clone()));
            let mut other = Bitfield::new(200);
            for &index in &others {
                other.set(index);
            }
            prop_assert!(field.difference(&other).eq(model.difference(&others).copied()));
            let mut both = field.clone();
            both.include(&other);
            let all: Vec<u32> = model.union(&others).copied().filter(|&index| index < len).collect();
            prop_assert!(both.iter_ones().eq(all.iter().copied()));
            prop_assert_eq!(both.count_ones() as usize, all.len());
            prop_assert!(Bitfield::full(len).difference(&field).count() as u32 == len - field.count_ones());
        }
    }
}
