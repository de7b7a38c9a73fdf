use std::cmp::Ordering;
use std::net::SocketAddr;

use crate::id::Id;
use crate::item::{Item, Salt};
use crate::message::{Holding, KrpcError, Method, Put, Token};

/// What a lookup knows of the item that it looks for, and what it has to put there.
pub(crate) struct SoughtItem {
    salt: Salt,
    /// The number of the one that who asks knows already, and need not be told.
    known: Option<i64>,
    /// The newest one that was found, verified.
    best: Option<Item>,
    /// Those who say that they hold something here, be it old, and its number.
    holders: Vec<(SocketAddr, Option<i64>)>,
    /// Those who hold the best one, or as long as there is none the known one.
    copies: usize,
    offer: Option<Offer>,
}

/// What is to be put, and the number of what it shall replace.
struct Offer {
    item: Item,
    cas: Option<i64>,
    /// Holders who say that they hold something else.
    refusals: usize,
}

impl SoughtItem {
    pub(crate) fn get(salt: Salt, known: Option<i64>) -> Self {
        Self {
            salt,
            known,
            best: None,
            holders: Vec::new(),
            copies: 0,
            offer: None,
        }
    }

    pub(crate) fn put(item: Item, salt: Salt, cas: Option<i64>) -> Self {
        let salt = match item {
            // It means nothing here, and there are nodes that refuse it.
            Item::Immutable(_) => Salt::NONE,
            Item::Mutable(_) => salt,
        };
        Self {
            offer: Some(Offer {
                item,
                cas,
                refusals: 0,
            }),
            ..Self::get(salt, None)
        }
    }

    /// The number of which whoever is asked need not tell the item, nor of one below it. BEP 44, "get message".
    ///
    /// Who puts has to see what is not older than his own: beside one of the same number there may stand another value. And what is newer than
    /// what he means to replace: a number that nobody signed stops no put. A negative one is not sent: to that libtorrent never tells an item.
    pub(crate) fn newer_than(&self) -> Option<i64> {
        let number = match &self.offer {
            None => self.known?,
            Some(Offer { item, cas, .. }) => {
                let older = item.seq()?.checked_sub(1)?;
                cas.map_or(older, |cas| older.min(cas))
            }
        };
        (number >= 0).then_some(number)
    }

    /// Takes what somebody says that he holds. Returns it if it is better than all before. Only that costs a verification.
    pub(crate) fn hear(
        &mut self,
        target: &Id,
        from: Option<SocketAddr>,
        holding: &Holding,
    ) -> Option<&Item> {
        let number = match holding {
            Holding::Item(item) => item.seq(),
            Holding::Seq(seq) => Some(*seq),
        };
        self.holders.extend(from.map(|from| (from, number)));
        let best = self.best.as_ref();
        let is_copy = match (best, holding) {
            (Some(best), Holding::Item(item)) => best == item,
            (Some(best), Holding::Seq(seq)) => best.seq() == Some(*seq),
            (None, _) => number.is_some() && number == self.known,
        };
        if is_copy {
            self.copies += usize::from(from.is_some());
            return None;
        }
        let Holding::Item(item) = holding else {
            return None;
        };
        let is_news = self.known.is_none_or(|known| item.seq() > Some(known));
        let is_better = is_news && best.is_none_or(|best| item.seq() > best.seq());
        // What is to be put there is known to be genuine.
        let is_own = self.offer.as_ref().is_some_and(|offer| offer.item == *item);
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

    /// Whether what is to be put is not older than what was found, and what it shall replace may still be there. Nobody is believed to hold something
    /// newer who cannot show it: a signature decides. Who compares and swaps would rather put nothing than overwrite what came in between, so there
    /// most of the holders decide.
    pub(crate) fn is_current(&self) -> bool {
        let Some(offer) = &self.offer else {
            return false;
        };
        let is_newest =
            self.best
                .as_ref()
                .is_none_or(|best| match offer.item.seq().cmp(&best.seq()) {
                    Ordering::Greater => true,
                    Ordering::Equal => offer.item.value() == best.value(),
                    Ordering::Less => false,
                });
        is_newest && (offer.cas.is_none() || 2 * offer.refusals <= self.holders.len())
    }

    /// A node does not take it.
    pub(crate) fn refused(&mut self, by: &SocketAddr, error: &KrpcError) {
        let is_outdated = matches!(
            error.code,
            KrpcError::CAS_MISMATCH | KrpcError::SEQUENCE_NUMBER_TOO_LOW
        );
        let is_holder = self.holders.iter().any(|(holder, _)| holder == by);
        if let Some(offer) = &mut self.offer {
            offer.refusals += usize::from(is_outdated && is_holder);
        }
    }

    /// The put for a node; `None` if nothing is to be put there. BEP 44, "CAS": only who holds something is told what it shall replace, which is what
    /// it said that it holds. Where something newer was found than what shall be replaced, only those are told who will say so.
    pub(crate) fn put_to(&self, node: &SocketAddr, token: Token) -> Option<Method> {
        let offer = self.offer.as_ref()?;
        let held = self.holders.iter().find(|(holder, _)| holder == node);
        let held = held.and_then(|(_, number)| *number);
        let best = self.best.as_ref().filter(|best| **best != offer.item);
        let is_overtaken = best.and_then(Item::seq) > offer.cas;
        let cas = match (offer.cas, held) {
            (Some(_), None) if is_overtaken => return None,
            (Some(cas), Some(_)) if is_overtaken => Some(cas),
            (Some(_), held) => held,
            (None, _) => None,
        };
        Some(Method::Put(Box::new(Put {
            item: offer.item.clone(),
            salt: self.salt.clone(),
            cas,
            token,
        })))
    }

    /// How many hold the best item.
    pub(crate) const fn copies(&self) -> usize {
        self.copies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{ItemValue, MutableItem, SecretKey};

    fn version(seq: i64) -> Item {
        let (key, value) = (SecretKey::from_seed(&[7; 32]), b"value");
        let value = ItemValue::from_bytes(value).unwrap();
        Item::Mutable(MutableItem::sign(value, seq, &Salt::NONE, &key))
    }

    fn node(number: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 1000 + number))
    }

    /// A put of version 6 of which eight nodes hold version 5.
    fn search(cas: Option<i64>) -> SoughtItem {
        let mut search = SoughtItem::put(version(6), Salt::NONE, cas);
        let target = version(5).target(&Salt::NONE);
        for holder in 0..8 {
            search.hear(&target, Some(node(holder)), &Holding::Item(version(5)));
        }
        search
    }

    #[test]
    fn what_is_known_already_is_counted_and_not_told_again() {
        let mut sought = SoughtItem::get(Salt::NONE, Some(5));
        assert_eq!(sought.newer_than(), Some(5));
        let target = version(5).target(&Salt::NONE);
        let mut hear = |from, holding| sought.hear(&target, Some(node(from)), &holding).cloned();
        assert_eq!(hear(1, Holding::Seq(5)), None);
        // Not everybody looks at what is known.
        assert_eq!(hear(2, Holding::Item(version(5))), None);
        assert_eq!(hear(3, Holding::Seq(4)), None);
        assert_eq!(hear(4, Holding::Item(version(4))), None);
        assert_eq!(sought.copies(), 2);
        let mut hear = |from, holding| sought.hear(&target, Some(node(from)), &holding).cloned();
        assert_eq!(hear(5, Holding::Item(version(6))), Some(version(6)));
        assert_eq!(sought.copies(), 1);
    }

    #[test]
    fn a_put_spares_nobody_what_it_could_collide_with() {
        let asked = |seq, cas| SoughtItem::put(version(seq), Salt::NONE, cas).newer_than();
        assert_eq!(asked(6, None), Some(5), "of number 6 there may be another");
        assert_eq!(asked(6, Some(3)), Some(3), "4 would be in the way");
        assert_eq!(asked(6, Some(9)), Some(5));
        // Nobody can be asked for what is newer than -1.
        assert_eq!((asked(0, None), asked(i64::MIN, None)), (None, None));
        let immutable = Item::Immutable(ItemValue::from_bytes(b"value").unwrap());
        let put = SoughtItem::put(immutable, Salt::NONE, None);
        assert_eq!(put.newer_than(), None);
    }

    fn refusal(code: i64) -> KrpcError {
        KrpcError {
            code,
            message: "".into(),
        }
    }

    /// Those of some nodes that are told anything, and what each is told to replace.
    fn told(search: &SoughtItem, nodes: &[u16]) -> Vec<(u16, Option<i64>)> {
        let told = nodes.iter().filter_map(|&to| {
            match search.put_to(&node(to), Token::new(b"t").unwrap())? {
                Method::Put(put) => Some((to, put.cas)),
                other => panic!("a put, not {other:?}"),
            }
        });
        told.collect()
    }

    #[test]
    fn one_who_says_that_there_is_something_newer_has_to_show_it() {
        let mut search = search(None);
        let refusal = refusal(KrpcError::SEQUENCE_NUMBER_TOO_LOW);
        (0..20).for_each(|by| search.refused(&node(by), &refusal));
        assert!(search.is_current());
        let target = version(7).target(&Salt::NONE);
        search.hear(&target, Some(node(9)), &Holding::Seq(7));
        assert!(search.is_current(), "a number is no signature");
        search.hear(&target, Some(node(9)), &Holding::Item(version(7)));
        assert!(!search.is_current());
    }

    #[test]
    fn who_compares_and_swaps_is_stopped_by_most_of_the_holders_and_by_nobody_else() {
        let mut search = search(Some(5));
        let refusal = refusal(KrpcError::CAS_MISMATCH);
        (8..20).for_each(|by| search.refused(&node(by), &refusal));
        (0..4).for_each(|by| search.refused(&node(by), &refusal));
        assert!(search.is_current());
        search.refused(&node(4), &refusal);
        assert!(!search.is_current());
    }

    #[test]
    fn a_holder_is_told_to_replace_what_it_holds_and_where_something_newer_is_nobody_else_is_told()
    {
        assert_eq!(told(&search(None), &[1]), [(1, None)]);
        let mut put = search(Some(5));
        let target = version(4).target(&Salt::NONE);
        put.hear(&target, Some(node(8)), &Holding::Seq(4));
        let replaced = [(1, Some(5)), (8, Some(4)), (9, None)];
        assert_eq!(told(&put, &[1, 8, 9]), replaced);
        assert_eq!(told(&search(Some(4)), &[1, 9]), [(1, Some(4))]);
    }
}
