//! One node of the DHT: one id, and a socket a family.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dht::{Config, Event, Family, Id, Input, Item, Limiter, Limits, Node, NodeInfo, Salt};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use wire::InfoHash;

use super::desk::Desk;
use super::driver::Driver;
use super::keeping::Keeping;
use super::sockets::Sockets;
use super::{
    COMMANDS, Command, DhtStatistics, Entrance, LOOKUP_EVENTS, Question, Tables, bootstrap,
};
use crate::state::StateDir;

/// Room for those whom the lookups of a batch met last, in every stretch of the key space that is worked through, and for all contacts: 90 KiB.
const RECENT_RESPONDERS: usize = 1024;

/// A handle on it.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    commands: mpsc::Sender<Command>,
    runtime: Handle,
    entrance: watch::Receiver<Entrance>,
    statistics: Arc<Mutex<(Id, DhtStatistics)>>,
    /// The bootstrap hosts, in words; empty when there are none.
    asked: Arc<str>,
    knows_somebody: bool,
    /// Those of its sockets.
    addresses: Arc<[SocketAddr]>,
}

/// How it is set up.
pub(super) struct Setup {
    pub(super) bootstrap: Vec<String>,
    pub(super) no_limits: bool,
    pub(super) read_only: bool,
    /// That of an earlier run.
    pub(super) id: Option<Id>,
    /// Nodes that an earlier run knew.
    pub(super) contacts: Vec<NodeInfo>,
    /// Where id and contacts are kept, and as whose.
    pub(super) state: Option<(Arc<StateDir>, usize)>,
    /// What others store is kept there, too.
    pub(super) keep_stored: bool,
    /// New addresses of the public network that lookups write to, a second.
    pub(super) pace: Option<NonZeroU16>,
}

impl Identity {
    /// Starts it on these sockets, at most one a family.
    pub(super) fn start(sockets: Vec<UdpSocket>, setup: Setup) -> Self {
        let mut rng = StdRng::from_rng(&mut rand::rng());
        let node = Node::new(setup.id, &mut rng);
        let addresses: Vec<_> = sockets
            .iter()
            .filter_map(|socket| socket.local_addr().ok())
            .collect();
        let (commands, orders) = mpsc::channel(COMMANDS);
        let (entrance, watched) = watch::channel(Entrance {
            hosts: setup.bootstrap.len(),
            ..Entrance::default()
        });
        let statistics = Arc::new(Mutex::new((node.id(), DhtStatistics::default())));
        let identity = Identity {
            commands,
            runtime: Handle::current(),
            entrance: watched,
            statistics: Arc::clone(&statistics),
            asked: setup.bootstrap.join(", ").into(),
            knows_somebody: !setup.bootstrap.is_empty() || !setup.contacts.is_empty(),
            addresses: addresses.into(),
        };
        let limiter = (!setup.no_limits).then(|| Limiter::new(&Limits::default(), &mut rng));
        let stored = setup.state.clone().filter(|_| setup.keep_stored);
        let keeping = stored
            .map(|(state, place)| Keeping::start(state, place, identity.commands.downgrade()));
        let mut driver = Driver {
            node,
            config: config(setup.read_only, setup.pace),
            rng,
            epoch: Instant::now(),
            deadline: None,
            desk: Desk::new(Sockets::sort(sockets), limiter),
            askers: HashMap::new(),
            limits: BTreeSet::new(),
            next_lookup: 0,
            watches: HashMap::new(),
            missed: 0,
            entrance: entrance.clone(),
            statistics,
            keeping,
            state: setup.state,
        };
        driver.handle(Input::Restore(&setup.contacts));
        bootstrap::spawn(setup.bootstrap, &identity.commands.downgrade(), &entrance);
        tokio::spawn(driver.run(orders));
        identity
    }

    /// Starts a lookup; its events end with [`Event::LookupEnded`], at the latest by `until`. Dropping the receiver cancels it.
    pub(super) fn lookup(
        &self,
        target: [u8; 20],
        question: Question,
        until: Option<Instant>,
    ) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(LOOKUP_EVENTS);
        self.command(Command::Lookup {
            target: Id::new(target),
            question,
            events,
            until,
        });
        receiver
    }

    /// Starts a search for an item, as [`Identity::lookup`] does one for peers.
    pub(super) fn get_item(
        &self,
        target: Id,
        salt: Salt,
        newer_than: Option<i64>,
        until: Option<Instant>,
    ) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(LOOKUP_EVENTS);
        self.command(Command::GetItem {
            target,
            salt,
            newer_than,
            events,
            until,
        });
        receiver
    }

    /// Puts an item, once.
    pub(super) fn put_item(
        &self,
        item: Item,
        salt: Salt,
        cas: Option<i64>,
        until: Option<Instant>,
    ) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(LOOKUP_EVENTS);
        self.command(Command::PutItem {
            item: Box::new(item),
            salt,
            cas,
            events,
            until,
        });
        receiver
    }

    /// Tells about peers that announce this torrent to it, until the receiver is dropped.
    pub(super) fn watch(&self, info_hash: InfoHash, peers: mpsc::Sender<SocketAddr>) {
        self.command(Command::Watch { info_hash, peers });
    }

    /// This address may be a node's.
    pub(super) fn ping(&self, address: SocketAddr) {
        self.command(Command::Ping(address));
    }

    /// Asks an address for a sign of life: the only event is [`Event::Probed`].
    pub(super) fn probe(&self, address: SocketAddr) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(1);
        self.command(Command::Probe { address, events });
        receiver
    }

    /// The routing tables; `None` if the node has stopped.
    pub(super) async fn tables(&self) -> Option<Tables> {
        let (tables, receiver) = oneshot::channel();
        self.commands.send(Command::Tables(tables)).await.ok()?;
        receiver.await.ok()
    }

    pub(super) fn id(&self) -> Id {
        self.figures().0
    }

    pub(super) fn statistics(&self) -> DhtStatistics {
        self.figures().1
    }

    /// Whether it has a socket for addresses of this family.
    pub(super) fn reaches(&self, family: Family) -> bool {
        let mut own = self.addresses.iter();
        own.any(|address| Family::of(address) == family)
    }

    /// The addresses of its sockets.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How the way into the network looks, now and whenever it changes.
    pub(super) fn entrance(&self) -> watch::Receiver<Entrance> {
        self.entrance.clone()
    }

    /// Whether there is anybody to start from.
    pub(super) fn knows_somebody(&self) -> bool {
        self.knows_somebody || self.is_ready()
    }

    /// Whether somebody has answered.
    pub(super) fn is_ready(&self) -> bool {
        self.entrance.borrow().ready
    }

    /// The bootstrap hosts, for a sentence.
    pub(super) fn asked(&self) -> &str {
        if self.asked.is_empty() {
            "nodes known from earlier"
        } else {
            &self.asked
        }
    }

    /// Saves what is kept between runs and closes the sockets.
    pub(super) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop(done)).await.is_ok() {
            let _ = stopped.await;
        }
    }

    /// Hands it to the driver, as soon as he has room for it: whoever calls this many times before the driver gets a turn loses nothing.
    fn command(&self, command: Command) {
        if let Err(TrySendError::Full(command)) = self.commands.try_send(command) {
            let commands = self.commands.clone();
            self.runtime.spawn(async move {
                // If the node stops meanwhile, who asked sees the end of his channel.
                let _ = commands.send(command).await;
            });
        }
    }

    fn figures(&self) -> (Id, DhtStatistics) {
        *self
            .statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The numbers that a node of this program lives by.
fn config(read_only: bool, pace: Option<NonZeroU16>) -> Config {
    let mut config = Config {
        read_only,
        recent_responders: RECENT_RESPONDERS,
        ..Config::default()
    };
    if let Some(pace) = pace {
        // As many at once as in as much time as without a wish.
        let at_once = config.query_interval * config.query_burst;
        config.query_interval = Duration::from_secs(1) / u32::from(pace.get());
        let burst = at_once.as_secs_f64() * f64::from(pace.get());
        config.query_burst = burst as u32;
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faster_pace_has_a_larger_burst() {
        let usual = config(false, None);
        let faster = config(false, NonZeroU16::new(1000));
        assert_eq!(usual.query_interval, 10 * faster.query_interval);
        assert_eq!(10 * usual.query_burst, faster.query_burst);
    }
}
