//! What it costs to look at a datagram and not read it, in floods of a million.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use dht::{Limiter, Limits};
use divan::Bencher;
use divan::counter::ItemsCount;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

const DATAGRAMS: u32 = 1_000_000;

fn main() {
    divan::main();
}

/// A hundred thousand datagrams a second.
fn flood(bencher: Bencher<'_, '_>, from: fn(u32) -> u32) {
    let mut limiter = Limiter::new(
        &Limits::default(),
        &mut Xoshiro256PlusPlus::seed_from_u64(1),
    );
    let mut start = Duration::ZERO;
    bencher.counter(ItemsCount::new(DATAGRAMS)).bench_local(|| {
        for datagram in 0..DATAGRAMS {
            let from = SocketAddr::from((Ipv4Addr::from(0x0b00_0000 + from(datagram)), 6881));
            let now = start + Duration::from_micros(10) * datagram;
            black_box(limiter.admit(from, 100, now));
        }
        start += Duration::from_micros(10) * DATAGRAMS;
    });
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn from_one_address(bencher: Bencher<'_, '_>) {
    flood(bencher, |_| 1);
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn from_one_network(bencher: Bencher<'_, '_>) {
    flood(bencher, |datagram| datagram % 256);
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn from_a_million_addresses(bencher: Bencher<'_, '_>) {
    flood(bencher, |datagram| {
        (datagram.wrapping_mul(0x9e37_79b1) >> 12) * 16
    });
}
