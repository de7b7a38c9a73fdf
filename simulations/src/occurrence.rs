use std::net::SocketAddr;
use std::time::Duration;

/// Something that a node or a torrent reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence<E> {
    /// When.
    pub at: Duration,
    /// Whose report it is.
    pub address: SocketAddr,
    /// What happened.
    pub event: E,
}
