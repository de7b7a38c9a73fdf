//! Who has a place and from where, so that no host and no network keeps others out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wire::Host;

/// Names one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// What one may have many addresses of: a /24 of IPv4, a /48 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Network(IpAddr);

impl Network {
    fn of(ip: IpAddr) -> Self {
        Network(match ip {
            IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() & (u32::MAX << 8)).into(),
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 80)).into(),
        })
    }
}

/// Members by network and host, each in the order in which they came.
#[derive(Debug)]
pub(super) struct Crowd<T> {
    networks: BTreeMap<Network, Population<T>>,
    /// How many each network has, so that the largest is at hand.
    sizes: BTreeSet<(usize, Network)>,
    members: BTreeMap<Ticket, IpAddr>,
    entered: u64,
}

/// Those of one network.
#[derive(Debug)]
struct Population<T> {
    size: usize,
    hosts: BTreeMap<Host, BTreeMap<Ticket, T>>,
}

impl<T> Default for Population<T> {
    fn default() -> Self {
        Population {
            size: 0,
            hosts: BTreeMap::new(),
        }
    }
}

impl<T> Default for Crowd<T> {
    fn default() -> Self {
        Crowd {
            networks: BTreeMap::new(),
            sizes: BTreeSet::new(),
            members: BTreeMap::new(),
            entered: 0,
        }
    }
}

impl<T> Crowd<T> {
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn enter(&mut self, ip: IpAddr, member: T) -> Ticket {
        let ticket = Ticket(self.entered);
        self.entered += 1;
        self.members.insert(ticket, ip);
        let network = Network::of(ip);
        let population = self.networks.entry(network).or_default();
        let host = population.hosts.entry(Host::of(ip)).or_default();
        host.insert(ticket, member);
        self.sizes.remove(&(population.size, network));
        population.size += 1;
        self.sizes.insert((population.size, network));
        ticket
    }

    /// Nobody, if he left before.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<T> {
        let ip = self.members.remove(&ticket)?;
        let (network, host) = (Network::of(ip), Host::of(ip));
        let population = self.networks.get_mut(&network)?;
        let members = population.hosts.get_mut(&host)?;
        let member = members.remove(&ticket);
        if members.is_empty() {
            population.hosts.remove(&host);
        }
        self.sizes.remove(&(population.size, network));
        population.size -= 1;
        if population.size == 0 {
            self.networks.remove(&network);
        } else {
            self.sizes.insert((population.size, network));
        }
        member
    }

    /// Who should rather go than a newcomer be turned away: the oldest of the host that has most places, in the network that has most. Nobody, if the
    /// newcomer's would have as many with him.
    pub(super) fn greediest(&self, newcomer: IpAddr) -> Option<Ticket> {
        let &(largest, greedy) = self.sizes.last()?;
        let own = self.networks.get(&Network::of(newcomer));
        let of_network = own.map_or(0, |own| own.size);
        let (population, at_most) = if largest > of_network + 1 {
            (self.networks.get(&greedy)?, 0)
        } else {
            let own = own?;
            let of_host = own.hosts.get(&Host::of(newcomer)).map_or(0, BTreeMap::len);
            (own, of_host + 1)
        };
        let members = population
            .hosts
            .values()
            .max_by_key(|members| members.len())?;
        let oldest = members.keys().next().copied();
        oldest.filter(|_| members.len() > at_most)
    }

    /// Whoever has been here for the longest.
    pub(super) fn oldest(&self) -> Option<Ticket> {
        self.members.keys().next().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(third: u8, last: u8) -> IpAddr {
        IpAddr::from([203, 0, third, last])
    }

    /// A place of at most `most`, as it is kept: the greediest goes, or the newcomer is turned away. Returns whether he got in.
    fn come(crowd: &mut Crowd<IpAddr>, most: usize, ip: IpAddr) -> bool {
        if crowd.len() >= most {
            let Some(greediest) = crowd.greediest(ip) else {
                return false;
            };
            assert!(crowd.leave(greediest).is_some());
        }
        crowd.enter(ip, ip);
        true
    }

    fn count(crowd: &Crowd<IpAddr>, is_so: impl Fn(&IpAddr) -> bool) -> usize {
        crowd.members.values().filter(|ip| is_so(ip)).count()
    }

    #[test]
    fn one_address_fills_what_is_free_and_makes_room_for_others() {
        let mut crowd = Crowd::default();
        let greedy = at(113, 1);
        let entered = (0..10_000)
            .filter(|_| come(&mut crowd, 100, greedy))
            .count();
        assert_eq!(entered, 100);
        for last in 1..=60 {
            assert!(
                come(&mut crowd, 100, at(last, 1)),
                "number {last} is kept out"
            );
            assert!(
                !come(&mut crowd, 100, greedy),
                "nobody gives way to the greedy one"
            );
        }
        assert_eq!(count(&crowd, |&ip| ip == greedy), 40);
        assert_eq!(crowd.len(), 100);
    }

    #[test]
    fn one_network_of_many_addresses_makes_room_too() {
        let mut crowd = Crowd::default();
        for last in 0..200 {
            come(&mut crowd, 100, at(113, last));
        }
        for third in 1..=90 {
            assert!(come(&mut crowd, 100, at(third, 1)));
        }
        assert_eq!(
            count(&crowd, |&ip| Network::of(ip) == Network::of(at(113, 0))),
            10
        );
    }

    #[test]
    fn in_the_same_network_the_greedy_host_makes_room() {
        let mut crowd = Crowd::default();
        for _ in 0..100 {
            come(&mut crowd, 100, at(113, 1));
        }
        for last in 2..=40 {
            assert!(come(&mut crowd, 100, at(113, last)));
        }
        assert_eq!(count(&crowd, |&ip| ip == at(113, 1)), 61);
    }

    #[test]
    fn where_all_have_as_many_nobody_goes() {
        let mut crowd = Crowd::default();
        for third in 0..100 {
            assert!(come(&mut crowd, 100, at(third, 1)));
        }
        assert!(!come(&mut crowd, 100, at(200, 1)));
        assert!(!come(&mut crowd, 100, at(3, 1)));
    }

    #[test]
    fn of_ipv6_a_host_is_a_64_and_a_network_a_48() {
        let v6 = |net: u16, host: u16, last: u16| {
            IpAddr::from([0x2001, 0xdb8, net, host, 0, 0, 0, last])
        };
        let mut crowd = Crowd::default();
        for last in 0..200 {
            come(&mut crowd, 10, v6(1, 1, last));
        }
        assert!(come(&mut crowd, 10, v6(1, 2, 0)));
        assert!(come(&mut crowd, 10, v6(2, 0, 0)));
        assert_eq!(
            count(&crowd, |&ip| Host::of(ip) == Host::of(v6(1, 1, 0))),
            8
        );
    }

    #[test]
    fn what_is_empty_is_forgotten() {
        let mut crowd = Crowd::default();
        let tickets: Vec<_> = (0..50).map(|last| crowd.enter(at(1, last), ())).collect();
        assert_eq!(crowd.oldest(), Some(tickets[0]));
        for ticket in tickets {
            assert!(crowd.leave(ticket).is_some());
            assert!(crowd.leave(ticket).is_none());
        }
        assert!(crowd.networks.is_empty() && crowd.sizes.is_empty() && crowd.members.is_empty());
        assert!(crowd.greediest(at(1, 1)).is_none() && crowd.oldest().is_none());
    }
}
