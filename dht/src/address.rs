//! What an address says about its owner, before a byte is sent to it.
//!
//! Who counts as one on the public network, from narrow to wide; on a local one each address is somebody.
//!
//! | | IPv4 | IPv6 | where |
//! |---|---|---|---|
//! | [`host`], [`same_host`] | the IP | the IP | whoever asks or is asked: one contact, one answer a lookup |
//! | [`source`] | the IP | the /64 | whoever stores here |
//! | [`network`], [`same_network`] | the /24 | the /64 | votes, round trips, deep buckets |
//! | [`origin`], [`Endpoint::neighbours`] | the /24 | the /48 | the share of a store |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ops::RangeInclusive;

/// The two DHTs of BEP 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// The DHT over IPv4.
    V4,
    /// The DHT over IPv6.
    V6,
}

impl Family {
    /// Both, in the order in which they are served.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family that an address belongs to.
    pub const fn of(address: &SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }
}

/// How far an address reaches. The order is from near to far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Loopback,
    Private,
    Public,
}

/// The scope of an address that a datagram can come from and go to; `None` for martians and port 0.
pub(crate) fn scope(address: &SocketAddr) -> Option<Scope> {
    if address.port() == 0 {
        return None;
    }
    match address.ip() {
        IpAddr::V4(ip) => scope_v4(ip),
        IpAddr::V6(ip) => scope_v6(ip),
    }
}

fn scope_v4(ip: Ipv4Addr) -> Option<Scope> {
    match ip.octets() {
        [0 | 224..=255, ..] => None,
        [127, ..] => Some(Scope::Loopback),
        [10, ..] | [192, 168, ..] | [169, 254, ..] => Some(Scope::Private),
        [172, second, ..] if second & 0xf0 == 16 => Some(Scope::Private),
        // Shared address space behind a carrier's NAT, RFC 6598.
        [100, second, ..] if second & 0xc0 == 64 => Some(Scope::Private),
        _ => Some(Scope::Public),
    }
}

fn scope_v6(ip: Ipv6Addr) -> Option<Scope> {
    // A mapped address belongs to the IPv4 socket.
    if ip.is_unspecified() || ip.is_multicast() || ip.to_ipv4_mapped().is_some() {
        None
    } else if ip.is_loopback() {
        Some(Scope::Loopback)
    } else if ip.is_unicast_link_local() || ip.is_unique_local() {
        Some(Scope::Private)
    } else {
        Some(Scope::Public)
    }
}

/// Whether an address may be believed that somebody at `source` named: he cannot lead us nearer than he is himself.
///
/// So a local network works without a flag, and nobody on the public one points us at our own network.
pub(crate) fn may_name(source: &SocketAddr, address: &SocketAddr) -> bool {
    match (scope(source), scope(address)) {
        (Some(near), Some(far)) => far >= near,
        _ => false,
    }
}

/// Whether a node may be asked that somebody at `source` named: as above, and on the public network only at a port that no other service is known to
/// have, so that nobody has us trouble strangers' name servers and clocks.
pub(crate) fn may_lead_to(source: &SocketAddr, node: &SocketAddr) -> bool {
    may_name(source, node) && (node.port() >= 1024 || !is_public(node.ip()))
}

/// Whether two addresses count as one participant: the IP decides on the public network, IP and port on a local one.
pub(crate) fn same_host(a: &SocketAddr, b: &SocketAddr) -> bool {
    a == b || (a.ip() == b.ip() && is_public(a.ip()))
}

/// Who answers for what an address asks and stores: its IP, with port 0; on a local network the address itself.
pub(crate) fn host<A: Endpoint>(address: A) -> A {
    if is_public(address.into().ip()) {
        address.at_port(0)
    } else {
        address
    }
}

/// Who answers for what is stored here: as [`host`], in IPv6 the whole /64, since the smallest customer has one.
pub(crate) fn source<A: Endpoint>(address: A) -> A {
    if is_public(address.into().ip()) {
        address.narrowest().at_port(0)
    } else {
        address
    }
}

/// The /24 (IPv4) or /48 (IPv6) of a public address, which is what one customer may have for little, as a number; on a local network that of the address itself.
pub(crate) fn origin(address: &SocketAddr) -> u64 {
    match address.ip() {
        IpAddr::V4(ip) if is_public(ip.into()) => u64::from(u32::from(ip) >> 8),
        // Global unicast starts with 001, so that no /48 has the value of a /24.
        IpAddr::V6(ip) if is_public(ip.into()) => (u128::from(ip) >> 80) as u64,
        _ => number(address) | 1 << 63,
    }
}

/// A number for an address: in IPv4 its own, in IPv6 one that few share.
pub(crate) fn number(address: &SocketAddr) -> u64 {
    match address {
        SocketAddr::V4(address) => {
            u64::from(u32::from(*address.ip())) << 16 | u64::from(address.port())
        }
        SocketAddr::V6(address) => {
            let bits = u128::from(*address.ip());
            let folded = (bits >> 64) as u64 ^ (bits as u64).rotate_left(17);
            folded ^ u64::from(address.port()).rotate_left(48)
        }
    }
}

/// Whether two public addresses stand in the same /24 (IPv4) or /64 (IPv6).
pub(crate) fn same_network(a: &SocketAddr, b: &SocketAddr) -> bool {
    is_public(a.ip()) && network(a.ip()) == network(b.ip())
}

/// The /24 or /64 of an IP, as a number that differs between the families.
pub(crate) fn network(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => u64::from(u32::from(ip) >> 8),
        // Global unicast starts with 001, so that no /64 has the value of a /24.
        IpAddr::V6(ip) => (u128::from(ip) >> 64) as u64,
    }
}

pub(crate) fn is_public(ip: IpAddr) -> bool {
    scope(&SocketAddr::new(ip, 1)) == Some(Scope::Public)
}

/// An address of either family, or of one: what a routing table stores.
pub(crate) trait Endpoint: Copy + Ord + Into<SocketAddr> {
    /// The same host at another port.
    fn at_port(self, port: u16) -> Self;
    /// The first address of the smallest network that somebody is given: the IP itself in IPv4, its /64 in IPv6.
    fn narrowest(self) -> Self;
    /// All addresses of the same /24 (IPv4) or /48 (IPv6).
    fn neighbours(self) -> RangeInclusive<Self>;
}

impl Endpoint for SocketAddrV4 {
    fn at_port(self, port: u16) -> Self {
        Self::new(*self.ip(), port)
    }

    fn narrowest(self) -> Self {
        self
    }

    fn neighbours(self) -> RangeInclusive<Self> {
        let (ip, hosts) = (u32::from(*self.ip()), 0xff);
        Self::new((ip & !hosts).into(), 0)..=Self::new((ip | hosts).into(), u16::MAX)
    }
}

impl Endpoint for SocketAddrV6 {
    fn at_port(self, port: u16) -> Self {
        Self::new(*self.ip(), port, 0, 0)
    }

    fn narrowest(self) -> Self {
        let ip = u128::from(*self.ip()) >> 64 << 64;
        Self::new(ip.into(), self.port(), 0, 0)
    }

    fn neighbours(self) -> RangeInclusive<Self> {
        let (ip, hosts) = (u128::from(*self.ip()), (1 << 80) - 1);
        Self::new((ip & !hosts).into(), 0, 0, 0)
            ..=Self::new((ip | hosts).into(), u16::MAX, u32::MAX, u32::MAX)
    }
}

impl Endpoint for SocketAddr {
    fn at_port(self, port: u16) -> Self {
        Self::new(self.ip(), port)
    }

    fn narrowest(self) -> Self {
        match self {
            Self::V4(address) => address.narrowest().into(),
            Self::V6(address) => address.narrowest().into(),
        }
    }

    fn neighbours(self) -> RangeInclusive<Self> {
        match self {
            Self::V4(address) => {
                let (first, last) = address.neighbours().into_inner();
                first.into()..=last.into()
            }
            Self::V6(address) => {
                let (first, last) = address.neighbours().into_inner();
                first.into()..=last.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn martians_have_no_scope() {
        for martian in [
            "0.0.0.0:1",
            "224.0.0.1:1",
            "255.255.255.255:9",
            "8.8.8.8:0",
            "[::]:1",
            "[ff02::1]:1",
            "[::ffff:8.8.8.8]:1",
        ] {
            assert_eq!(scope(&at(martian)), None, "{martian}");
        }
    }

    #[test]
    fn local_networks_are_told_from_the_public_one() {
        for (text, expected) in [
            ("127.0.0.1:1", Scope::Loopback),
            ("[::1]:1", Scope::Loopback),
            ("10.1.2.3:1", Scope::Private),
            ("172.31.0.1:1", Scope::Private),
            ("172.32.0.1:1", Scope::Public),
            ("100.64.0.1:1", Scope::Private),
            ("100.128.0.1:1", Scope::Public),
            ("[fe80::1]:1", Scope::Private),
            ("[2a00::1]:1", Scope::Public),
        ] {
            assert_eq!(scope(&at(text)), Some(expected), "{text}");
        }
    }

    #[test]
    fn nobody_on_the_public_network_leads_us_home() {
        assert!(!may_name(&at("8.8.8.8:1"), &at("127.0.0.1:1")));
        assert!(!may_name(&at("8.8.8.8:1"), &at("192.168.1.1:1")));
        assert!(!may_name(&at("192.168.1.1:1"), &at("127.0.0.1:1")));
        assert!(may_name(&at("127.0.0.1:1"), &at("127.0.0.1:2")));
        assert!(may_name(&at("192.168.1.1:1"), &at("8.8.8.8:1")));
        assert!(!may_name(&at("127.0.0.1:1"), &at("8.8.8.8:0")));
    }

    #[test]
    fn a_port_tells_hosts_apart_on_a_local_network_only() {
        assert!(!same_host(&at("127.0.0.1:1"), &at("127.0.0.1:2")));
        assert!(same_host(&at("8.8.8.8:1"), &at("8.8.8.8:2")));
        assert_eq!(host(at("8.8.8.8:1")), host(at("8.8.8.8:2")));
        assert_ne!(host(at("127.0.0.1:1")), host(at("127.0.0.1:2")));
        assert!(same_network(&at("8.8.8.8:1"), &at("8.8.8.9:2")));
        assert!(!same_network(&at("10.0.0.1:1"), &at("10.0.0.2:1")));
    }
}
