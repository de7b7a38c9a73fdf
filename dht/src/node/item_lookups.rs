//! Lookups for items. BEP 44.

use rand::Rng;

use super::{Context, Node};
use crate::event::{Event, LookupId, Outbox, Outcome};
use crate::id::Id;
use crate::item::{Item, Salt};
use crate::lookup::{Goal, Lookup};
use crate::message::KrpcError;
use crate::sought_item::SoughtItem;
use crate::transaction::{Purpose, Transaction};

impl Node {
    pub(super) fn get_item<R: Rng, O: Outbox>(
        &mut self,
        name: LookupId,
        target: Id,
        salt: &Salt,
        newer_than: Option<i64>,
        context: &mut Context<'_, R, O>,
    ) {
        let sought = SoughtItem::get(salt.clone(), newer_than);
        self.look_for_item(name, target, Goal::GetItem, sought, context);
    }

    pub(super) fn put_item<R: Rng, O: Outbox>(
        &mut self,
        name: LookupId,
        item: &Item,
        salt: &Salt,
        cas: Option<i64>,
        context: &mut Context<'_, R, O>,
    ) {
        let sought = SoughtItem::put(item.clone(), salt.clone(), cas);
        self.look_for_item(name, item.target(salt), Goal::PutItem, sought, context);
    }

    fn look_for_item<R: Rng, O: Outbox>(
        &mut self,
        name: LookupId,
        target: Id,
        goal: Goal,
        sought: SoughtItem,
        context: &mut Context<'_, R, O>,
    ) {
        self.cancel_lookup(name, context);
        let key = self.lookups.draw_key();
        let mut lookup = Lookup::new(key, Some(name), target, goal, context.now);
        // What was put to us need not be asked for.
        let items = self.items.as_deref();
        let held = items.and_then(|items| items.get(&target, sought.newer_than(), context.now));
        lookup.item = Some(Box::new(sought));
        if held.is_some_and(|held| lookup.report_item(None, &held, context.out)) {
            lookup.report(Outcome::Found, context.now, context.out);
        } else {
            self.walk(lookup, context);
        }
    }

    /// Takes note of a refusal, if it is one of what a lookup put.
    pub(super) fn put_refused<R: Rng, O: Outbox>(
        &mut self,
        transaction: &Transaction,
        error: &KrpcError,
        context: &mut Context<'_, R, O>,
    ) {
        let Purpose::Announce(key) = transaction.purpose else {
            return;
        };
        let lookup = self.lookups.get_mut(key);
        if let Some(lookup) = lookup
            && let (Some(name), Some(item)) = (lookup.name, &mut lookup.item)
        {
            item.refused(&transaction.to, error);
            context.out.event(Event::PutRefused {
                lookup: name,
                node: transaction.to,
                error: error.clone(),
            });
        }
    }
}
