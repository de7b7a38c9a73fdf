use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use sha1::{Digest, Sha1};

/// A set of IP addresses in 256 bytes, of which nobody learns more than how many there are, and whether one that he knows is among them.
/// BEP 33, "Bloom Filters".
///
/// Up to about 6,000 addresses; with 8,000 it holds everybody.
#[derive(Clone, PartialEq, Eq)]
pub struct BloomFilter([u8; BloomFilter::LENGTH]);

/// The two bits of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks([u16; 2]);

impl Marks {
    pub(crate) fn of(ip: IpAddr) -> Self {
        let hash = match ip {
            IpAddr::V4(ip) => Sha1::digest(ip.octets()),
            IpAddr::V6(ip) => Sha1::digest(ip.octets()),
        };
        let [first, second, third, fourth, ..] = <[u8; 20]>::from(hash);
        let bits = [[first, second], [third, fourth]];
        Self(bits.map(|bit| u16::from_le_bytes(bit) % BloomFilter::BITS as u16))
    }
}

impl BloomFilter {
    /// Bytes in a filter.
    pub const LENGTH: usize = 256;
    const BITS: usize = 8 * Self::LENGTH;
    /// Bits that each address sets.
    const MARKS: f64 = 2.0;
    /// Where fewer bits than these are not set, more than 6,000 addresses are in it: nobody is to let it come to that.
    const FULL: u32 = 6;

    /// The filter of nobody.
    pub const fn new() -> Self {
        Self([0; Self::LENGTH])
    }

    /// The bytes as they travel.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Adds an address.
    pub fn insert(&mut self, ip: IpAddr) {
        self.mark(Marks::of(ip));
    }

    /// Adds the address that has these bits.
    pub(crate) fn mark(&mut self, Marks(bits): Marks) {
        for bit in bits {
            if let Some(byte) = self.0.get_mut(usize::from(bit / 8)) {
                *byte |= 1 << (bit % 8);
            }
        }
    }

    /// Whether an address may be in it. One that is always may.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let Marks(bits) = Marks::of(ip);
        bits.iter().all(|bit| {
            let byte = self.0.get(usize::from(bit / 8));
            byte.is_some_and(|byte| byte & (1 << (bit % 8)) != 0)
        })
    }

    /// Adds all addresses of another one.
    pub fn join(&mut self, other: &Self) {
        for (byte, others) in self.0.iter_mut().zip(&other.0) {
            *byte |= others;
        }
    }

    /// Whether no address is in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// Whether there are more in it than anybody is to put there: it was made up, or says nothing.
    pub fn is_full(&self) -> bool {
        self.zeros() < Self::FULL
    }

    /// About how many addresses are in it. BEP 33, "Calculating the estimate"; but 0 for nobody, which would count as a half there.
    pub fn estimate(&self) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        let bits = Self::BITS as f64;
        let zeros = f64::from(self.zeros().max(1));
        (zeros / bits).ln() / (Self::MARKS * (-1.0 / bits).ln_1p())
    }

    fn zeros(&self) -> u32 {
        self.0.iter().map(|byte| byte.count_zeros()).sum()
    }
}

impl Default for BloomFilter {
    fn default() -> Self {
        Self::new()
    }
}

impl From<[u8; Self::LENGTH]> for BloomFilter {
    fn from(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }
}

impl FromIterator<IpAddr> for BloomFilter {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        let mut filter = Self::new();
        addresses.into_iter().for_each(|ip| filter.insert(ip));
        filter
    }
}

impl Hash for BloomFilter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Debug for BloomFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BloomFilter(about {:.1})", self.estimate())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    /// BEP 33, "Test Vectors".
    const VECTOR: &str = "
        F6C3F5EA A07FFD91 BDE89F77 7F26FB2B FF37BDB8 FB2BBAA2 FD3DDDE7 BACFFF75 EE7CCBAE
        FE5EEDB1 FBFAFF67 F6ABFF5E 43DDBCA3 FD9B9FFD F4FFD3E9 DFF12D1B DF59DB53 DBE9FA5B
        7FF3B8FD FCDE1AFB 8BEDD7BE 2F3EE71E BBBFE93B CDEEFE14 8246C2BC 5DBFF7E7 EFDCF24F
        D8DC7ADF FD8FFFDF DDFFF7A4 BBEEDF5C B95CE81F C7FCFF1F F4FFFFDF E5F7FDCB B7FD79B3
        FA1FC77B FE07FFF9 05B7B7FF C7FEFEFF E0B8370B B0CD3F5B 7F2BD93F EB4386CF DD6F7FD5
        BFAF2E9E BFFFFEEC D67ADBF7 C67F17EF D5D75EBA 6FFEBA7F FF47A91E B1BFBB53 E8ABFB57
        62ABE8FF 237279BF EFBFEEF5 FFC5FEBF DFE5ADFF ADFEE1FB 737FFFFB FD9F6AEF FEEE76B6
        FD8F72EF";

    fn v4(number: u32) -> IpAddr {
        Ipv4Addr::from(0xc000_0200 + number).into()
    }

    fn v6(number: u128) -> IpAddr {
        Ipv6Addr::from((0x2001_0db8 << 96) + number).into()
    }

    #[test]
    fn vector_of_bep_33() {
        let digits: String = VECTOR.split_whitespace().collect();
        let mut expected = [0; BloomFilter::LENGTH];
        hex::decode_to_slice(digits, &mut expected).unwrap();
        let all = (0..=0xff).map(v4).chain((0..=0x3e7).map(v6));
        let filter: BloomFilter = all.collect();
        assert_eq!(filter.as_bytes(), &expected);
        assert!((filter.estimate() - 1224.9308).abs() < 0.0001, "{filter:?}");
    }

    #[test]
    fn a_filter_without_a_zero_has_an_estimate_and_is_not_believed() {
        let everybody = BloomFilter::from([0xff; BloomFilter::LENGTH]);
        assert!(everybody.estimate().is_finite() && everybody.is_full());
        let allowed: BloomFilter = (0..5000).map(v4).collect();
        assert!(!allowed.is_full());
        let too_many: BloomFilter = (0..9000).map(v4).collect();
        assert!(too_many.is_full());
        assert!(BloomFilter::new().estimate() < f64::EPSILON && BloomFilter::new().is_empty());
    }

    proptest! {
        #[test]
        fn a_union_counts_each_address_once(
            own in proptest::collection::btree_set(0u32..4000, 0..600),
            others in proptest::collection::btree_set(0u32..4000, 0..600),
        ) {
            let mut joined: BloomFilter = own.iter().copied().map(v4).collect();
            joined.join(&others.iter().copied().map(v4).collect());
            let all: BTreeSet<_> = own.union(&others).copied().collect();
            prop_assert_eq!(&joined, &all.iter().copied().map(v4).collect());
            prop_assert!(all.iter().all(|&number| joined.contains(v4(number))));
            // Six standard deviations: each address is off by about a tenth of one.
            let error = 2.0 + 6.0 * (0.1 * all.len() as f64).sqrt() + 0.02 * all.len() as f64;
            prop_assert!((joined.estimate() - all.len() as f64).abs() <= error, "{} of {}", joined.estimate(), all.len());
        }
    }
}
