use std::net::{IpAddr, SocketAddr};

/// How much two peers want to be connected to each other; both get the same number, and the highest go first. BEP 40.
///
/// Addresses have to be those that the other side sees.
/// Between the two families, which cannot meet, any number will do.
pub fn peer_priority(a: SocketAddr, b: SocketAddr) -> u32 {
    let (ip_a, ip_b) = (a.ip().to_canonical(), b.ip().to_canonical());
    if ip_a == ip_b {
        return hash_sorted(a.port().to_be_bytes(), b.port().to_be_bytes());
    }
    match (ip_a, ip_b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => hash_masked(a.octets(), b.octets(), 2),
        (IpAddr::V6(a), IpAddr::V6(b)) => hash_masked(a.octets(), b.octets(), 6),
        (IpAddr::V4(a), IpAddr::V6(b)) | (IpAddr::V6(b), IpAddr::V4(a)) => {
            hash_masked(a.to_ipv6_mapped().octets(), b.octets(), 6)
        }
    }
}

/// Of each address the first `whole` bytes count, and further ones as far as the two are alike and one more;
/// of the rest, every second bit.
fn hash_masked<const N: usize>(a: [u8; N], b: [u8; N], whole: usize) -> u32 {
    let alike = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let whole = whole.max(alike + 1);
    let masked = |address: [u8; N]| {
        std::array::from_fn::<u8, N, _>(|index| {
            let mask = if index < whole { 0xff } else { 0x55 };
            address[index] & mask
        })
    };
    hash_sorted(masked(a), masked(b))
}

fn hash_sorted<const N: usize>(a: [u8; N], b: [u8; N]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&a.min(b)), &a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn priority(a: &str, b: &str) -> u32 {
        peer_priority(a.parse().unwrap(), b.parse().unwrap())
    }

    #[test]
    fn the_examples_of_bep_40_come_out() {
        assert_eq!(priority("123.213.32.10:1", "98.76.54.32:2"), 0xec2d_7224);
        assert_eq!(priority("123.213.32.10:1", "123.213.32.234:2"), 0x9956_8189);
    }

    #[test]
    fn the_mask_widens_with_what_the_addresses_share() {
        let crc = crc32c::crc32c;
        for (a, b, hashed) in [
            (
                "1.2.255.255:1",
                "1.3.255.255:1",
                &[1, 2, 0x55, 0x55, 1, 3, 0x55, 0x55][..],
            ),
            (
                "1.2.255.255:1",
                "1.2.3.255:1",
                &[1, 2, 3, 0x55, 1, 2, 255, 0x55],
            ),
            ("1.2.3.255:1", "1.2.3.4:1", &[1, 2, 3, 4, 1, 2, 3, 255]),
            ("1.2.3.4:258", "1.2.3.4:1", &[0, 1, 1, 2]),
        ] {
            assert_eq!(priority(a, b), crc(hashed), "{a} {b}");
        }
        let six = |seventh: u8, eighth: u8, rest: u8| {
            let mut address = [rest; 16];
            address[..8].copy_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 0, seventh, eighth]);
            address
        };
        let hashed = [six(1, 0x55, 0x55), six(2, 0x55, 0x55)].concat();
        assert_eq!(
            priority(
                "[2001:db8:0:1ff:ffff:ffff:ffff:ffff]:1",
                "[2001:db8:0:2ff:ffff:ffff:ffff:ffff]:1"
            ),
            crc(&hashed)
        );
        let hashed = [six(1, 1, 0x55), six(1, 2, 0x55)].concat();
        assert_eq!(
            priority(
                "[2001:db8:0:101:ffff:ffff:ffff:ffff]:1",
                "[2001:db8:0:102:ffff:ffff:ffff:ffff]:1"
            ),
            crc(&hashed)
        );
    }

    proptest! {
        #[test]
        fn both_sides_arrive_at_the_same_number(a: SocketAddr, b: SocketAddr) {
            prop_assert_eq!(peer_priority(a, b), peer_priority(b, a));
        }
    }
}
