//! The search for those around our own id. BEP 5, "Routing Table".

use std::net::SocketAddr;

use rand::Rng;

use super::{Context, Node};
use crate::address::Family;
use crate::event::Outbox;
use crate::lookup::Goal;
use crate::message::NodeInfo;

impl Node {
    /// Looks for our own neighbours, unless that is being done. BEP 5, "Routing Table".
    pub(super) fn find_neighbours<R: Rng, O: Outbox>(
        &mut self,
        family: Family,
        context: &mut Context<'_, R, O>,
    ) {
        let own = self.id();
        let running = self
            .lookups
            .active
            .iter()
            .find(|lookup| lookup.name.is_none() && lookup.target == own)
            .map(|lookup| lookup.key);
        match running {
            Some(key) => self.begin_traversal(key, family, context),
            None => self.start_lookup(None, own, Goal::FindNode, context),
        }
    }

    /// What somebody says about our neighbourhood, unasked by the search for it.
    pub(super) fn tell_neighbour_search<R: Rng, O: Outbox>(
        &mut self,
        from: SocketAddr,
        named: impl Iterator<Item = NodeInfo>,
        context: &mut Context<'_, R, O>,
    ) {
        let own = self.id();
        let Some(lookup) = self
            .lookups
            .active
            .iter_mut()
            .find(|lookup| lookup.name.is_none() && lookup.target == own)
        else {
            return;
        };
        for node in named.filter(|node| node.id != own) {
            if let Some(traversal) = lookup.traversal(Family::of(&node.address)) {
                traversal.add(node, 2, Some(from));
            }
        }
        let key = lookup.key;
        for family in Family::ALL {
            self.advance(key, family, context.config.initial_queries, context);
        }
    }
}
