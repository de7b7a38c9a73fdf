use std::collections::BTreeSet;

use crate::config::Config;
use crate::id::Id;
use crate::message::NodeInfo;

/// How many nodes a network has, judged from how densely they stand around points that were drawn at random.
///
/// Ids are spread evenly, so that the k nearest to a point reach the farther the fewer there are. Only nodes that answer are counted.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// Distances of the k-th nearest nodes, as shares of the key space.
    reach: f64,
    /// How many neighbourhoods those are.
    neighbourhoods: usize,
    /// Everybody who was met.
    met: BTreeSet<Id>,
}

/// The outcome of a [`Census`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkSize {
    /// About so many nodes answer.
    pub nodes: u64,
    /// At least so many, with a certainty of 95 % for both bounds together.
    pub low: u64,
    /// At most so many.
    pub high: u64,
}

/// Standard deviations to either side that leave out one case of twenty.
const CERTAINTY: f64 = 1.96;

impl Census {
    /// Takes in whom a lookup for a point found: the nearest that answered, nearest first, of one family.
    pub fn add(&mut self, point: &Id, closest: &[NodeInfo]) {
        self.met.extend(closest.iter().map(|node| node.id));
        if let Some(farthest) = closest.get(Config::K - 1) {
            let distance = farthest.id.distance(point).high() as f64;
            self.reach += distance / 2f64.powi(64);
            self.neighbourhoods += 1;
        }
    }

    /// How many neighbourhoods were complete.
    pub const fn neighbourhoods(&self) -> usize {
        self.neighbourhoods
    }

    /// Different nodes that were met.
    pub fn met(&self) -> usize {
        self.met.len()
    }

    /// The outcome; `None` if nobody was met.
    pub fn estimate(&self) -> Option<NetworkSize> {
        let met = self.met.len() as f64;
        if self.met.is_empty() {
            return None;
        }
        // Where nobody has k neighbours everybody was met.
        if self.neighbourhoods == 0 {
            let nodes = self.met.len() as u64;
            let (low, high) = (nodes, nodes);
            return Some(NetworkSize { nodes, low, high });
        }
        // The reach times the number of nodes is the time of so many arrivals: less one, its inverse is right on average.
        let arrivals = (self.neighbourhoods * Config::K) as f64;
        let nodes = (arrivals - 1.0) / self.reach.max(f64::MIN_POSITIVE);
        // Neighbourhoods that overlap are no news.
        let error = 1.0 / (met.min(arrivals) - 2.0).max(1.0).sqrt();
        let at_least = |nodes: f64| nodes.max(met).round() as u64;
        Some(NetworkSize {
            nodes: at_least(nodes),
            low: at_least(nodes * (-CERTAINTY * error).exp()),
            high: at_least(nodes * (CERTAINTY * error).exp()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    fn network(size: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<NodeInfo> {
        let address = SocketAddr::from(([9, 9, 9, 9], 9));
        let node = |_| NodeInfo {
            id: Id::random(rng),
            address,
        };
        (0..size).map(node).collect()
    }

    fn census(network: &mut [NodeInfo], lookups: usize, rng: &mut Xoshiro256PlusPlus) -> Census {
        let mut census = Census::default();
        for _ in 0..lookups {
            let point = Id::random(rng);
            network.sort_by_key(|node| node.id.distance(&point));
            census.add(&point, &network[..network.len().min(Config::K)]);
        }
        census
    }

    #[test]
    fn the_size_lies_between_the_bounds_nineteen_times_of_twenty() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for (size, lookups) in [(8, 4), (20, 16), (100, 16), (1000, 8), (3000, 8)] {
            let (mut right, mut sum) = (0, 0.0);
            for _ in 0..100 {
                let mut network = network(size, &mut rng);
                let census = census(&mut network, lookups, &mut rng);
                let estimate = census.estimate().unwrap();
                right += usize::from((estimate.low..=estimate.high).contains(&(size as u64)));
                sum += estimate.nodes as f64;
                assert!(estimate.low <= estimate.nodes && estimate.nodes <= estimate.high);
                assert!(estimate.low >= census.met() as u64);
            }
            assert!(right >= 88, "{right} of 100 with {size} nodes");
            let mean = sum / 100.0 / size as f64;
            assert!((0.9..1.15).contains(&mean), "{mean} of {size} nodes");
        }
    }

    #[test]
    fn more_neighbourhoods_tell_it_more_exactly() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let mut network = network(5000, &mut rng);
        let mut width = |lookups| {
            let estimate = census(&mut network, lookups, &mut rng).estimate().unwrap();
            estimate.high as f64 / estimate.low as f64
        };
        assert!(width(4) > 1.5 * width(40));
        assert!(width(40) < 1.3);
    }

    #[test]
    fn a_network_without_a_whole_neighbourhood_is_counted() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        assert_eq!(Census::default().estimate(), None);
        let mut network = network(5, &mut rng);
        let estimate = census(&mut network, 3, &mut rng).estimate();
        let (nodes, low, high) = (5, 5, 5);
        assert_eq!(estimate, Some(NetworkSize { nodes, low, high }));
    }
}
