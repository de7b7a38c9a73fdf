use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::Network;

/// What lies between peers.
pub trait Paths {
    /// How long it takes from one to the other, the same in both directions and the same at all times. Above zero.
    fn latency(&self, one: SocketAddr, other: SocketAddr) -> Duration;

    /// Whether what is sent there arrives at `now`.
    fn connects(&self, now: Duration, from: SocketAddr, to: SocketAddr) -> bool;
}

impl<P: Paths> Paths for Arc<P> {
    fn latency(&self, one: SocketAddr, other: SocketAddr) -> Duration {
        (**self).latency(one, other)
    }

    fn connects(&self, now: Duration, from: SocketAddr, to: SocketAddr) -> bool {
        (**self).connects(now, from, to)
    }
}

impl Paths for Network {
    fn latency(&self, one: SocketAddr, other: SocketAddr) -> Duration {
        self.latency(one, other)
    }

    fn connects(&self, _: Duration, from: SocketAddr, to: SocketAddr) -> bool {
        self.connects(from, to)
    }
}
