//! What always holds.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use dht::{Config, Event, Input, Message, Node};

/// Something that should never have happened did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Breach {
    /// What always holds, in words, and did not.
    pub invariant: &'static str,
    /// When, counted from the start of the run.
    pub at: Duration,
    /// The node that it happened to.
    pub node: Option<u32>,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "it does not hold that {}: after {:?}",
            self.invariant, self.at
        )?;
        if let Some(node) = self.node {
            write!(f, ", at node {node}")?;
        }
        write!(f, ", {}", self.what)
    }
}

/// Watches one node: all that it hears and says, and what becomes of its state.
#[derive(Default)]
pub(crate) struct Auditor {}

/// An invariant that did not hold, and what happened instead.
pub(crate) type Fault = (&'static str, String);

impl Auditor {
    /// The node is about to handle an input.
    pub(crate) fn before(
        &mut self,
        _node: &Node,
        _config: &Config,
        _now: Duration,
        _input: &Input<'_>,
    ) {
    }

    /// It sent something.
    pub(crate) fn sent(&mut self, _now: Duration, _to: SocketAddr, _message: &Message) {}

    /// Something reached it; it handles it next.
    pub(crate) fn heard(&mut self, _now: Duration, _from: SocketAddr, _message: &Message) {}

    /// It reported something.
    pub(crate) fn event(&mut self, _now: Duration, _event: &Event) {}

    /// It has handled the input.
    pub(crate) fn after(
        &mut self,
        _node: &Node,
        _config: &Config,
        _now: Duration,
    ) -> Option<Fault> {
        None
    }

    /// The node is gone, and with it all that it knew.
    pub(crate) fn forget(&mut self) {}
}
