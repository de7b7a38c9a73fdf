//! The care of the routing table: one packet now and then instead of bursts. BEP 5, "Routing Table".

use std::net::SocketAddr;
use std::time::Duration;

use rand::{Rng, RngExt};

use super::link::REVIEW_PAUSE;
use super::{Context, Node};
use crate::address::{Family, same_host, scope};
use crate::config::Config;
use crate::event::Outbox;
use crate::id::Id;
use crate::message::{Method, NodeInfo, Want};
use crate::per_family::PerFamily;
use crate::transaction::Purpose;

/// Newcomers that wait to be verified.
const MAX_NEWCOMERS: usize = 16;
/// Nodes of an earlier run that wait to be verified.
const MAX_RESTORED: usize = 256;
/// Of these, how many are asked at once.
const RESTORED_AT_ONCE: u32 = 16;
/// The pause between so many and the next.
const RESTORED_PAUSE: Duration = Duration::from_millis(250);
/// How long a newcomer waits who came when there was no room.
const NEWCOMER_PAUSE: Duration = Duration::from_millis(250);
/// How often the pause between two rounds doubles before it is as long as it stays.
const YOUTH: u8 = 4;
/// With fewer contacts than this, everybody is verified at once.
pub(super) const NEARLY_EMPTY: usize = 2 * Config::K;

/// What waits for its time. Empty, it takes no memory outside itself.
#[derive(Default)]
pub(super) struct Maintenance {
    /// When the next packet of the steady pace may go out.
    next: Duration,
    rounds: PerFamily<Round>,
    /// Those that are due first stand first.
    newcomers: Vec<Newcomer>,
}

/// The refreshing of one family: its neighbourhood, then its buckets from the root to the deepest.
#[derive(Default)]
struct Round {
    bucket: u8,
    /// How often the pause that runs now is halved: each is twice as long as the one before, until they are [`Config::refresh_interval`].
    youth: u8,
    /// When the next round begins.
    next: Duration,
}

impl Round {
    /// The rounds of one who does not know his neighbourhood yet: what he finds out in the first minutes is soon out of date.
    fn first(now: Duration, config: &Config) -> Self {
        Self {
            bucket: 0,
            youth: YOUTH,
            next: now + config.refresh_interval / (1 << YOUTH),
        }
    }

    fn following(&self, now: Duration, config: &Config) -> Self {
        let youth = self.youth.saturating_sub(1);
        Self {
            bucket: 0,
            youth,
            next: now + config.refresh_interval / (1 << youth),
        }
    }
}

struct Newcomer {
    node: NodeInfo,
    due: Duration,
    /// [`Purpose::Meet`] if it had asked us, [`Purpose::Revisit`] if it answered in an earlier run, else [`Purpose::Verify`].
    purpose: Purpose,
}

impl Maintenance {
    /// Maintenance at a random point of its course.
    pub(super) fn under_way(now: Duration, config: &Config, rng: &mut impl Rng) -> Self {
        let interval = config.maintenance_interval;
        let rounds = PerFamily::from_fn(|| {
            let remaining = config.refresh_interval.mul_f64(rng.random_range(0.0..1.0));
            let elapsed = config.refresh_interval.saturating_sub(remaining);
            Round {
                // One bucket at most in each interval since the round began.
                bucket: (elapsed.as_secs_f64() / interval.as_secs_f64()) as u8,
                youth: 0,
                next: now + remaining,
            }
        });
        Self {
            next: now + interval.mul_f64(rng.random_range(0.0..1.0)),
            rounds,
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.newcomers.len()
    }

    pub(super) fn deadline(&self, alone: bool) -> Option<Duration> {
        let newcomers = self.newcomers.first().map(|newcomer| newcomer.due);
        let pace = (!alone).then_some(self.next);
        [newcomers, pace].into_iter().flatten().min()
    }

    /// Whether a family's first round is still to come: the search for neighbours that precedes it is news.
    pub(super) fn is_beginning(&self) -> bool {
        self.rounds.iter().any(|round| round.youth == YOUTH)
    }

    /// A family has its first contact, or a neighbourhood of another id. It is being looked for already; the rounds begin some time from now.
    pub(super) fn start(&mut self, family: Family, now: Duration, config: &Config) {
        self.next = now + config.maintenance_interval;
        self.rounds[family] = Round::first(now, config);
    }

    fn queue(&mut self, node: NodeInfo, due: Duration, purpose: Purpose) {
        let place = self
            .newcomers
            .partition_point(|newcomer| newcomer.due <= due);
        let newcomer = Newcomer { node, due, purpose };
        self.newcomers.reserve_exact(1);
        self.newcomers.insert(place, newcomer);
    }

    /// There is something to do again, at the steady pace.
    pub(super) fn resume(&mut self, now: Duration, config: &Config) {
        self.act_by(now + config.maintenance_interval);
    }

    /// There is something to do by then.
    pub(super) fn act_by(&mut self, time: Duration) {
        self.next = self.next.min(time);
    }
}

impl Node {
    /// Takes note of a node that asked us. BEP 5, "Routing Table": a query keeps a contact good.
    pub(super) fn meet<R: Rng, O: Outbox>(
        &mut self,
        node: NodeInfo,
        context: &mut Context<'_, R, O>,
    ) {
        if !self.tables.touch(&node, context.now) {
            let nearly_empty = self.tables.len(Family::of(&node.address)) < NEARLY_EMPTY;
            // Who looks for nodes near us relies on our knowing them all.
            let is_urgent = nearly_empty || self.tables.is_neighbour(&node);
            // The others wait, however many they are: newcomers have a budget of their own.
            let delay = if is_urgent && self.has_room_for_newcomer(context) {
                Duration::ZERO
            } else {
                context.config.verification_delay
            };
            self.consider(node, context.now + delay, Purpose::Meet, context);
        }
    }

    /// Puts a node that has not answered us yet in line to be verified, if the table has room for it.
    pub(super) fn consider<R: Rng, O: Outbox>(
        &mut self,
        node: NodeInfo,
        due: Duration,
        purpose: Purpose,
        context: &mut Context<'_, R, O>,
    ) {
        let (now, config) = (context.now, context.config);
        let newcomers = &self.maintenance.newcomers;
        // Those that wait do not keep out those that need not.
        let crowd = if due <= now {
            2 * MAX_NEWCOMERS
        } else {
            MAX_NEWCOMERS
        };
        if newcomers.len() < crowd
            && self.tables.has_room(&node, config)
            && !self.tables.contains(&node)
            && !newcomers
                .iter()
                .any(|newcomer| same_host(&newcomer.node.address, &node.address))
            && !self.pace.has_met_another(&node.address)
            && !self.quarantine.holds(&node, now, config)
        {
            self.maintenance.queue(node, due, purpose);
        }
    }

    /// Puts nodes of an earlier run in line, a few at a time.
    pub(super) fn restore<R: Rng, O: Outbox>(
        &mut self,
        nodes: &[NodeInfo],
        context: &mut Context<'_, R, O>,
    ) {
        let room = MAX_RESTORED.saturating_sub(self.maintenance.newcomers.len());
        let nodes = nodes
            .iter()
            .filter(|node| scope(&node.address).is_some())
            .take(room);
        let pauses = (0u32..).map(|place| RESTORED_PAUSE * (place / RESTORED_AT_ONCE));
        for (&node, pause) in nodes.zip(pauses) {
            self.maintenance
                .queue(node, context.now + pause, Purpose::Revisit);
        }
        self.verify_newcomers(context);
    }

    /// Whether one more newcomer may be asked: they have a small share of the queries in flight, and a pace of their own, since it is others who
    /// decide how many there are.
    fn has_room_for_newcomer<R, O>(&self, context: &Context<'_, R, O>) -> bool {
        self.pace.allows_newcomer(context.now, context.config)
            && self.transactions.len() < context.config.max_in_flight
            && self.transactions.newcomers() < context.config.max_newcomers_in_flight
    }

    /// Asks a node for a sign of life, and while the table is nearly empty for our neighbours.
    pub(super) fn verify<R: Rng, O: Outbox>(
        &mut self,
        address: SocketAddr,
        id: Option<Id>,
        purpose: Purpose,
        context: &mut Context<'_, R, O>,
    ) {
        if scope(&address).is_none() || self.transactions.is_asking(&address) {
            return;
        }
        let method = if self.tables.len(Family::of(&address)) < NEARLY_EMPTY {
            Method::FindNode {
                target: self.id(),
                want: Want::UNSAID,
            }
        } else {
            Method::Ping
        };
        self.ask(address, id, purpose, method, context);
    }

    pub(super) fn maintain<R: Rng, O: Outbox>(&mut self, context: &mut Context<'_, R, O>) {
        self.verify_newcomers(context);
        if self.maintenance.next <= context.now && !self.tables.is_empty() {
            if let Some(peers) = &mut self.peers {
                peers.expire(context.now);
                if peers.is_empty() {
                    self.peers = None;
                }
            }
            for family in Family::ALL {
                self.start_round(family, context);
            }
            if Family::ALL.map(|family| self.review(family, context)) != [false; 2] {
                self.maintenance.next = context.now + REVIEW_PAUSE;
                return;
            }
            // One packet in each family, so that neither waits for the other to be in order.
            let care = |family| self.ask_neediest(family, context) || self.refresh(family, context);
            let is_busy = Family::ALL.map(care) != [false; 2];
            // Nodes that were started together shall not act together.
            let pause = context
                .config
                .maintenance_interval
                .mul_f64(context.rng.random_range(0.75..1.25))
                .max(Duration::from_millis(1));
            let soon = context.now + pause;
            self.maintenance.next = if is_busy {
                soon
            } else {
                soon.max(self.next_need(context.now, context.config))
            };
        }
    }

    /// When there will be something to do again, if nothing happens that [`Maintenance::resume`] is told of.
    fn next_need(&self, now: Duration, config: &Config) -> Duration {
        let need = |family| {
            let (_, due) = self.tables.neediest(family, now, config)?;
            Some(due.min(self.maintenance.rounds[family].next))
        };
        let needs = Family::ALL.into_iter().filter_map(need);
        needs.min().unwrap_or_default()
    }

    /// A round begins with our own neighbourhood.
    fn start_round<R: Rng, O: Outbox>(&mut self, family: Family, context: &mut Context<'_, R, O>) {
        if self.tables.len(family) == 0 {
            return;
        }
        let round = &mut self.maintenance.rounds[family];
        if round.next <= context.now {
            *round = round.following(context.now, context.config);
            self.find_neighbours(family, context);
        }
    }

    fn verify_newcomers<R: Rng, O: Outbox>(&mut self, context: &mut Context<'_, R, O>) {
        let now = context.now;
        let is_due = |newcomer: &Newcomer| newcomer.due <= now;
        while self.maintenance.newcomers.first().is_some_and(is_due) {
            let Newcomer { node, purpose, .. } = self.maintenance.newcomers.remove(0);
            let is_ours = !purpose.is_of_newcomer();
            if !is_ours && self.pace.has_met_another(&node.address) {
                continue;
            }
            if !is_ours && !self.has_room_for_newcomer(context) {
                let due = now + NEWCOMER_PAUSE;
                self.maintenance.queue(node, due, purpose);
                continue;
            }
            // What is known of it may have changed while it waited.
            if self.tables.has_room(&node, context.config)
                && !self.tables.contains(&node)
                && !self.quarantine.holds(&node, now, context.config)
            {
                self.verify(node.address, Some(node.id), purpose, context);
            }
        }
        if self.maintenance.newcomers.is_empty() {
            self.maintenance.newcomers = Vec::new();
        }
    }

    /// Asks the contact that needs it most for a sign of life. Whether one needed it.
    fn ask_neediest<R: Rng, O: Outbox>(
        &mut self,
        family: Family,
        context: &mut Context<'_, R, O>,
    ) -> bool {
        let contact = if self.links.is_down(family, context.config) {
            // Any of them may be the one that is back.
            let count = self.tables.len(family).max(1);
            let any = context.rng.random_range(0..count);
            self.tables.states(family).nth(any)
        } else {
            let neediest = self.tables.neediest(family, context.now, context.config);
            neediest
                .filter(|(contact, due)| contact.failures > 0 || *due <= context.now)
                .map(|(contact, _)| contact)
        };
        let Some(contact) =
            contact.filter(|contact| !self.transactions.is_asking(&contact.node.address))
        else {
            return false;
        };
        self.ask_contact(&contact.node, context);
        true
    }

    /// Asks a contact for a sign of life, and with the same packet for nodes of its bucket.
    pub(super) fn ask_contact<R: Rng, O: Outbox>(
        &mut self,
        contact: &NodeInfo,
        context: &mut Context<'_, R, O>,
    ) {
        let shared = self.id().shared_prefix(&contact.id);
        let method = Method::FindNode {
            target: self.id().random_at(shared, context.rng),
            want: Want::UNSAID,
        };
        let (to, id) = (contact.address, Some(contact.id));
        self.ask(to, id, Purpose::Revisit, method, context);
    }

    /// Looks for nodes for the next bucket of the round that has room. Whether there was one.
    fn refresh<R: Rng, O: Outbox>(
        &mut self,
        family: Family,
        context: &mut Context<'_, R, O>,
    ) -> bool {
        let (own, depth) = (self.id(), self.tables.depth(family));
        loop {
            let round = &mut self.maintenance.rounds[family];
            let bucket = usize::from(round.bucket);
            if bucket >= depth {
                return false;
            }
            round.bucket += 1;
            if !self.tables.is_open(family, bucket, context.config) {
                continue;
            }
            let target = own.random_at(bucket as u32, context.rng);
            let Some(&nearest) = self.tables.closest::<1>(family, &target).first() else {
                return false;
            };
            if !self.transactions.is_asking(&nearest.address) {
                let method = Method::FindNode {
                    target,
                    want: Want::UNSAID,
                };
                self.ask(
                    nearest.address,
                    Some(nearest.id),
                    Purpose::Revisit,
                    method,
                    context,
                );
                return true;
            }
        }
    }
}
