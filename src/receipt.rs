//! Announces with a receipt: who holds them, and who of these says so when asked.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use dht::{AnnouncedPort, Body, Event, Id, Message, Method, Query, TransactionId, Want, Wishes};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use wire::InfoHash;

use crate::Error;
use crate::dht_driver::{Dht, Question};

/// Nodes forget an announce after 30 to 45 minutes: it is renewed well before.
const RENEWAL: Duration = Duration::from_secs(15 * 60);
/// How soon an announce that nobody took is repeated.
const RETRY: Duration = Duration::from_secs(10);
/// When a holder that has not answered is asked again, and when for the last time his answer is welcome.
const TURNS: [Duration; 2] = [Duration::from_millis(700), Duration::from_secs(2)];
/// More than any response has.
const DATAGRAM: usize = 2048;

/// Who holds an announce.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnounceReceipt {
    /// Of which torrent.
    pub info_hash: InfoHash,
    /// Those who acknowledged it, each once.
    pub holders: Vec<Holder>,
    /// How long announcing took.
    pub elapsed: Duration,
}

/// A node that acknowledged an announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its address.
    pub node: SocketAddr,
    /// Its id.
    pub id: [u8; 20],
    /// How long after the beginning it acknowledged.
    pub after: Duration,
    /// What it says when it is asked who has the torrent.
    pub testimony: Testimony,
}

/// What a holder of an announce says when it is asked, from another port of ours, who has the torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Testimony {
    /// It names our address and the port that was announced.
    NamesUs,
    /// It names others. Of many peers a node names a sample, so this may be chance.
    NamesOthers {
        /// How many.
        peers: usize,
    },
    /// It names nobody.
    NamesNobody,
    /// It does not answer.
    Silent,
}

impl AnnounceReceipt {
    /// How many of the holders name us.
    pub fn confirmed(&self) -> usize {
        let names_us = |holder: &&Holder| holder.testimony == Testimony::NamesUs;
        self.holders.iter().filter(names_us).count()
    }
}

/// An announce that is renewed before it is forgotten. It ends when it is dropped.
#[derive(Debug)]
pub struct KeptAnnounce {
    receipts: mpsc::Receiver<Result<AnnounceReceipt, Error>>,
}

impl KeptAnnounce {
    /// How long after an announce that somebody took the next one goes out.
    pub const RENEWAL: Duration = RENEWAL;
    /// The same after one that nobody took.
    pub const RETRY: Duration = RETRY;

    pub(crate) fn start(announcer: Announcer) -> Self {
        let (sender, receipts) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let start = Instant::now();
                let result = announcer.announce().await;
                let is_over = matches!(result, Err(Error::ShutDown));
                let is_held = matches!(&result, Ok(receipt) if !receipt.holders.is_empty());
                let pause = if is_held { RENEWAL } else { RETRY };
                if sender.send(result).await.is_err() || is_over {
                    return;
                }
                tokio::select! {
                    () = sleep_until(start + pause) => {}
                    () = sender.closed() => return,
                }
            }
        });
        KeptAnnounce { receipts }
    }

    /// How the next announce went; `None` after the node has shut down. Cancel safe.
    pub async fn next(&mut self) -> Option<Result<AnnounceReceipt, Error>> {
        self.receipts.recv().await
    }
}

/// Announces one torrent, and sees that it is held.
pub(crate) struct Announcer {
    pub(crate) dht: Dht,
    /// Those that we listen on.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) info_hash: InfoHash,
    pub(crate) port: AnnouncedPort,
}

impl Announcer {
    /// Announces it, and asks those who acknowledged that.
    pub(crate) async fn announce(&self) -> Result<AnnounceReceipt, Error> {
        let start = Instant::now();
        let question = Question::Announce {
            port: self.port,
            seed: false,
        };
        let mut events = self.dht.lookup(*self.info_hash.as_bytes(), question);
        let mut holders = BTreeMap::new();
        let elapsed = loop {
            match events.recv().await.ok_or(Error::ShutDown)? {
                Event::Announced { node, .. } => {
                    let holder = Holder {
                        node: node.address,
                        id: *node.id.as_bytes(),
                        after: start.elapsed(),
                        testimony: Testimony::Silent,
                    };
                    // From several addresses of ours a node is told several times.
                    holders.entry(node.address).or_insert(holder);
                }
                Event::LookupEnded { report, .. } if report.answered == 0 => {
                    let after = report.elapsed;
                    return Err(Error::Unanswered { after });
                }
                Event::LookupEnded { report, .. } => break report.elapsed,
                _ => {}
            }
        };
        let mut holders: Vec<_> = holders.into_values().collect();
        holders.sort_by_key(|holder| holder.after);
        for is_ipv6 in [false, true] {
            let of_family = |holder: &&mut Holder| holder.node.is_ipv6() == is_ipv6;
            let mut holders: Vec<_> = holders.iter_mut().filter(of_family).collect();
            if holders.is_empty() {
                continue;
            }
            if let Err(error) = self.examine(is_ipv6, &mut holders).await {
                tracing::warn!("cannot ask who holds the announce: {error}");
            }
        }
        Ok(AnnounceReceipt {
            info_hash: self.info_hash,
            holders,
            elapsed,
        })
    }

    /// Asks holders of one family as anybody would: from a port that they do not know, and each for itself.
    async fn examine(&self, is_ipv6: bool, holders: &mut [&mut Holder]) -> io::Result<()> {
        let of_family = self.addresses.iter().map(SocketAddr::ip);
        let any = if is_ipv6 {
            IpAddr::from(Ipv6Addr::UNSPECIFIED)
        } else {
            IpAddr::from(Ipv4Addr::UNSPECIFIED)
        };
        let from = of_family.clone().find(|ip| ip.is_ipv6() == is_ipv6);
        let socket = UdpSocket::bind((from.unwrap_or(any), 0)).await?;
        let mut ours = self.dht.entrance().borrow().external.clone();
        ours.extend(of_family.filter(|ip| !ip.is_unspecified()));
        let id = Id::new(rand::random());
        // One for all: the address says whose answer it is, and nobody can guess it.
        let transaction: u32 = rand::random();
        let query = Message {
            transaction: TransactionId::from(transaction),
            version: None,
            external: None,
            body: Body::Query(Query {
                id,
                read_only: true,
                method: Method::GetPeers {
                    info_hash: Id::new(*self.info_hash.as_bytes()),
                    want: Want::UNSAID,
                    wishes: Wishes::NONE,
                },
            }),
        };
        let mut question = Vec::new();
        dht::encode(&query, &mut question);
        let start = Instant::now();
        let mut datagram = [0; DATAGRAM];
        let mut waiting: Vec<usize> = (0..holders.len()).collect();
        for turn in TURNS {
            for &place in &waiting {
                // One that cannot be sent is one that is lost.
                let _ = socket.send_to(&question, holders[place].node).await;
            }
            while !waiting.is_empty() {
                let received = timeout_at(start + turn, socket.recv_from(&mut datagram)).await;
                let Ok(received) = received else { break };
                // A refusal of the system concerns one of those that were asked.
                let Ok((length, from)) = received else {
                    continue;
                };
                let Some(at) = waiting
                    .iter()
                    .position(|&place| holders[place].node == from)
                else {
                    continue;
                };
                let Ok(message) = dht::decode(&datagram[..length]) else {
                    continue;
                };
                if message.transaction != query.transaction {
                    continue;
                }
                if let Body::Response(response) = message.body {
                    let seen = message.external.map(|seen| seen.ip());
                    let ours: Vec<_> = ours.iter().copied().chain(seen).collect();
                    let testimony = self.read(&response.values, &ours);
                    holders[waiting.swap_remove(at)].testimony = testimony;
                }
            }
        }
        Ok(())
    }

    /// What the peers that a holder names mean. If nobody has told us our address the port has to do.
    fn read(&self, peers: &[SocketAddr], ours: &[IpAddr]) -> Testimony {
        let is_ours = |peer: &&SocketAddr| {
            let is_port = match self.port {
                AnnouncedPort::Given(port) => port == peer.port(),
                // As others see it, it may be any.
                AnnouncedPort::Implied(_) => true,
            };
            is_port && (ours.is_empty() || ours.contains(&peer.ip()))
        };
        match (peers.iter().find(is_ours), peers.len()) {
            (Some(_), _) => Testimony::NamesUs,
            (None, 0) => Testimony::NamesNobody,
            (None, peers) => Testimony::NamesOthers { peers },
        }
    }
}
