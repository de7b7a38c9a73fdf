use std::net::SocketAddr;
use std::time::Duration;

/// Something that always holds in a swarm did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{invariant}\" is broken at {at:?} by {peer}: {what}")]
pub struct SwarmBreach {
    /// What should hold.
    pub invariant: &'static str,
    /// When it did not.
    pub at: Duration,
    /// At whose place; of the swarm as a whole, at somebody's who suffers from it.
    pub peer: SocketAddr,
    /// What was seen.
    pub what: String,
}

/// Where the bytes of a swarm are: `sent = received + dropped + in_flight`. Headers of IP and TCP are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwarmTraffic {
    /// Bytes that left somebody.
    pub sent: u64,
    /// Bytes that reached somebody who took them.
    pub received: u64,
    /// Bytes that reached somebody who was gone or had ended the connection.
    pub dropped: u64,
    /// Bytes on their way.
    pub in_flight: u64,
}
