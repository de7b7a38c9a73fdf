//! The DHT over UDP: gives `dht::Node` its sockets, its clock and its randomness. On a host with several addresses there are several, each with an id
//! of its own. BEP 45.

mod announcement;
mod bootstrap;
mod desk;
mod driver;
mod entrance;
mod identity;
mod keeping;
mod slumber;
mod sockets;

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use dht::{AnnouncedPort, BucketView, Event, Family, Id, Item, NodeInfo, Salt};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use wire::InfoHash;

use crate::state::StateDir;
pub(crate) use entrance::Entrance;
use identity::Identity;
use keeping::Restored;

/// Events of one lookup that wait for its owner. What is above is lost to him, not to the lookup, and counted ([`DhtStatistics::events_missed`]).
const LOOKUP_EVENTS: usize = 1024;
const COMMANDS: usize = 256;

/// What somebody asks of the DHT.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Question {
    GetPeers,
    /// To this TCP port, or to the port that our datagrams come from; as one who has all of it, or not.
    Announce {
        port: AnnouncedPort,
        seed: bool,
    },
    FindNode,
    Scrape,
    Sample,
}

enum Command {
    Lookup {
        target: Id,
        question: Question,
        events: mpsc::Sender<Event>,
        until: Option<Instant>,
    },
    GetItem {
        target: Id,
        salt: Salt,
        newer_than: Option<i64>,
        events: mpsc::Sender<Event>,
        until: Option<Instant>,
    },
    PutItem {
        item: Box<Item>,
        salt: Salt,
        cas: Option<i64>,
        events: mpsc::Sender<Event>,
        until: Option<Instant>,
    },
    /// Tell about announces of this torrent that come to us.
    Watch {
        info_hash: InfoHash,
        peers: mpsc::Sender<SocketAddr>,
    },
    Ping(SocketAddr),
    Probe {
        address: SocketAddr,
        events: mpsc::Sender<Event>,
    },
    Tables(oneshot::Sender<Tables>),
    Restore(Restored),
    Bootstrap(Vec<SocketAddr>),
    Stop(oneshot::Sender<()>),
}

/// The routing tables as they are.
pub(crate) type Tables = [(Family, Vec<BucketView>); 2];

/// Figures of a DHT node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DhtStatistics {
    /// Contacts in the IPv4 routing table.
    pub nodes_v4: usize,
    /// Contacts in the IPv6 routing table.
    pub nodes_v6: usize,
    /// Peers stored for others.
    pub peers_stored: usize,
    /// Items stored for others. BEP 44.
    pub items_stored: usize,
    /// Queries answered since the start.
    pub queries_answered: u64,
    /// Events that were lost since the start, because who had asked did not take them in time.
    pub events_missed: u64,
}

/// A handle on the node's DHT.
#[derive(Debug, Clone)]
pub(crate) struct Dht {
    /// One for each address of a family.
    identities: Arc<[Identity]>,
    entrance: watch::Receiver<Entrance>,
    /// How long a question asked by this handle may take.
    patience: Option<Duration>,
}

/// How the DHT is set up.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    pub(crate) bootstrap: Vec<String>,
    pub(crate) no_limits: bool,
    pub(crate) read_only: bool,
    /// New addresses of the public network that lookups write to, a second.
    pub(crate) pace: Option<NonZeroU16>,
    pub(crate) state: Option<Arc<StateDir>>,
    /// What is stored for others is part of it.
    pub(crate) keep_stored: bool,
}

impl Dht {
    /// Starts a node for each socket of a family; the first of one family and the first of the other are one node, and so on (BEP 32 wants them to share an
    /// id).
    ///
    /// # Panics
    /// Without a socket.
    pub(crate) fn start(sockets: Vec<UdpSocket>, setup: &Setup) -> Self {
        let load = |place| {
            setup
                .state
                .as_ref()
                .and_then(|state| state.load_node(place))
        };
        let saved = load(0).unwrap_or_default();
        let is_v6 = |socket: &UdpSocket| socket.local_addr().is_ok_and(|own| own.is_ipv6());
        let (v6, v4): (Vec<_>, Vec<_>) = sockets.into_iter().partition(is_v6);
        let count = v4.len().max(v6.len());
        let (mut v4, mut v6) = (v4.into_iter(), v6.into_iter());
        let identities: Arc<[_]> = (0..count)
            .map(|place| {
                let own = (place > 0).then(|| load(place)).flatten();
                let id = own.as_ref().and_then(|own| own.id).map(Id::new);
                // Nobody is asked by all of them at once.
                let shared = saved.contacts.iter().skip(place).step_by(count);
                let own = own.iter().flat_map(|own| &own.contacts);
                let contacts = own.chain(shared).map(|contact| NodeInfo {
                    id: contact.id.into(),
                    address: contact.address,
                });
                let state = setup.state.as_ref();
                let setup = identity::Setup {
                    bootstrap: setup.bootstrap.clone(),
                    no_limits: setup.no_limits,
                    read_only: setup.read_only,
                    id: id.or_else(|| saved.id.map(|id| distant(id, place))),
                    contacts: contacts.collect(),
                    state: state.map(|state| (Arc::clone(state), place)),
                    keep_stored: setup.keep_stored,
                    pace: setup.pace,
                };
                let sockets = v4.next().into_iter().chain(v6.next());
                Identity::start(sockets.collect(), setup)
            })
            .collect();
        let entrances: Vec<_> = identities.iter().map(Identity::entrance).collect();
        Dht {
            identities,
            entrance: entrance::merge(entrances),
            patience: None,
        }
    }

    /// The same node. What this handle asks for ends after so long, with what is found by then.
    pub(crate) fn with_patience(&self, patience: Option<Duration>) -> Self {
        Dht {
            patience,
            ..self.clone()
        }
    }

    /// How long a question asked by this handle may take.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// When a question that is asked now has to end.
    fn until(&self) -> Option<Instant> {
        self.patience
            .and_then(|patience| Instant::now().checked_add(patience))
    }

    /// Starts a lookup; its events end with [`Event::LookupEnded`]. Dropping the receiver cancels it. An announce goes out from every address, one after
    /// the other.
    pub(crate) fn lookup(&self, target: [u8; 20], question: Question) -> mpsc::Receiver<Event> {
        let is_ready = self.identities.iter().any(Identity::is_ready);
        match question {
            Question::Announce { port, seed } if is_ready && self.identities.len() > 1 => {
                announcement::from_all(self.identities.to_vec(), target, port, seed, self.until())
            }
            _ => self.asker(&target).lookup(target, question, self.until()),
        }
    }

    /// Starts a search for an item, as [`Dht::lookup`] does one for peers; where a version is known already, for a newer one.
    pub(crate) fn get_item(
        &self,
        target: Id,
        salt: Salt,
        newer_than: Option<i64>,
    ) -> mpsc::Receiver<Event> {
        self.asker(target.as_bytes())
            .get_item(target, salt, newer_than, self.until())
    }

    /// Puts an item, once.
    pub(crate) fn put_item(
        &self,
        item: Item,
        salt: Salt,
        cas: Option<i64>,
    ) -> mpsc::Receiver<Event> {
        let target = item.target(&salt);
        self.asker(target.as_bytes())
            .put_item(item, salt, cas, self.until())
    }

    /// The peers that announce this torrent to our own nodes, until the receiver is dropped.
    pub(crate) fn watch(&self, info_hash: InfoHash) -> mpsc::Receiver<SocketAddr> {
        let (peers, receiver) = mpsc::channel(COMMANDS);
        for identity in self.identities.iter() {
            identity.watch(info_hash, peers.clone());
        }
        receiver
    }

    /// This address may be a node's.
    pub(crate) fn ping(&self, address: SocketAddr) {
        self.reaching(Family::of(&address)).ping(address);
    }

    /// Asks an address for a sign of life: the only event is [`Event::Probed`].
    pub(crate) fn probe(&self, address: SocketAddr) -> mpsc::Receiver<Event> {
        self.reaching(Family::of(&address)).probe(address)
    }

    /// The routing tables of each id; `None` if the node has stopped.
    pub(crate) async fn tables(&self) -> Option<Vec<(Id, Tables)>> {
        let mut all = Vec::new();
        for identity in self.identities.iter() {
            all.push((identity.id(), identity.tables().await?));
        }
        Some(all)
    }

    /// Each id, with the addresses that it has.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (Id, &[SocketAddr])> {
        let identities = self.identities.iter();
        identities.map(|identity| (identity.id(), identity.addresses()))
    }

    /// The figures of all of them together.
    pub(crate) fn statistics(&self) -> DhtStatistics {
        let each = self.identities.iter().map(Identity::statistics);
        each.fold(DhtStatistics::default(), |sum, one| DhtStatistics {
            nodes_v4: sum.nodes_v4 + one.nodes_v4,
            nodes_v6: sum.nodes_v6 + one.nodes_v6,
            peers_stored: sum.peers_stored + one.peers_stored,
            items_stored: sum.items_stored + one.items_stored,
            queries_answered: sum.queries_answered + one.queries_answered,
            events_missed: sum.events_missed + one.events_missed,
        })
    }

    /// How the way into the network looks, now and whenever it changes.
    pub(crate) fn entrance(&self) -> watch::Receiver<Entrance> {
        self.entrance.clone()
    }

    /// Whether there is anybody to start from.
    pub(crate) fn knows_somebody(&self) -> bool {
        self.identities.iter().any(Identity::knows_somebody)
    }

    /// The bootstrap hosts, for a sentence.
    pub(crate) fn asked(&self) -> &str {
        self.first().asked()
    }

    /// Saves what is kept between runs and closes the sockets.
    pub(crate) async fn stop(&self) {
        for identity in self.identities.iter() {
            identity.stop().await;
        }
    }

    fn first(&self) -> &Identity {
        &self.identities[0]
    }

    /// Who asks for a target, always the same one of those that are in the network and ask in as many families as any of these. BEP 45, "Mandatory": no
    /// target from several addresses at once.
    fn asker(&self, target: &[u8; 20]) -> &Identity {
        let merit = |one: &&Identity| (one.is_ready(), one.addresses().len());
        let most = self.identities.iter().map(|one| merit(&one)).max();
        let able = self
            .identities
            .iter()
            .filter(|one| Some(merit(one)) == most);
        let able: Vec<_> = able.collect();
        let turn = usize::from(target[0]) % able.len().max(1);
        able.get(turn).copied().unwrap_or_else(|| self.first())
    }

    fn reaching(&self, family: Family) -> &Identity {
        let mut able = self.identities.iter();
        able.find(|identity| identity.reaches(family))
            .unwrap_or_else(|| self.first())
    }
}

/// The id that another address begins with: far from the first, and as far as can be from one another. BEP 45, "Mandatory".
fn distant(id: [u8; 20], place: usize) -> Id {
    let flips = (place as u16).reverse_bits().to_be_bytes();
    let mut id = id;
    id.iter_mut()
        .zip(flips)
        .for_each(|(byte, flip)| *byte ^= flip);
    Id::new(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_several_addresses_differ_in_their_first_bits() {
        let ids: Vec<_> = (0..8).map(|place| distant([0x55; 20], place)).collect();
        assert_eq!(*ids[0].as_bytes(), [0x55; 20]);
        for (place, id) in ids.iter().enumerate() {
            let others = ids.iter().take(place);
            assert!(others.clone().all(|other| other.shared_prefix(id) < 3));
        }
    }
}
