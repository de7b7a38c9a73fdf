//! Many lookups or announces, worked through in key-space order.

use std::net::SocketAddr;
use std::time::Duration;

use dht::Event;
use tokio::sync::mpsc;
use wire::InfoHash;

use crate::dht_driver::{Dht, Question};

/// Stretches of the key space that are worked through at the same time, one lookup each. All of them stay within the queries that a node
/// has in flight (`Config::max_in_flight`), and no two ask the same nodes in a network that is large.
const LANES: usize = 24;

/// A batch of lookups or announces: what came of each info-hash, in no order. Dropping it ends it.
///
/// In each of a number of stretches of the key space one info-hash follows the other, so that a lookup begins at the nodes that the one before
/// has found, and takes a few queries instead of the whole way.
#[derive(Debug)]
pub struct Batch {
    answers: mpsc::Receiver<BatchAnswer>,
    len: usize,
}

/// What came of one info-hash of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchAnswer {
    /// Which one it is.
    pub info_hash: InfoHash,
    /// Its peers, each once, at most 10,000.
    pub peers: Vec<SocketAddr>,
    /// Nodes that hold our announce, if it was one.
    pub holders: Vec<SocketAddr>,
    /// Nodes asked.
    pub queried: usize,
    /// Nodes that answered.
    pub responded: usize,
    /// Nodes that did not.
    pub failed: usize,
    /// How long it took.
    pub elapsed: Duration,
}

impl Batch {
    pub(crate) fn start(dht: &Dht, info_hashes: &[InfoHash], question: Question) -> Self {
        let mut sorted = info_hashes.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let (sender, answers) = mpsc::channel(LANES);
        for lane in sorted.chunks(sorted.len().div_ceil(LANES).max(1)) {
            tokio::spawn(walk(dht.clone(), lane.to_vec(), question, sender.clone()));
        }
        let len = sorted.len();
        Batch { answers, len }
    }

    /// The next answer; `None` when there was one for each info-hash, or when the node has shut down. Cancel safe.
    pub async fn next(&mut self) -> Option<BatchAnswer> {
        self.answers.recv().await
    }

    /// How many different info-hashes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Works through neighbouring info-hashes.
async fn walk(
    dht: Dht,
    lane: Vec<InfoHash>,
    question: Question,
    answers: mpsc::Sender<BatchAnswer>,
) {
    for info_hash in lane {
        let answer = tokio::select! {
            answer = ask(&dht, info_hash, question) => answer,
            () = answers.closed() => return,
        };
        let Some(answer) = answer else { return };
        if answers.send(answer).await.is_err() {
            return;
        }
    }
}

/// `None` if the node has shut down.
async fn ask(dht: &Dht, info_hash: InfoHash, question: Question) -> Option<BatchAnswer> {
    let mut events = dht.lookup(*info_hash.as_bytes(), question);
    let (mut found, mut holders) = (Vec::new(), Vec::new());
    loop {
        match events.recv().await? {
            Event::Peers { peers, .. } => found.extend(peers),
            Event::Announced { node, .. } => holders.push(node.address),
            Event::LookupEnded { report, .. } => {
                return Some(BatchAnswer {
                    info_hash,
                    peers: found,
                    holders,
                    queried: report.asked,
                    responded: report.answered,
                    failed: report.failed,
                    elapsed: report.elapsed,
                });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lookups_at_once_stay_within_what_a_node_may_have_in_flight() {
        let config = dht::Config::default();
        assert!(LANES * config.max_parallel <= config.max_in_flight);
    }
}
