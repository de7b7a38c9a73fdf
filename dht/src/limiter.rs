use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand::Rng;
use siphasher::sip::SipHasher13;

use crate::address::{is_public, network};
use crate::cell_rate::{Meter, nanos};

/// Bytes that count as one datagram: a question fits, a flood of large ones counts as what it is.
const UNIT: u64 = 256;

/// How much is read from whom. The default is what people run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Datagrams a second from one public IP, or from one IP and port of a local network. Each 256 bytes that one has begun count as a datagram,
    /// here and in the next two.
    pub packets_per_host: u32,
    /// Who sends no more than so many datagrams a second is quiet: all others together have a quarter of [`Limits::bytes`], so that the quiet are
    /// heard among many who are loud.
    pub packets_per_quiet_host: u32,
    /// Datagrams a second from one public /24 (IPv6: /64).
    pub packets_per_network: u32,
    /// Bytes a second from everybody.
    pub bytes: u32,
    /// How much of each may come at once, in seconds' worth of it.
    pub burst_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packets_per_host: 100,
            packets_per_quiet_host: 4,
            packets_per_network: 400,
            bytes: 4 << 20,
            burst_seconds: 4,
        }
    }
}

/// Decides before a datagram is parsed whether it is. In fixed memory, whoever sends and however many they are.
///
/// It belongs to the driver, one for all sockets of a node; a driver without one reads everything.
pub struct Limiter {
    key: [u8; 16],
    hosts: Meter<8192>,
    quiet_hosts: Meter<8192>,
    networks: Meter<4096>,
    loud: Meter<1>,
    everybody: Meter<1>,
    awaited: Awaited,
}

impl Limiter {
    /// A limiter that has seen nobody yet. `rng` hides from senders with whom they share a cell.
    pub fn new(limits: &Limits, rng: &mut impl Rng) -> Self {
        let mut key = [0; 16];
        rng.fill_bytes(&mut key);
        Self {
            key,
            hosts: Meter::new(limits.packets_per_host, limits.burst_seconds),
            quiet_hosts: Meter::new(limits.packets_per_quiet_host, limits.burst_seconds),
            networks: Meter::new(limits.packets_per_network, limits.burst_seconds),
            loud: Meter::new(limits.bytes / 4, limits.burst_seconds),
            everybody: Meter::new(limits.bytes, limits.burst_seconds),
            awaited: Awaited::new(),
        }
    }

    /// A query goes to this address: the next datagram from there is read whatever the limits say, so that no flood keeps
    /// the answers to our own questions from us.
    pub fn expect(&mut self, from: SocketAddr) {
        self.awaited.put(self.hash(from.ip(), from.port()));
    }

    /// Whether a datagram of `length` bytes from `from` is to be read.
    #[must_use]
    pub fn admit(&mut self, from: SocketAddr, length: usize, now: Duration) -> bool {
        let now = nanos(now);
        let is_within = self.is_within(from, length as u64, now);
        is_within || self.awaited.take(self.hash(from.ip(), from.port()))
    }

    fn is_within(&mut self, from: SocketAddr, length: u64, now: u64) -> bool {
        let public = is_public(from.ip());
        let units = length.div_ceil(UNIT).max(1);
        let port = if public { 0 } else { from.port() };
        let host = self.hash(from.ip(), port);
        if !self.hosts.admit(host, units, now) {
            return false;
        }
        if public {
            let mut hasher = SipHasher13::new_with_key(&self.key);
            hasher.write_u64(network(from.ip()));
            if !self.networks.admit(hasher.finish(), units, now) {
                return false;
            }
        }
        let is_quiet = self.quiet_hosts.admit(host, units, now);
        (is_quiet || self.loud.admit(0, length, now)) && self.everybody.admit(0, length, now)
    }

    fn hash(&self, ip: IpAddr, port: u16) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        match ip {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        hasher.write_u16(port);
        hasher.finish()
    }
}

/// Addresses whose answer is awaited, by hash: the newest of those that share a place. A place is good for one datagram.
struct Awaited(Box<[u64]>);

impl Awaited {
    /// Eight times as many as there are queries in flight, so that few of them share a place.
    const PLACES: usize = 2048;

    fn new() -> Self {
        Self(vec![0; Self::PLACES].into_boxed_slice())
    }

    fn put(&mut self, hash: u64) {
        if let Some(place) = self.place(hash) {
            *place = hash;
        }
    }

    fn take(&mut self, hash: u64) -> bool {
        let place = self.place(hash).filter(|place| **place == hash);
        place.map(|place| *place = 0).is_some()
    }

    fn place(&mut self, hash: u64) -> Option<&mut u64> {
        self.0.get_mut(hash as usize % Self::PLACES)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    fn limiter(limits: &Limits) -> Limiter {
        Limiter::new(limits, &mut Xoshiro256PlusPlus::seed_from_u64(7))
    }

    fn admitted(
        limiter: &mut Limiter,
        from: SocketAddr,
        packets: u32,
        start: Duration,
        each: Duration,
    ) -> usize {
        (0..packets)
            .filter(|&packet| limiter.admit(from, 100, start + each * packet))
            .count()
    }

    #[test]
    fn one_address_gets_its_burst_and_then_its_rate() {
        let mut limiter = limiter(&Limits::default());
        let from = "8.8.8.8:1".parse().unwrap();
        let at_once = admitted(
            &mut limiter,
            from,
            10_000,
            Duration::from_secs(10),
            Duration::ZERO,
        );
        assert!((400..=402).contains(&at_once), "{at_once}");
        // 10,000 packets in ten seconds: a hundred a second pass.
        let later = admitted(
            &mut limiter,
            from,
            10_000,
            Duration::from_secs(10),
            Duration::from_millis(1),
        );
        assert!((990..=1010).contains(&later), "{later}");
    }

    #[test]
    fn a_network_cannot_share_the_work_among_its_addresses() {
        let mut limiter = limiter(&Limits::default());
        let now = Duration::from_secs(1);
        let passed = (0..=255u8).flat_map(|host| (0..100).map(move |_| host));
        let passed = passed
            .filter(|&host| limiter.admit(SocketAddr::from(([8, 8, 8, host], 1)), 100, now))
            .count();
        assert!((1600..=1602).contains(&passed), "{passed}");
    }

    #[test]
    fn thirty_two_nodes_on_one_desk_do_not_hinder_each_other() {
        let mut limiter = limiter(&Limits::default());
        for port in 7000..7032 {
            let from = SocketAddr::from(([127, 0, 0, 1], port));
            assert_eq!(
                admitted(
                    &mut limiter,
                    from,
                    400,
                    Duration::from_secs(1),
                    Duration::ZERO
                ),
                400
            );
        }
    }

    /// What is read of one who sends two datagrams a second beside a flood of 100,000 a second, in percent: as he asks, and as he answers what we
    /// ask him.
    fn heard(flood: impl Fn(u32) -> SocketAddr) -> (u32, u32) {
        const FLOOD: u32 = 10_000_000;
        const HONEST: u32 = 100;
        let mut limiter = limiter(&Limits::default());
        let honest = "9.9.9.9:6881".parse().unwrap();
        let answering = "9.9.8.8:6881".parse().unwrap();
        let (mut asked, mut answered) = (0, 0);
        for packet in 0..FLOOD {
            // What the burst allows is over before the count begins.
            let now = Duration::from_secs(10) + Duration::from_micros(10) * packet;
            if packet >= FLOOD / 2 && packet % (FLOOD / HONEST / 2) == 0 {
                asked += u32::from(limiter.admit(honest, 100, now));
                limiter.expect(answering);
                answered += u32::from(limiter.admit(answering, 100, now));
            }
            let _ = limiter.admit(flood(packet), 100, now);
        }
        (asked, answered)
    }

    fn host(number: u32) -> SocketAddr {
        SocketAddr::from((std::net::Ipv4Addr::from(number), 6881))
    }

    #[test]
    fn an_honest_node_is_heard_beside_a_flood_from_one_address_or_one_network() {
        assert_eq!(heard(|_| host(0x0b00_0001)), (100, 100));
        assert_eq!(heard(|packet| host(0x0b00_0000 + packet % 256)), (100, 100));
    }

    #[test]
    fn an_honest_node_is_heard_beside_a_flood_from_thousands_of_addresses() {
        // Each of them stays below the limits of an address and of a network.
        let flood = |packet: u32| host(0x0b00_0000 + packet % 4000 * 300);
        assert_eq!(heard(flood), (100, 100));
    }

    #[test]
    fn an_honest_node_is_heard_beside_a_flood_from_everywhere() {
        // A million addresses in 65,536 networks. They take the bytes that are read from everybody: he is heard with the probability that any
        // datagram is, 4 of 10 MB, but his answers always.
        let multiplier = 0x9e37_79b1_u32;
        let flood = |packet: u32| host(0x0b00_0000 + (packet.wrapping_mul(multiplier) >> 12) * 16);
        let (asked, answered) = heard(flood);
        assert!((30..=55).contains(&asked), "{asked}");
        assert_eq!(answered, 100);
    }

    #[test]
    fn an_honest_node_is_heard_beside_three_networks_that_send_large_datagrams() {
        let mut limiter = limiter(&Limits::default());
        let (mut asked, mut read) = (0, 0);
        // Each of the three sends as many as a network may, of 4 KiB; he sends twenty small ones a second, more than the quiet do.
        for tick in 0..24_000u32 {
            let now = Duration::from_secs(10) + Duration::from_micros(2500) * tick;
            for network in 0..3 {
                let from = host(0x0b00_0000 + network * 256 + tick % 256);
                read += if limiter.admit(from, 4096, now) {
                    4096
                } else {
                    0
                };
            }
            if tick % 20 == 0 {
                asked += u32::from(limiter.admit(host(0x0909_0909), 100, now));
            }
        }
        assert_eq!(asked, 1200);
        // Of the 4 MiB a second that are read from everybody, in a minute.
        assert!(read < 60 * 350_000, "{read} bytes");
    }

    #[test]
    fn an_awaited_answer_is_one_datagram() {
        let mut limiter = limiter(&Limits {
            packets_per_host: 1,
            burst_seconds: 1,
            ..Limits::default()
        });
        let now = Duration::from_secs(10);
        let from = host(0x0b00_0001);
        while limiter.admit(from, 100, now) {}
        limiter.expect(from);
        let elsewhere = SocketAddr::new(from.ip(), 7);
        assert!(!limiter.admit(elsewhere, 100, now));
        assert!(limiter.admit(from, 100, now));
        assert!(!limiter.admit(from, 100, now));
    }
}
