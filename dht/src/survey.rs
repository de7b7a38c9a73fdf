use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;

use crate::address::host;
use crate::config::Config;
use crate::event::LookupId;
use crate::id::{Distance, Id};
use crate::lookup::Tally;
use crate::message::NodeInfo;
use crate::transaction::SurveyKey;

/// Nodes that are to be asked; farther ones make room.
const MAX_CANDIDATES: usize = 1024;
/// Nodes that one survey asks at most.
const MAX_ASKED: usize = 1 << 16;

/// A walk from a point of the key space outwards, one question a node: first to those nearest to it, then to those around them, and on and on
/// until nobody is left. BEP 51, "Sampling RPC".
///
/// It decides whom to ask next, and for the neighbourhood of which point; it sends nothing and knows no time.
pub(crate) struct Survey {
    pub(crate) key: SurveyKey,
    pub(crate) name: LookupId,
    pub(crate) target: Id,
    pub(crate) started: Duration,
    pub(crate) tally: Tally,
    candidates: BTreeMap<Distance, NodeInfo>,
    /// Hosts that were asked: many ids behind one address have one say.
    asked: BTreeSet<SocketAddr>,
    /// Of these, the addresses whose answers are waited for.
    awaited: Vec<SocketAddr>,
    /// The k nearest to the target that answered.
    nearest: BTreeMap<Distance, NodeInfo>,
}

impl Survey {
    pub(crate) fn new(key: SurveyKey, name: LookupId, target: Id, started: Duration) -> Self {
        Self {
            key,
            name,
            target,
            started,
            tally: Tally::default(),
            candidates: BTreeMap::new(),
            asked: BTreeSet::new(),
            awaited: Vec::new(),
            nearest: BTreeMap::new(),
        }
    }

    /// Adds a node that might be asked, unless somebody at its address was.
    pub(crate) fn add(&mut self, node: NodeInfo) {
        let distance = node.id.distance(&self.target);
        if self.asked.len() < MAX_ASKED
            && !self.asked.contains(&host(node.address))
            && !self.nearest.contains_key(&distance)
        {
            self.candidates.entry(distance).or_insert(node);
            if self.candidates.len() > MAX_CANDIDATES {
                self.candidates.pop_last();
            }
        }
    }

    /// Whom to ask now, and for the neighbourhood of which point: that of the target until it is known, then that of any point as far from it
    /// as he is. The node counts as asked from here on.
    pub(crate) fn next(&mut self, rng: &mut impl Rng) -> Option<(NodeInfo, Id)> {
        while self.asked.len() < MAX_ASKED
            && let Some((distance, node)) = self.candidates.pop_first()
        {
            if !self.asked.insert(host(node.address)) {
                continue;
            }
            self.awaited.push(node.address);
            let farthest = self.nearest.last_key_value().map(|(farthest, _)| *farthest);
            let is_known = self.nearest.len() >= Config::K
                && farthest.is_some_and(|farthest| farthest < distance);
            let point = if is_known {
                let shared = self.target.shared_prefix(&node.id);
                self.target.random_at(shared, rng)
            } else {
                self.target
            };
            return Some((node, point));
        }
        None
    }

    /// Queries that are waited for.
    pub(crate) fn in_flight(&self) -> usize {
        self.awaited.len()
    }

    pub(crate) fn answered(&mut self, node: NodeInfo) {
        self.given_up(&node.address);
        self.nearest.insert(node.id.distance(&self.target), node);
        if self.nearest.len() > Config::K {
            self.nearest.pop_last();
        }
    }

    /// Nobody waits for this one any longer.
    pub(crate) fn given_up(&mut self, address: &SocketAddr) {
        self.awaited.retain(|awaited| awaited != address);
    }

    /// Whether nobody has been asked yet, for want of anybody.
    pub(crate) fn is_waiting(&self) -> bool {
        self.asked.is_empty() && self.candidates.is_empty()
    }

    /// Whether there is nobody left to ask or to wait for.
    pub(crate) fn is_over(&self) -> bool {
        let is_full = self.asked.len() >= MAX_ASKED;
        !self.is_waiting() && self.awaited.is_empty() && (is_full || self.candidates.is_empty())
    }

    /// The nearest nodes that answered, nearest first.
    pub(crate) fn closest(&self) -> impl Iterator<Item = NodeInfo> + '_ {
        self.nearest.values().copied()
    }
}

/// Who told a sample, and until when he is not to be asked for another one. BEP 51, "Sampling RPC".
#[derive(Default)]
pub(crate) struct Sampled(BTreeMap<SocketAddr, Duration>);

impl Sampled {
    /// Hosts that are remembered. While there are so many nobody new is asked for a sample.
    const MAX: usize = 1 << 16;

    pub(crate) fn may_ask(&self, address: SocketAddr, now: Duration) -> bool {
        match self.0.get(&host(address)) {
            Some(until) => *until <= now,
            None => self.0.len() < Self::MAX,
        }
    }

    pub(crate) fn note(&mut self, address: SocketAddr, until: Duration) {
        self.0.insert(host(address), until);
    }

    /// Forgets those whose time is over.
    pub(crate) fn expire(&mut self, now: Duration) {
        self.0.retain(|_, until| *until > now);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    fn node(number: u32) -> NodeInfo {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(number.into());
        NodeInfo {
            id: Id::random(&mut rng),
            address: SocketAddr::from(((0x0b00_0000 + number).to_be_bytes(), 6881)),
        }
    }

    proptest! {
        #[test]
        fn everybody_who_is_named_is_asked_once_and_the_nearest_first(
            known in proptest::collection::btree_set(0u32..300, 1..100),
            named in proptest::collection::vec(proptest::collection::vec(0u32..300, 0..8), 0..100),
            silent in proptest::collection::btree_set(0u32..300, 0..100),
        ) {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
            let target = Id::random(&mut rng);
            let mut survey = Survey::new(SurveyKey::default(), LookupId(1), target, Duration::ZERO);
            prop_assert!(survey.is_waiting() && !survey.is_over());
            let mut heard_of = known.clone();
            for &number in &known {
                survey.add(node(number));
            }
            let mut named = named.into_iter();
            let mut asked = BTreeSet::new();
            while let Some((next, point)) = survey.next(&mut rng) {
                let waiting = heard_of.iter().map(|&number| node(number)).filter(|node| !asked.contains(&node.address));
                prop_assert_eq!(Some(next.id), waiting.map(|node| node.id).min_by_key(|id| id.distance(&target)));
                prop_assert!(asked.insert(next.address));
                prop_assert!(point == target || point.shared_prefix(&target) == next.id.shared_prefix(&target));
                prop_assert_eq!(survey.in_flight(), 1);
                if silent.iter().any(|&number| node(number).address == next.address) {
                    survey.given_up(&next.address);
                } else {
                    survey.answered(next);
                    for number in named.next().unwrap_or_default() {
                        heard_of.insert(number);
                        survey.add(node(number));
                    }
                }
            }
            prop_assert!(survey.is_over());
            prop_assert_eq!(asked.len(), heard_of.len());
        }
    }

    #[test]
    fn the_point_asked_for_is_the_target_until_its_neighbours_are_known() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let target = Id::random(&mut rng);
        let mut survey = Survey::new(SurveyKey::default(), LookupId(1), target, Duration::ZERO);
        (0..20).for_each(|number| survey.add(node(number)));
        for number in 0..20 {
            let (next, point) = survey.next(&mut rng).unwrap();
            assert_eq!(point == target, number < Config::K, "{number}");
            survey.answered(next);
        }
        assert_eq!(survey.closest().count(), Config::K);
    }

    #[test]
    fn many_ids_of_one_host_have_one_say() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut survey = Survey::new(
            SurveyKey::default(),
            LookupId(1),
            Id::random(&mut rng),
            Duration::ZERO,
        );
        for port in 1..100 {
            let address = SocketAddr::from(([8, 8, 8, 8], port));
            let id = Id::random(&mut rng);
            survey.add(NodeInfo { id, address });
        }
        assert!(survey.next(&mut rng).is_some());
        assert!(survey.next(&mut rng).is_none());
    }

    #[test]
    fn who_told_a_sample_is_left_in_peace_for_its_interval() {
        let (told, other) = (node(1).address, node(2).address);
        let mut sampled = Sampled::default();
        let until = Duration::from_secs(600);
        sampled.note(told, until);
        assert!(!sampled.may_ask(told, until.saturating_sub(Duration::from_nanos(1))));
        assert!(sampled.may_ask(told, until) && sampled.may_ask(other, Duration::ZERO));
        sampled.expire(until);
        assert!(sampled.is_empty());
        (0..=Sampled::MAX as u32).for_each(|number| sampled.note(node(number).address, until));
        assert!(!sampled.may_ask("99.9.9.9:9".parse().unwrap(), Duration::ZERO));
    }
}
