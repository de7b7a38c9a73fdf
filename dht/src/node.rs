//! The node: one entry ([`Node::handle`]), and a room below it for each thing that it does, with the state of that thing.
//!
//! What another node may be to us:
//!
//! | word | meaning |
//! |---|---|
//! | contact | it has answered us, and stands in a routing table |
//! | visitor | a contact that came by itself, and may be out of reach for those whom it has not asked (NAT) |
//! | spare | it has answered us, and waits for a place in its bucket |
//! | newcomer | it has asked us, or was named to us, and waits to be asked whether it is there |
//! | suspect | it did not answer; after two time-outs in a row it is left in peace for a while |
//! | impostor | it answered with another id than the one by which it was named |
//! | responder | it answered a moment ago: lookups begin with those that are near their targets |
//! | candidate | a lookup or a survey may ask it |
//! | entrance | an address without an id, through which somebody who knows nobody gets in |

use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;

use crate::address::{Family, may_lead_to, scope};
use crate::config::Config;
use crate::event::{Event, Outbox};
use crate::id::Id;
use crate::input::Input;
use crate::item_store::ItemStore;
use crate::lookup::{Failure, Goal};
use crate::message::{Body, KrpcError, Message, Method, NodeInfo, Query, Response};
use crate::pace::Pace;
use crate::peer_store::PeerStore;
use crate::recent_responders::RecentResponders;
use crate::round_trip::RoundTrips;
use crate::routing_table::{Answer, BucketView, Insertion};
use crate::security::{self, AddressVotes};
use crate::tables::Tables;
use crate::token::TokenIssuer;
use crate::transaction::{Patience, Purpose, Transaction, Transactions};

mod announces;
mod bootstrap;
mod impostors;
mod item_lookups;
mod items;
mod keeping;
mod link;
mod lookups;
mod maintenance;
mod neighbours;
mod prefetch;
mod probes;
mod quarantine;
mod room;
mod server;
mod surveys;

use announces::Announces;
use bootstrap::Bootstrap;
use link::Links;
use lookups::Lookups;
use maintenance::Maintenance;
use quarantine::Quarantine;
use surveys::Surveys;

/// A node of the DHT. BEP 5, with BEP 32, 33, 42, 43, 44 and 51.
///
/// It owns no socket, no clock and no source of randomness: see [`Node::handle`].
pub struct Node {
    /// Our id and our contacts.
    tables: Tables,
    /// The queries in flight.
    transactions: Transactions,
    /// How long an answer is worth waiting for.
    round_trips: RoundTrips,
    /// Whether anybody is heard.
    links: Links,
    bootstrap: Bootstrap,
    /// The care of the tables.
    maintenance: Maintenance,
    /// Suspects and impostors.
    quarantine: Quarantine,
    lookups: Lookups,
    /// What waits to be announced. Made by the first announce of ours.
    announces: Option<Box<Announces>>,
    /// How fast we write to strangers.
    pace: Pace,
    tokens: TokenIssuer,
    /// Kept for others. Made by the first announce of theirs.
    peers: Option<Box<PeerStore>>,
    /// Kept for others. Made by the first put of theirs.
    items: Option<Box<ItemStore>>,
    /// What others say our address is.
    votes: AddressVotes,
    /// Made by the first survey.
    surveys: Option<Box<Surveys>>,
    /// Made by the first answer, if the configuration has room for it.
    recent: Option<Box<RecentResponders>>,
}

/// What every step needs from outside.
struct Context<'a, R, O> {
    config: &'a Config,
    now: Duration,
    rng: &'a mut R,
    out: &'a mut O,
}

impl Node {
    /// A node that knows nobody. Without an `id` of an earlier run it draws one, and changes it when its address becomes known (BEP 42).
    pub fn new(id: Option<Id>, rng: &mut impl Rng) -> Self {
        Self {
            tables: Tables::new(id.unwrap_or_else(|| Id::random(rng))),
            transactions: Transactions::default(),
            round_trips: RoundTrips::default(),
            links: Links::default(),
            bootstrap: Bootstrap::default(),
            maintenance: Maintenance::default(),
            quarantine: Quarantine::default(),
            lookups: Lookups::default(),
            announces: None,
            pace: Pace::default(),
            tokens: TokenIssuer::new(rng),
            peers: None,
            items: None,
            votes: AddressVotes::default(),
            surveys: None,
            recent: None,
        }
    }

    /// A node as a long life would have left it: these contacts have answered it, at the times that stand with them (not after `now`). In a long life
    /// these are spread evenly over [`Config::questionable_after`], and over more where there are more contacts than maintenance comes round to in that time.
    ///
    /// Of those that cannot stand in one routing table (full buckets, one contact an IP, one a network in deep buckets) the ones heard of last do.
    /// Its maintenance is at a point of its course drawn at random, so that nodes made at once do not act in step. [`Input::Timeout`] gives its first deadline.
    pub fn established(
        id: Id,
        contacts: impl IntoIterator<Item = (NodeInfo, Duration)>,
        config: &Config,
        now: Duration,
        rng: &mut impl Rng,
    ) -> Self {
        let tables = Tables::filled(id, contacts, config);
        let maintenance = Maintenance::under_way(now, config, rng);
        Self {
            tables,
            maintenance,
            ..Self::new(Some(id), rng)
        }
    }

    /// Takes one input at the time `now`, counted from an epoch of the driver's choice (less than 136 years ago) and never going back.
    ///
    /// What is to be sent and told goes to `out`. Returns when [`Input::Timeout`] is due if nothing else comes before: later than
    /// `now`; `None` if there is nothing to wait for. Work that is due is also done on any other input.
    #[must_use = "without its deadlines the node neither bootstraps nor gives up on anybody"]
    pub fn handle(
        &mut self,
        config: &Config,
        now: Duration,
        rng: &mut impl Rng,
        input: Input<'_>,
        out: &mut impl Outbox,
    ) -> Option<Duration> {
        let context = &mut Context {
            config,
            now,
            rng,
            out,
        };
        match input {
            Input::Bootstrap(addresses) => self.add_bootstrap_hosts(addresses, context),
            Input::Restore(nodes) => self.restore(nodes, context),
            Input::RestoreStored { peers, items } => self.restore_stored(peers, items, context),
            Input::Receive { from, message } => self.receive(from, message, context),
            Input::Malformed {
                from,
                transaction,
                code,
            } => server::refuse_malformed(from, transaction, code, context),
            Input::FindNode { lookup, target } => {
                self.start_lookup(Some(lookup), target, Goal::FindNode, context);
            }
            Input::GetPeers { lookup, info_hash } => {
                self.start_lookup(Some(lookup), info_hash, Goal::GetPeers, context);
            }
            Input::Announce {
                lookup,
                info_hash,
                port,
                seed,
            } => {
                let goal = Goal::Announce { port, seed };
                self.start_lookup(Some(lookup), info_hash, goal, context);
            }
            Input::GetItem {
                lookup,
                target,
                salt,
                newer_than,
            } => self.get_item(lookup, target, salt, newer_than, context),
            Input::PutItem {
                lookup,
                item,
                salt,
                cas,
            } => self.put_item(lookup, item, salt, cas, context),
            Input::Cancel { lookup } => self.cancel_lookup(lookup, context),
            Input::Ping(address) => self.verify(address, None, Purpose::Verify, context),
            Input::NetworkChanged => self.doubt_links(context),
            Input::Timeout => {}
            Input::Sample { lookup, target } => self.start_survey(lookup, target, context),
            Input::Probe { lookup, address } => self.start_probe(lookup, address, context),
            Input::Scrape { lookup, info_hash } => {
                self.start_lookup(Some(lookup), info_hash, Goal::Scrape, context);
            }
        }
        let mut deadline = self.deadline(config);
        if let Some(due) = deadline.filter(|due| *due <= now) {
            if now.saturating_sub(due) > link::SLEEP {
                self.doubt_links(context);
            }
            self.run_due(context);
            deadline = self.deadline(config);
        }
        deadline.map(|deadline| deadline.max(now + Duration::from_nanos(1)))
    }

    fn deadline(&self, config: &Config) -> Option<Duration> {
        let bootstrap = self.bootstrap.deadline();
        let maintenance = self.maintenance.deadline(self.tables.is_empty());
        let lookups = self.lookups.deadline(config);
        [
            self.transactions.deadline(),
            bootstrap,
            maintenance,
            lookups,
            self.pace.deadline(config),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due.
    fn run_due<R: Rng, O: Outbox>(&mut self, context: &mut Context<'_, R, O>) {
        while let Some(transaction) = self.transactions.expire(context.now) {
            self.fail(&transaction, context);
        }
        while let Some(delayed) = self.transactions.delay(context.now) {
            self.lookup_delayed(&delayed, context);
        }
        self.bootstrap(context);
        self.maintain(context);
        self.lose_patience(context);
        if self.pace.is_over(context.now, context.config) {
            self.lookups_go_on(context);
            self.surveys_go_on(context);
        }
    }

    fn receive<R: Rng, O: Outbox>(
        &mut self,
        from: SocketAddr,
        message: &Message,
        context: &mut Context<'_, R, O>,
    ) {
        // Nobody can have sent it from there.
        if scope(&from).is_none() {
            return;
        }
        match &message.body {
            Body::Query(query) => self.serve(from, &message.transaction, query, context),
            Body::Response(response) => {
                if let Some(transaction) = self.transactions.finish(&message.transaction, from) {
                    self.hear(Family::of(&from), context);
                    if let Purpose::Probe(key) = transaction.purpose {
                        let (id, version) = (response.id, message.version);
                        self.probe_answered(key, &transaction, id, version, context);
                    }
                    self.take_answer(&transaction, response, message.external, context);
                    self.lookups_go_on(context);
                    self.surveys_go_on(context);
                }
            }
            Body::Error(error) => {
                if let Some(transaction) = self.transactions.finish(&message.transaction, from) {
                    self.hear(Family::of(&from), context);
                    self.take_refusal(&transaction, error, context);
                    self.lookups_go_on(context);
                    self.surveys_go_on(context);
                }
            }
        }
    }

    fn take_answer<R: Rng, O: Outbox>(
        &mut self,
        transaction: &Transaction,
        response: &Response,
        external: Option<SocketAddr>,
        context: &mut Context<'_, R, O>,
    ) {
        let node = NodeInfo {
            id: response.id,
            address: transaction.to,
        };
        let impostor = transaction.id.is_some_and(|expected| expected != node.id);
        let answer = Answer {
            at: context.now,
            round_trip: context.now.saturating_sub(transaction.sent),
            is_visitor: transaction.purpose == Purpose::Meet,
        };
        // Only of those whom lookups ask: anybody else may have brought it about that he is asked, to make us wait by answering late.
        if transaction.purpose.is_of_lookup() {
            let from = &transaction.to;
            self.round_trips.record(from, answer.round_trip);
        }
        // An impostor is somebody else's choice, made by a false name: it enters only in place of the contact that it was.
        let expected = transaction.id.map(|id| NodeInfo { id, ..node });
        let was_contact = expected.is_some_and(|node| self.tables.touch(&node, context.now));
        if node.id != self.id() && (!impostor || was_contact) {
            self.enter(&node, &answer, context);
        }
        if impostor {
            self.quarantine.unmask(node, context.now, context.config);
        }
        if impostor || node.id == self.id() {
            self.lookup_failed(transaction, Failure::Impostor(node.id), context);
            return;
        }
        if let room @ 1.. = context.config.recent_responders {
            let recent = self.recent.get_or_insert_default();
            recent.remember(node, answer.round_trip, context.now, room);
        }
        for named in response.named() {
            if may_lead_to(&node.address, &named.address) {
                self.consider(
                    named,
                    context.now + context.config.verification_delay,
                    Purpose::Verify,
                    context,
                );
            }
        }
        match transaction.purpose {
            Purpose::Bootstrap => self.bootstrap_answered(node, response, context),
            // A probe was told who answered, and with what version, already.
            Purpose::Revisit | Purpose::Verify | Purpose::Meet | Purpose::Probe(_) => {}
            Purpose::Lookup(key) => self.lookup_answered(key, transaction, node, response, context),
            Purpose::Explore(key) => self.exploration_answered(key, node, response, context),
            Purpose::Announce(key) => self.announce_answered(key, node, context),
            Purpose::Sample(key) => self.survey_answered(key, node, response, context),
        }
        if let Some(claim) = external {
            self.vote(node.address, claim, context);
        }
    }

    fn take_refusal<R: Rng, O: Outbox>(
        &mut self,
        transaction: &Transaction,
        error: &KrpcError,
        context: &mut Context<'_, R, O>,
    ) {
        if let Some(id) = transaction.id {
            self.tables.touch(
                &NodeInfo {
                    id,
                    address: transaction.to,
                },
                context.now,
            );
        }
        self.put_refused(transaction, error, context);
        self.lookup_failed(transaction, Failure::Refused(error.code), context);
    }

    /// A query that nobody answered.
    fn fail<R: Rng, O: Outbox>(
        &mut self,
        transaction: &Transaction,
        context: &mut Context<'_, R, O>,
    ) {
        let (now, config, address) = (context.now, context.config, transaction.to);
        let family = Family::of(&address);
        // Whoever has us ask strangers shall not make us believe that our link is down.
        let says_something = if transaction.purpose.is_of_newcomer() {
            !self.links.is_down(family, config)
        } else {
            self.links.timed_out(family, transaction.sent, now, config)
        };
        if let Some(id) = transaction.id.filter(|_| says_something) {
            let node = NodeInfo { id, address };
            let pause = if self.tables.is_visitor(&node) {
                config.visitor_quarantine
            } else {
                config.quarantine
            };
            self.tables.fail(&node, config);
            self.quarantine.suspect(address, now + pause);
        }
        self.maintenance.resume(context.now, context.config);
        self.lookup_failed(transaction, Failure::TimedOut, context);
        self.lookups_go_on(context);
        self.surveys_go_on(context);
        if self.tables.is_empty() {
            self.bootstrap.hurry(context.now, context.config);
        }
    }

    /// Enters a node that has just answered into the table.
    fn enter<R: Rng, O: Outbox>(
        &mut self,
        node: &NodeInfo,
        answer: &Answer,
        context: &mut Context<'_, R, O>,
    ) {
        let family = Family::of(&node.address);
        let first = self.tables.len(family) == 0;
        self.quarantine.acquit(node.address);
        let insertion = self.tables.insert(node, answer, context.config);
        if insertion == Insertion::Inserted && first {
            if self.tables.len(Family::V4) + self.tables.len(Family::V6) == 1 {
                context.out.event(Event::Ready);
            }
            self.maintenance.start(family, context.now, context.config);
            self.find_neighbours(family, context);
        }
        self.lead_waiting_lookups(node, context);
    }

    fn vote<R: Rng, O: Outbox>(
        &mut self,
        voter: SocketAddr,
        claim: SocketAddr,
        context: &mut Context<'_, R, O>,
    ) {
        let Some(ip) = self.votes.vote(voter, claim.ip()) else {
            return;
        };
        context.out.event(Event::ExternalAddress { ip });
        if let Some(ip) = self.votes.decisive()
            && !security::is_id_valid(&self.id(), ip)
        {
            let id = security::id_for(ip, context.rng);
            self.tables.set_own_id(id, context.config);
            context.out.event(Event::IdChanged { id });
            let known = Family::ALL.map(|family| (family, self.tables.len(family) > 0));
            for (family, _) in known.into_iter().filter(|(_, is_known)| *is_known) {
                self.maintenance.start(family, context.now, context.config);
                self.find_neighbours(family, context);
            }
            self.resume_review(context);
        }
    }

    /// Whether somebody who can wait may ask one more.
    fn has_room<R, O>(&mut self, context: &Context<'_, R, O>) -> bool {
        self.transactions.len() < context.config.max_in_flight
            && self.pace.allows(context.now, context.config)
    }

    /// Sends a query and remembers it.
    fn ask<R: Rng, O: Outbox>(
        &mut self,
        to: SocketAddr,
        id: Option<Id>,
        purpose: Purpose,
        method: Method,
        context: &mut Context<'_, R, O>,
    ) {
        let patience = if purpose.is_of_lookup() {
            self.round_trips.patience(context.config)
        } else {
            Patience::plain(if purpose.is_of_newcomer() {
                context.config.newcomer_timeout
            } else {
                context.config.query_timeout
            })
        };
        self.pace.spend(&to, purpose, context.now, context.config);
        let transaction =
            self.transactions
                .begin(to, id, purpose, context.now, patience, context.rng);
        let query = Query {
            id: self.id(),
            read_only: context.config.read_only,
            method,
        };
        let version = Some(context.config.version);
        context.out.transmit(
            to,
            Message {
                transaction,
                version,
                external: None,
                body: Body::Query(query),
            },
        );
    }

    /// Our id.
    pub fn id(&self) -> Id {
        self.tables.own_id()
    }

    /// The contacts of both tables, to be kept for [`Input::Restore`]. Those that failed last time are left out.
    pub fn contacts(&self) -> impl Iterator<Item = NodeInfo> + '_ {
        let states = Family::ALL
            .into_iter()
            .flat_map(|family| self.tables.states(family));
        states
            .filter(|contact| contact.failures == 0)
            .map(|contact| contact.node)
    }

    /// How long the last answer of a node took, if it is one of the [`Config::recent_responders`] that answered last.
    pub fn round_trip(&self, address: &SocketAddr) -> Option<Duration> {
        self.recent.as_ref()?.round_trip(address)
    }

    /// The routing table of one family, for people to look at.
    pub fn table(&self, family: Family, now: Duration, config: &Config) -> Vec<BucketView> {
        self.tables.view(family, now, config)
    }

    /// How much there is of everything.
    pub fn stats(&self) -> Stats {
        Stats {
            contacts_v4: self.tables.len(Family::V4),
            contacts_v6: self.tables.len(Family::V6),
            queries_in_flight: self.transactions.len(),
            lookups: self.lookups.len() + self.surveys.as_ref().map_or(0, |surveys| surveys.len()),
            info_hashes: self.peers.as_ref().map_or(0, |peers| peers.info_hashes()),
            peers: self.peers.as_ref().map_or(0, |peers| peers.peers()),
            items: self.items.as_ref().map_or(0, |items| items.len()),
        }
    }
}

/// How much a node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Contacts in the IPv4 table.
    pub contacts_v4: usize,
    /// Contacts in the IPv6 table.
    pub contacts_v6: usize,
    /// Queries that may still be answered.
    pub queries_in_flight: usize,
    /// Lookups that have not ended, our own included.
    pub lookups: usize,
    /// Info-hashes that peers are stored for.
    pub info_hashes: usize,
    /// Stored peers.
    pub peers: usize,
    /// Stored items. BEP 44.
    pub items: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_small_beside_its_contacts() {
        // 142 contacts of 32 bytes, 8 spares and this: a million nodes with k = 8 take 5.5 GB.
        let with_contacts = size_of::<Node>() + (142 + 8) * 32;
        assert!(with_contacts <= 5500, "{with_contacts}");
    }
}
