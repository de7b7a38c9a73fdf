//! The DHT over UDP: gives `dht::Node` its sockets, its clock and its randomness.

mod bootstrap;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dht::{
    AnnouncedPort, Config, DecodeError, Event, Family, Id, Input, Item, Limiter, Limits, LookupId,
    Message, Node, NodeInfo, Outbox, Salt,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use wire::InfoHash;

use crate::state::StateDir;

/// Datagrams taken before others get a turn.
const DATAGRAMS_PER_TURN: usize = 64;
/// Larger than any datagram that makes sense; what is cut off does not decode.
const MAX_DATAGRAM: usize = 4096;
/// How often the contacts are written to the disk.
const SAVE_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// Events of one lookup that wait for its owner. What is above is lost to him, not to the lookup.
const LOOKUP_EVENTS: usize = 1024;
const COMMANDS: usize = 256;
/// How old the figures that others see may be.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);

/// What somebody asks of the DHT.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    GetPeers,
    /// To this TCP port, or to the port that our datagrams come from.
    Announce(AnnouncedPort),
}

enum Command {
    Lookup {
        info_hash: InfoHash,
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
    Bootstrap(Vec<SocketAddr>),
    Stop(oneshot::Sender<()>),
}

/// What is known of the way into the network.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entrance {
    /// Somebody has answered.
    pub(crate) ready: bool,
    /// Contacts in the routing tables, as of a moment ago.
    pub(crate) contacts: usize,
    /// Our addresses as others see them, at most one a family.
    pub(crate) external: Vec<IpAddr>,
    /// Hosts that were named.
    hosts: usize,
    /// Those of them that have not resolved in at least one try.
    unresolved: usize,
    /// The last such host, and why.
    failure: Option<(String, Arc<std::io::Error>)>,
}

impl Entrance {
    /// The host that failed last and why, if not one of those that were named resolves.
    pub(crate) fn closed(&self) -> Option<&(String, Arc<std::io::Error>)> {
        self.failure
            .as_ref()
            .filter(|_| !self.ready && self.unresolved == self.hosts)
    }
}

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
            .map(|(id, address)| NodeInfo {
                id: id.into(),
                address,
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
        let mut driver = Driver {
            node,
            config: Config {
                read_only: setup.read_only,
                ..Config::default()
            },
            limiter: (!setup.no_limits).then(|| Limiter::new(&Limits::default(), &mut rng)),
            rng,
            epoch: Instant::now(),
            deadline: None,
            desk: Desk {
                sockets: Sockets::sort(sockets),
                datagram: Vec::with_capacity(MAX_DATAGRAM),
                events: Vec::new(),
                answered: 0,
            },
            lookups: HashMap::new(),
            next_lookup: 0,
            watches: HashMap::new(),
            entrance: entrance.clone(),
            statistics,
            state: setup.state,
        };
        driver.handle(Input::Restore(&contacts));
        bootstrap::spawn(setup.bootstrap, &dht.commands.downgrade(), &entrance);
        tokio::spawn(driver.run(orders));
        dht
    }

    /// Starts a lookup; its events end with [`Event::LookupEnded`]. Dropping the receiver cancels it.
    pub(crate) fn lookup(&self, info_hash: InfoHash, goal: Goal) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(LOOKUP_EVENTS);
        self.command(Command::Lookup {
            info_hash,
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

struct Driver {
    node: Node,
    config: Config,
    limiter: Option<Limiter>,
    rng: StdRng,
    epoch: Instant,
    deadline: Option<Duration>,
    desk: Desk,
    lookups: HashMap<LookupId, mpsc::Sender<Event>>,
    next_lookup: u64,
    watches: HashMap<Id, mpsc::Sender<SocketAddr>>,
    entrance: watch::Sender<Entrance>,
    statistics: Arc<Mutex<(Id, DhtStatistics)>>,
    state: Option<Arc<StateDir>>,
}

impl Driver {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut next_save = Instant::now() + SAVE_INTERVAL;
        let mut next_publish = None;
        let stopped = loop {
            let deadline = self.deadline.map(|deadline| self.epoch + deadline);
            let wake = [deadline, next_publish]
                .into_iter()
                .flatten()
                .fold(next_save, Instant::min);
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Stop(done)) => break Some(done),
                    Some(command) => self.obey(command),
                    None => break None,
                },
                () = readable(self.desk.sockets.v4.as_ref()) => self.receive(Family::V4, &mut buffer),
                () = readable(self.desk.sockets.v6.as_ref()) => self.receive(Family::V6, &mut buffer),
                () = sleep_until(wake) => {
                    if Instant::now() >= next_save {
                        self.save();
                        next_save += SAVE_INTERVAL;
                    }
                    if next_publish.is_some_and(|due| Instant::now() >= due) {
                        self.publish();
                        next_publish = None;
                        continue;
                    }
                    self.handle(Input::Timeout);
                }
            }
            next_publish = next_publish.or_else(|| Some(Instant::now() + PUBLISH_INTERVAL));
        };
        self.save();
        if let Some(done) = stopped {
            let _ = done.send(());
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Lookup {
                info_hash,
                goal,
                events,
            } => {
                let lookup = self.enrol(events);
                let info_hash = Id::from(*info_hash.as_bytes());
                self.handle(match goal {
                    Goal::GetPeers => Input::GetPeers { lookup, info_hash },
                    Goal::Announce(port) => Input::Announce {
                        lookup,
                        info_hash,
                        port,
                    },
                });
            }
            Command::GetItem {
                target,
                salt,
                events,
            } => {
                let lookup = self.enrol(events);
                self.handle(Input::GetItem {
                    lookup,
                    target,
                    salt: &salt,
                });
            }
            Command::PutItem {
                item,
                salt,
                cas,
                events,
            } => {
                let lookup = self.enrol(events);
                self.handle(Input::PutItem {
                    lookup,
                    item: &item,
                    salt: &salt,
                    cas,
                });
            }
            Command::Watch { info_hash, peers } => {
                self.watches.retain(|_, peers| !peers.is_closed());
                self.watches.insert(Id::from(*info_hash.as_bytes()), peers);
            }
            Command::Ping(address) => {
                if self.desk.sockets.reach(&address).is_some() {
                    self.handle(Input::Ping(address));
                }
            }
            Command::Bootstrap(mut addresses) => {
                addresses.retain(|address| self.desk.sockets.reach(address).is_some());
                self.handle(Input::Bootstrap(&addresses));
            }
            Command::Stop(_) => {}
        }
    }

    /// Names a lookup whose events go to `events`.
    fn enrol(&mut self, events: mpsc::Sender<Event>) -> LookupId {
        let lookup = LookupId(self.next_lookup);
        self.next_lookup += 1;
        self.lookups.insert(lookup, events);
        lookup
    }

    fn receive(&mut self, family: Family, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS_PER_TURN {
            let socket = match family {
                Family::V4 => &self.desk.sockets.v4,
                Family::V6 => &self.desk.sockets.v6,
            };
            let Some(Ok((length, from))) =
                socket.as_ref().map(|socket| socket.try_recv_from(buffer))
            else {
                // Nothing left; or what an earlier datagram of ours met, which concerns nobody here.
                return;
            };
            let now = self.epoch.elapsed();
            if let Some(limiter) = &mut self.limiter
                && !limiter.admit(from, length, now)
            {
                continue;
            }
            match dht::decode(&buffer[..length]) {
                Ok(message) => self.handle(Input::Receive {
                    from,
                    message: &message,
                }),
                Err(DecodeError::Query {
                    transaction, code, ..
                }) => self.handle(Input::Malformed {
                    from,
                    transaction: &transaction,
                    code,
                }),
                // Peers that speak uTP try it on this port, before TCP.
                Err(_) => {
                    if let Some(refusal) = wire::refuse_utp(&buffer[..length]) {
                        self.desk.sockets.send(from, &refusal);
                    }
                }
            }
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        let now = self.epoch.elapsed();
        self.deadline = self
            .node
            .handle(&self.config, now, &mut self.rng, input, &mut self.desk);
        for event in std::mem::take(&mut self.desk.events) {
            self.tell(event);
        }
    }

    /// Passes an event to whom it concerns.
    fn tell(&mut self, event: Event) {
        match &event {
            Event::Ready => {
                // Whoever waits for it asks how many there are.
                self.publish();
                self.entrance.send_modify(|entrance| entrance.ready = true);
            }
            Event::Bootstrapped { contacts } => tracing::debug!(contacts, "bootstrapped"),
            Event::Unreachable { attempts } => {
                tracing::info!(attempts, "no DHT node answers yet; asking again");
            }
            Event::PeerAnnounced { info_hash, peer } => {
                if let Some(watch) = self.watches.get(info_hash) {
                    let _ = watch.try_send(*peer);
                }
            }
            Event::ExternalAddress { ip } => {
                tracing::info!(%ip, "others see us at this address");
                let ip = *ip;
                self.entrance.send_modify(|entrance| {
                    entrance
                        .external
                        .retain(|known| known.is_ipv4() != ip.is_ipv4());
                    entrance.external.push(ip);
                });
            }
            Event::IdChanged { id } => {
                tracing::info!(%id, "changed our id to one that fits the address");
            }
            Event::Peers { lookup, .. }
            | Event::Announced { lookup, .. }
            | Event::Trace { lookup, .. }
            | Event::Item { lookup, .. }
            | Event::Stored { lookup, .. }
            | Event::PutRefused { lookup, .. } => {
                let lookup = *lookup;
                if let Some(owner) = self.lookups.get(&lookup)
                    && let Err(mpsc::error::TrySendError::Closed(_)) = owner.try_send(event)
                {
                    self.lookups.remove(&lookup);
                    self.handle(Input::Cancel { lookup });
                }
            }
            Event::LookupEnded { lookup, .. } => {
                if let Some(owner) = self.lookups.remove(lookup) {
                    // The end must arrive: a slot for it is worth waiting for, but not by this task.
                    tokio::spawn(async move { owner.send(event).await });
                }
            }
        }
    }

    fn publish(&self) {
        let stats = self.node.stats();
        let figures = DhtStatistics {
            nodes_v4: stats.contacts_v4,
            nodes_v6: stats.contacts_v6,
            peers_stored: stats.peers,
            items_stored: stats.items,
            queries_answered: self.desk.answered,
        };
        *self
            .statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = (self.node.id(), figures);
        let contacts = stats.contacts_v4 + stats.contacts_v6;
        self.entrance.send_if_modified(|entrance| {
            std::mem::replace(&mut entrance.contacts, contacts) != contacts
        });
    }

    fn save(&self) {
        let Some(state) = &self.state else {
            return;
        };
        let contacts: Vec<_> = self
            .node
            .contacts()
            .map(|contact| (*contact.id.as_bytes(), contact.address))
            .collect();
        if let Err(error) = state.save_node(*self.node.id().as_bytes(), &contacts) {
            tracing::warn!(%error, "could not save the routing table");
        }
    }
}

/// The sockets, at most one a family.
#[derive(Debug, Default)]
struct Sockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

impl Sockets {
    fn sort(sockets: Vec<UdpSocket>) -> Self {
        let mut sorted = Sockets::default();
        for socket in sockets {
            if socket.local_addr().is_ok_and(|address| address.is_ipv6()) {
                sorted.v6 = Some(socket);
            } else {
                sorted.v4 = Some(socket);
            }
        }
        sorted
    }

    /// The socket that reaches this address.
    /// Past the runtime, which knows of a fresh socket only later that it can be written to. What the system refuses is
    /// lost, as any datagram may be.
    fn send(&self, to: SocketAddr, datagram: &[u8]) {
        let Some(socket) = self.reach(&to) else {
            return;
        };
        if let Err(error) = SockRef::from(socket).send_to(datagram, &to.into()) {
            tracing::trace!(%to, %error, "a datagram was not sent");
        }
    }

    fn reach(&self, address: &SocketAddr) -> Option<&UdpSocket> {
        match Family::of(address) {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        }
    }
}

/// Waits until there is something to read; for ever without a socket.
async fn readable(socket: Option<&UdpSocket>) {
    match socket {
        Some(socket) => {
            let _ = socket.readable().await;
        }
        None => std::future::pending().await,
    }
}

/// Where the node's output goes: datagrams at once, events after the call.
struct Desk {
    sockets: Sockets,
    datagram: Vec<u8>,
    events: Vec<Event>,
    answered: u64,
}

impl Outbox for Desk {
    fn transmit(&mut self, to: SocketAddr, message: Message) {
        self.answered += u64::from(matches!(message.body, dht::Body::Response(_)));
        self.datagram.clear();
        dht::encode(&message, &mut self.datagram);
        self.sockets.send(to, &self.datagram);
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entrance(hosts: usize, unresolved: usize, ready: bool) -> Entrance {
        Entrance {
            ready,
            hosts,
            unresolved,
            failure: (unresolved > 0).then(|| {
                let error = std::io::Error::other("no such name");
                ("nowhere.invalid:1".to_owned(), Arc::new(error))
            }),
            ..Entrance::default()
        }
    }

    #[test]
    fn the_way_in_is_closed_only_if_no_host_resolves_and_nobody_answers() {
        assert!(entrance(2, 2, false).closed().is_some());
        assert!(entrance(2, 1, false).closed().is_none());
        assert!(
            entrance(2, 2, true).closed().is_none(),
            "a saved node answered"
        );
        assert!(
            entrance(0, 0, false).closed().is_none(),
            "others may come to us"
        );
    }
}
