//! What the network between a million nodes costs a packet.

use std::cell::Cell;
use std::hint::black_box;
use std::net::SocketAddrV4;
use std::time::Duration;

use divan::Bencher;
use simulations::{Dependence, Nat, NatPlan, Network, Plan};

fn main() {
    divan::main();
}

const NODES: u32 = 1_000_000;

fn calm() -> Plan {
    let mut plan = Plan::default();
    plan.network.latency.jitter = Duration::ZERO;
    plan
}

fn lossy() -> Plan {
    let mut plan = Plan::default();
    plan.network.loss.random = 0.02;
    plan
}

fn stormy() -> Plan {
    let mut plan = lossy();
    plan.network.loss.bursts = 0.05;
    plan.network.duplication = 0.01;
    plan.network.reordering = 0.01;
    plan.network.partitions = vec![simulations::PartitionPlan::default()];
    plan
}

/// Numbers that follow no pattern which the processor could learn.
struct Numbers(Cell<u32>);

impl Numbers {
    fn next(&self) -> u32 {
        let number = self
            .0
            .get()
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        self.0.set(number);
        number
    }

    fn node(&self) -> u32 {
        ((u64::from(self.next()) * u64::from(NODES)) >> 32) as u32
    }
}

fn numbers() -> Numbers {
    Numbers(Cell::new(1))
}

fn fate(bencher: Bencher, plan: &Plan) {
    let (network, numbers) = (Network::new(plan, NODES, None), numbers());
    let now = 900_000_000;
    bencher.bench_local(|| network.fate(now, numbers.node(), numbers.node(), numbers.next()));
}

#[divan::bench]
fn fate_in_a_calm_network(bencher: Bencher) {
    fate(bencher, &calm());
}

#[divan::bench]
fn fate_with_loss_and_jitter(bencher: Bencher) {
    fate(bencher, &lossy());
}

#[divan::bench]
fn fate_with_all_faults(bencher: Bencher) {
    fate(bencher, &stormy());
}

#[divan::bench]
fn address(bencher: Bencher) {
    let (network, numbers) = (Network::new(&calm(), NODES, None), numbers());
    bencher.bench_local(|| network.address(numbers.node()));
}

#[divan::bench]
fn resident(bencher: Bencher) {
    let network = Network::new(&calm(), NODES, None);
    let addresses: Vec<_> = (0..1 << 12)
        .map(|node| *network.address(node * 200).ip())
        .collect();
    let numbers = numbers();
    bencher.bench_local(|| network.resident(addresses[numbers.next() as usize >> 20]));
}

#[divan::bench]
fn nat_of_a_node_that_talks_to_twenty(bencher: Bencher) {
    let plan = NatPlan {
        mapping: Dependence::EndpointIndependent,
        filtering: Dependence::AddressAndPortDependent,
        ..NatPlan::default()
    };
    let own = SocketAddrV4::new([9, 8, 7, 6].into(), 6881);
    let (mut nat, mut now, mut ip) = (Nat::default(), 0, 20 << 24);
    bencher.bench_local(|| {
        now += 6_000_000;
        ip += 1;
        let to = SocketAddrV4::new(ip.into(), 6881);
        let seen = nat.outbound(&plan, now, own, to);
        black_box(nat.admits(&plan, now, seen, to))
    });
}
