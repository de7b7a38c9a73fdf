use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dht::{Config, DecodeError, Event, Family, Id, Input, LookupId, Node, Probe};
use rand::rngs::StdRng;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::desk::Desk;
use super::keeping::Keeping;
use super::slumber::Slumber;
use super::{Command, DhtStatistics, Entrance, Question};
use crate::platform::Arrivals;
use crate::state::{SavedContact, StateDir};

/// How often the contacts are written to the disk.
const SAVE_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How old the figures that others see may be.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);

/// Who waits for what comes of a lookup.
pub(super) struct Asker {
    events: mpsc::Sender<Event>,
    until: Option<Instant>,
    /// Some of it was lost, since he is slow.
    misses: bool,
}

/// The one task that owns the node.
pub(super) struct Driver {
    pub(super) node: Node,
    pub(super) config: Config,
    pub(super) rng: StdRng,
    pub(super) epoch: Instant,
    pub(super) deadline: Option<Duration>,
    pub(super) desk: Desk,
    pub(super) askers: HashMap<LookupId, Asker>,
    /// When those lookups end at the latest that have a limit.
    pub(super) limits: BTreeSet<(Instant, LookupId)>,
    pub(super) next_lookup: u64,
    pub(super) watches: HashMap<Id, Vec<mpsc::Sender<SocketAddr>>>,
    /// Events that nobody took in time.
    pub(super) missed: u64,
    pub(super) entrance: watch::Sender<Entrance>,
    pub(super) statistics: Arc<Mutex<(Id, DhtStatistics)>>,
    /// Where id and contacts are kept, and as whose.
    pub(super) state: Option<(Arc<StateDir>, usize)>,
    pub(super) keeping: Option<Keeping>,
}

impl Driver {
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut arrivals = Arrivals::new();
        let mut next_save = Instant::now() + SAVE_INTERVAL;
        let mut next_publish = None;
        let mut slumber = Slumber::watch();
        let alarm = sleep_until(next_save);
        tokio::pin!(alarm);
        let stopped = loop {
            self.desk.sockets.flush();
            let deadline = self.deadline.map(|deadline| self.epoch + deadline);
            let limit = self.limits.first().map(|(limit, _)| *limit);
            let wake = [deadline, next_publish, limit]
                .into_iter()
                .flatten()
                .fold(next_save, Instant::min);
            // Deadlines move with nearly every datagram, mostly to later: an alarm that comes too early costs less than setting it each time.
            if wake < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(wake);
            }
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Stop(done)) => break Some(done),
                    Some(command) => self.obey(command),
                    None => break None,
                },
                () = self.desk.sockets.readable(Family::V4) => self.receive(Family::V4, &mut arrivals),
                () = self.desk.sockets.readable(Family::V6) => self.receive(Family::V6, &mut arrivals),
                () = &mut alarm => {
                    if slumber.is_over() {
                        tracing::info!("the machine slept; asking who is still there");
                        self.handle(Input::NetworkChanged);
                    }
                    let now = Instant::now();
                    self.end_overdue(now);
                    if now >= next_save {
                        self.save();
                        if let Some(keeping) = &mut self.keeping {
                            keeping.save(&self.node, self.epoch.elapsed());
                        }
                        next_save += SAVE_INTERVAL;
                    }
                    if next_publish.is_some_and(|due| now >= due) {
                        self.publish();
                        next_publish = None;
                        continue;
                    }
                    self.handle(Input::Timeout);
                }
            }
            next_publish = next_publish.or_else(|| Some(Instant::now() + PUBLISH_INTERVAL));
        };
        self.desk.sockets.flush();
        self.save();
        if let Some(keeping) = self.keeping.take() {
            keeping.finish(&self.node, self.epoch.elapsed()).await;
        }
        if let Some(done) = stopped {
            let _ = done.send(());
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Lookup {
                target,
                question,
                events,
                until,
            } => {
                let lookup = self.enrol(events, until);
                let info_hash = target;
                self.handle(match question {
                    Question::GetPeers => Input::GetPeers { lookup, info_hash },
                    Question::Announce { port, seed } => Input::Announce {
                        lookup,
                        info_hash,
                        port,
                        seed,
                    },
                    Question::FindNode => Input::FindNode { lookup, target },
                    Question::Scrape => Input::Scrape { lookup, info_hash },
                    Question::Sample => Input::Sample { lookup, target },
                });
            }
            Command::GetItem {
                target,
                salt,
                newer_than,
                events,
                until,
            } => {
                let lookup = self.enrol(events, until);
                self.handle(Input::GetItem {
                    lookup,
                    target,
                    salt: &salt,
                    newer_than,
                });
            }
            Command::PutItem {
                item,
                salt,
                cas,
                events,
                until,
            } => {
                let lookup = self.enrol(events, until);
                self.handle(Input::PutItem {
                    lookup,
                    item: &item,
                    salt: &salt,
                    cas,
                });
            }
            Command::Probe { address, events } => {
                if self.desk.sockets.reach(&address) {
                    let lookup = self.enrol(events, None);
                    self.handle(Input::Probe { lookup, address });
                } else {
                    let (lookup, outcome) = (LookupId(self.next_lookup), Probe::Silent);
                    let _ = events.try_send(Event::Probed { lookup, outcome });
                }
            }
            Command::Tables(tables) => {
                let (now, config) = (self.epoch.elapsed(), &self.config);
                let view = |family| (family, self.node.table(family, now, config));
                // Whoever asked may be gone.
                let _ = tables.send(Family::ALL.map(view));
            }
            Command::Restore(restored) => {
                self.handle(Input::RestoreStored {
                    peers: &restored.peers,
                    items: &restored.items,
                });
                if let (Some(keeping), true) = (&mut self.keeping, restored.is_last) {
                    keeping.restored();
                }
            }
            Command::Watch { info_hash, peers } => {
                self.watches.retain(|_, watchers| {
                    watchers.retain(|peers| !peers.is_closed());
                    !watchers.is_empty()
                });
                let watchers = self.watches.entry(Id::from(*info_hash.as_bytes()));
                watchers.or_default().push(peers);
            }
            Command::Ping(address) => {
                if self.desk.sockets.reach(&address) {
                    self.handle(Input::Ping(address));
                }
            }
            Command::Bootstrap(mut addresses) => {
                addresses.retain(|address| self.desk.sockets.reach(address));
                self.handle(Input::Bootstrap(&addresses));
            }
            Command::Stop(_) => {}
        }
    }

    /// Names a lookup whose events go to `events`, and which ends by then with what it has found.
    fn enrol(&mut self, events: mpsc::Sender<Event>, until: Option<Instant>) -> LookupId {
        let lookup = LookupId(self.next_lookup);
        self.next_lookup += 1;
        let asker = Asker {
            events,
            until,
            misses: false,
        };
        self.askers.insert(lookup, asker);
        self.limits.extend(until.map(|until| (until, lookup)));
        lookup
    }

    fn dismiss(&mut self, lookup: LookupId) -> Option<Asker> {
        let asker = self.askers.remove(&lookup)?;
        if let Some(until) = asker.until {
            self.limits.remove(&(until, lookup));
        }
        Some(asker)
    }

    /// Ends the lookups whose time is over. They tell what they have found.
    fn end_overdue(&mut self, now: Instant) {
        while let Some(&(limit, lookup)) = self.limits.first() {
            if limit > now {
                break;
            }
            self.limits.remove(&(limit, lookup));
            self.handle(Input::Cancel { lookup });
        }
    }

    /// Takes the datagrams of one call, before others get a turn.
    fn receive(&mut self, family: Family, arrivals: &mut Arrivals) {
        self.desk.sockets.receive(family, arrivals);
        let now = self.epoch.elapsed();
        for (from, datagram) in arrivals.iter() {
            let limiter = self.desk.limiter.as_mut();
            if limiter.is_none_or(|limiter| limiter.admit(from, datagram.len(), now)) {
                self.read(from, datagram, now);
            }
        }
    }

    fn read(&mut self, from: SocketAddr, datagram: &[u8], now: Duration) {
        match dht::decode(datagram) {
            Ok(message) => self.handle_at(
                now,
                Input::Receive {
                    from,
                    message: &message,
                },
            ),
            Err(DecodeError::Query {
                transaction, code, ..
            }) => self.handle_at(
                now,
                Input::Malformed {
                    from,
                    transaction: &transaction,
                    code,
                },
            ),
            // Peers that speak uTP try it on this port, before TCP.
            Err(_) => {
                if let Some(refusal) = wire::refuse_utp(datagram) {
                    self.desk
                        .sockets
                        .post(from, |datagram| datagram.extend(refusal));
                }
            }
        }
    }

    pub(super) fn handle(&mut self, input: Input<'_>) {
        self.handle_at(self.epoch.elapsed(), input);
    }

    fn handle_at(&mut self, now: Duration, input: Input<'_>) {
        self.deadline = self
            .node
            .handle(&self.config, now, &mut self.rng, input, &mut self.desk);
        for event in std::mem::take(&mut self.desk.events) {
            self.tell(event, now);
        }
    }

    /// Passes an event to whom it concerns.
    fn tell(&mut self, event: Event, now: Duration) {
        if let Some(lookup) = event.lookup() {
            self.tell_asker(lookup, event, now);
            return;
        }
        match event {
            Event::Ready => {
                // Whoever waits for it asks how many there are.
                self.publish();
                self.entrance.send_modify(|entrance| entrance.ready = true);
            }
            Event::Bootstrapped { contacts } => {
                tracing::debug!(contacts, "bootstrapped");
                self.entrance
                    .send_modify(|entrance| entrance.settled = true);
            }
            Event::Unreachable { attempts } => {
                tracing::info!(attempts, "no DHT node answers yet; asking again");
            }
            Event::PeerAnnounced { info_hash, peer } => {
                for watcher in self.watches.get(&info_hash).into_iter().flatten() {
                    if let Err(TrySendError::Full(_)) = watcher.try_send(peer) {
                        tracing::debug!(%info_hash, %peer, "an announce to us is missed by a torrent that is busy");
                        self.missed += 1;
                    }
                }
            }
            Event::ExternalAddress { ip } => {
                tracing::info!(%ip, "others see us at this address");
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
            _ => {}
        }
    }

    fn tell_asker(&mut self, lookup: LookupId, event: Event, now: Duration) {
        if event.is_last() {
            if let Some(asker) = self.dismiss(lookup) {
                // The end must arrive: a slot for it is worth waiting for, but not by this task.
                tokio::spawn(async move { asker.events.send(event).await });
            }
            return;
        }
        let Some(asker) = self.askers.get_mut(&lookup) else {
            return;
        };
        match asker.events.try_send(event) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.missed += 1;
                if !std::mem::replace(&mut asker.misses, true) {
                    tracing::warn!("who asked is slow: some of what a lookup found is lost to him");
                }
            }
            Err(TrySendError::Closed(_)) => {
                self.dismiss(lookup);
                self.handle_at(now, Input::Cancel { lookup });
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
            events_missed: self.missed,
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
        let Some((state, place)) = &self.state else {
            return;
        };
        let (now, config) = (self.epoch.elapsed(), &self.config);
        let tables = Family::ALL.map(|family| self.node.table(family, now, config));
        let contacts = tables.iter().flatten().flat_map(|bucket| &bucket.contacts);
        let contacts = contacts.filter(|contact| contact.failures == 0);
        let contacts = contacts.map(|contact| SavedContact {
            id: *contact.node.id.as_bytes(),
            address: contact.node.address,
            silent_for: contact.silent_for,
            round_trip: self.node.round_trip(&contact.node.address),
        });
        if let Err(error) = state.save_node(*place, *self.node.id().as_bytes(), contacts.collect())
        {
            tracing::warn!(%error, "could not save the routing table");
        }
    }
}
