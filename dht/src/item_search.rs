use std::cmp::Ordering;
use std::net::SocketAddr;

use crate::id::Id;
use crate::item::{Item, Salt};
use crate::message::{Holding, KrpcError, Method, Put, Token};

/// What a lookup knows of the item that it looks for, and what it has to put there.
pub(crate) struct ItemSearch {
    salt: Salt,
    /// The newest one that was found, verified.
    best: Option<Item>,
    /// Those who hold something here, be it old.
    holders: Vec<SocketAddr>,
    /// Those who hold the best one.
    copies: usize,
    order: Option<Order>,
}

/// What is to be put, and the number of what it shall replace.
struct Order {
    item: Item,
    cas: Option<i64>,
    /// Somebody has something newer.
    is_refused: bool,
}

impl ItemSearch {
    pub(crate) fn get(salt: Salt) -> Self {
        Self {
            salt,
            best: None,
            holders: Vec::new(),
            copies: 0,
            order: None,
        }
    }

    pub(crate) fn put(item: Item, salt: Salt, cas: Option<i64>) -> Self {
        let salt = match item {
            // It means nothing here, and there are nodes that refuse it.
            Item::Immutable(_) => Salt::NONE,
            Item::Mutable(_) => salt,
        };
        Self {
            order: Some(Order {
                item,
                cas,
                is_refused: false,
            }),
            ..Self::get(salt)
        }
    }

    /// Takes what somebody says that he holds. Returns it if it is better than all before. Only that costs a verification.
    pub(crate) fn hear(
        &mut self,
        target: &Id,
        from: Option<SocketAddr>,
        holding: &Holding,
    ) -> Option<&Item> {
        self.holders.extend(from);
        let best = self.best.as_ref();
        let is_copy = match holding {
            Holding::Item(item) => best == Some(item),
            Holding::Seq(seq) => best.is_some_and(|best| best.seq() == Some(*seq)),
        };
        if is_copy {
            self.copies += usize::from(from.is_some());
            return None;
        }
        let Holding::Item(item) = holding else {
            return None;
        };
        let is_better = best.is_none_or(|best| item.seq() > best.seq());
        // What is to be put there is known to be genuine.
        let is_own = self.order.as_ref().is_some_and(|order| order.item == *item);
        if !is_better || !(is_own || item.is_genuine(target, &self.salt)) {
            return None;
        }
        self.copies = usize::from(from.is_some());
        self.best = Some(item.clone());
        self.best.as_ref()
    }

    /// Whether nothing better can be found.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.best, Some(Item::Immutable(_)))
    }

    /// Whether what is to be put is not older than what was found.
    pub(crate) fn is_current(&self) -> bool {
        let Some(order) = &self.order else {
            return false;
        };
        let is_newest =
            self.best
                .as_ref()
                .is_none_or(|best| match order.item.seq().cmp(&best.seq()) {
                    Ordering::Greater => true,
                    Ordering::Equal => order.item.value() == best.value(),
                    Ordering::Less => false,
                });
        is_newest && !order.is_refused
    }

    /// Somebody does not take it. When he has something newer, it is not pressed upon anybody else.
    pub(crate) fn refused(&mut self, error: &KrpcError) {
        let outdated = matches!(
            error.code,
            KrpcError::CAS_MISMATCH | KrpcError::SEQUENCE_NUMBER_TOO_LOW
        );
        if let Some(order) = &mut self.order {
            order.is_refused |= outdated;
        }
    }

    /// The put for a node. BEP 44, "CAS": only who holds something is told what it shall replace.
    pub(crate) fn put_to(&self, node: &SocketAddr, token: Token) -> Option<Method> {
        let order = self.order.as_ref()?;
        let holds = self.holders.contains(node);
        Some(Method::Put(Box::new(Put {
            item: order.item.clone(),
            salt: self.salt.clone(),
            cas: order.cas.filter(|_| holds),
            token,
        })))
    }

    /// How many hold the best item.
    pub(crate) const fn copies(&self) -> usize {
        self.copies
    }
}
