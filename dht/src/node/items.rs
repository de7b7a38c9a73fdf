//! The items that this node keeps for others. BEP 44.

use std::net::SocketAddr;

use rand::Rng;

use super::room::make_room_for_item;
use super::{Context, Node};
use crate::event::Outbox;
use crate::id::Id;
use crate::item_store::ItemStore;
use crate::message::{KrpcError, NodeInfo, Put, Response, Want};

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
            response.item = holding.into();
            make_room_for_item(&mut response);
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
