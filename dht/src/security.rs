//! Ids that follow from addresses, and the vote on what our own address is. BEP 42.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rand::{Rng, RngExt};

use crate::address::{is_public, network};
use crate::id::Id;
use crate::message::NodeInfo;

/// Leading bits of an id that its address decides.
const BOUND_BITS: u32 = 21;
/// Votes that an address needs while we have none, each from a network of its own.
const FIRST_MAJORITY: usize = 4;
/// Votes that it needs to displace one that we have.
const MAJORITY: usize = 8;
/// Dissenting votes that are remembered.
const REMEMBERED: usize = 16;

/// A random id that a node at `ip` may have. BEP 42, "Node ID restriction".
pub fn id_for(ip: IpAddr, rng: &mut impl Rng) -> Id {
    let seed: u8 = rng.random();
    let mut id: [u8; Id::LENGTH] = Id::random(rng).into();
    let [first, second, third, ..] = prefix(ip, seed).to_be_bytes();
    id[0] = first;
    id[1] = second;
    id[2] = (third & 0xf8) | (id[2] & 0x07);
    id[19] = seed;
    Id::new(id)
}

/// Whether a node at `ip` may have this id. On local networks it may have any. BEP 42, "Enforcement".
pub fn is_id_valid(id: &Id, ip: IpAddr) -> bool {
    let [first, second, third, fourth, .., seed] = *id.as_bytes();
    let found = u32::from_be_bytes([first, second, third, fourth]);
    !is_public(ip) || (found ^ prefix(ip, seed)).leading_zeros() >= BOUND_BITS
}

/// Whether a node has an id that does not follow from its address, and should. In IPv6 that says nothing: who has both families has one id, which
/// follows from his IPv4 address.
pub(crate) fn is_id_doubtful(node: &NodeInfo) -> bool {
    node.address.is_ipv4() && !is_id_valid(&node.id, node.address.ip())
}

fn prefix(ip: IpAddr, seed: u8) -> u32 {
    let seed = seed & 0x07;
    match ip {
        IpAddr::V4(ip) => {
            let masked = (u32::from(ip) & 0x030f_3fff) | (u32::from(seed) << 29);
            crc32c::crc32c(&masked.to_be_bytes())
        }
        IpAddr::V6(ip) => {
            let high = (u128::from(ip) >> 64) as u64;
            let masked = (high & 0x0103_070f_1f3f_7fff) | (u64::from(seed) << 61);
            crc32c::crc32c(&masked.to_be_bytes())
        }
    }
}

/// What the network says our address is. BEP 42, "Bootstrapping": a single node cannot be trusted, so there is a vote.
#[derive(Default)]
pub(crate) struct AddressVotes {
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
    /// Who says otherwise: the voter's network and his claim, oldest first.
    dissent: Vec<(u64, IpAddr)>,
}

impl AddressVotes {
    /// The address that our id has to fit: IPv4 before IPv6, since one id serves both families.
    pub(crate) fn decisive(&self) -> Option<IpAddr> {
        self.v4.map(IpAddr::V4).or(self.v6.map(IpAddr::V6))
    }

    /// Counts what a node that answered us says. Returns an address that has just been agreed upon.
    pub(crate) fn vote(&mut self, voter: SocketAddr, claim: IpAddr) -> Option<IpAddr> {
        // A node on a local network sees a local address; it has no say about the public one.
        if !is_public(voter.ip()) || !is_public(claim) || voter.is_ipv4() != claim.is_ipv4() {
            return None;
        }
        let agreed = match claim {
            IpAddr::V4(_) => self.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.v6.map(IpAddr::V6),
        };
        if agreed == Some(claim) {
            self.dissent.pop();
            return None;
        }
        let voter = network(voter.ip());
        self.dissent.retain(|(network, _)| *network != voter);
        if self.dissent.len() >= REMEMBERED {
            self.dissent.remove(0);
        }
        self.dissent.push((voter, claim));
        let needed = if agreed.is_none() {
            FIRST_MAJORITY
        } else {
            MAJORITY
        };
        if self
            .dissent
            .iter()
            .filter(|(_, other)| *other == claim)
            .count()
            < needed
        {
            return None;
        }
        match claim {
            IpAddr::V4(ip) => self.v4 = Some(ip),
            IpAddr::V6(ip) => self.v6 = Some(ip),
        }
        self.dissent = Vec::new();
        Some(claim)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn ids_of_bep_42() {
        for (ip, id) in [
            ("124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"),
            ("21.75.31.124", "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"),
            ("65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616"),
            ("84.124.73.14", "1b0321dd1bb1fe518101ceef99462b947a01ff41"),
            ("43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"),
        ] {
            let (ip, id): (IpAddr, Id) = (ip.parse().unwrap(), id.parse().unwrap());
            assert!(is_id_valid(&id, ip), "{ip}");
            let bytes = id.as_bytes();
            let found = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            assert_eq!(found >> 11, prefix(ip, bytes[19]) >> 11, "{ip}");
            // One bit off within the 21 is somebody else's id.
            let mut wrong = *bytes;
            wrong[2] ^= 0x08;
            assert!(!is_id_valid(&Id::new(wrong), ip), "{ip}");
        }
    }

    #[test]
    fn made_ids_are_valid_and_local_ones_free() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for ip in ["8.8.8.8", "2a00:1450::1"] {
            let ip = ip.parse().unwrap();
            for _ in 0..32 {
                assert!(is_id_valid(&id_for(ip, &mut rng), ip));
            }
            assert!(!is_id_valid(&Id::random(&mut rng), ip));
        }
        assert!(is_id_valid(
            &Id::random(&mut rng),
            "192.168.0.1".parse().unwrap()
        ));
    }

    #[test]
    fn an_address_needs_voters_from_different_networks() {
        let mut votes = AddressVotes::default();
        let ours = "5.6.7.8".parse().unwrap();
        for host in 1..100 {
            assert_eq!(
                votes.vote(SocketAddr::from(([9, 9, 9, host], 1)), ours),
                None
            );
        }
        assert_eq!(votes.vote("9.9.10.1:1".parse().unwrap(), ours), None);
        assert_eq!(votes.vote("9.9.11.1:1".parse().unwrap(), ours), None);
        assert_eq!(votes.vote("9.9.12.1:1".parse().unwrap(), ours), Some(ours));
        assert_eq!(votes.decisive(), Some(ours));
        // Liars among honest nodes do not turn it over.
        let lie = "6.6.6.6".parse().unwrap();
        for network in 0..100 {
            assert_eq!(
                votes.vote(SocketAddr::from(([20, 0, network, 1], 1)), lie),
                None
            );
            assert_eq!(
                votes.vote(SocketAddr::from(([30, 0, network, 1], 1)), ours),
                None
            );
        }
    }
}
