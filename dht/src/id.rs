use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use rand::Rng;

/// A point of the 160-bit key space: the id of a node, or the key (info-hash) that is looked for.
///
/// BEP 5, "Overview". The order is that of the number written big-endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id([u8; Id::LENGTH]);

impl Id {
    /// Bytes in an id.
    pub const LENGTH: usize = 20;
    /// Bits in an id.
    pub const BITS: u32 = 160;

    /// The id that these bytes write.
    pub const fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes, most significant first.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// A uniformly drawn id.
    pub fn random(rng: &mut impl Rng) -> Self {
        let mut bytes = [0; Self::LENGTH];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// A random id that shares exactly `bits` leading bits with `self` (all of them from 160 on).
    #[must_use]
    pub fn random_at(&self, bits: u32, rng: &mut impl Rng) -> Self {
        let mut id = Self::random(rng);
        for (index, (byte, own)) in (0u32..).zip(id.0.iter_mut().zip(self.0)) {
            let shared = bits.saturating_sub(index * 8).min(8);
            let mask = u8::MAX.checked_shr(shared).unwrap_or(0);
            *byte = (own & !mask) | (*byte & mask);
            // The first bit after the shared ones is the other one.
            if bits / 8 == index {
                let bit = 0x80 >> (bits % 8);
                *byte = (*byte & !bit) | (!own & bit);
            }
        }
        id
    }

    /// The XOR metric. BEP 5, "Overview".
    #[must_use]
    pub fn distance(&self, other: &Self) -> Distance {
        let (own, others) = (self.words(), other.words());
        Distance(std::array::from_fn(|word| own[word] ^ others[word]))
    }

    /// How many leading bits the two have in common, 0 to 160.
    pub fn shared_prefix(&self, other: &Self) -> u32 {
        Self::BITS - self.distance(other).bits()
    }

    /// The bit of a place, counted from the most significant one.
    pub fn bit(&self, place: u32) -> bool {
        let byte = self.0.get(place as usize / 8);
        byte.is_some_and(|byte| byte & (0x80 >> (place % 8)) != 0)
    }

    /// The number in three words, of which the last repeats half of the one before: that changes no comparison.
    fn words(&self) -> [u64; 3] {
        [0, 8, 12].map(|start| {
            let word = self.0.get(start..).and_then(|bytes| bytes.first_chunk());
            word.map_or(0, |word| u64::from_be_bytes(*word))
        })
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> Ordering {
        self.words().cmp(&other.words())
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How far two ids are apart. Smaller is closer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Distance([u64; 3]);

impl Distance {
    /// The length of the distance as a binary number: 0 for equal ids, at most 160.
    pub fn bits(&self) -> u32 {
        match self.0 {
            [0, 0, low] => 64 - low.leading_zeros(),
            [0, middle, _] => 96 - middle.leading_zeros(),
            [high, ..] => 160 - high.leading_zeros(),
        }
    }
}

impl Distance {
    /// Its 64 most significant bits: how much of the key space is nearer, as a share of 2⁶⁴.
    pub(crate) const fn high(&self) -> u64 {
        let [high, ..] = self.0;
        high
    }
}

impl From<[u8; Id::LENGTH]> for Id {
    fn from(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }
}

impl From<Id> for [u8; Id::LENGTH] {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl TryFrom<&[u8]> for Id {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

impl FromStr for Id {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; Self::LENGTH];
        hex::decode_to_slice(text, &mut bytes).map_err(ParseIdError)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; Self::LENGTH * 2];
        hex::encode_to_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an id.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("an id is 40 hexadecimal digits")]
pub struct ParseIdError(#[source] hex::FromHexError);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn text_and_back() {
        let text = "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401";
        let id: Id = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert!("5fbf".parse::<Id>().is_err());
        assert!(
            "zfbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"
                .parse::<Id>()
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn distance_is_a_metric(a: [u8; 20], b: [u8; 20], c: [u8; 20]) {
            let (a, b, c) = (Id(a), Id(b), Id(c));
            prop_assert_eq!(a.distance(&b), b.distance(&a));
            prop_assert_eq!(a.distance(&a).bits(), 0);
            // For a given distance there is exactly one point: being nearer is decided by the numbers.
            let xor = |x: Id, y: Id| std::array::from_fn::<u8, 20, _>(|i| x.0[i] ^ y.0[i]);
            prop_assert_eq!(a.distance(&b).cmp(&a.distance(&c)), xor(a, b).cmp(&xor(a, c)));
        }

        #[test]
        fn the_order_is_that_of_the_bytes(a: [u8; 20], b: [u8; 20], same in 0usize..=20) {
            let mut c = b;
            c[..same].copy_from_slice(&a[..same]);
            prop_assert_eq!(Id(a).cmp(&Id(c)), a.cmp(&c));
        }

        #[test]
        fn random_at_shares_just_so_many_bits(own: [u8; 20], bits in 0u32..=160, seed: u64) {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            let id = Id(own).random_at(bits, &mut rng);
            prop_assert_eq!(id.shared_prefix(&Id(own)), bits);
        }
    }
}
