//! The end of a lookup that tells the nearest nodes something: a peer (BEP 5, "`announce_peer`") or an item (BEP 44, "put message").

use std::collections::VecDeque;
use std::net::SocketAddr;

use rand::Rng;

use super::{Context, Node};
use crate::address::Family;
use crate::event::{Event, Outbox};
use crate::id::Id;
use crate::lookup::Goal;
use crate::message::{NodeInfo, Token};
use crate::transaction::{LookupKey, Purpose};
use crate::traversal::Traversal;

/// What waits for its turn to be told, first come, first served; at most as much as all lookups in progress have to tell.
#[derive(Default)]
pub(super) struct Announces(VecDeque<Waiting>);

struct Waiting {
    /// Of the lookup.
    key: LookupKey,
    node: NodeInfo,
    token: Token,
}

impl Node {
    /// Tells those nearest nodes that are to be told and were not yet, as soon as it is their turn.
    pub(super) fn announce<R: Rng, O: Outbox>(
        &mut self,
        key: LookupKey,
        family: Family,
        context: &mut Context<'_, R, O>,
    ) {
        loop {
            let Some(lookup) = self.lookups.get_mut(key).filter(|lookup| lookup.tells()) else {
                return;
            };
            let Some((node, token)) = lookup
                .traversal(family)
                .as_mut()
                .and_then(Traversal::next_announce)
            else {
                break;
            };
            if lookup.telling(&node.address, token.clone()).is_some() {
                let waiting = Waiting { key, node, token };
                self.announces.get_or_insert_default().0.push_back(waiting);
            } else if let Some(traversal) = lookup.traversal(family) {
                traversal.announce_given_up(&node);
            }
        }
        self.tell_waiting(context);
    }

    /// Tells as many as the common budget of queries has room for.
    pub(super) fn tell_waiting<R: Rng, O: Outbox>(&mut self, context: &mut Context<'_, R, O>) {
        while self.tell_next(context) {}
    }

    /// Tells the one that has waited longest, if nobody else has to wait. Whether it did.
    pub(super) fn tell_next<R: Rng, O: Outbox>(&mut self, context: &mut Context<'_, R, O>) -> bool {
        if self.announces.is_none() || self.lookups.is_starved() {
            return false;
        }
        if !self.has_room(context) {
            self.lookups.starve();
            return false;
        }
        let waiting = self.announces.as_mut();
        let Some(Waiting { key, node, token }) = waiting.and_then(|waiting| waiting.0.pop_front())
        else {
            self.announces = None;
            return false;
        };
        // It may have been cancelled meanwhile.
        let Some(lookup) = self.lookups.get_mut(key) else {
            return true;
        };
        // Or what is to be told is refused by those who have to know.
        let method = lookup.telling(&node.address, token);
        if let Some(method) = method.filter(|_| lookup.tells()) {
            let (to, id) = (node.address, Some(node.id));
            self.ask(to, id, Purpose::Announce(key), method, context);
        } else {
            if let Some(traversal) = lookup.traversal(Family::of(&node.address)) {
                traversal.announce_given_up(&node);
            }
            self.end_if_over(key, context);
        }
        true
    }

    pub(super) fn announce_answered<R: Rng, O: Outbox>(
        &mut self,
        key: LookupKey,
        node: NodeInfo,
        context: &mut Context<'_, R, O>,
    ) {
        let Some(lookup) = self.lookups.get_mut(key) else {
            return;
        };
        lookup.tally.announced_to += 1;
        if let Some(traversal) = lookup.traversal(Family::of(&node.address)) {
            traversal.announce_acknowledged(&node);
        }
        if let Some(name) = lookup.name {
            context.out.event(match lookup.goal {
                Goal::PutItem => Event::Stored { lookup: name, node },
                _ => Event::Announced { lookup: name, node },
            });
        }
        self.end_if_over(key, context);
    }

    /// A node did not acknowledge: another one is told in its place.
    pub(super) fn announce_elsewhere<R: Rng, O: Outbox>(
        &mut self,
        key: LookupKey,
        to: SocketAddr,
        id: Option<Id>,
        context: &mut Context<'_, R, O>,
    ) {
        let family = Family::of(&to);
        let Some(lookup) = self.lookups.get_mut(key) else {
            return;
        };
        if let (Some(traversal), Some(id)) = (lookup.traversal(family), id) {
            traversal.announce_given_up(&NodeInfo { id, address: to });
        }
        self.announce(key, family, context);
        self.end_if_over(key, context);
    }
}
