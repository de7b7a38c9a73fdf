//! Whom we know of, whom to dial next, and whom never again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::Source;
use crate::culprit::Culprit;

/// First pause after a failed dial; it doubles with each further one.
const FIRST_BACKOFF: Duration = Duration::from_secs(5);
const LONGEST_BACKOFF: Duration = Duration::from_secs(600);
/// A dial without any answer counts as failed after this long, in case the driver forgot it.
const DIAL_LIFETIME: Duration = Duration::from_secs(60);
/// Addresses may be forgotten after so many failed dials in a row, unless the user named them: within eleven minutes.
const MAX_FAILURES: u32 = 6;
const MAX_BANS: usize = 4096;
/// Addresses remembered of one host of the public network, unless the user named them.
const MAX_OF_ONE_HOST: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Dialled when its turn in the queue comes.
    Waiting {
        not_before: Duration,
    },
    Dialling {
        since: Duration,
    },
    Connected,
    /// Nothing to be had there: this node itself, a second address of a connected peer.
    Avoided,
    /// Nothing to be had there while we fetch nothing: another seed.
    Resting,
}

#[derive(Debug)]
struct Known {
    source: Source,
    state: State,
    failures: u32,
}

/// The dialable addresses of a torrent, and the bans.
#[derive(Debug, Default)]
pub(crate) struct PeerList {
    known: BTreeMap<SocketAddr, Known>,
    /// Those that wait, by time and importance.
    queue: BTreeSet<(Duration, Source, SocketAddr)>,
    dialling: BTreeSet<SocketAddr>,
    connected: BTreeSet<SocketAddr>,
    banned: BTreeSet<Culprit>,
    /// The bans by age, so that the oldest makes room.
    bans: VecDeque<Culprit>,
}

impl PeerList {
    /// Notes an address to dial, unless it is known, banned or no address. When `most` are known, one that failed makes room, or the new one is dropped.
    pub(crate) fn add(&mut self, now: Duration, address: SocketAddr, source: Source, most: usize) {
        if address.port() == 0
            || address.ip().is_unspecified()
            || address.ip().is_multicast()
            || self.is_banned(address)
        {
            return;
        }
        if let Some(known) = self.known.get(&address) {
            let waits = matches!(known.state, State::Waiting { .. });
            if source == Source::User && waits {
                self.set(address, State::Waiting { not_before: now });
            }
            return;
        }
        if source != Source::User && self.known_at(address) >= MAX_OF_ONE_HOST {
            return;
        }
        if self.known.len() >= most && !self.evict(address) {
            return;
        }
        self.known.insert(
            address,
            Known {
                source,
                state: State::Avoided,
                failures: 0,
            },
        );
        self.set(address, State::Waiting { not_before: now });
    }

    /// The next address to dial; it counts as being dialled from here on.
    pub(crate) fn dial(&mut self, now: Duration) -> Option<SocketAddr> {
        let address = loop {
            let &(not_before, _, address) = self.queue.first()?;
            if not_before > now {
                return None;
            }
            if !self.is_banned(address) {
                break address;
            }
            self.forget(address);
        };
        self.set(address, State::Dialling { since: now });
        Some(address)
    }

    /// Addresses being dialled.
    pub(crate) fn dialling(&self) -> usize {
        self.dialling.len()
    }

    /// Addresses where there may be something to be had, connected ones included.
    pub(crate) fn prospects(&self) -> usize {
        self.queue.len() + self.dialling.len() + self.connected.len()
    }

    /// Whether somebody is being dialled or could be now.
    pub(crate) fn has_prospects(&self, now: Duration) -> bool {
        !self.dialling.is_empty()
            || self
                .queue
                .first()
                .is_some_and(|&(not_before, ..)| not_before <= now)
    }

    /// When [`dial`](Self::dial) or [`expire`](Self::expire) has something to do next.
    pub(crate) fn next_dial(&self) -> Option<Duration> {
        self.queue.first().map(|&(not_before, ..)| not_before)
    }

    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        self.dialling_since()
            .map(|(_, since)| since + DIAL_LIFETIME)
            .min()
    }

    /// Gives up on dials that were never answered.
    pub(crate) fn expire(&mut self, now: Duration) {
        let expired: Vec<_> = self
            .dialling_since()
            .filter(|(_, since)| now >= *since + DIAL_LIFETIME)
            .map(|(address, _)| address)
            .collect();
        for address in expired {
            self.failed(now, address);
        }
    }

    pub(crate) fn failed(&mut self, now: Duration, address: SocketAddr) {
        let Some(known) = self.known.get_mut(&address) else {
            return;
        };
        known.failures = known.failures.saturating_add(1);
        let failures = known.failures;
        let is_doubtful = failures > MAX_FAILURES && known.source != Source::User;
        if is_doubtful && self.knows_better() {
            self.forget(address);
            return;
        }
        let pause = FIRST_BACKOFF * (1 << (failures - 1).min(16));
        self.set(
            address,
            State::Waiting {
                not_before: now + pause.min(LONGEST_BACKOFF),
            },
        );
    }

    /// Whether there is somebody whom we have reached, or have not tried to reach. If all fail, the fault is most likely on our side.
    fn knows_better(&self) -> bool {
        !self.connected.is_empty()
            || self.queue.iter().any(|(_, _, address)| {
                let known = self.known.get(address);
                known.is_some_and(|known| known.failures == 0)
            })
    }

    pub(crate) fn connected(&mut self, address: SocketAddr) {
        self.set(address, State::Connected);
    }

    /// A connection that was dialled has ended. `useful` says whether anything came of it: then it is worth another try soon.
    pub(crate) fn disconnected(&mut self, now: Duration, address: SocketAddr, useful: bool) {
        if let Some(known) = self.known.get_mut(&address) {
            if useful {
                known.failures = 0;
            }
            if !matches!(known.state, State::Avoided | State::Resting) {
                self.failed(now, address);
            }
        }
    }

    /// Does not dial the address again, without holding anything against it.
    pub(crate) fn avoid(&mut self, address: SocketAddr) {
        self.set(address, State::Avoided);
    }

    /// Does not dial the address before there is [something to fetch](Self::wake) again.
    pub(crate) fn rest(&mut self, address: SocketAddr) {
        self.set(address, State::Resting);
    }

    /// There is something to fetch again: who had nothing else for us can be dialled.
    pub(crate) fn wake(&mut self, now: Duration) {
        let resting = self.known.iter();
        let resting = resting.filter(|(_, known)| known.state == State::Resting);
        let resting: Vec<_> = resting.map(|(&address, _)| address).collect();
        for address in resting {
            self.set(address, State::Waiting { not_before: now });
        }
    }

    pub(crate) fn ban(&mut self, address: SocketAddr) {
        // A dial goes on whatever we think of the address, and counts until it is answered.
        if !self.dialling.contains(&address) {
            self.forget(address);
        }
        let culprit = Culprit::at(address);
        if self.banned.insert(culprit) {
            self.bans.push_back(culprit);
        }
        if self.bans.len() > MAX_BANS
            && let Some(oldest) = self.bans.pop_front()
        {
            self.banned.remove(&oldest);
        }
    }

    pub(crate) fn is_banned(&self, address: SocketAddr) -> bool {
        self.banned.contains(&Culprit::at(address))
    }

    fn dialling_since(&self) -> impl Iterator<Item = (SocketAddr, Duration)> {
        self.dialling
            .iter()
            .filter_map(|&address| match self.known.get(&address)?.state {
                State::Dialling { since } => Some((address, since)),
                _ => None,
            })
    }

    /// Addresses remembered of the same host of the public network.
    fn known_at(&self, address: SocketAddr) -> usize {
        let culprit = Culprit::at(address);
        let (first, last) = match culprit {
            Culprit::Socket(_) => return 0,
            Culprit::Host(ip) => (SocketAddr::new(ip, 0), SocketAddr::new(ip, u16::MAX)),
        };
        self.known.range(first..=last).count()
    }

    /// Makes room for another address by forgetting the one that waits longest because dialling it failed, else one of the host of which most
    /// are remembered.
    fn evict(&mut self, newcomer: SocketAddr) -> bool {
        self.evict_failed() || self.evict_of_the_greatest(newcomer)
    }

    fn evict_of_the_greatest(&mut self, newcomer: SocketAddr) -> bool {
        let mut waiting: BTreeMap<IpAddr, (usize, SocketAddr)> = BTreeMap::new();
        for &(_, source, address) in &self.queue {
            if source != Source::User {
                waiting.entry(address.ip()).or_insert((0, address)).0 += 1;
            }
        }
        let greatest = waiting.values().max_by_key(|(count, _)| *count);
        let Some(&(count, address)) = greatest else {
            return false;
        };
        let of_newcomer = waiting.get(&newcomer.ip()).map_or(0, |&(count, _)| count);
        let is_greater = count > of_newcomer + 1;
        if is_greater {
            self.forget(address);
        }
        is_greater
    }

    fn evict_failed(&mut self) -> bool {
        let last = self.queue.last().map(|&(.., address)| address);
        let failed = last.filter(|address| {
            self.known
                .get(address)
                .is_some_and(|known| known.failures > 0)
        });
        failed.inspect(|&address| self.forget(address)).is_some()
    }

    fn forget(&mut self, address: SocketAddr) {
        self.set(address, State::Avoided);
        self.known.remove(&address);
    }

    /// The one place where a state changes, so that the queue and the dials agree with it.
    fn set(&mut self, address: SocketAddr, state: State) {
        let Some(known) = self.known.get_mut(&address) else {
            return;
        };
        match known.state {
            State::Waiting { not_before } => {
                self.queue.remove(&(not_before, known.source, address));
            }
            State::Dialling { .. } => {
                self.dialling.remove(&address);
            }
            State::Connected => {
                self.connected.remove(&address);
            }
            State::Avoided | State::Resting => {}
        }
        known.state = state;
        match state {
            State::Waiting { not_before } => {
                self.queue.insert((not_before, known.source, address));
            }
            State::Dialling { .. } => {
                self.dialling.insert(address);
            }
            State::Connected => {
                self.connected.insert(address);
            }
            State::Avoided | State::Resting => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([203, 0, 113, last], 6881))
    }

    const NOW: Duration = Duration::from_secs(100);

    #[test]
    fn the_users_addresses_are_dialled_first() {
        let mut list = PeerList::default();
        list.add(NOW, address(1), Source::Dht, 10);
        list.add(NOW, address(2), Source::User, 10);
        assert_eq!(list.dial(NOW), Some(address(2)));
        assert_eq!(list.dial(NOW), Some(address(1)));
        assert_eq!(list.dial(NOW), None);
        assert_eq!(list.dialling(), 2);
    }

    #[test]
    fn a_dial_to_a_banned_address_counts_until_it_is_answered() {
        let mut list = PeerList::default();
        list.add(NOW, address(1), Source::Dht, 10);
        assert_eq!(list.dial(NOW), Some(address(1)));
        list.ban(address(1));
        assert_eq!(list.dialling(), 1);
        list.failed(NOW, address(1));
        assert_eq!(list.dialling(), 0);
        assert_eq!(list.dial(NOW + LONGEST_BACKOFF), None);
        assert_eq!(list.prospects(), 0);
    }

    #[test]
    fn failed_dials_are_repeated_ever_more_rarely() {
        let mut list = PeerList::default();
        list.add(NOW, address(1), Source::User, 10);
        let mut now = NOW;
        let mut pauses = Vec::new();
        for _ in 0..10 {
            assert_eq!(list.dial(now), Some(address(1)));
            list.failed(now, address(1));
            let next = list.next_dial().expect("it is tried again");
            assert_eq!(
                list.dial(next.saturating_sub(Duration::from_millis(1))),
                None
            );
            pauses.push(next.saturating_sub(now).as_secs());
            now = next;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]);
    }

    #[test]
    fn nobody_is_forgotten_while_nobody_can_be_reached() {
        let mut list = PeerList::default();
        for last in 1..=5 {
            list.add(NOW, address(last), Source::Dht, 10);
        }
        let mut now = NOW;
        for _ in 0..5 * 20 {
            let dialled = list.dial(now).expect("somebody is due");
            list.failed(now, dialled);
            now = now.max(list.next_dial().expect("it is tried again"));
        }
        assert_eq!(list.prospects(), 5, "the line was down for hours");
    }

    #[test]
    fn who_cannot_be_reached_is_forgotten_when_somebody_else_can() {
        let mut list = PeerList::default();
        list.add(NOW, address(1), Source::Dht, 10);
        list.add(NOW, address(2), Source::Dht, 10);
        list.dial(NOW);
        list.connected(address(1));
        let mut now = NOW;
        while list.dial(now).is_some() {
            list.failed(now, address(2));
            now = list.next_dial().unwrap_or(now);
        }
        assert_eq!(list.prospects(), 1);
        assert!(now > NOW + Duration::from_secs(300), "that was too soon");
    }

    #[test]
    fn the_list_is_bounded_and_failed_addresses_make_room() {
        let mut list = PeerList::default();
        list.add(NOW, address(1), Source::Dht, 2);
        list.add(NOW, address(2), Source::Dht, 2);
        list.add(NOW, address(3), Source::Dht, 2);
        assert_eq!(list.prospects(), 2);
        let dialled = list.dial(NOW).expect("somebody is dialled");
        list.failed(NOW, dialled);
        list.add(NOW, address(3), Source::Dht, 2);
        assert_eq!(list.prospects(), 2);
        assert!([list.dial(NOW), list.dial(NOW)].contains(&Some(address(3))));
    }

    #[test]
    fn one_host_fills_few_places() {
        let mut list = PeerList::default();
        let of_one = |port| SocketAddr::new(address(1).ip(), port);
        for port in 1..=1000 {
            list.add(NOW, of_one(port), Source::Dht, 2000);
        }
        assert_eq!(list.prospects(), MAX_OF_ONE_HOST);
        list.add(NOW, of_one(2000), Source::User, 2000);
        assert_eq!(list.dial(NOW), Some(of_one(2000)), "the user knows better");
    }

    #[test]
    fn when_the_list_is_full_the_greatest_host_makes_room() {
        let mut list = PeerList::default();
        let of_one = |port| SocketAddr::from(([10, 0, 0, 1], port));
        for port in 1..=10 {
            list.add(NOW, of_one(port), Source::Dht, 10);
        }
        for last in 1..=9 {
            list.add(NOW, address(last), Source::Dht, 10);
        }
        assert_eq!(list.prospects(), 10);
        list.add(NOW, of_one(11), Source::Dht, 10);
        let dialled: BTreeSet<_> = std::iter::from_fn(|| list.dial(NOW)).collect();
        let others = dialled.iter().filter(|other| other.ip() != of_one(1).ip());
        assert_eq!(others.count(), 9, "{dialled:?}");
    }

    #[test]
    fn a_ban_holds_for_a_public_ip_and_for_one_port_of_a_private_one() {
        let mut list = PeerList::default();
        list.ban(address(1));
        assert!(list.is_banned(SocketAddr::from(([203, 0, 113, 1], 1))));
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        list.ban(local(1000));
        assert!(list.is_banned(local(1000)));
        assert!(!list.is_banned(local(1001)));
        list.add(NOW, address(1), Source::User, 10);
        assert_eq!(list.dial(NOW), None);
    }

    #[test]
    fn a_dial_that_nobody_answers_fails_after_a_minute() {
        let mut list = PeerList::default();
        list.add(NOW, address(1), Source::Dht, 10);
        list.dial(NOW);
        let expiry = list.next_expiry().expect("the dial ends");
        list.expire(expiry);
        assert_eq!(list.dialling(), 0);
        assert!(list.next_dial().expect("it is tried again") > expiry);
    }
}
