//! Which node has which address.
//!
//! Nodes come in networks (/24s) of different sizes. The networks are dealt into blocks, all of which look alike: one small
//! table says which place of a block lies in which of its networks. So a node's address is found from its number, and its
//! number from its address, without a table of all of them.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::draw::{below, draw};

/// Networks in a block at most.
const BLOCK: u32 = 256;
/// Hosts in a network at most: neither its first nor its last address is given to anybody.
const HOSTS: u32 = 254;

/// First octets that have something in them that is not public: RFC 6890. Their neighbours are left out with them.
const RESERVED: [u8; 8] = [10, 100, 127, 169, 172, 192, 198, 203];
/// First octets that are public through and through, of 1 to 223.
const OCTETS: usize = 223 - RESERVED.len();
/// Their networks.
const SPACE: u64 = (OCTETS as u64) << 16;
/// Consecutive networks lie so far apart: without a common factor with [`SPACE`], and near its golden section, so that any
/// number of them is spread evenly.
const STRIDE: u64 = 8_708_249;
/// Undoes [`STRIDE`].
const BACK: u64 = inverse(STRIDE, SPACE);

const PUBLIC: [u8; OCTETS] = public();
/// Where a first octet stands in [`PUBLIC`]; [`OCTETS`] for those that do not.
const PLACES: [u8; 256] = places();

const fn public() -> [u8; OCTETS] {
    let mut octets = [0; OCTETS];
    let (mut octet, mut filled, mut passed) = (1, 0, 0);
    while filled < OCTETS {
        if passed < RESERVED.len() && RESERVED[passed] == octet {
            passed += 1;
        } else {
            octets[filled] = octet;
            filled += 1;
        }
        octet += 1;
    }
    octets
}

const fn places() -> [u8; 256] {
    let mut places = [OCTETS as u8; 256];
    let mut place = 0;
    while place < OCTETS {
        places[PUBLIC[place] as usize] = place as u8;
        place += 1;
    }
    places
}

/// What has to be multiplied by `number` to give 1, by Euclid's algorithm.
const fn inverse(number: u64, modulus: u64) -> u64 {
    let (mut old, mut new) = ((modulus as i64, 0), (number as i64, 1));
    while new.0 != 0 {
        let times = old.0 / new.0;
        (old, new) = (new, (old.0 - times * new.0, old.1 - times * new.1));
    }
    old.1.rem_euclid(modulus as i64) as u64
}

/// A place in a block.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Counted within the block.
    network: u16,
    /// Counted within the network.
    host: u16,
}

/// The addresses of all nodes. Up to eight million of them.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    seed: u64,
    residents: u32,
    /// The logarithm of the number of blocks: node numbers are dealt to them in turn.
    blocks: u32,
    /// Networks in a block.
    networks: u32,
    places: Box<[Place]>,
    /// For each network of a block and one more, where its hosts begin in `hosts`.
    begins: Box<[u32]>,
    /// The places, network by network.
    hosts: Box<[u32]>,
}

impl Addresses {
    /// Addresses for so many nodes, with so many in a network on average (1 to 200).
    ///
    /// # Panics
    /// If there are more than eight million nodes.
    pub(super) fn new(seed: u64, residents: u32, hosts_per_network: u16) -> Self {
        assert!(residents <= 8_000_000, "there are no {residents} addresses");
        let average = u32::from(hosts_per_network).clamp(1, 200);
        let needed = residents.div_ceil(average).max(1);
        let blocks = needed.div_ceil(BLOCK).next_power_of_two().ilog2();
        let networks = needed.div_ceil(1 << blocks);
        let places = settle(seed, networks, networks * average);
        let mut hosts: Vec<u32> = (0..places.len() as u32).collect();
        hosts.sort_by_key(|&place| places[place as usize].network);
        let before = |network: u32| {
            hosts.partition_point(|&place| u32::from(places[place as usize].network) < network)
        };
        let begins = (0..=networks)
            .map(|network| before(network) as u32)
            .collect();
        Self {
            seed,
            residents,
            blocks,
            networks,
            places,
            begins,
            hosts: hosts.into(),
        }
    }

    /// The number of the network that a node is in. Numbers are dense.
    #[inline]
    pub(super) fn network(&self, node: u32) -> u32 {
        self.locate(node).0
    }

    #[inline]
    fn locate(&self, node: u32) -> (u32, u16) {
        let block = node & ((1 << self.blocks) - 1);
        let place = self.places[(node >> self.blocks) as usize];
        (block * self.networks + u32::from(place.network), place.host)
    }

    /// Where a node is.
    #[inline]
    pub(super) fn ip(&self, node: u32) -> Ipv4Addr {
        let (network, host) = self.locate(node);
        self.compose(network, u32::from(host))
    }

    /// Who is there.
    #[inline]
    pub(super) fn resident(&self, ip: Ipv4Addr) -> Option<u32> {
        let [first, second, third, last] = ip.octets();
        let octet = PLACES[usize::from(first)];
        if usize::from(octet) == OCTETS {
            return None;
        }
        let slot = u64::from(octet) << 16 | u64::from(second) << 8 | u64::from(third);
        let network = ((slot + SPACE - self.shift()) * BACK % SPACE) as u32;
        let (block, network_of_block) = (network / self.networks, network % self.networks);
        let host = (u32::from(last) + 2 * HOSTS - 1 - self.first_host(network)) % HOSTS;
        let is_host = (1..=HOSTS).contains(&u32::from(last));
        let begin = self.begins[network_of_block as usize];
        let end = self.begins[network_of_block as usize + 1];
        if !is_host || block >> self.blocks > 0 || host >= end - begin {
            return None;
        }
        let node = self.hosts[(begin + host) as usize] << self.blocks | block;
        (node < self.residents).then_some(node)
    }

    /// An address that nobody has, another one for each draw.
    pub(super) fn nobody(&self, chance: u64) -> SocketAddrV4 {
        let taken = u64::from(self.networks) << self.blocks;
        let network = taken + below(draw(chance, 0), SPACE - taken);
        let host = below(draw(chance, 1), u64::from(HOSTS));
        let port = 1024 + below(draw(chance, 2), 64_512);
        SocketAddrV4::new(self.compose(network as u32, host as u32), port as u16)
    }

    fn compose(&self, network: u32, host: u32) -> Ipv4Addr {
        let slot = (u64::from(network) * STRIDE + self.shift()) % SPACE;
        let last = 1 + (host + self.first_host(network)) % HOSTS;
        let [.., second, third] = (slot as u32).to_be_bytes();
        Ipv4Addr::new(PUBLIC[(slot >> 16) as usize], second, third, last as u8)
    }

    /// Where the first network lies.
    fn shift(&self) -> u64 {
        below(self.seed, SPACE)
    }

    /// Where the first host of a network lies.
    fn first_host(&self, network: u32) -> u32 {
        below(draw(self.seed, u64::from(network)), u64::from(HOSTS)) as u32
    }
}

/// Deals hosts to networks. Each newcomer joins a host drawn from those that are there, so that sizes are spread
/// geometrically.
fn settle(seed: u64, networks: u32, hosts: u32) -> Box<[Place]> {
    let seed = draw(seed, u64::from(networks));
    let mut sizes = vec![1; networks as usize];
    let first = (0..networks as u16).map(|network| Place { network, host: 0 });
    let mut places: Vec<Place> = first.collect();
    let mut number = 0;
    while places.len() < hosts as usize {
        let neighbour = below(draw(seed, number), places.len() as u64);
        number += 1;
        let network = places[neighbour as usize].network;
        let size = &mut sizes[usize::from(network)];
        if u32::from(*size) < HOSTS {
            places.push(Place {
                network,
                host: *size,
            });
            *size += 1;
        }
    }
    places.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_address_leads_back_to_its_node() {
        for (residents, average) in [
            (1, 1),
            (8, 200),
            (100, 2),
            (1_000, 3),
            (99_999, 1),
            (300_000, 40),
        ] {
            for seed in [0, draw(1, 1), u64::MAX] {
                let addresses = Addresses::new(seed, residents, average);
                for node in 0..residents {
                    let ip = addresses.ip(node);
                    assert_eq!(
                        addresses.resident(ip),
                        Some(node),
                        "{node} of {residents} at {ip}"
                    );
                }
            }
        }
    }

    #[test]
    fn eight_million_find_room() {
        let addresses = Addresses::new(5, 8_000_000, 1);
        for node in (0..8_000_000).step_by(7).chain([7_999_999]) {
            assert_eq!(addresses.resident(addresses.ip(node)), Some(node));
        }
    }

    #[test]
    fn whoever_has_no_address_is_not_found() {
        let addresses = Addresses::new(3, 1_000, 2);
        let taken: Vec<Ipv4Addr> = (0..1_000).map(|node| addresses.ip(node)).collect();
        let mut found = 0;
        for ip in &taken {
            let [first, second, third, _] = ip.octets();
            for last in 0..=255 {
                found += usize::from(
                    addresses
                        .resident([first, second, third, last].into())
                        .is_some(),
                );
            }
        }
        let networks = networks_of(&addresses, 1_000);
        let visits: usize = networks.values().map(|size| size * size).sum();
        assert_eq!(found, visits);
        for number in 0..100_000 {
            let nobody = addresses.nobody(number);
            assert_eq!(addresses.resident(*nobody.ip()), None, "{nobody}");
            let anywhere = Ipv4Addr::from(draw(1, number) as u32);
            assert_eq!(
                addresses.resident(anywhere).is_some(),
                taken.contains(&anywhere)
            );
        }
    }

    #[test]
    fn nobody_is_at_home_in_a_reserved_network() {
        let addresses = Addresses::new(8, 2_000_000, 1);
        let all = (0..2_000_000).map(|node| addresses.ip(node));
        for ip in all.chain((0..10_000).map(|chance| *addresses.nobody(chance).ip())) {
            let octets = ip.octets();
            assert!(
                (1..224).contains(&octets[0]) && !RESERVED.contains(&octets[0]),
                "{ip}"
            );
            assert!((1..255).contains(&octets[3]), "{ip}");
        }
    }

    fn networks_of(addresses: &Addresses, residents: u32) -> BTreeMap<[u8; 3], usize> {
        let mut networks = BTreeMap::new();
        for node in 0..residents {
            let [first, second, third, _] = addresses.ip(node).octets();
            *networks.entry([first, second, third]).or_default() += 1;
        }
        networks
    }

    #[test]
    fn networks_have_the_planned_size_on_average_and_differ() {
        for (residents, average) in [(100, 2), (5_000, 2), (100_000, 8), (1_000_000, 50)] {
            let networks = networks_of(&Addresses::new(4, residents, average), residents);
            let found = f64::from(residents) / networks.len() as f64;
            assert!(
                (found / f64::from(average) - 1.0).abs() < 0.1,
                "{found}, not {average}"
            );
            let alone = networks.values().filter(|size| **size == 1).count() as f64;
            let expected = networks.len() as f64 / f64::from(average);
            assert!(
                alone > expected / 2.0 && alone < expected * 2.0,
                "{alone} alone of {expected}"
            );
            assert!(*networks.values().max().unwrap() > usize::from(average) * 2);
        }
    }

    #[test]
    fn networks_are_spread_over_the_public_space_and_over_what_bep_42_looks_at() {
        let networks = networks_of(&Addresses::new(6, 10_000, 1), 10_000);
        assert_eq!(networks.len(), 10_000);
        let mut firsts = [0; 256];
        let mut masked = [0; 64];
        for [first, second, _] in networks.into_keys() {
            firsts[usize::from(first)] += 1;
            masked[usize::from((first & 3) << 4 | (second & 15))] += 1;
        }
        // 10,000 over 215 first octets, and over the six bits of the first two octets that BEP 42 keeps.
        assert!(
            PUBLIC
                .iter()
                .all(|octet| (30..65).contains(&firsts[usize::from(*octet)]))
        );
        assert!(
            masked.iter().all(|count| (110..210).contains(count)),
            "{masked:?}"
        );
    }

    #[test]
    fn the_first_nodes_are_in_networks_of_their_own() {
        assert_eq!(networks_of(&Addresses::new(2, 2_000, 20), 16).len(), 16);
    }
}
