use std::net::IpAddr;

use crate::bloom_filter::BloomFilter;
use crate::message::Scrape;

/// What many nodes together say of how many have a torrent. BEP 33, "Approach".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrapeCount {
    /// Those that have all of it, as counted by any node.
    pub seeds: BloomFilter,
    /// The others.
    pub peers: BloomFilter,
    /// Nodes whose filters are in these.
    pub counted: usize,
    /// Nodes that named peers and have no filters, since they do not know this. BEP 33, "Handling legacy responses".
    pub without_filters: usize,
    /// Nodes whose filters were as full as no filter may be. They do not count.
    pub refused: usize,
}

impl ScrapeCount {
    /// About how many have all of it.
    pub fn seeds(&self) -> u64 {
        self.seeds.estimate().round() as u64
    }

    /// About how many have not. Who is known as a seed to one node and not to another is in both.
    pub fn leechers(&self) -> u64 {
        self.peers.estimate().round() as u64
    }

    /// Counts what a node says.
    pub(crate) fn take(&mut self, scrape: &Scrape) {
        if scrape.seeds.is_full() || scrape.peers.is_full() {
            self.refused += 1;
        } else {
            self.counted += 1;
            self.join(scrape);
        }
    }

    /// Adds what is known at home.
    pub(crate) fn join(&mut self, scrape: &Scrape) {
        self.seeds.join(&scrape.seeds);
        self.peers.join(&scrape.peers);
    }

    /// Adds peers that were named: where nobody knows them as seeds they count as the others.
    pub(crate) fn add_named(&mut self, named: impl Iterator<Item = IpAddr>) {
        for ip in named {
            if !self.seeds.contains(ip) {
                self.peers.insert(ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn ips(numbers: std::ops::Range<u32>) -> impl Iterator<Item = IpAddr> {
        numbers.map(|number| Ipv4Addr::from(0x0b00_0000 + number).into())
    }

    #[test]
    fn what_several_nodes_know_is_counted_once() {
        let mut count = ScrapeCount::default();
        for start in [0, 20, 40] {
            count.take(&Scrape {
                seeds: ips(start..start + 40).collect(),
                peers: ips(1000 + start..1000 + start + 40).collect(),
            });
        }
        // An older node names peers of both kinds.
        count.add_named(ips(0..10).chain(ips(2000..2010)));
        assert!(count.seeds().abs_diff(80) <= 4, "{count:?}");
        assert!(count.leechers().abs_diff(90) <= 4, "{count:?}");
        assert_eq!((count.counted, count.refused), (3, 0));
    }

    #[test]
    fn a_filter_that_holds_everybody_holds_nobody() {
        let mut count = ScrapeCount::default();
        let full = BloomFilter::from([0xff; BloomFilter::LENGTH]);
        for (seeds, peers) in [
            (full.clone(), BloomFilter::new()),
            (BloomFilter::new(), full.clone()),
            (full.clone(), full),
        ] {
            count.take(&Scrape { seeds, peers });
        }
        assert_eq!((count.seeds(), count.leechers(), count.refused), (0, 0, 3));
    }
}
