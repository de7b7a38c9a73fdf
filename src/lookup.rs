//! A question to the DHT, and its answers as they come.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{Event, Step};
use tokio::sync::mpsc;

/// A step of a lookup.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LookupEvent {
    /// A node was asked.
    Asked {
        /// Its address.
        node: SocketAddr,
        /// Whose answer had named it; `None` if it was known.
        named_by: Option<SocketAddr>,
    },
    /// A node answered.
    Answered {
        /// Its address.
        node: SocketAddr,
        /// How long it took.
        round_trip: Duration,
        /// Nodes that it named.
        nodes: usize,
        /// Peers that it named.
        peers: usize,
    },
    /// A node is slow: others are asked meanwhile, its answer is still welcome.
    Stalled {
        /// Its address.
        node: SocketAddr,
    },
    /// A query came to nothing.
    Failed {
        /// The address that was asked.
        node: SocketAddr,
        /// Why.
        why: LookupFailure,
    },
    /// Peers that were not known before.
    Peers {
        /// Who named them; `None` if they had announced themselves to us.
        from: Option<SocketAddr>,
        /// Their addresses.
        peers: Vec<SocketAddr>,
    },
    /// A node holds our announce.
    Announced {
        /// Its address.
        node: SocketAddr,
        /// Its id.
        id: [u8; 20],
    },
    /// The last event.
    Ended {
        /// Queries sent. Some of them look for nodes that others may hide, and are no steps.
        queried: usize,
        /// Nodes that answered.
        responded: usize,
        /// Nodes that did not.
        failed: usize,
        /// Peers found.
        peers: usize,
        /// How long it took.
        elapsed: Duration,
    },
}

/// Why a query of a lookup came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupFailure {
    /// It was never answered.
    TimedOut,
    /// Another node answered than the one that was said to be there.
    Impostor {
        /// The id that it has.
        id: [u8; 20],
    },
    /// It was answered with an error.
    Refused {
        /// The code of BEP 5, "Errors".
        code: i64,
    },
}

/// A lookup, step by step. Dropping it ends it.
#[derive(Debug)]
pub struct Lookup {
    events: mpsc::Receiver<Event>,
    ended: bool,
}

impl Lookup {
    pub(crate) fn new(events: mpsc::Receiver<Event>) -> Self {
        Lookup {
            events,
            ended: false,
        }
    }

    /// The next step; `None` after [`LookupEvent::Ended`], or when the node has shut down. Cancel safe.
    pub async fn next(&mut self) -> Option<LookupEvent> {
        while !self.ended {
            match self.events.recv().await? {
                Event::Trace {
                    address: node,
                    step,
                    ..
                } => {
                    return Some(match step {
                        Step::Asked { named_by } => LookupEvent::Asked { node, named_by },
                        Step::Answered {
                            round_trip,
                            nodes,
                            peers,
                        } => LookupEvent::Answered {
                            node,
                            round_trip,
                            nodes,
                            peers,
                        },
                        Step::Stalled => LookupEvent::Stalled { node },
                        Step::TimedOut => LookupEvent::Failed {
                            node,
                            why: LookupFailure::TimedOut,
                        },
                        Step::Impostor { id } => LookupEvent::Failed {
                            node,
                            why: LookupFailure::Impostor { id: *id.as_bytes() },
                        },
                        Step::Refused { code } => LookupEvent::Failed {
                            node,
                            why: LookupFailure::Refused { code },
                        },
                    });
                }
                Event::Peers { from, peers, .. } => {
                    return Some(LookupEvent::Peers { from, peers });
                }
                Event::Announced { node, .. } => {
                    return Some(LookupEvent::Announced {
                        node: node.address,
                        id: *node.id.as_bytes(),
                    });
                }
                Event::LookupEnded { report, .. } => {
                    self.ended = true;
                    return Some(LookupEvent::Ended {
                        queried: report.asked,
                        responded: report.answered,
                        failed: report.failed,
                        peers: report.peers,
                        elapsed: report.elapsed,
                    });
                }
                _ => {}
            }
        }
        None
    }
}

/// The peers of a lookup, each once. Dropping it ends the lookup.
#[derive(Debug)]
pub struct Peers {
    lookup: Lookup,
    waiting: std::vec::IntoIter<SocketAddr>,
}

impl Peers {
    pub(crate) fn new(lookup: Lookup) -> Self {
        Peers {
            lookup,
            waiting: Vec::new().into_iter(),
        }
    }

    /// The next peer, as soon as it is found; `None` when the lookup has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<SocketAddr> {
        loop {
            if let Some(peer) = self.waiting.next() {
                return Some(peer);
            }
            if let LookupEvent::Peers { peers, .. } = self.lookup.next().await? {
                self.waiting = peers.into_iter();
            }
        }
    }
}
