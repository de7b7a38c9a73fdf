//! The DHT over UDP: gives `dht::Node` its sockets, its clock and its randomness.

mod bootstrap;
mod desk;
mod driver;
mod entrance;
mod keeping;
mod sockets;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use dht::{
    AnnouncedPort, BucketView, Config, Event, Family, Id, Input, Item, Limiter, Limits, Node,
    NodeInfo, Salt,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use wire::InfoHash;

use crate::state::StateDir;
use desk::Desk;
use driver::Driver;
pub(crate) use entrance::Entrance;
use keeping::{Keeping, Restored};
use sockets::Sockets;

/// Events of one lookup that wait for its owner. What is above is lost to him, not to the lookup.
const LOOKUP_EVENTS: usize = 1024;
const COMMANDS: usize = 256;
/// Room for those whom the lookups of a batch met last, in every stretch of the key space that is worked through: 64 KiB.
const RECENT_RESPONDERS: usize = 1024;

/// What somebody asks of the DHT.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
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
        goal: Goal,
        events: mpsc::Sender<Event>,
    },
    GetItem {
        target: Id,
        salt: Salt,
        events: mpsc::Sender<Event>,
    },
    PutItem {
        item: Box<Item>,
        salt: Salt,
        cas: Option<i64>,
        events: mpsc::Sender<Event>,
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
}

/// A handle on the node's DHT.
#[derive(Debug, Clone)]
pub(crate) struct Dht {
    commands: mpsc::Sender<Command>,
    entrance: watch::Receiver<Entrance>,
    statistics: Arc<Mutex<(Id, DhtStatistics)>>,
    /// The bootstrap hosts, in words; empty when there are none.
    asked: Arc<str>,
    knows_somebody: bool,
}

/// How a DHT node is set up.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    pub(crate) bootstrap: Vec<String>,
    pub(crate) no_limits: bool,
    pub(crate) read_only: bool,
    pub(crate) state: Option<Arc<StateDir>>,
    /// What is stored for others is part of it.
    pub(crate) keep_stored: bool,
}

impl Dht {
    /// Starts the node on these sockets, at most one a family.
    pub(crate) fn start(sockets: Vec<UdpSocket>, setup: Setup) -> Self {
        let mut rng = StdRng::from_rng(&mut rand::rng());
        let saved = setup.state.as_ref().and_then(|state| state.load_node());
        let id = saved.as_ref().and_then(|saved| saved.id).map(Id::from);
        let contacts: Vec<NodeInfo> = saved
            .into_iter()
            .flat_map(|saved| saved.contacts)
            .map(|contact| NodeInfo {
                id: contact.id.into(),
                address: contact.address,
            })
            .collect();
        let node = Node::new(id, &mut rng);
        let (commands, orders) = mpsc::channel(COMMANDS);
        let (entrance, watched) = watch::channel(Entrance {
            hosts: setup.bootstrap.len(),
            ..Entrance::default()
        });
        let statistics = Arc::new(Mutex::new((node.id(), DhtStatistics::default())));
        let dht = Dht {
            commands,
            entrance: watched,
            statistics: Arc::clone(&statistics),
            asked: setup.bootstrap.join(", ").into(),
            knows_somebody: !setup.bootstrap.is_empty() || !contacts.is_empty(),
        };
        let limiter = (!setup.no_limits).then(|| Limiter::new(&Limits::default(), &mut rng));
        let kept = setup.state.clone().filter(|_| setup.keep_stored);
        let keeping = kept.map(|state| Keeping::start(state, dht.commands.downgrade()));
        let mut driver = Driver {
            node,
            config: Config {
                read_only: setup.read_only,
                recent_responders: RECENT_RESPONDERS,
                ..Config::default()
            },
            rng,
            epoch: Instant::now(),
            deadline: None,
            desk: Desk::new(Sockets::sort(sockets), limiter),
            lookups: HashMap::new(),
            next_lookup: 0,
            watches: HashMap::new(),
            entrance: entrance.clone(),
            statistics,
            keeping,
            state: setup.state,
        };
        driver.handle(Input::Restore(&contacts));
        bootstrap::spawn(setup.bootstrap, &dht.commands.downgrade(), &entrance);
        tokio::spawn(driver.run(orders));
        dht
    }

    /// Starts a lookup; its events end with [`Event::LookupEnded`]. Dropping the receiver cancels it.
    pub(crate) fn lookup(&self, target: [u8; 20], goal: Goal) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(LOOKUP_EVENTS);
        self.command(Command::Lookup {
            target: Id::new(target),
            goal,
            events,
        });
        receiver
    }

    /// Starts a search for an item, as [`Dht::lookup`] does one for peers.
    pub(crate) fn get_item(&self, target: Id, salt: Salt) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(LOOKUP_EVENTS);
        self.command(Command::GetItem {
            target,
            salt,
            events,
        });
        receiver
    }

    /// Puts an item, once.
    pub(crate) fn put_item(
        &self,
        item: Item,
        salt: Salt,
        cas: Option<i64>,
    ) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(LOOKUP_EVENTS);
        self.command(Command::PutItem {
            item: Box::new(item),
            salt,
            cas,
            events,
        });
        receiver
    }

    /// The peers that announce this torrent to our own node, until the receiver is dropped.
    pub(crate) fn watch(&self, info_hash: InfoHash) -> mpsc::Receiver<SocketAddr> {
        let (peers, receiver) = mpsc::channel(COMMANDS);
        self.command(Command::Watch { info_hash, peers });
        receiver
    }

    /// This address may be a node's.
    pub(crate) fn ping(&self, address: SocketAddr) {
        self.command(Command::Ping(address));
    }

    /// Asks an address for a sign of life: the only event is [`Event::Probed`].
    pub(crate) fn probe(&self, address: SocketAddr) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(1);
        self.command(Command::Probe { address, events });
        receiver
    }

    /// The routing tables; `None` if the node has stopped.
    pub(crate) async fn tables(&self) -> Option<Tables> {
        let (tables, receiver) = oneshot::channel();
        self.commands.send(Command::Tables(tables)).await.ok()?;
        receiver.await.ok()
    }

    pub(crate) fn id(&self) -> Id {
        self.figures().0
    }

    pub(crate) fn statistics(&self) -> DhtStatistics {
        self.figures().1
    }

    /// How the way into the network looks, now and whenever it changes.
    pub(crate) fn entrance(&self) -> watch::Receiver<Entrance> {
        self.entrance.clone()
    }

    /// Whether there is anybody to start from.
    pub(crate) fn knows_somebody(&self) -> bool {
        self.knows_somebody || self.entrance.borrow().ready
    }

    /// The bootstrap hosts, for a sentence.
    pub(crate) fn asked(&self) -> &str {
        if self.asked.is_empty() {
            "nodes known from earlier"
        } else {
            &self.asked
        }
    }

    /// Saves what is kept between runs and closes the sockets.
    pub(crate) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop(done)).await.is_ok() {
            let _ = stopped.await;
        }
    }

    /// A full queue means a driver that is hopelessly behind: then a lookup ends at once, as by `LookupEnded`'s absence.
    fn command(&self, command: Command) {
        let _ = self.commands.try_send(command);
    }

    fn figures(&self) -> (Id, DhtStatistics) {
        *self
            .statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
