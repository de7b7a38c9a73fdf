//! The end of a lookup that tells the nearest nodes something: a peer (BEP 5, "`announce_peer`") or an item (BEP 44, "put message").

use std::net::SocketAddr;

use rand::Rng;

use super::{Context, Node};
use crate::address::Family;
use crate::event::{Event, Outbox};
use crate::id::Id;
use crate::lookup::Goal;
use crate::message::NodeInfo;
use crate::transaction::Purpose;
use crate::traversal::Traversal;

impl Node {
    /// Tells those nearest nodes that are to be told and were not yet.
    pub(super) fn announce<R: Rng, O: Outbox>(
        &mut self,
        key: u32,
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
                return;
            };
            let Some(method) = lookup.telling(&node.address, token) else {
                return;
            };
            self.ask(
                node.address,
                Some(node.id),
                Purpose::Announce(key),
                method,
                context,
            );
        }
    }

    pub(super) fn announce_answered<R: Rng, O: Outbox>(
        &mut self,
        key: u32,
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
        key: u32,
        to: SocketAddr,
        id: Option<Id>,
        mark: impl FnOnce(&mut Traversal, &NodeInfo),
        context: &mut Context<'_, R, O>,
    ) {
        let family = Family::of(&to);
        let Some(lookup) = self.lookups.get_mut(key) else {
            return;
        };
        if let (Some(traversal), Some(id)) = (lookup.traversal(family), id) {
            mark(traversal, &NodeInfo { id, address: to });
        }
        self.announce(key, family, context);
        self.end_if_over(key, context);
    }
}
