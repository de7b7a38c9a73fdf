use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use arrayvec::ArrayVec;

use crate::address::Family;
use crate::id::Id;
use crate::message::NodeInfo;

/// How long a node that answered is taken for one that will.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The nodes that answered last, and how fast. A lookup starts from those of them that are near its target, besides the routing table: so one that follows
/// another in key-space order begins where that one ended, and saves the way.
///
/// Their tokens are not kept: nodes that are worth announcing to bind them to the info-hash.
#[derive(Default)]
pub(crate) struct RecentResponders {
    /// Oldest first; each node once.
    ring: VecDeque<Responder>,
}

struct Responder {
    node: NodeInfo,
    answered: Duration,
    round_trip: Duration,
}

impl RecentResponders {
    /// A node has answered; of more than `capacity` the oldest makes room.
    pub(crate) fn remember(
        &mut self,
        node: NodeInfo,
        round_trip: Duration,
        now: Duration,
        capacity: usize,
    ) {
        self.forget(&node.address);
        while self.ring.len() >= capacity.max(1) {
            self.ring.pop_front();
        }
        self.ring.push_back(Responder {
            node,
            answered: now,
            round_trip,
        });
    }

    /// It did not answer, or as somebody else.
    pub(crate) fn forget(&mut self, address: &SocketAddr) {
        let mut known = self.ring.iter();
        if let Some(place) = known.position(|known| known.node.address == *address) {
            self.ring.remove(place);
        }
    }

    /// How long the last answer of a node took.
    pub(crate) fn round_trip(&self, address: &SocketAddr) -> Option<Duration> {
        let mut latest_first = self.ring.iter().rev();
        let known = latest_first.find(|known| known.node.address == *address);
        known.map(|known| known.round_trip)
    }

    /// Those nearest to a point, nearest first.
    pub(crate) fn nearest<const N: usize>(
        &self,
        family: Family,
        target: &Id,
        now: Duration,
    ) -> ArrayVec<NodeInfo, N> {
        let mut nearest = ArrayVec::new();
        let young = self.ring.iter().rev();
        let young = young.take_while(|known| now.saturating_sub(known.answered) < LIFETIME);
        let nodes = young.map(|known| known.node);
        for node in nodes.filter(|node| Family::of(&node.address) == family) {
            let distance = node.id.distance(target);
            let place =
                nearest.partition_point(|other: &NodeInfo| other.id.distance(target) <= distance);
            if place < N {
                if nearest.is_full() {
                    nearest.pop();
                }
                nearest.insert(place, node);
            }
        }
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8) -> NodeInfo {
        NodeInfo {
            id: Id::new([number; 20]),
            address: SocketAddr::from(([192, 0, 2, number], 6881)),
        }
    }

    fn round_trip(number: u8) -> Duration {
        Duration::from_millis(number.into())
    }

    fn nearest(responders: &RecentResponders, target: u8, now: Duration) -> Vec<u8> {
        let target = Id::new([target; 20]);
        let nearest = responders.nearest::<2>(Family::V4, &target, now);
        let first = |node: &NodeInfo| node.id.as_bytes().first().copied();
        nearest.iter().filter_map(first).collect()
    }

    #[test]
    fn the_nearest_are_given_and_the_oldest_make_room() {
        let mut responders = RecentResponders::default();
        for number in [1, 9, 2, 8, 3, 1] {
            responders.remember(node(number), round_trip(number), Duration::ZERO, 4);
        }
        // 9 was the oldest when the fifth came; 1 came again, and is there once.
        assert_eq!(nearest(&responders, 1, Duration::ZERO), [1, 3]);
        assert_eq!(nearest(&responders, 9, Duration::ZERO), [8, 1]);
        assert_eq!(responders.round_trip(&node(8).address), Some(round_trip(8)));
        assert_eq!(responders.round_trip(&node(9).address), None);
        responders.forget(&node(1).address);
        assert_eq!(nearest(&responders, 1, Duration::ZERO), [3, 2]);
        assert!(
            responders
                .nearest::<2>(Family::V6, &node(1).id, Duration::ZERO)
                .is_empty()
        );
    }

    #[test]
    fn who_answered_long_ago_may_be_gone() {
        let mut responders = RecentResponders::default();
        responders.remember(node(1), round_trip(1), Duration::ZERO, 4);
        responders.remember(node(2), round_trip(2), Duration::from_secs(60), 4);
        assert_eq!(nearest(&responders, 1, LIFETIME), [2]);
    }
}
