use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What costs something to have, on any network: an address of IPv4, a /64 of IPv6. Who shares one shares what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Host(IpAddr);

impl Host {
    pub(crate) fn of(address: SocketAddr) -> Self {
        Self(match address.ip() {
            IpAddr::V4(ip) => ip.into(),
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        })
    }
}
