use std::net::{IpAddr, SocketAddr};

/// Whom blame holds for. On the public network a port is cheap and an IP is not; on loopback and private networks several nodes share an IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Culprit {
    Host(IpAddr),
    Socket(SocketAddr),
}

impl Culprit {
    pub(crate) fn at(address: SocketAddr) -> Self {
        let shared = match address.ip() {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
            IpAddr::V6(ip) => {
                ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
            }
        };
        if shared {
            Self::Socket(address)
        } else {
            Self::Host(address.ip())
        }
    }
}
