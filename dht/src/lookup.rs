use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::address::Family;
use crate::event::{Event, LookupId, LookupReport, Outbox, Outcome, Step};
use crate::id::Id;
use crate::message::{AnnouncedPort, Flag, Holding, Method, Response, Token, Want, Wishes};
use crate::per_family::PerFamily;
use crate::scrape_count::ScrapeCount;
use crate::sought_item::SoughtItem;
use crate::transaction::LookupKey;
use crate::traversal::Traversal;

/// Peers that a lookup reports at most.
pub(crate) const MAX_PEERS: usize = 10_000;

/// What is done with what a lookup finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    FindNode,
    GetPeers,
    Announce {
        port: AnnouncedPort,
        seed: bool,
    },
    GetItem,
    PutItem,
    /// [`Goal::GetPeers`], and to count who has it.
    Scrape,
}

/// One question, walked through both families.
pub(crate) struct Lookup {
    pub(crate) key: LookupKey,
    /// `None` for the node's own.
    pub(crate) name: Option<LookupId>,
    pub(crate) target: Id,
    pub(crate) goal: Goal,
    pub(crate) started: Duration,
    /// `None` while there is nobody to ask.
    traversals: PerFamily<Option<Traversal>>,
    /// Those that were reported.
    pub(crate) peers: BTreeSet<SocketAddr>,
    /// Of those that look for an item.
    pub(crate) item: Option<Box<SoughtItem>>,
    pub(crate) tally: Tally,
    /// What a scrape has counted so far.
    pub(crate) count: Option<Box<ScrapeCount>>,
}

/// What became of its queries.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) asked: usize,
    pub(crate) answered: usize,
    pub(crate) stalled: usize,
    pub(crate) failed: usize,
    pub(crate) announced_to: usize,
}

/// Why a query brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    TimedOut,
    Refused(i64),
    Impostor(Id),
}

impl From<Failure> for Step {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TimedOut => Self::TimedOut,
            Failure::Refused(code) => Self::Refused { code },
            Failure::Impostor(id) => Self::Impostor { id },
        }
    }
}

impl Lookup {
    pub(crate) fn new(
        key: LookupKey,
        name: Option<LookupId>,
        target: Id,
        goal: Goal,
        started: Duration,
    ) -> Self {
        Self {
            key,
            name,
            target,
            goal,
            started,
            traversals: PerFamily::default(),
            peers: BTreeSet::new(),
            item: None,
            tally: Tally::default(),
            count: None,
        }
    }

    pub(crate) fn traversal(&mut self, family: Family) -> &mut Option<Traversal> {
        &mut self.traversals[family]
    }

    pub(crate) fn method(&self) -> Method {
        match self.goal {
            Goal::FindNode => Method::FindNode {
                target: self.target,
                want: Want::UNSAID,
            },
            Goal::GetPeers | Goal::Announce { .. } | Goal::Scrape => Method::GetPeers {
                info_hash: self.target,
                want: Want::UNSAID,
                wishes: self.wishes(),
            },
            Goal::GetItem | Goal::PutItem => Method::Get {
                target: self.target,
                newer_than: self.item.as_ref().and_then(|item| item.newer_than()),
                want: Want::UNSAID,
            },
        }
    }

    /// Whether there is something to tell the nearest nodes, once they are found.
    pub(crate) fn tells(&self) -> bool {
        match self.goal {
            Goal::FindNode | Goal::GetPeers | Goal::GetItem | Goal::Scrape => false,
            Goal::Announce { .. } => true,
            Goal::PutItem => self.item.as_ref().is_some_and(|item| item.is_current()),
        }
    }

    /// What a node is told that gave us this token.
    pub(crate) fn telling(&self, to: &SocketAddr, token: Token) -> Option<Method> {
        match self.goal {
            Goal::FindNode | Goal::GetPeers | Goal::GetItem | Goal::Scrape => None,
            Goal::Announce { port, seed } => Some(Method::AnnouncePeer {
                info_hash: self.target,
                port,
                token,
                seed: Flag(seed),
            }),
            Goal::PutItem => self.item.as_ref()?.put_to(to, token),
        }
    }

    /// Nothing that a seed would want to know of other seeds.
    pub(crate) fn wishes(&self) -> Wishes {
        Wishes {
            no_seeds: Flag(matches!(self.goal, Goal::Announce { seed: true, .. })),
            scrape: Flag(self.goal == Goal::Scrape),
        }
    }

    pub(crate) fn trace(
        &self,
        address: SocketAddr,
        id: Option<Id>,
        step: Step,
        out: &mut impl Outbox,
    ) {
        if let Some(lookup) = self.name {
            out.event(Event::Trace {
                lookup,
                address,
                id,
                step,
            });
        }
    }

    /// Reports the peers that were not reported before.
    pub(crate) fn report_peers(
        &mut self,
        from: Option<SocketAddr>,
        named: impl Iterator<Item = SocketAddr>,
        out: &mut impl Outbox,
    ) {
        let Some(lookup) = self.name else { return };
        let room = MAX_PEERS.saturating_sub(self.peers.len());
        let peers: Vec<_> = named
            .filter(|peer| self.peers.insert(*peer))
            .take(room)
            .collect();
        if !peers.is_empty() {
            out.event(Event::Peers {
                lookup,
                from,
                peers,
            });
        }
    }

    /// Takes what somebody says about the item, and reports it if it is better than what was known. Whether nothing can be better.
    pub(crate) fn report_item(
        &mut self,
        from: Option<SocketAddr>,
        holding: &Holding,
        out: &mut impl Outbox,
    ) -> bool {
        let (Some(lookup), Some(item)) = (self.name, &mut self.item) else {
            return false;
        };
        if let Some(best) = item.hear(&self.target, from, holding) {
            let item = Box::new(best.clone());
            out.event(Event::Item { lookup, from, item });
        }
        self.goal == Goal::GetItem && item.is_final()
    }

    /// Whether every family in which there was somebody to ask has come to its end.
    pub(crate) fn is_over(&self) -> bool {
        let tells = self.tells();
        let over = |traversal: &Traversal| {
            let has_told = if traversal.is_announcing() {
                traversal.is_announced()
            } else {
                !tells
            };
            traversal.is_converged() && has_told
        };
        let mut walked = self.traversals.iter().flatten().peekable();
        walked.peek().is_some() && walked.all(over)
    }

    /// Counts what a node answered to a scrape.
    pub(crate) fn take_count(&mut self, response: &Response) {
        let Some(count) = &mut self.count else { return };
        match response.scrape.get() {
            Some(scrape) => count.take(scrape),
            None if !response.values.is_empty() => count.without_filters += 1,
            None => {}
        }
    }

    /// Tells what a scrape has counted: filters, and the peers that were named by those who have none.
    fn report_count(&mut self, lookup: LookupId, out: &mut impl Outbox) {
        if let Some(mut count) = self.count.take() {
            count.add_named(self.peers.iter().map(SocketAddr::ip));
            out.event(Event::Scraped { lookup, count });
        }
    }

    pub(crate) fn report(mut self, outcome: Outcome, now: Duration, out: &mut impl Outbox) {
        if let Some(lookup) = self.name {
            self.report_count(lookup, out);
            let report = LookupReport {
                target: self.target,
                outcome,
                asked: self.tally.asked,
                answered: self.tally.answered,
                stalled: self.tally.stalled,
                failed: self.tally.failed,
                peers: self.peers.len(),
                announced_to: self.tally.announced_to,
                copies: self.item.as_ref().map_or(0, |item| item.copies()),
                hops: self
                    .traversals
                    .iter()
                    .flatten()
                    .map(Traversal::hops)
                    .max()
                    .unwrap_or(0),
                elapsed: now.saturating_sub(self.started),
                closest: self
                    .traversals
                    .iter()
                    .flatten()
                    .flat_map(Traversal::closest)
                    .collect(),
            };
            out.event(Event::LookupEnded {
                lookup,
                report: Box::new(report),
            });
        }
    }
}
