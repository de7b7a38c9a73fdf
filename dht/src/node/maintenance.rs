//! The care of the routing table: one packet now and then instead of bursts. BEP 5, "Routing Table".

use std::net::SocketAddr;
use std::time::Duration;

use rand::{Rng, RngExt};

use super::{Context, Node};
use crate::address::{Family, scope};
use crate::config::Config;
use crate::event::Outbox;
use crate::id::Id;
use crate::message::{Method, NodeInfo, Want};
use crate::transaction::Purpose;

/// Newcomers that wait to be verified.
const MAX_NEWCOMERS: usize = 16;
/// Nodes of an earlier run that wait to be verified.
const MAX_RESTORED: usize = 256;
/// Of these, how many are asked at once.
const RESTORED_AT_ONCE: u32 = 16;
/// The pause between so many and the next.
const RESTORED_PAUSE: Duration = Duration::from_millis(250);
/// Nodes that did not answer that are remembered.
const MAX_SUSPECTS: usize = 32;
/// With fewer contacts than this, everybody is verified at once.
pub(super) const NEARLY_EMPTY: usize = 2 * Config::K;

/// What waits for its time. Empty, it takes no memory outside itself.
#[derive(Default)]
pub(super) struct Maintenance {
    /// When the next packet of the steady pace may go out.
    next: Duration,
    rounds: [Round; 2],
    newcomers: Vec<Newcomer>,
    /// Those that failed last, oldest failure first.
    suspects: Vec<Suspect>,
}

/// The refreshing of one family: its neighbourhood, then its buckets from the root to the deepest.
#[derive(Default)]
struct Round {
    bucket: u8,
    /// When the next round begins.
    next: Duration,
}

struct Newcomer {
    node: NodeInfo,
    due: Duration,
}

struct Suspect {
    address: SocketAddr,
    /// Time-outs in a row.
    failures: u8,
    /// The end of its quarantine, if there were enough of them.
    until: Duration,
}

impl Maintenance {
    /// Maintenance at a random point of its course.
    pub(super) fn under_way(now: Duration, config: &Config, rng: &mut impl Rng) -> Self {
        let interval = config.maintenance_interval;
        let rounds = Family::ALL.map(|_| {
            let remaining = config.refresh_interval.mul_f64(rng.random_range(0.0..1.0));
            let elapsed = config.refresh_interval.saturating_sub(remaining);
            Round {
                // One bucket at most in each interval since the round began.
                bucket: (elapsed.as_secs_f64() / interval.as_secs_f64()) as u8,
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
        self.newcomers.len() + self.suspects.len()
    }

    pub(super) fn deadline(&self, alone: bool) -> Option<Duration> {
        let newcomers = self.newcomers.iter().map(|newcomer| newcomer.due).min();
        let pace = (!alone).then_some(self.next);
        [newcomers, pace].into_iter().flatten().min()
    }

    /// A family has its first contact: its rounds begin one from now, since its neighbourhood is being looked for already.
    pub(super) fn start(&mut self, family: Family, now: Duration, config: &Config) {
        self.next = self.next.max(now + config.maintenance_interval);
        *self.round(family) = Round {
            bucket: 0,
            next: now + config.refresh_interval,
        };
    }

    /// A node did not answer.
    pub(super) fn suspect(&mut self, address: SocketAddr, now: Duration, config: &Config) {
        let before = self
            .suspects
            .iter()
            .position(|suspect| suspect.address == address)
            .map(|position| self.suspects.remove(position));
        let failures = before
            .map_or(0, |suspect| suspect.failures)
            .saturating_add(1);
        if self.suspects.len() >= MAX_SUSPECTS {
            self.suspects.remove(0);
        }
        self.suspects.push(Suspect {
            address,
            failures,
            until: now + config.quarantine,
        });
    }

    /// It did.
    pub(super) fn acquit(&mut self, address: &SocketAddr) {
        self.suspects.retain(|suspect| suspect.address != *address);
        if self.suspects.is_empty() {
            self.suspects = Vec::new();
        }
    }

    /// Whether a node has failed too often to be asked again so soon.
    pub(super) fn is_quarantined(
        &self,
        address: &SocketAddr,
        now: Duration,
        config: &Config,
    ) -> bool {
        let mut suspects = self.suspects.iter();
        suspects.any(|suspect| {
            suspect.address == *address
                && suspect.failures >= config.max_failures
                && now < suspect.until
        })
    }

    fn round(&mut self, family: Family) -> &mut Round {
        let [v4, v6] = &mut self.rounds;
        match family {
            Family::V4 => v4,
            Family::V6 => v6,
        }
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
            let delay = if nearly_empty {
                Duration::ZERO
            } else {
                context.config.verification_delay
            };
            self.consider(node, context.now + delay, context);
        }
    }

    /// Puts a node that has not answered us yet in line to be verified, if the table has room for it.
    pub(super) fn consider<R: Rng, O: Outbox>(
        &mut self,
        node: NodeInfo,
        due: Duration,
        context: &mut Context<'_, R, O>,
    ) {
        let (now, config) = (context.now, context.config);
        let newcomers = &self.maintenance.newcomers;
        if newcomers.len() < MAX_NEWCOMERS
            && self.tables.has_room(&node, config)
            && !self.tables.contains(&node)
            && !newcomers
                .iter()
                .any(|newcomer| newcomer.node.address == node.address)
            && !self.maintenance.is_quarantined(&node.address, now, config)
        {
            self.maintenance.newcomers.push(Newcomer { node, due });
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
        self.maintenance
            .newcomers
            .extend(nodes.zip(pauses).map(|(&node, pause)| Newcomer {
                node,
                due: context.now + pause,
            }));
        self.verify_newcomers(context);
    }

    /// Asks a node for a sign of life, and while the table is nearly empty for our neighbours.
    pub(super) fn verify<R: Rng, O: Outbox>(
        &mut self,
        address: SocketAddr,
        id: Option<Id>,
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
        self.ask(address, id, Purpose::Verify, method, context);
    }

    pub(super) fn maintain<R: Rng, O: Outbox>(&mut self, context: &mut Context<'_, R, O>) {
        self.verify_newcomers(context);
        if self.maintenance.next <= context.now && !self.tables.is_empty() {
            // Nodes that were started together shall not act together.
            let interval = context.config.maintenance_interval;
            self.maintenance.next = context.now
                + interval
                    .mul_f64(context.rng.random_range(0.75..1.25))
                    .max(Duration::from_millis(1));
            if let Some(peers) = &mut self.peers {
                peers.expire(context.now);
                if peers.is_empty() {
                    self.peers = None;
                }
            }
            for family in Family::ALL {
                self.start_round(family, context);
            }
            // One packet, whichever family needs it.
            let _ = Family::ALL
                .into_iter()
                .any(|family| self.probe(family, context) || self.refresh(family, context));
        }
    }

    /// A round begins with our own neighbourhood.
    fn start_round<R: Rng, O: Outbox>(&mut self, family: Family, context: &mut Context<'_, R, O>) {
        if self.tables.len(family) == 0 {
            return;
        }
        let next = context.now + context.config.refresh_interval;
        let round = self.maintenance.round(family);
        if round.next <= context.now {
            *round = Round { bucket: 0, next };
            self.find_neighbours(family, context);
        }
    }

    fn verify_newcomers<R: Rng, O: Outbox>(&mut self, context: &mut Context<'_, R, O>) {
        while let Some(position) = self
            .maintenance
            .newcomers
            .iter()
            .position(|newcomer| newcomer.due <= context.now)
        {
            let Newcomer { node, .. } = self.maintenance.newcomers.swap_remove(position);
            if self.tables.has_room(&node, context.config) && !self.tables.contains(&node) {
                self.verify(node.address, Some(node.id), context);
            }
        }
        if self.maintenance.newcomers.is_empty() {
            self.maintenance.newcomers = Vec::new();
        }
    }

    /// Asks the contact that needs it most for a sign of life, and with the same packet for nodes of its bucket. Whether one needed it.
    fn probe<R: Rng, O: Outbox>(
        &mut self,
        family: Family,
        context: &mut Context<'_, R, O>,
    ) -> bool {
        let contact = if self.is_frozen(context.config) {
            // Any of them may be the one that is back.
            let count = self.tables.len(family).max(1);
            self.tables.nth(family, context.rng.random_range(0..count))
        } else {
            let questionable = context
                .now
                .saturating_sub(context.config.questionable_after);
            self.tables
                .neediest(family)
                .filter(|contact| contact.failures > 0 || contact.seen <= questionable)
        };
        let Some(contact) =
            contact.filter(|contact| !self.transactions.is_asking(&contact.node.address))
        else {
            return false;
        };
        let target = self
            .id()
            .random_at(self.id().shared_prefix(&contact.node.id), context.rng);
        let method = Method::FindNode {
            target,
            want: Want::UNSAID,
        };
        self.ask(
            contact.node.address,
            Some(contact.node.id),
            Purpose::Verify,
            method,
            context,
        );
        true
    }

    /// Looks for nodes for the next bucket of the round that has room. Whether there was one.
    fn refresh<R: Rng, O: Outbox>(
        &mut self,
        family: Family,
        context: &mut Context<'_, R, O>,
    ) -> bool {
        let (own, depth) = (self.id(), self.tables.depth(family));
        loop {
            let bucket = self.maintenance.round(family).bucket;
            if usize::from(bucket) >= depth {
                return false;
            }
            self.maintenance.round(family).bucket += 1;
            let target = own.random_at(bucket.into(), context.rng);
            let Some(&nearest) = self.tables.closest::<1>(family, &target).first() else {
                return false;
            };
            let has_room = self.tables.has_room(
                &NodeInfo {
                    id: target,
                    ..nearest
                },
                context.config,
            );
            if has_room && !self.transactions.is_asking(&nearest.address) {
                let method = Method::FindNode {
                    target,
                    want: Want::UNSAID,
                };
                self.ask(
                    nearest.address,
                    Some(nearest.id),
                    Purpose::Verify,
                    method,
                    context,
                );
                return true;
            }
        }
    }
}
