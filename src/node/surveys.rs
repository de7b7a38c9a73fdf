//! What a node can find out about the network, beside peers.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    BucketView, Census, Event, Family, Id, LookupReport, NetworkSize, NodeInfo, Outcome, Probe,
    ScrapeCount,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use wire::InfoHash;

use super::Node;
use crate::Error;
use crate::dht_driver::{Dht, Question};

/// The samples of a survey, as they come. Dropping it ends the survey.
#[derive(Debug)]
pub struct Samples {
    events: mpsc::Receiver<Event>,
    summary: Option<SurveySummary>,
}

/// What one node told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeSample {
    /// Its id.
    pub id: [u8; 20],
    /// Its address.
    pub node: SocketAddr,
    /// Some of the torrents that it keeps peers of.
    pub info_hashes: Vec<InfoHash>,
    /// How many there are.
    pub total: u64,
    /// For so long it has nothing new to tell, and is not asked again.
    pub interval: Duration,
}

/// How a survey went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SurveySummary {
    /// Nodes asked.
    pub queried: usize,
    /// Nodes that answered, with a sample or without.
    pub responded: usize,
    /// Nodes that did not.
    pub failed: usize,
    /// How long it took.
    pub elapsed: Duration,
}

impl Samples {
    /// The next sample; `None` when everybody was asked, or the node has shut down. Cancel safe.
    pub async fn next(&mut self) -> Option<NodeSample> {
        while self.summary.is_none() {
            match self.events.recv().await? {
                Event::Sampled { node, sample, .. } => {
                    let hashes = sample.info_hashes.iter();
                    return Some(NodeSample {
                        id: *node.id.as_bytes(),
                        node: node.address,
                        info_hashes: hashes.map(|hash| (*hash.as_bytes()).into()).collect(),
                        total: sample.total,
                        interval: sample.lifetime(),
                    });
                }
                Event::LookupEnded { report, .. } => {
                    self.summary = Some(SurveySummary {
                        queried: report.asked,
                        responded: report.answered,
                        failed: report.failed,
                        elapsed: report.elapsed,
                    });
                }
                _ => {}
            }
        }
        None
    }

    /// How it went, once everybody was asked.
    pub fn summary(&self) -> Option<SurveySummary> {
        self.summary
    }
}

/// How many have a torrent, by the count of the nodes that they announce to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scraped {
    /// About so many have all of it.
    pub seeds: u64,
    /// About so many have not.
    pub leechers: u64,
    /// Nodes whose counts these are.
    pub counted_by: usize,
    /// Nodes that named peers without counting them. These are in `leechers` if nobody else knows them as seeds.
    pub without_count: usize,
    /// Whether there are more than can be counted: then the figures are the least.
    pub overflow: bool,
    /// Nodes asked.
    pub queried: usize,
    /// Nodes that answered.
    pub responded: usize,
    /// How long it took.
    pub elapsed: Duration,
}

/// Who answered a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pong {
    /// Its address.
    pub node: SocketAddr,
    /// Its id.
    pub id: [u8; 20],
    /// Two letters for the client and two bytes for the version, if it says. BEP 20.
    pub version: Option<[u8; 4]>,
    /// How long the answer took.
    pub round_trip: Duration,
}

/// The routing table of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableView {
    /// Our id that it is ordered around.
    pub id: [u8; 20],
    /// Whether it is that of IPv6.
    pub is_ipv6: bool,
    /// From the one of the ids that share no leading bit with ours to the deepest that holds a contact.
    pub buckets: Vec<BucketView>,
}

/// How large the network of a family is, and what that is known from.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// Whether it is that of IPv6.
    pub is_ipv6: bool,
    /// How many nodes there are, and between which bounds with 95 % certainty.
    pub size: NetworkSize,
    /// Points around which the nearest nodes were found.
    pub neighbourhoods: usize,
    /// Nodes that were met there.
    pub met: usize,
}

/// Lookups of an estimate that are under way at once.
const AT_ONCE: usize = 4;

impl Node {
    /// Asks node after node which torrents it keeps peers of, from those nearest to a point outwards. Nobody is asked again by this node
    /// before the time that he named is over. BEP 51.
    pub fn sample(&self, point: [u8; 20]) -> Samples {
        Samples {
            events: self.dht.lookup(point, Question::Sample),
            summary: None,
        }
    }

    /// Counts who has a torrent. BEP 33.
    ///
    /// # Errors
    /// The node was shut down.
    pub async fn scrape(&self, info_hash: InfoHash) -> Result<Scraped, Error> {
        let mut events = self.dht.lookup(*info_hash.as_bytes(), Question::Scrape);
        let mut counted = ScrapeCount::default();
        while let Some(event) = events.recv().await {
            match event {
                Event::Scraped { count, .. } => counted = *count,
                Event::LookupEnded { report, .. } => {
                    return Ok(Scraped {
                        seeds: counted.seeds(),
                        leechers: counted.leechers(),
                        counted_by: counted.counted,
                        without_count: counted.without_filters,
                        overflow: counted.seeds.is_full() || counted.peers.is_full(),
                        queried: report.asked,
                        responded: report.answered,
                        elapsed: report.elapsed,
                    });
                }
                _ => {}
            }
        }
        Err(Error::ShutDown)
    }

    /// The nodes nearest to a point that answer, nearest first, at most 8 a family.
    ///
    /// # Errors
    /// Nobody answered, or the node was shut down.
    pub async fn closest_nodes(&self, point: [u8; 20]) -> Result<Vec<NodeInfo>, Error> {
        let report = neighbourhood(&self.dht, point).await?;
        match report.answered {
            0 => Err(Error::Unanswered {
                after: report.elapsed,
            }),
            _ => Ok(report.closest),
        }
    }

    /// Estimates how many nodes there are, for each family in which there is anybody, from how far the eight nearest to points drawn at random reach. The error is about
    /// 75 % divided by the root of the number of lookups. All of them together take no longer than the patience; then fewer count.
    ///
    /// # Errors
    /// Nobody answered, or the node was shut down.
    pub async fn estimate(&self, lookups: u16) -> Result<Vec<Estimate>, Error> {
        let start = Instant::now();
        let mut census = [Census::default(), Census::default()];
        let mut running = JoinSet::new();
        let mut left = lookups;
        loop {
            let patience = self.patience();
            let patience = patience.map(|patience| patience.saturating_sub(start.elapsed()));
            let is_late = patience.is_some_and(|patience| patience.is_zero());
            while running.len() < AT_ONCE && left > 0 && !is_late {
                left -= 1;
                let dht = self.dht.with_patience(patience);
                let point: [u8; 20] = rand::random();
                running.spawn(async move { (point, neighbourhood(&dht, point).await) });
            }
            let Some(Ok((point, report))) = running.join_next().await else {
                break;
            };
            let report = report?;
            // Of a lookup that was cut short the nearest are not the nearest.
            if report.outcome != Outcome::Converged {
                continue;
            }
            for (family, census) in Family::ALL.into_iter().zip(&mut census) {
                let of_family = |node: &&NodeInfo| Family::of(&node.address) == family;
                let closest: Vec<_> = report.closest.iter().filter(of_family).copied().collect();
                census.add(&Id::new(point), &closest);
            }
        }
        let estimates = Family::ALL.into_iter().zip(&census);
        let estimates: Vec<_> = estimates
            .filter_map(|(family, census)| {
                Some(Estimate {
                    is_ipv6: family == Family::V6,
                    size: census.estimate()?,
                    neighbourhoods: census.neighbourhoods(),
                    met: census.met(),
                })
            })
            .collect();
        if estimates.is_empty() {
            let after = start.elapsed();
            return Err(Error::Unanswered { after });
        }
        Ok(estimates)
    }

    /// Asks an address whether a DHT node is there.
    ///
    /// # Errors
    /// Nobody answers in time, or with an error.
    pub async fn ping(&self, address: SocketAddr, patience: Duration) -> Result<Pong, Error> {
        let asked = Instant::now();
        let silent = || Error::NoNodeAnswered {
            asked: address.to_string(),
            after: asked.elapsed(),
        };
        let mut events = self.dht.probe(address);
        let event = timeout(patience, events.recv()).await;
        let event = event.map_err(|_| silent())?.ok_or(Error::ShutDown)?;
        let Event::Probed { outcome, .. } = event else {
            return Err(Error::ShutDown);
        };
        match outcome {
            Probe::Answered {
                node,
                version,
                round_trip,
            } => Ok(Pong {
                node: node.address,
                id: *node.id.as_bytes(),
                version,
                round_trip,
            }),
            Probe::Refused { code } => Err(Error::Refused { address, code }),
            Probe::Silent => Err(silent()),
        }
    }

    /// The routing tables of each id: that of IPv4, and that of IPv6 if there is anybody in it.
    ///
    /// # Errors
    /// The node was shut down.
    pub async fn routing_table(&self) -> Result<Vec<TableView>, Error> {
        let tables = self.dht.tables().await.ok_or(Error::ShutDown)?;
        let tables = tables.into_iter().flat_map(|(id, tables)| {
            tables.into_iter().map(move |(family, buckets)| TableView {
                id: *id.as_bytes(),
                is_ipv6: family == Family::V6,
                buckets,
            })
        });
        Ok(tables
            .filter(|table| !table.is_ipv6 || !table.buckets.is_empty())
            .collect())
    }

    /// Waits until the neighbourhood of our own id was found, and with it a routing table that is as good as it gets at once. Not for longer
    /// than the patience: then it is what it is.
    pub async fn settled(&self, patience: Duration) {
        let mut entrance = self.dht.entrance();
        let _ = timeout(patience, entrance.wait_for(|entrance| entrance.settled)).await;
    }
}

/// Finds the nodes nearest to a point.
async fn neighbourhood(dht: &Dht, point: [u8; 20]) -> Result<LookupReport, Error> {
    let mut events = dht.lookup(point, Question::FindNode);
    while let Some(event) = events.recv().await {
        if let Event::LookupEnded { report, .. } = event {
            return Ok(*report);
        }
    }
    Err(Error::ShutDown)
}
