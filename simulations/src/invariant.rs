//! What always holds, checked while a world lives. It changes nothing of what happens.

mod forgery;
mod lookups;
mod peers;
mod population;
mod queries;
mod table;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use dht::{Body, Config, Event, Family, Input, Message, Method, Node, NodeInfo};

use forgery::{Face, forge};
use lookups::Lookups;
use peers::Peers;
use queries::{Queries, may_verify};
use table::Table;

pub(crate) use lookups::longest_lookup;
pub(crate) use population::{Inspector, audit};

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

/// An invariant that did not hold, and what happened instead.
pub(crate) type Fault = (&'static str, String);

/// Every so many inputs the whole table is looked at, and the node is lied to.
const INTERVAL: u32 = 32;

/// So often in a row a node may want to be woken at once. Each time it is given what it waits for; one that wants it for ever has missed a deadline.
const MOST_HURRIES: u32 = 1_000;

/// Watches one node from its beginning on: all that it hears and says, and what becomes of its state.
///
/// It keeps books of its own, and compares them with what the node shows.
pub(crate) struct Auditor {
    config: Config,
    table: Table,
    queries: Queries,
    lookups: Lookups,
    peers: Peers,
    /// What is being handled.
    hearing: Hearing,
    /// The deadline that the node named last.
    deadline: Option<Duration>,
    inputs: u32,
    /// How often in a row it wanted to be woken at once.
    hurries: u32,
    /// The first thing that should not have happened, until it is reported.
    fault: Option<Fault>,
}

/// What the input that is being handled means to the node.
enum Hearing {
    /// Nothing that a rule is about.
    Other,
    /// Somebody asks.
    Query { from: SocketAddr, method: Method },
    /// Somebody whom it asked answers.
    Answer(NodeInfo),
    /// An answer to nothing that it asked. The face is that of before.
    Foreign(Option<Box<Face>>),
}

impl Auditor {
    /// For a node that lives by these numbers.
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            table: Table::default(),
            queries: Queries::default(),
            lookups: Lookups::default(),
            peers: Peers::default(),
            hearing: Hearing::Other,
            deadline: None,
            inputs: 0,
            hurries: 0,
            fault: None,
        }
    }

    /// The node is about to handle an input.
    pub(crate) fn before(&mut self, node: &Node, now: Duration, input: &Input<'_>) {
        if self.inputs == 0 {
            self.table
                .begin(node.id(), &node.table(Family::V4, now, &self.config));
        }
        self.inputs = self.inputs.wrapping_add(1).max(1);
        self.hearing = match *input {
            Input::Receive { from, message } => self.hear(node, now, from, message),
            Input::FindNode { lookup, target }
            | Input::GetPeers {
                lookup,
                info_hash: target,
            }
            | Input::Sample { lookup, target }
            | Input::Scrape {
                lookup,
                info_hash: target,
            }
            | Input::Announce {
                lookup,
                info_hash: target,
                ..
            } => {
                self.lookups.begin(lookup, target, now);
                Hearing::Other
            }
            _ => Hearing::Other,
        };
    }

    fn hear(&mut self, node: &Node, now: Duration, from: SocketAddr, message: &Message) -> Hearing {
        let id = match &message.body {
            Body::Query(query) => {
                let method = query.method.clone();
                return Hearing::Query { from, method };
            }
            Body::Response(response) => Some(response.id),
            Body::Error(_) => None,
        };
        if self.queries.end(from, &message.transaction) {
            return id.map_or(Hearing::Other, |id| {
                Hearing::Answer(NodeInfo { id, address: from })
            });
        }
        // Any input lets the node do what is due.
        let face = self
            .is_idle(now)
            .then(|| Box::new(Face::of(node, self.deadline, now, &self.config)));
        Hearing::Foreign(face)
    }

    /// Whether the node has nothing to do now, whatever it is told. A deadline of a nanosecond from now may be one that was missed.
    fn is_idle(&self, now: Duration) -> bool {
        self.deadline
            .is_none_or(|deadline| deadline > now + Duration::from_micros(1))
    }

    /// It sent something.
    pub(crate) fn sent(&mut self, now: Duration, to: SocketAddr, message: &Message) {
        let verdict = match (&message.body, &self.hearing) {
            (Body::Query(query), _) => {
                let may_be_short = may_verify(query);
                let transaction = &message.transaction;
                self.queries.begin(to, transaction, may_be_short, now)
            }
            (
                Body::Response(response),
                Hearing::Query {
                    from,
                    method: Method::GetPeers { info_hash, .. },
                },
            ) if *from == to => {
                self.peers
                    .answered(to.ip(), *info_hash, response, now, &self.config)
            }
            _ => Ok(()),
        };
        self.note(verdict);
    }

    /// It reported something.
    pub(crate) fn event(&mut self, now: Duration, event: &Event) {
        let verdict = match event {
            Event::PeerAnnounced { info_hash, peer } => match &self.hearing {
                Hearing::Query {
                    from,
                    method: Method::AnnouncePeer { token, .. },
                } => self.peers.stored(from.ip(), *info_hash, *peer, token, now),
                _ => Err((
                    "a peer is announced by a query",
                    format!("{peer} is said to have announced itself"),
                )),
            },
            Event::Peers {
                lookup,
                from,
                peers,
            } => self.lookups.found(*lookup).and_then(|info_hash| {
                let mut own = peers.iter().filter(|_| from.is_none());
                own.try_for_each(|&peer| self.peers.is_alive(info_hash, peer, now, &self.config))
            }),
            Event::Trace {
                lookup,
                address,
                step,
                ..
            } => self.lookups.step(*lookup, *address, *step, &self.config),
            Event::LookupEnded { lookup, .. } => self.lookups.end(*lookup),
            _ => Ok(()),
        };
        self.note(verdict);
    }

    fn note(&mut self, verdict: Result<(), Fault>) {
        if let Err(fault) = verdict {
            self.fault.get_or_insert(fault);
        }
    }

    /// It has handled the input, and named this deadline. Returns what should not have happened.
    pub(crate) fn after(
        &mut self,
        node: &mut Node,
        now: Duration,
        deadline: Option<Duration>,
    ) -> Option<Fault> {
        self.deadline = deadline;
        let verdict = self.judge(node, now);
        self.note(verdict);
        self.fault.take()
    }

    fn judge(&mut self, node: &mut Node, now: Duration) -> Result<(), Fault> {
        let hearing = std::mem::replace(&mut self.hearing, Hearing::Other);
        self.hurries = if self.is_idle(now) {
            0
        } else {
            self.hurries + 1
        };
        if self.hurries > MOST_HURRIES {
            let what = format!("{MOST_HURRIES} times in a row it wanted to be woken at once");
            return Err(("a deadline is later than now", what));
        }
        let silent = self.queries.expire(now, &self.config);
        let stats = node.stats();
        self.queries.check(stats.queries_in_flight)?;
        self.lookups.check(now, stats.lookups, &self.config)?;
        Peers::check(&stats, &self.config)?;
        let answer = match hearing {
            Hearing::Answer(node) => Some(node),
            Hearing::Foreign(Some(face)) => {
                face.check(&Face::of(node, self.deadline, now, &self.config))?;
                None
            }
            _ => None,
        };
        let is_time = self.inputs.is_multiple_of(INTERVAL);
        let has_moved = answer.is_some_and(|answer| {
            let is_contact = || node.contacts().any(|contact| contact == answer);
            self.table.hear(answer, is_contact)
        });
        if is_time
            || has_moved
            || !silent.is_empty()
            || !self.table.looks_like(node.id(), stats.contacts_v4)
        {
            let view = node.table(Family::V4, now, &self.config);
            table::check(node.id(), &view, &self.config)?;
            self.table
                .change(node.id(), &view, answer, &silent, &self.config)?;
            if !self.table.looks_like(node.id(), stats.contacts_v4) {
                let what = format!("{} contacts stand in none", stats.contacts_v4);
                return Err(("the buckets of a table are complete", what));
            }
        }
        if is_time && self.is_idle(now) {
            forge(node, self.deadline, now, &self.config, self.queries.last())?;
        }
        Ok(())
    }

    /// The node is gone, and with it all that it knew.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(self.config.clone());
    }
}

#[cfg(test)]
mod tests;
