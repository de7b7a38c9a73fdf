use std::net::SocketAddr;

use dht::Family;
use tokio::net::UdpSocket;

use crate::platform::{Arrivals, Departures};

/// The sockets, at most one a family, with what waits to leave by each.
#[derive(Default)]
pub(super) struct Sockets {
    v4: Option<Channel>,
    v6: Option<Channel>,
}

struct Channel {
    socket: UdpSocket,
    departures: Departures,
}

impl Sockets {
    pub(super) fn sort(sockets: Vec<UdpSocket>) -> Self {
        let mut sorted = Sockets::default();
        for socket in sockets {
            let is_v6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
            let channel = Some(Channel {
                socket,
                departures: Departures::default(),
            });
            if is_v6 {
                sorted.v6 = channel;
            } else {
                sorted.v4 = channel;
            }
        }
        sorted
    }

    /// Whether there is a socket that reaches this address.
    pub(super) fn reach(&self, address: &SocketAddr) -> bool {
        self.of(Family::of(address)).is_some()
    }

    /// Waits until there is something to read; for ever without a socket.
    pub(super) async fn readable(&self, family: Family) {
        match self.of(family) {
            Some(channel) => {
                let _ = channel.socket.readable().await;
            }
            None => std::future::pending().await,
        }
    }

    /// Takes the datagrams that wait at the socket of a family, up to what one call gives.
    pub(super) fn receive(&self, family: Family, arrivals: &mut Arrivals) {
        if let Some(channel) = self.of(family) {
            arrivals.receive(&channel.socket, family);
        }
    }

    /// Lets a datagram wait for [`flush`](Self::flush), or until there are as many as one call gives.
    pub(super) fn post(&mut self, to: SocketAddr, write: impl FnOnce(&mut Vec<u8>)) {
        let channel = match Family::of(&to) {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        };
        if let Some(channel) = channel {
            channel.departures.push(to, write);
            if channel.departures.is_full() {
                channel.departures.send(&channel.socket);
            }
        }
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self) {
        for channel in [&mut self.v4, &mut self.v6].into_iter().flatten() {
            channel.departures.send(&channel.socket);
        }
    }

    fn of(&self, family: Family) -> Option<&Channel> {
        match family {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        }
    }
}
