use crate::config::Config;
use crate::id::Distance;
use crate::message::NodeInfo;
use crate::security::{is_id_doubtful, is_id_valid};

/// How a walk goes on that came to an end where it cannot be by chance.
pub(super) struct Detour {
    /// The distance within which a crowd stands next to the target, which does not count: its 64 most significant bits. 0: there is none.
    reach: u64,
    /// How many have to answer.
    wanted: usize,
    /// Queries that may still be spent.
    budget: usize,
    /// Those of them that may be spent in the crowd on ids that nothing is known of.
    unproven: usize,
}

impl Detour {
    /// What the k nearest call for that answered a walk, in a network of so many nodes, if the k-th of them stands at this distance. If that is where a
    /// sixth of k is to be expected, they are a crowd. If it is where twice k are, somebody hides those who are nearer: k more are to answer.
    /// Either way `budget` queries may be spent on it.
    pub(super) fn called_for(farthest: Distance, network_size: u64, budget: usize) -> Option<Self> {
        let expected = (u64::MAX / network_size.max(1)).saturating_mul(Config::K as u64);
        let (reach, wanted) = if farthest.high() < expected / 6 {
            (expected / 6, Config::K)
        } else if farthest.high() / 2 > expected {
            (0, 2 * Config::K)
        } else {
            return None;
        };
        (budget > 0).then_some(Self {
            reach,
            wanted,
            budget,
            unproven: budget / 4,
        })
    }

    pub(super) const fn wanted(&self) -> usize {
        self.wanted
    }

    /// Whether a node at this distance stands outside the crowd.
    pub(super) const fn counts(&self, distance: Distance) -> bool {
        self.reach <= distance.high()
    }

    /// Whether a node at this distance may be asked. In a crowd only those may whose ids follow from their addresses: of these nobody has as many as he
    /// likes. BEP 42. In IPv6 the id of an honest node may follow from its other address, so there a quarter of the budget is for any.
    pub(super) fn admits(&self, node: &NodeInfo, distance: Distance) -> bool {
        let is_welcome =
            !self.is_unproven(node, distance) || (self.unproven > 0 && !is_id_doubtful(node));
        self.budget > 0 && is_welcome
    }

    fn is_unproven(&self, node: &NodeInfo, distance: Distance) -> bool {
        !self.counts(distance) && !is_id_valid(&node.id, node.address.ip())
    }

    /// Whether those around a crowd may be asked who else is there.
    pub(super) const fn explores(&self) -> bool {
        self.reach > 0 && self.budget > 0
    }

    /// A query was sent to a node at this distance.
    pub(super) fn spend(&mut self, node: &NodeInfo, distance: Distance) {
        self.budget = self.budget.saturating_sub(1);
        let is_unproven = self.is_unproven(node, distance);
        self.unproven = self.unproven.saturating_sub(is_unproven.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;
    use crate::security::id_for;

    const NETWORK: u64 = 1 << 10;

    /// A distance in units of that within which one node is to be expected.
    fn distance(nodes: u64) -> Distance {
        let mut id = [0; Id::LENGTH];
        let high = nodes.saturating_mul(u64::MAX / NETWORK).to_be_bytes();
        id.iter_mut()
            .zip(high)
            .for_each(|(byte, high)| *byte = high);
        Id::new(id).distance(&Id::new([0; Id::LENGTH]))
    }

    #[test]
    fn a_walk_that_ends_as_is_to_be_expected_is_over() {
        for nodes in 2..=15 {
            assert!(
                Detour::called_for(distance(nodes), NETWORK, 64).is_none(),
                "{nodes}"
            );
        }
        assert!(
            Detour::called_for(distance(1), NETWORK, 0).is_none(),
            "it has to be wanted"
        );
    }

    #[test]
    fn a_crowd_does_not_count_and_its_neighbours_are_asked() {
        let detour = Detour::called_for(distance(1), NETWORK, 64).unwrap();
        assert_eq!((detour.wanted(), detour.explores()), (Config::K, true));
        assert!(!detour.counts(distance(1)) && detour.counts(distance(2)));
    }

    #[test]
    fn where_somebody_hides_the_nearest_twice_as_many_have_to_answer() {
        let detour = Detour::called_for(distance(17), NETWORK, 64).unwrap();
        assert_eq!((detour.wanted(), detour.explores()), (2 * Config::K, false));
        assert!(detour.counts(distance(0)));
    }

    #[test]
    fn in_a_crowd_an_id_has_to_follow_from_its_address_and_nowhere_else() {
        let mut rng = <rand_xoshiro::Xoshiro256PlusPlus as rand::SeedableRng>::seed_from_u64(1);
        let address: std::net::SocketAddr = "8.8.8.8:1".parse().unwrap();
        let node = |id| NodeInfo { id, address };
        let (honest, chosen) = (id_for(address.ip(), &mut rng), Id::random(&mut rng));
        let mut detour = Detour::called_for(distance(1), NETWORK, 2).unwrap();
        assert!(detour.admits(&node(honest), distance(1)));
        assert!(!detour.admits(&node(chosen), distance(1)));
        assert!(detour.admits(&node(chosen), distance(2)));
        detour.spend(&node(chosen), distance(2));
        detour.spend(&node(chosen), distance(2));
        assert!(
            !detour.admits(&node(chosen), distance(2)),
            "the budget is spent"
        );
    }

    #[test]
    fn in_a_crowd_of_ipv6_some_may_have_the_id_of_their_other_address() {
        let node = NodeInfo {
            id: Id::new([7; Id::LENGTH]),
            address: "[2a00:1450::1]:6881".parse().unwrap(),
        };
        let mut detour = Detour::called_for(distance(1), NETWORK, 64).unwrap();
        for _ in 0..16 {
            assert!(detour.admits(&node, distance(1)));
            detour.spend(&node, distance(1));
        }
        assert!(!detour.admits(&node, distance(1)), "they may all be one");
        assert!(detour.admits(&node, distance(2)));
    }
}
