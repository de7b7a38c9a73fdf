//! Network address translation, in the words of RFC 4787.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::draw::{below, draw};
use super::{Micros, micros};
use crate::{Dependence, NatPlan};

/// Sessions that a NAT remembers: those of a cheap router. Then the one that has been silent for longest makes room.
const MOST: usize = 1_024;
/// The fewest that memory is taken for.
const FEWEST: usize = 8;
/// Ports below are given to nobody who did not ask for them. RFC 4787, section 4.2.3.
const FIRST_PORT: u64 = 1_024;

/// The NAT of one node: what went out through it lately.
///
/// It remembers a session for each remote endpoint, as exactly as mapping and filtering need it. The mapping of a session is
/// its external port; a mapping lives as long as one of its sessions.
#[derive(Clone, Debug, Default)]
pub struct Nat {
    sessions: Vec<Session>,
}

/// 12 bytes.
#[derive(Clone, Copy, Debug)]
struct Session {
    remote: Remote,
    /// The external port.
    port: u16,
    /// When something went out last.
    used: Tick,
}

/// As much of a remote endpoint as matters; zeros stand for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Remote {
    ip: Ipv4Addr,
    port: u16,
}

impl Remote {
    fn new(endpoint: SocketAddrV4, dependence: Dependence) -> Self {
        let (ip, port) = (*endpoint.ip(), endpoint.port());
        Self { ip, port }.as_far_as(dependence)
    }

    fn as_far_as(self, dependence: Dependence) -> Self {
        let ip = match dependence {
            Dependence::EndpointIndependent => Ipv4Addr::UNSPECIFIED,
            Dependence::AddressDependent | Dependence::AddressAndPortDependent => self.ip,
        };
        let port = match dependence {
            Dependence::EndpointIndependent | Dependence::AddressDependent => 0,
            Dependence::AddressAndPortDependent => self.port,
        };
        Self { ip, port }
    }
}

/// Time in units of 1,024 µs: four bytes are enough for fifty days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tick(u32);

impl Tick {
    fn of(time: Micros) -> Self {
        Self((time >> 10) as u32)
    }
}

/// What of a NAT is alive: decided once for all sessions.
#[derive(Clone, Copy)]
struct Life {
    now: Tick,
    expiry: Tick,
}

impl Life {
    fn new(plan: &NatPlan, now: Micros) -> Self {
        Self {
            now: Tick::of(now),
            expiry: Tick::of(micros(plan.expiry)),
        }
    }

    fn age(self, session: &Session) -> u32 {
        self.now.0.wrapping_sub(session.used.0)
    }

    fn includes(self, session: &Session) -> bool {
        self.age(session) < self.expiry.0
    }
}

impl Nat {
    /// A packet goes out from the node, whose address is `own` where its port is free, to `to`. Returns the source that the
    /// receiver sees. RFC 4787, sections 4.1 to 4.3: only this keeps a mapping alive.
    pub fn outbound(
        &mut self,
        plan: &NatPlan,
        now: Micros,
        own: SocketAddrV4,
        to: SocketAddrV4,
    ) -> SocketAddrV4 {
        let life = Life::new(plan, now);
        let remote = Remote::new(to, finer(plan.mapping, plan.filtering));
        let mapped = remote.as_far_as(plan.mapping);
        let mut port = None;
        let mut vacant = None;
        let mut living = 0;
        for (index, session) in self.sessions.iter_mut().enumerate() {
            if !life.includes(session) {
                vacant = Some(index);
                continue;
            }
            living += 1;
            if session.remote.as_far_as(plan.mapping) == mapped {
                port = Some(session.port);
                if session.remote == remote {
                    session.used = life.now;
                    return SocketAddrV4::new(*own.ip(), session.port);
                }
            }
        }
        let port = port.unwrap_or_else(|| self.free_port(life, own, mapped));
        let session = Session {
            remote,
            port,
            used: life.now,
        };
        match vacant.and_then(|index| self.sessions.get_mut(index)) {
            Some(vacant) => *vacant = session,
            None => self.remember(life, session),
        }
        self.shrink(life, living + 1);
        SocketAddrV4::new(*own.ip(), port)
    }

    /// Whether a packet from `from` gets in that comes to `at`, an address that the NAT showed to somebody. RFC 4787,
    /// section 5.
    pub fn admits(
        &self,
        plan: &NatPlan,
        now: Micros,
        at: SocketAddrV4,
        from: SocketAddrV4,
    ) -> bool {
        let life = Life::new(plan, now);
        let remote = Remote::new(from, plan.filtering);
        self.sessions.iter().any(|session| {
            session.port == at.port()
                && session.remote.as_far_as(plan.filtering) == remote
                && life.includes(session)
        })
    }

    /// Forgets everything, as a router does that restarts.
    pub fn forget(&mut self) {
        self.sessions = Vec::new();
    }

    /// The port that the node uses itself, if no living mapping has it; else the next free one after a drawn one.
    fn free_port(&self, life: Life, own: SocketAddrV4, mapped: Remote) -> u16 {
        let is_free = |port: &u16| {
            let mut sessions = self.sessions.iter();
            !sessions.any(|session| session.port == *port && life.includes(session))
        };
        let place = u64::from(mapped.ip.to_bits()) << 16 | u64::from(mapped.port);
        let drawn = draw(u64::from(own.ip().to_bits()), place);
        let ports = u64::from(u16::MAX) + 1 - FIRST_PORT;
        let next = |tried| (FIRST_PORT + (below(drawn, ports) + tried) % ports) as u16;
        // There are more ports than sessions.
        std::iter::once(own.port())
            .chain((0..ports).map(next))
            .find(is_free)
            .unwrap_or(own.port())
    }

    /// Adds a session where none can be replaced that is over.
    fn remember(&mut self, life: Life, session: Session) {
        if self.sessions.len() < MOST {
            if self.sessions.len() == self.sessions.capacity() {
                let more = (self.sessions.len() / 4).max(FEWEST);
                self.sessions.reserve_exact(more);
            }
            self.sessions.push(session);
        } else if let Some(oldest) = self.sessions.iter_mut().max_by_key(|old| life.age(old)) {
            *oldest = session;
        }
    }

    /// Gives memory back when most of it stands for sessions that are over.
    fn shrink(&mut self, life: Life, living: usize) {
        if living * 4 < self.sessions.len() && self.sessions.len() > 2 * FEWEST {
            self.sessions.retain(|session| life.includes(session));
            self.sessions.shrink_to(living + FEWEST);
        }
    }
}

/// Of two, the one that depends on more.
fn finer(one: Dependence, other: Dependence) -> Dependence {
    match (one, other) {
        (Dependence::AddressAndPortDependent, _) | (_, Dependence::AddressAndPortDependent) => {
            Dependence::AddressAndPortDependent
        }
        (Dependence::AddressDependent, _) | (_, Dependence::AddressDependent) => {
            Dependence::AddressDependent
        }
        (Dependence::EndpointIndependent, Dependence::EndpointIndependent) => {
            Dependence::EndpointIndependent
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};

    use super::*;

    const SECOND: Micros = 1_000_000;

    fn plan(mapping: Dependence, filtering: Dependence) -> NatPlan {
        NatPlan {
            mapping,
            filtering,
            expiry: Duration::from_secs(120),
            ..NatPlan::default()
        }
    }

    fn own() -> SocketAddrV4 {
        SocketAddrV4::new([9, 8, 7, 6].into(), 6881)
    }

    fn other(host: u8, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new([20, 0, 0, host].into(), port)
    }

    /// The ports that three packets show: to an endpoint, to another port of it, and to another address.
    fn shown(mapping: Dependence) -> [u16; 3] {
        let (mut nat, plan) = (Nat::default(), plan(mapping, EndpointIndependent));
        [other(1, 1), other(1, 2), other(2, 1)].map(|to| {
            let seen = nat.outbound(&plan, 0, own(), to);
            assert_eq!(seen.ip(), own().ip());
            // The mapping is kept while it is used.
            assert_eq!(nat.outbound(&plan, 0, own(), to), seen);
            seen.port()
        })
    }

    #[test]
    fn an_endpoint_independent_mapping_is_one_for_all() {
        assert_eq!(shown(EndpointIndependent), [6881; 3]);
    }

    #[test]
    fn a_mapping_that_depends_on_the_address_is_another_one_for_another_address() {
        let [first, port, address] = shown(AddressDependent);
        assert_eq!([first, port], [6881; 2]);
        assert!(address != 6881 && address >= 1024);
    }

    #[test]
    fn a_mapping_that_depends_on_address_and_port_is_another_one_for_each_endpoint() {
        let [first, port, address] = shown(AddressAndPortDependent);
        assert_eq!(first, 6881);
        assert!(port != first && address != first && port != address);
    }

    #[test]
    fn the_port_is_preserved_where_it_is_free_and_no_two_mappings_share_one() {
        let mut nat = Nat::default();
        let plan = plan(AddressAndPortDependent, AddressAndPortDependent);
        let seen = |to| nat.outbound(&plan, 0, own(), to).port();
        let ports: Vec<_> = (1..=1_000).map(|port| other(1, port)).map(seen).collect();
        assert_eq!(ports[0], own().port());
        let distinct: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(distinct.len(), ports.len());
    }

    /// Who gets in after a packet went to port 1 of host 1: that endpoint, another port of it, another address.
    fn admitted(mapping: Dependence, filtering: Dependence) -> [bool; 3] {
        let (mut nat, plan) = (Nat::default(), plan(mapping, filtering));
        let seen = nat.outbound(&plan, 0, own(), other(1, 1));
        [other(1, 1), other(1, 2), other(2, 1)].map(|from| nat.admits(&plan, SECOND, seen, from))
    }

    #[test]
    fn filtering_lets_in_whom_its_dependence_says_whatever_the_mapping() {
        for mapping in [
            EndpointIndependent,
            AddressDependent,
            AddressAndPortDependent,
        ] {
            assert_eq!(admitted(mapping, EndpointIndependent), [true, true, true]);
            assert_eq!(admitted(mapping, AddressDependent), [true, true, false]);
            assert_eq!(
                admitted(mapping, AddressAndPortDependent),
                [true, false, false]
            );
        }
    }

    #[test]
    fn nobody_gets_in_where_nothing_went_out() {
        for filtering in [
            EndpointIndependent,
            AddressDependent,
            AddressAndPortDependent,
        ] {
            let (mut nat, plan) = (Nat::default(), plan(EndpointIndependent, filtering));
            assert!(!nat.admits(&plan, 0, own(), other(1, 1)));
            nat.outbound(&plan, 0, own(), other(1, 1));
            let elsewhere = SocketAddrV4::new(*own().ip(), 7000);
            assert!(!nat.admits(&plan, 0, elsewhere, other(1, 1)));
        }
    }

    #[test]
    fn a_symmetric_nat_is_reached_through_the_mapping_made_for_the_sender_only() {
        let (mut nat, plan) = (
            Nat::default(),
            plan(AddressAndPortDependent, AddressAndPortDependent),
        );
        let first = nat.outbound(&plan, 0, own(), other(1, 1));
        let second = nat.outbound(&plan, 0, own(), other(2, 1));
        assert!(nat.admits(&plan, 0, first, other(1, 1)));
        assert!(nat.admits(&plan, 0, second, other(2, 1)));
        assert!(!nat.admits(&plan, 0, first, other(2, 1)));
    }

    #[test]
    fn a_mapping_is_gone_when_nothing_went_out_for_its_expiry() {
        let (mut nat, plan) = (Nat::default(), plan(EndpointIndependent, AddressDependent));
        let seen = nat.outbound(&plan, 0, own(), other(1, 1));
        assert!(nat.admits(&plan, 119 * SECOND, seen, other(1, 1)));
        assert!(!nat.admits(&plan, 121 * SECOND, seen, other(1, 1)));
    }

    #[test]
    fn what_comes_in_keeps_no_mapping_alive_and_what_goes_out_does() {
        let (mut nat, plan) = (Nat::default(), plan(EndpointIndependent, AddressDependent));
        let seen = nat.outbound(&plan, 0, own(), other(1, 1));
        let mut admitted =
            (0..200).map(|second| nat.admits(&plan, second * SECOND, seen, other(1, 1)));
        assert!(admitted.by_ref().take(119).all(|is_in| is_in));
        assert!(admitted.skip(2).all(|is_in| !is_in));
        for minute in 4..60 {
            nat.outbound(&plan, minute * 60 * SECOND, own(), other(1, 1));
            assert!(nat.admits(&plan, (minute * 60 + 59) * SECOND, seen, other(1, 1)));
        }
    }

    #[test]
    fn an_expired_mapping_gives_its_port_back() {
        let (mut nat, plan) = (Nat::default(), plan(AddressDependent, AddressDependent));
        assert_eq!(nat.outbound(&plan, 0, own(), other(1, 1)).port(), 6881);
        let second = nat.outbound(&plan, 60 * SECOND, own(), other(2, 1));
        assert_ne!(second.port(), 6881);
        let third = nat.outbound(&plan, 121 * SECOND, own(), other(3, 1));
        assert_eq!(third.port(), 6881);
        assert_eq!(
            nat.outbound(&plan, 122 * SECOND, own(), other(2, 1)),
            second
        );
    }

    #[test]
    fn a_filter_forgets_one_remote_while_the_mapping_lives_on() {
        let (mut nat, plan) = (Nat::default(), plan(EndpointIndependent, AddressDependent));
        let seen = nat.outbound(&plan, 0, own(), other(1, 1));
        assert_eq!(nat.outbound(&plan, 100 * SECOND, own(), other(2, 1)), seen);
        assert!(!nat.admits(&plan, 130 * SECOND, seen, other(1, 1)));
        assert!(nat.admits(&plan, 130 * SECOND, seen, other(2, 1)));
    }

    #[test]
    fn a_node_that_talks_to_somebody_new_every_six_seconds_costs_600_bytes() {
        let (mut nat, plan) = (
            Nat::default(),
            plan(EndpointIndependent, AddressAndPortDependent),
        );
        for number in 0..10_000_u32 {
            let to = SocketAddrV4::new((number + (20 << 24)).into(), 6881);
            nat.outbound(&plan, u64::from(number) * 6 * SECOND, own(), to);
            let bytes = size_of::<Nat>() + nat.sessions.capacity() * size_of::<Session>();
            assert!(bytes <= 600, "{bytes} bytes after {number}");
        }
    }

    #[test]
    fn a_burst_of_sessions_is_bounded_and_gives_its_memory_back() {
        let (mut nat, plan) = (
            Nat::default(),
            plan(AddressAndPortDependent, EndpointIndependent),
        );
        for number in 0..3_000 {
            nat.outbound(&plan, number * 1_000, own(), other(1, number as u16));
            assert!(nat.sessions.len() <= MOST);
        }
        // The latest are remembered, the oldest made room.
        let latest = nat.outbound(&plan, 3 * SECOND, own(), other(1, 2_999));
        assert!(nat.admits(&plan, 3 * SECOND, latest, other(1, 2_999)));
        let of_oldest =
            |session: &Session| session.remote == Remote::new(other(1, 0), AddressAndPortDependent);
        assert!(!nat.sessions.iter().any(of_oldest));
        nat.outbound(&plan, 200 * SECOND, own(), other(2, 1));
        assert!(
            nat.sessions.capacity() <= 2 * FEWEST,
            "{}",
            nat.sessions.capacity()
        );
    }

    #[test]
    fn a_router_that_restarts_knows_nobody() {
        let (mut nat, plan) = (
            Nat::default(),
            plan(EndpointIndependent, EndpointIndependent),
        );
        let seen = nat.outbound(&plan, 0, own(), other(1, 1));
        nat.forget();
        assert!(!nat.admits(&plan, 0, seen, other(1, 1)));
    }
}
