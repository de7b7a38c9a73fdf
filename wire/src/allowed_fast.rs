use std::net::Ipv4Addr;

use sha1::{Digest, Sha1};

use crate::InfoHash;

/// The pieces that a peer may request while it is choked, in the order in which they are to be offered.
/// BEP 6, "Allowed Fast Set Generation", which knows IPv4 only.
///
/// `ip` is the peer's address and `k` the size of the set; a torrent of fewer `pieces` is allowed as a whole.
pub fn allowed_fast_set(ip: Ipv4Addr, info_hash: InfoHash, pieces: u32, k: u32) -> Vec<u32> {
    if k >= pieces {
        return (0..pieces).collect();
    }
    let [a, b, c, _] = ip.octets();
    let seed = Sha1::new()
        .chain_update([a, b, c, 0])
        .chain_update(info_hash.as_bytes());
    let mut set = Vec::with_capacity(k as usize);
    let mut hash: [u8; 20] = seed.finalize().into();
    while set.len() < k as usize {
        for word in hash.as_chunks().0 {
            let piece = u32::from_be_bytes(*word) % pieces;
            if set.len() < k as usize && !set.contains(&piece) {
                set.push(piece);
            }
        }
        hash = Sha1::digest(hash).into();
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: Ipv4Addr = Ipv4Addr::new(80, 4, 4, 200);

    #[test]
    fn the_sets_of_bep_6_come_out() {
        let set = |k| allowed_fast_set(IP, [0xaa; 20].into(), 1313, k);
        assert_eq!(set(7), [1059, 431, 808, 1217, 287, 376, 1188]);
        assert_eq!(set(9), [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]);
    }

    #[test]
    fn the_whole_network_of_a_peer_shares_one_set() {
        let set = |ip| allowed_fast_set(ip, [0xaa; 20].into(), 1313, 10);
        assert_eq!(set(IP), set(Ipv4Addr::new(80, 4, 4, 1)));
        assert_ne!(set(IP), set(Ipv4Addr::new(80, 4, 5, 200)));
    }

    #[test]
    fn a_torrent_of_few_pieces_is_allowed_as_a_whole() {
        let set = |pieces| allowed_fast_set(IP, [0xaa; 20].into(), pieces, 10);
        assert_eq!(set(0), []);
        assert_eq!(set(3), [0, 1, 2]);
        let mut most = set(11);
        most.sort_unstable();
        most.dedup();
        assert_eq!(most.len(), 10);
    }
}
