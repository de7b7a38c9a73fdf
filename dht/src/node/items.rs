//! The items that this node keeps for others. BEP 44.

use std::net::SocketAddr;

use arrayvec::ArrayVec;
use rand::Rng;

use super::{Context, Node};
use crate::event::Outbox;
use crate::id::Id;
use crate::item::Item;
use crate::item_store::ItemStore;
use crate::message::{Holding, KrpcError, NodeInfo, Put, Response, Want};

/// The longest response with an item, in bytes. A signed item alone takes 1,230; nodes are named as far as they fit beside it.
const MAX_RESPONSE: usize = 1400;
/// What a response to `get` takes at most without its nodes and its value; and what signs the value.
const ENVELOPE: usize = 120;
const PROOF: usize = 137;
/// The keys and lengths of `nodes` and `nodes6`.
const NODES: usize = 23;

impl Node {
    /// BEP 44, "get message".
    pub(super) fn name_item<R: Rng, O: Outbox>(
        &self,
        asker: &NodeInfo,
        target: &Id,
        newer_than: Option<i64>,
        want: Want,
        context: &Context<'_, R, O>,
    ) -> Response {
        let now = context.now;
        let mut response = self.name_nodes(asker, target, want);
        // Who could store nothing here goes on to the next nearest at once.
        let (from, config) = (asker.address, context.config);
        let accepts = |items: &ItemStore| items.accepts(target, from, config);
        if self.items.as_deref().is_none_or(accepts) {
            response.token = Some(self.tokens.issue(now, from.ip(), target));
        }
        let held = |items: &ItemStore| items.get(target, newer_than, now);
        if let Some(holding) = self.items.as_deref().and_then(held) {
            let value = match &holding {
                Holding::Item(Item::Immutable(value)) => value.as_bencode().len(),
                Holding::Item(Item::Mutable(item)) => PROOF + item.value.as_bencode().len(),
                Holding::Seq(_) => PROOF,
            };
            shorten(
                &mut response,
                (MAX_RESPONSE - ENVELOPE).saturating_sub(value),
            );
            response.item = holding.into();
        }
        response
    }

    /// BEP 44, "put message".
    pub(super) fn store_item<R: Rng, O: Outbox>(
        &mut self,
        from: SocketAddr,
        put: &Put,
        context: &mut Context<'_, R, O>,
    ) -> Result<Response, KrpcError> {
        let (now, config) = (context.now, context.config);
        let target = put.item.target(&put.salt);
        if !self.tokens.is_valid(&put.token, now, from.ip(), &target) {
            return Err(KrpcError::new(
                KrpcError::PROTOCOL,
                "Protocol Error: bad token",
            ));
        }
        let items = self
            .items
            .get_or_insert_with(|| Box::new(ItemStore::new(context.rng)));
        items.put(target, put, from, now, config)?;
        Ok(Response::new(self.id()))
    }
}

/// Names no more nodes than fit so many bytes: the farthest of the family that has more go first.
fn shorten(response: &mut Response, room: usize) {
    loop {
        let v4 = response.nodes.as_ref().map_or(0, ArrayVec::len);
        let v6 = response.nodes6.as_ref().map_or(0, |nodes| nodes.len());
        if v4 * 26 + v6 * 38 + NODES <= room || v4 + v6 == 0 {
            break;
        }
        if v4 >= v6 {
            response.nodes.as_mut().and_then(ArrayVec::pop);
        } else {
            response.nodes6.as_mut().and_then(|nodes| nodes.pop());
        }
    }
}
