use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::network::Network;

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
        let latency = |(one, other)| self.latency(one, other);
        let both = self.number(one).zip(self.number(other));
        Duration::from_micros(both.map_or(self.slot(), latency))
    }

    fn connects(&self, now: Duration, from: SocketAddr, to: SocketAddr) -> bool {
        let now = now.as_micros() as u64;
        let both = self.number(from).zip(self.number(to));
        both.is_some_and(|(from, to)| !self.is_cut(now, from, to))
    }
}
