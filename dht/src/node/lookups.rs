//! The lookups in progress: sends what their traversals decide, and reports what comes of it.

use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;

use super::{Context, Node};
use crate::address::{Family, may_lead_to, may_name};
use crate::config::Config;
use crate::event::{Event, LookupId, Outbox, Outcome, Step};
use crate::id::Id;
use crate::lookup::{Failure, Goal, Lookup, MAX_PEERS};
use crate::message::{Method, NodeInfo, Response, Want};
use crate::transaction::{Delay, Delayed, LookupKey, Purpose, Transaction};
use crate::traversal::Traversal;

/// Nodes of the table that a lookup starts from.
const SEEDS: usize = 16;

/// All lookups that have not ended.
#[derive(Default)]
pub(super) struct Lookups {
    pub(super) active: Vec<Lookup>,
    next_key: LookupKey,
    /// The common budget of queries ran out: somebody wants to ask and may not. From then on nobody asks when it suits him, as on an answer, but in
    /// turn, one query each, as room comes: [`Node::lookups_go_on`].
    starved: bool,
    /// The key of the lookup whose turn it was last.
    served: LookupKey,
}

impl Lookups {
    pub(super) fn len(&self) -> usize {
        self.active.len()
    }

    /// Only a lookup that nobody has answered yet loses patience; all others come to their end by themselves.
    pub(super) fn deadline(&self, config: &Config) -> Option<Duration> {
        let patience = config.lookup_patience?;
        let waiting = self
            .active
            .iter()
            .filter(|lookup| lookup.tally.answered == 0);
        waiting.map(|lookup| lookup.started + patience).min()
    }

    /// The key of a new lookup.
    pub(super) fn draw_key(&mut self) -> LookupKey {
        let key = self.next_key;
        self.next_key = key.next();
        key
    }

    /// Whether somebody who wants to ask or to tell may not do so out of turn.
    pub(super) const fn is_starved(&self) -> bool {
        self.starved
    }

    /// Somebody wants to ask or to tell and may not.
    pub(super) const fn starve(&mut self) {
        self.starved = true;
    }

    fn position(&self, key: LookupKey) -> Option<usize> {
        self.active.iter().position(|lookup| lookup.key == key)
    }

    /// The lookups whose traversal of a family is such.
    fn keys_of(
        &mut self,
        family: Family,
        is_such: impl Fn(&Option<Traversal>) -> bool,
    ) -> Vec<LookupKey> {
        let active = self.active.iter_mut();
        let such = active.filter_map(|lookup| {
            let key = lookup.key;
            is_such(lookup.traversal(family)).then_some(key)
        });
        such.collect()
    }

    pub(super) fn get_mut(&mut self, key: LookupKey) -> Option<&mut Lookup> {
        self.active.iter_mut().find(|lookup| lookup.key == key)
    }
}

impl Node {
    /// Starts a lookup. If nobody is known yet it waits until somebody is.
    pub(super) fn start_lookup<R: Rng, O: Outbox>(
        &mut self,
        name: Option<LookupId>,
        target: Id,
        goal: Goal,
        context: &mut Context<'_, R, O>,
    ) {
        if let Some(name) = name {
            self.cancel_lookup(name, context);
        }
        let key = self.lookups.draw_key();
        let mut lookup = Lookup::new(key, name, target, goal, context.now);
        // What was announced to us need not be asked for.
        if goal == Goal::Scrape {
            lookup.count = Some(Box::default());
        }
        if let (true, Some(store)) = (goal != Goal::FindNode, &mut self.peers) {
            if let (Some(count), Some(own)) =
                (&mut lookup.count, store.scrape(&target, context.now))
            {
                count.join(&own);
            }
            let no_seeds = lookup.wishes().no_seeds.0;
            for family in Family::ALL {
                let (now, rng) = (context.now, &mut *context.rng);
                let peers = store.sample(&target, family, no_seeds, MAX_PEERS, now, rng);
                lookup.report_peers(None, peers.into_iter(), context.out);
            }
        }
        self.walk(lookup, context);
    }

    /// Sets a lookup on its way.
    pub(super) fn walk<R: Rng, O: Outbox>(
        &mut self,
        lookup: Lookup,
        context: &mut Context<'_, R, O>,
    ) {
        let key = lookup.key;
        self.lookups.active.push(lookup);
        for family in Family::ALL {
            self.begin_traversal(key, family, context);
        }
    }

    /// Somebody can be asked in this family now: lookups that wait for that begin.
    pub(super) fn start_waiting_lookups<R: Rng, O: Outbox>(
        &mut self,
        family: Family,
        context: &mut Context<'_, R, O>,
    ) {
        for key in self.lookups.keys_of(family, Option::is_none) {
            self.begin_traversal(key, family, context);
        }
    }

    /// A node has just shown that it lives: lookups that have hardly anybody to ask go on with it.
    pub(super) fn lead_waiting_lookups<R: Rng, O: Outbox>(
        &mut self,
        node: &NodeInfo,
        context: &mut Context<'_, R, O>,
    ) {
        let family = Family::of(&node.address);
        let waits = |traversal: &Option<Traversal>| {
            let traversal = traversal.as_ref();
            traversal.is_none_or(Traversal::lacks_candidates)
        };
        for key in self.lookups.keys_of(family, waits) {
            let lookup = self.lookups.get_mut(key);
            match lookup.and_then(|lookup| lookup.traversal(family).as_mut()) {
                None => self.begin_traversal(key, family, context),
                Some(traversal) => {
                    if traversal.add(*node, 1, None) {
                        self.advance(key, family, context.config.initial_queries, context);
                    }
                }
            }
        }
    }

    pub(super) fn begin_traversal<R: Rng, O: Outbox>(
        &mut self,
        key: LookupKey,
        family: Family,
        context: &mut Context<'_, R, O>,
    ) {
        let is_hidden = self.is_hidden(family, context.config);
        let Some(lookup) = self.lookups.get_mut(key) else {
            return;
        };
        if lookup.traversal(family).is_some() || is_hidden {
            return;
        }
        let mut traversal = Traversal::new(lookup.target);
        let seeds = self.tables.closest::<SEEDS>(family, &lookup.target);
        let few = seeds.len() < Config::K;
        for node in seeds {
            traversal.add(node, 1, None);
        }
        if let (Some(recent), true) = (&self.recent, lookup.name.is_some()) {
            let recent = recent.nearest::<SEEDS>(family, &lookup.target, context.now);
            for node in recent {
                traversal.add(node, 1, None);
            }
        }
        // Who knows hardly anybody asks those who know many, with the question itself.
        if few && lookup.name.is_some() {
            self.bootstrap
                .entrances(family)
                .for_each(|address| traversal.add_entrance(address));
        }
        if traversal.has_anybody() {
            *lookup.traversal(family) = Some(traversal);
            self.advance(key, family, context.config.initial_queries, context);
        }
    }

    /// Sends up to `queries` more queries of a lookup, goes on to what comes next where nobody is left to ask, and ends it if nothing is left to wait for.
    pub(super) fn advance<R: Rng, O: Outbox>(
        &mut self,
        key: LookupKey,
        family: Family,
        queries: usize,
        context: &mut Context<'_, R, O>,
    ) {
        let mut queries = Some(queries);
        while let Some(more) = queries {
            self.ask_more(key, family, more, context);
            queries = self.settle(key, family, context);
        }
        self.end_if_over(key, context);
    }

    fn ask_more<R: Rng, O: Outbox>(
        &mut self,
        key: LookupKey,
        family: Family,
        queries: usize,
        context: &mut Context<'_, R, O>,
    ) {
        let config = context.config;
        for _ in 0..queries {
            let in_turn = !self.lookups.starved && self.has_room(context);
            let Some(lookup) = self.lookups.get_mut(key) else {
                return;
            };
            // Found peers are worth more than new ones: then there is no hurry.
            let parallel = if lookup.peers.is_empty() {
                config.max_parallel
            } else {
                config.initial_queries
            };
            let Some(traversal) = lookup.traversal(family) else {
                return;
            };
            if traversal.in_flight() >= parallel {
                return;
            }
            if !in_turn {
                self.lookups.starved = true;
                return;
            }
            if let Some((address, id)) = traversal.next() {
                let named_by = traversal.namer(&address, id.as_ref());
                lookup.tally.asked += 1;
                lookup.trace(address, id, Step::Asked { named_by }, context.out);
                let method = lookup.method();
                self.ask(address, id, Purpose::Lookup(key), method, context);
            } else if let Some(NodeInfo { id, address }) = traversal.next_exploration() {
                lookup.tally.asked += 1;
                let method = Method::FindNode {
                    target: id,
                    want: Want::UNSAID,
                };
                self.ask(address, Some(id), Purpose::Explore(key), method, context);
            } else {
                return;
            }
        }
    }

    /// Goes on to what comes next where a traversal has nobody left to ask: to begin again, to announce, to look around. How many queries that takes, if any.
    fn settle<R: Rng, O: Outbox>(
        &mut self,
        key: LookupKey,
        family: Family,
        context: &mut Context<'_, R, O>,
    ) -> Option<usize> {
        let config = context.config;
        let lookup = self.lookups.get_mut(key)?;
        let (goal, target, tells) = (lookup.goal, lookup.target, lookup.tells());
        let traversal = lookup.traversal(family).as_mut();
        let traversal = traversal.filter(|traversal| traversal.is_settled())?;
        if traversal.closest().next().is_none() {
            // Nobody answered at all: the table may know others by now. If not, wait for somebody who does.
            let seeds = self.tables.closest::<SEEDS>(family, &target).into_iter();
            let fresh = seeds.filter(|node| traversal.add(*node, 1, None));
            if fresh.count() > 0 {
                return Some(config.initial_queries);
            }
            if traversal.is_converged() {
                *lookup.traversal(family) = None;
                self.bootstrap.hurry(context.now, config);
            }
        } else if tells {
            traversal.start_announcing();
            self.announce(key, family, context);
        }
        let goes_on = goal != Goal::FindNode
            && (self.lacks_tokens(key, family) || self.is_suspicious(key, family, config));
        goes_on.then_some(config.max_parallel)
    }

    /// Whether a lookup has to go on, since some of the nearest do not want to be told.
    fn lacks_tokens(&mut self, key: LookupKey, family: Family) -> bool {
        let lookup = self.lookups.get_mut(key);
        let traversal = lookup.and_then(|lookup| lookup.traversal(family).as_ref());
        traversal.is_some_and(|traversal| traversal.is_announcing() && !traversal.is_settled())
    }

    /// Whether it has just become clear that a lookup has to go on, since it came to an end where it cannot be by chance.
    fn is_suspicious(&mut self, key: LookupKey, family: Family, config: &Config) -> bool {
        let size = self.tables.network_size(family, config);
        let lookup = self.lookups.get_mut(key);
        let traversal = lookup.and_then(|lookup| lookup.traversal(family).as_mut());
        size.zip(traversal)
            .is_some_and(|(size, traversal)| traversal.judge(size, config.region))
    }

    pub(super) fn end_if_over<R: Rng, O: Outbox>(
        &mut self,
        key: LookupKey,
        context: &mut Context<'_, R, O>,
    ) {
        if self
            .lookups
            .get_mut(key)
            .is_some_and(|lookup| lookup.is_over())
        {
            self.end_lookup(key, Outcome::Converged, context);
        }
    }

    pub(super) fn end_lookup<R: Rng, O: Outbox>(
        &mut self,
        key: LookupKey,
        outcome: Outcome,
        context: &mut Context<'_, R, O>,
    ) {
        let Some(position) = self.lookups.position(key) else {
            return;
        };
        let lookup = self.lookups.active.remove(position);
        if self.lookups.active.is_empty() {
            self.lookups.active = Vec::new();
        }
        if lookup.name.is_none() && lookup.target == self.id() && self.maintenance.is_beginning() {
            let contacts = Family::ALL
                .iter()
                .map(|&family| self.tables.len(family))
                .sum();
            context.out.event(Event::Bootstrapped { contacts });
        }
        lookup.report(outcome, context.now, context.out);
    }

    pub(super) fn cancel_lookup<R: Rng, O: Outbox>(
        &mut self,
        name: LookupId,
        context: &mut Context<'_, R, O>,
    ) {
        if let Some(lookup) = self
            .lookups
            .active
            .iter()
            .find(|lookup| lookup.name == Some(name))
        {
            self.end_lookup(lookup.key, Outcome::Cancelled, context);
        }
        self.cancel_survey(name, context);
    }

    pub(super) fn lose_patience<R: Rng, O: Outbox>(&mut self, context: &mut Context<'_, R, O>) {
        let Some(patience) = context.config.lookup_patience else {
            return;
        };
        let now = context.now;
        let is_due =
            |lookup: &Lookup| lookup.tally.answered == 0 && lookup.started + patience <= now;
        while let Some(lookup) = self.lookups.active.iter().find(|lookup| is_due(lookup)) {
            self.end_lookup(lookup.key, Outcome::OutOfPatience, context);
        }
    }

    pub(super) fn lookup_answered<R: Rng, O: Outbox>(
        &mut self,
        key: LookupKey,
        transaction: &Transaction,
        node: NodeInfo,
        response: &Response,
        context: &mut Context<'_, R, O>,
    ) {
        let now = context.now;
        let Some(lookup) = self.lookups.get_mut(key) else {
            return;
        };
        lookup.tally.answered += 1;
        let step = Step::Answered {
            round_trip: now.saturating_sub(transaction.sent),
            nodes: response.named().count(),
            peers: response.values.len(),
        };
        lookup.trace(node.address, Some(node.id), step, context.out);
        if matches!(
            lookup.goal,
            Goal::GetPeers | Goal::Announce { .. } | Goal::Scrape
        ) {
            let peers = response
                .values
                .iter()
                .copied()
                .filter(|peer| may_name(&node.address, peer));
            lookup.report_peers(Some(node.address), peers, context.out);
            lookup.take_count(response);
        }
        let from = Some(node.address);
        let held = response.item.get();
        if held.is_some_and(|held| lookup.report_item(from, held, context.out)) {
            self.end_lookup(key, Outcome::Found, context);
            return;
        }
        let queries = if lookup.peers.is_empty() {
            context.config.queries_per_response
        } else {
            1
        };
        let family = Family::of(&node.address);
        let hops = lookup.traversal(family).as_mut().map_or(1, |traversal| {
            traversal.answered(node, response.token.clone())
        });
        self.take_names(key, &node, response, hops, context);
        self.advance(key, family, queries, context);
    }

    /// Adds those whom a node names to the candidates of a lookup.
    fn take_names<R: Rng, O: Outbox>(
        &mut self,
        key: LookupKey,
        node: &NodeInfo,
        response: &Response,
        hops: u8,
        context: &mut Context<'_, R, O>,
    ) {
        let (own, now, config) = (self.id(), context.now, context.config);
        let Some(lookup) = self.lookups.get_mut(key) else {
            return;
        };
        for named in response.named() {
            let wanted = named.id != own
                && may_lead_to(&node.address, &named.address)
                && !self.quarantine.holds(&named, now, config);
            if let (true, Some(traversal)) = (wanted, lookup.traversal(Family::of(&named.address)))
            {
                traversal.add(named, hops.saturating_add(1), Some(node.address));
            }
        }
    }

    pub(super) fn exploration_answered<R: Rng, O: Outbox>(
        &mut self,
        key: LookupKey,
        node: NodeInfo,
        response: &Response,
        context: &mut Context<'_, R, O>,
    ) {
        let hops = self.exploration_ended(key, &node.address, Some(&node.id));
        self.take_names(key, &node, response, hops, context);
        let queries = context.config.queries_per_response;
        self.advance(key, Family::of(&node.address), queries, context);
    }

    fn exploration_ended(&mut self, key: LookupKey, address: &SocketAddr, id: Option<&Id>) -> u8 {
        let lookup = self.lookups.get_mut(key);
        let traversal = lookup.and_then(|lookup| lookup.traversal(Family::of(address)).as_mut());
        traversal.map_or(1, |traversal| traversal.explored(address, id))
    }

    pub(super) fn lookup_delayed<R: Rng, O: Outbox>(
        &mut self,
        query: &Delayed,
        context: &mut Context<'_, R, O>,
    ) {
        let (to, id) = (query.to, query.id);
        match (query.purpose, query.delay) {
            (Purpose::Lookup(key), delay) => {
                let Some(lookup) = self.lookups.get_mut(key) else {
                    return;
                };
                if delay == Delay::Stalled {
                    lookup.tally.stalled += 1;
                    lookup.trace(to, id, Step::Stalled, context.out);
                }
                let family = Family::of(&to);
                if let Some(traversal) = lookup.traversal(family) {
                    match delay {
                        Delay::None | Delay::Stalled => traversal.stalled(&to, id.as_ref()),
                        Delay::Late => traversal.late(&to, id.as_ref()),
                    }
                }
                self.advance(key, family, 1, context);
            }
            (Purpose::Explore(key), _) => {
                self.exploration_ended(key, &to, id.as_ref());
                self.advance(key, Family::of(&to), 1, context);
            }
            (Purpose::Announce(key), Delay::Stalled) => {
                self.announce_elsewhere(key, to, id, context);
            }
            (Purpose::Sample(key), delay) => self.survey_delayed(key, to, delay, context),
            (
                Purpose::Announce(_)
                | Purpose::Bootstrap
                | Purpose::Revisit
                | Purpose::Verify
                | Purpose::Meet
                | Purpose::Probe(_),
                _,
            ) => {}
        }
    }

    pub(super) fn lookup_failed<R: Rng, O: Outbox>(
        &mut self,
        transaction: &Transaction,
        failure: Failure,
        context: &mut Context<'_, R, O>,
    ) {
        let (to, id) = (transaction.to, transaction.id);
        if let Some(recent) = &mut self.recent {
            recent.forget(&to);
        }
        let family = Family::of(&to);
        match transaction.purpose {
            Purpose::Lookup(key) => {
                let Some(lookup) = self.lookups.get_mut(key) else {
                    return;
                };
                lookup.tally.failed += 1;
                lookup.trace(to, id, failure.into(), context.out);
                if let Some(traversal) = lookup.traversal(family) {
                    traversal.failed(&to, id.as_ref());
                }
                self.advance(key, family, 1, context);
            }
            Purpose::Explore(key) => {
                self.exploration_ended(key, &to, id.as_ref());
                self.advance(key, family, 1, context);
            }
            Purpose::Announce(key) => {
                self.announce_elsewhere(key, to, id, context);
            }
            Purpose::Sample(key) => self.survey_failed(key, transaction, context),
            Purpose::Probe(key) => self.probe_failed(key, failure, context),
            Purpose::Bootstrap | Purpose::Revisit | Purpose::Verify | Purpose::Meet => {}
        }
    }

    /// There is room in the common budget again: every lookup gets one query in its turn, as long as there is.
    pub(super) fn lookups_go_on<R: Rng, O: Outbox>(&mut self, context: &mut Context<'_, R, O>) {
        if !std::mem::take(&mut self.lookups.starved) {
            return;
        }
        let served = self.lookups.served;
        let keys = self.lookups.active.iter().map(|lookup| lookup.key);
        let mut turns: Vec<_> = keys.collect();
        let next = turns.iter().position(|key| *key > served);
        turns.rotate_left(next.unwrap_or_default());
        for key in turns {
            self.tell_next(context);
            for family in Family::ALL {
                self.advance(key, family, 1, context);
            }
            if self.lookups.starved {
                break;
            }
            self.lookups.served = key;
        }
        self.tell_waiting(context);
    }
}
