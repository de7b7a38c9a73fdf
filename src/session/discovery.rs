//! Asking the DHT for peers of one torrent, and telling it that we are one.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dht::{AnnouncedPort, Event};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use wire::InfoHash;

use super::renewal::{ENOUGH, pause};
use crate::dht_driver::{Dht, Entrance, Question};

/// How soon an announce that nobody took is repeated.
const RETRY: Duration = Duration::from_secs(10);
/// How soon somebody new is told, where the network is that small.
const GREETING: Duration = Duration::from_millis(100);

/// What the DHT said.
#[derive(Debug)]
pub(super) enum Found {
    Peers(Vec<SocketAddr>),
    /// So many nodes hold our announce now.
    Announced(usize),
}

/// The DHT's part of a session. A private torrent has none (BEP 27).
#[derive(Debug)]
pub(super) struct Discovery {
    dht: Dht,
    info_hash: InfoHash,
    port: u16,
    /// The lookup that is under way.
    lookup: Option<mpsc::Receiver<Event>>,
    /// Whether it is known that we may be found.
    announcing: bool,
    /// Whether we have all of it.
    seeding: bool,
    /// Nodes that hold our announce.
    holders: usize,
    /// Who else there is to tell, and from where.
    entrance: watch::Receiver<Entrance>,
    /// Our addresses as others saw them last.
    external: Vec<IpAddr>,
    /// When the DHT is asked or told next.
    due: Option<Instant>,
    /// Peers that announce themselves to our own node.
    announced_to_us: mpsc::Receiver<SocketAddr>,
}

impl Discovery {
    /// Begins to ask for peers.
    pub(super) fn start(dht: Dht, info_hash: InfoHash, port: u16) -> Self {
        Discovery {
            announced_to_us: dht.watch(info_hash),
            entrance: dht.entrance(),
            external: Vec::new(),
            dht,
            info_hash,
            port,
            lookup: None,
            announcing: false,
            seeding: false,
            holders: 0,
            due: Some(Instant::now()),
        }
    }

    /// Announces ourselves from now on. It looks for peers on its way.
    pub(super) fn announce(&mut self) {
        if !self.announcing {
            self.announcing = true;
            self.lookup = None;
            self.due = Some(Instant::now());
        }
    }

    /// We have all of it: from the next announce on, that is said too.
    pub(super) fn has_all(&mut self) {
        self.seeding = true;
    }

    /// We have not all of it any more.
    pub(super) fn lacks_some(&mut self) {
        self.seeding = false;
    }

    /// Asks for more peers, unless that is under way.
    pub(super) fn ask(&mut self) {
        if self.lookup.is_none() {
            self.look_up(Question::GetPeers);
        }
    }

    fn look_up(&mut self, question: Question) {
        let events = self.dht.lookup(*self.info_hash.as_bytes(), question);
        self.lookup = Some(events);
    }

    /// Waits for news. Can be dropped and called again.
    pub(super) async fn next(&mut self) -> Found {
        loop {
            tokio::select! {
                event = next_of(&mut self.lookup) => match event {
                    Some(Event::Peers { peers, .. }) => return Found::Peers(peers),
                    Some(Event::LookupEnded { report, .. }) => {
                        self.lookup = None;
                        let holders = report.announced_to;
                        if holders > 0 {
                            self.due = Some(Instant::now() + pause(holders, &mut rand::rng()));
                            if std::mem::replace(&mut self.holders, holders) != holders {
                                return Found::Announced(holders);
                            }
                        }
                    }
                    Some(_) => {}
                    None => self.lookup = None,
                },
                Some(peer) = self.announced_to_us.recv() => return Found::Peers(vec![peer]),
                // In a network of a few nodes those who hold our announce may be gone when the next one comes and asks.
                // And who had another address is not found at it any more.
                Ok(()) = self.entrance.changed(), if self.announcing => {
                    let external = self.entrance.borrow_and_update().external.clone();
                    let has_moved = self.external.iter().any(|known| !external.contains(known));
                    self.external = external;
                    if !has_moved && self.holders >= ENOUGH {
                        continue;
                    }
                    let soon = Instant::now() + GREETING;
                    self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
                }
                () = due(self.due), if self.lookup.is_none() => {
                    let now = Instant::now();
                    let (question, again) = if self.announcing {
                        let port = AnnouncedPort::Implied(self.port);
                        let seed = self.seeding;
                        (Question::Announce { port, seed }, Some(now + RETRY))
                    } else {
                        (Question::GetPeers, None)
                    };
                    self.due = again;
                    self.look_up(question);
                }
            }
        }
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn next_of(lookup: &mut Option<mpsc::Receiver<Event>>) -> Option<Event> {
    match lookup {
        Some(lookup) => lookup.recv().await,
        None => std::future::pending().await,
    }
}
