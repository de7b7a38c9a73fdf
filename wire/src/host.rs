use std::net::{IpAddr, Ipv6Addr};

/// What costs something to have, on any network: an address of IPv4, a /64 of IPv6. Who shares one shares what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host(IpAddr);

impl Host {
    /// Whose an address is.
    pub fn of(ip: IpAddr) -> Self {
        Self(match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        })
    }
}
