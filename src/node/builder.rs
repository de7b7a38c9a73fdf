//! How a node is set up.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Inner, Node};
use crate::dht_driver::{Dht, Setup};
use crate::peer_driver::{Ceilings, Doors, listen};
use crate::session::Manner;
use crate::state::StateDir;
use crate::storage::OpenFiles;
use crate::throttle::Throttles;
use crate::{Error, Limits, platform, sockets};

/// Connections of a node, if nothing is said.
const CONNECTIONS: usize = 2000;
/// Files that a node keeps open.
const FILES: usize = 2000;
/// So many connections and files there are at least.
const FEW: usize = 16;
/// What a node takes of the system's descriptors beside connections and files, if half of them are as many.
const OTHER_DESCRIPTORS: u64 = 300;

/// How a node is set up. Made by [`Node::builder`].
#[derive(Debug, Clone, Default)]
pub struct Builder {
    bootstrap: Vec<String>,
    listen: Vec<SocketAddr>,
    state_dir: Option<PathBuf>,
    no_limits: bool,
    read_only: bool,
    keep_stored: bool,
    pace: Option<NonZeroU16>,
    limits: Limits,
    connections: Option<usize>,
    manner: Manner,
}

impl Builder {
    /// Adds a DHT node to start from, `HOST:PORT`.
    #[must_use]
    pub fn bootstrap(mut self, host: impl Into<String>) -> Self {
        self.bootstrap.push(host.into());
        self
    }

    /// Listens here, UDP and TCP; port 0 takes any free one. Without it: port 6881 of every address, the next one up to 6889
    /// if it is taken, else any. Called again, here too: each address of a family is a DHT node of its own, with an id far from the
    /// others' (BEP 45); the first of IPv4 and the first of IPv6 are one, and so on (BEP 32).
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen.push(address);
        self
    }

    /// Keeps state between runs in this directory: node id, routing table, metadata of unfinished torrents, which pieces are on the disk. Without it
    /// nothing is kept.
    #[must_use]
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// Keeps what others announced to this node and put to it in the state directory too, for the rest of its life; without one it does nothing.
    #[must_use]
    pub fn keep_stored(mut self) -> Self {
        self.keep_stored = true;
        self
    }

    /// Lifts the limits per source address: for benchmarks and closed networks.
    #[must_use]
    pub fn no_limits(mut self) -> Self {
        self.no_limits = true;
        self
    }

    /// Lets lookups write to so many addresses of the public network a second, in the long run, that were not written to lately: 100 if nothing is said, which the
    /// NATs of small routers bear.
    #[must_use]
    pub fn pace(mut self, addresses: NonZeroU16) -> Self {
        self.pace = Some(addresses);
        self
    }

    /// Limits how fast all torrents together may go; without limit if nothing is said. [`Node::set_limits`] changes it.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Connections to peers at once, of all torrents together: 2,000 if nothing is said, and never more than half of what the process may have open, or 16
    /// ([`raise_descriptor_limit`](crate::raise_descriptor_limit)). When there are as many, whoever has most of them has to give some up to others.
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = Some(most);
        self
    }

    /// Connections of one torrent: 100 if nothing is said.
    #[must_use]
    pub fn torrent_connections(mut self, most: usize) -> Self {
        self.manner.connections = most;
        self
    }

    /// Shows each peer one piece at a time of what [`Node::seed`] serves, and the next one when that has been seen elsewhere: for the first seed of a torrent, if its way out is
    /// narrow. It sends little more than one copy until there are others; the peers take longer where it was not the bottleneck. BEP 16.
    #[must_use]
    pub fn super_seeding(mut self) -> Self {
        self.manner.super_seeding = true;
        self
    }

    /// Asks the DHT without being part of it. BEP 43.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Opens the sockets and starts the node in the current tokio runtime.
    ///
    /// # Errors
    /// The address cannot be listened on, or the state directory not be used. A bootstrap host that does not resolve or answer
    /// is no error here: it is asked again and again.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    #[expect(
        clippy::unused_async,
        reason = "it opens sockets, which need the runtime"
    )]
    pub async fn start(self) -> Result<Node, Error> {
        let state = self.state_dir.map(open_state).transpose()?.map(Arc::new);
        let is_taken = state.as_ref().is_some_and(|state| state.is_taken());
        if is_taken && !self.read_only {
            tracing::warn!(
                "another process uses the state directory: this node has an id of its own for this time, and what it learns is not kept"
            );
        }
        let pairs = sockets::open(&self.listen)?;
        let addresses: Vec<SocketAddr> = pairs.iter().map(|pair| pair.address).collect();
        let doors = Doors::default();
        let share = share_of(platform::descriptors().unwrap_or(u64::MAX));
        let connections = self.connections.unwrap_or(CONNECTIONS);
        // A quarter of what is neither connection nor file is for strangers, another for dials.
        let ceilings = Ceilings::new(connections.min(share), share / 2);
        let mut udp = Vec::new();
        let mut listeners = Vec::new();
        for pair in pairs {
            udp.push(pair.udp);
            listeners.push(
                tokio::spawn(listen(pair.tcp, doors.clone(), ceilings.clone())).abort_handle(),
            );
        }
        let dht = Dht::start(
            udp,
            &Setup {
                bootstrap: self.bootstrap,
                no_limits: self.no_limits,
                read_only: self.read_only,
                pace: self.pace,
                state: state.clone(),
                keep_stored: self.keep_stored,
            },
        );
        Ok(Node {
            inner: Arc::new(Inner {
                doors,
                addresses,
                listeners,
                state,
                throttles: Throttles::start(self.limits),
                ceilings,
                open_files: OpenFiles::at_most(FILES.min(share)),
                manner: self.manner,
            }),
            dht,
        })
    }
}

fn open_state(path: PathBuf) -> Result<StateDir, Error> {
    StateDir::open(&path).map_err(|source| Error::State { path, source })
}

/// Connections for which a process with so many descriptors has some, and as many files.
fn share_of(descriptors: u64) -> usize {
    let others = OTHER_DESCRIPTORS.min(descriptors / 2);
    let share = (descriptors - others) / 2;
    usize::try_from(share).unwrap_or(usize::MAX).max(FEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_are_shared_out_and_leave_connections_to_everybody() {
        assert_eq!(share_of(u64::MAX), (usize::MAX - 300) / 2);
        assert_eq!(share_of(4_300), 2_000);
        assert_eq!(share_of(0), FEW);
        for descriptors in 64..2_000 {
            let share = share_of(descriptors);
            assert!(share >= FEW, "{share} of {descriptors}");
            assert!(share_of(descriptors + 1) >= share);
            assert!(2 * share as u64 <= descriptors, "{share} of {descriptors}");
        }
    }
}
