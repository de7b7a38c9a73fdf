//! How a node enters the network, and never gives up trying.

use std::net::SocketAddr;
use std::time::Duration;

use rand::{Rng, RngExt};

use super::maintenance::NEARLY_EMPTY;
use super::{Context, Node};
use crate::address::{Family, may_lead_to, scope};
use crate::config::Config;
use crate::event::{Event, Outbox};
use crate::message::{Method, NodeInfo, Response, Want};
use crate::transaction::Purpose;

/// Bootstrap addresses that are remembered.
const MAX_HOSTS: usize = 64;

/// The addresses through which the network may be entered.
#[derive(Default)]
pub(super) struct Bootstrap {
    hosts: Vec<Host>,
    /// When the first of them is to be asked, so that serving others need not look for it.
    deadline: Option<Duration>,
}

struct Host {
    address: SocketAddr,
    /// Queries since it answered last.
    attempts: u32,
    next: Duration,
}

impl Bootstrap {
    pub(super) fn len(&self) -> usize {
        self.hosts.len()
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    fn note_deadline(&mut self) {
        self.deadline = self.hosts.iter().map(|host| host.next).min();
    }

    /// Addresses for a lookup that knows nobody yet.
    pub(super) fn entrances(&self, family: Family) -> impl Iterator<Item = SocketAddr> + '_ {
        self.hosts
            .iter()
            .map(|host| host.address)
            .filter(move |address| Family::of(address) == family)
    }

    /// What was known of their silence is out of date: they are asked soon, all of them.
    pub(super) fn start_over(&mut self, now: Duration, config: &Config) {
        for host in &mut self.hosts {
            host.attempts = 0;
            host.next = host.next.min(now + config.bootstrap_backoff);
        }
        self.note_deadline();
    }

    /// Nobody answers any more: hosts that were left in peace because the table was alive are asked soon.
    ///
    /// Not at once: a host that answers us but no lookup would be asked without a pause.
    pub(super) fn hurry(&mut self, now: Duration, config: &Config) {
        for host in self.hosts.iter_mut().filter(|host| host.attempts == 0) {
            host.next = host.next.min(now + config.bootstrap_backoff);
        }
        self.note_deadline();
    }
}

impl Node {
    pub(super) fn add_bootstrap_hosts<R: Rng, O: Outbox>(
        &mut self,
        addresses: &[SocketAddr],
        context: &mut Context<'_, R, O>,
    ) {
        for &address in addresses {
            let known = self
                .bootstrap
                .hosts
                .iter()
                .any(|host| host.address == address);
            if !known && scope(&address).is_some() && self.bootstrap.hosts.len() < MAX_HOSTS {
                // Who knows the network already needs them later, and not at the same time as all others.
                let next = if self.tables.len(Family::of(&address)) < NEARLY_EMPTY {
                    context.now
                } else {
                    let share = context.rng.random_range(0.0..1.0);
                    context.now + context.config.refresh_interval.mul_f64(share)
                };
                self.bootstrap.hosts.reserve_exact(1);
                self.bootstrap.hosts.push(Host {
                    address,
                    attempts: 0,
                    next,
                });
            }
        }
        self.bootstrap.note_deadline();
        // They are asked now; lookups that wait for somebody may ask them at the same time.
        self.bootstrap(context);
        for family in Family::ALL {
            self.start_waiting_lookups(family, context);
        }
    }

    /// Asks the hosts that it is time for.
    pub(super) fn bootstrap<R: Rng, O: Outbox>(&mut self, context: &mut Context<'_, R, O>) {
        let (now, config) = (context.now, context.config);
        if self
            .bootstrap
            .deadline
            .is_none_or(|deadline| now < deadline)
        {
            return;
        }
        let mut silent = 0;
        let mut due = Vec::new();
        for host in self
            .bootstrap
            .hosts
            .iter_mut()
            .filter(|host| host.next <= now)
        {
            silent = silent.max(host.attempts);
            host.next = now + backoff(host.attempts, config);
            host.attempts = host.attempts.saturating_add(1);
            due.push(host.address);
        }
        self.bootstrap.note_deadline();
        if silent > 0 && self.tables.is_empty() {
            context.out.event(Event::Unreachable { attempts: silent });
        }
        let families = Family::ALL.map(|family| self.bootstrap.entrances(family).next().is_some());
        let want = if families == [true, true] {
            Want::BOTH
        } else {
            Want::UNSAID
        };
        for address in due {
            self.ask(
                address,
                None,
                Purpose::Bootstrap,
                Method::FindNode {
                    target: self.id(),
                    want,
                },
                context,
            );
        }
    }

    pub(super) fn bootstrap_answered<R: Rng, O: Outbox>(
        &mut self,
        node: NodeInfo,
        response: &Response,
        context: &mut Context<'_, R, O>,
    ) {
        if let Some(host) = self
            .bootstrap
            .hosts
            .iter_mut()
            .find(|host| host.address == node.address)
        {
            host.attempts = 0;
            // Asked again now and then, it heals a network that fell apart.
            host.next = context.now + context.config.refresh_interval;
            self.bootstrap.note_deadline();
        }
        let named = response
            .named()
            .filter(|named| may_lead_to(&node.address, &named.address));
        self.tell_neighbour_search(node.address, named, context);
    }
}

/// The pause after so many queries without an answer.
fn backoff(attempts: u32, config: &Config) -> Duration {
    let factor = 1u32.checked_shl(attempts).unwrap_or(u32::MAX);
    config
        .bootstrap_backoff
        .saturating_mul(factor)
        .min(config.max_bootstrap_backoff)
}
