//! A run is its seed.

use simulations::{
    Codec, Digest, Goal, LifePlan, Network, Plan, Role, Swarm, World, virtual_torrent,
};

use crate::{MINUTE, hash, plan, rough, run};

/// Some minutes of a world in which things go wrong.
fn mess(seed: u64) -> Plan {
    let mut plan = Plan {
        nodes: 200,
        settle: 2 * MINUTE,
        duration: 4 * MINUTE,
        network: rough(),
        life: LifePlan {
            session: 5 * MINUTE,
            absence: MINUTE,
            ..LifePlan::default()
        },
        ..plan(seed, 200)
    };
    plan.nat.share = 0.3;
    plan
}

fn minutes(seed: u64, threads: usize, codec: Codec) -> Vec<Digest> {
    let minutes = run(&mess(seed), threads, codec).minutes;
    assert_eq!(minutes.len(), 6);
    minutes
}

#[test]
fn one_seed_gives_one_run_and_another_another() {
    let first = minutes(21, 1, Codec::Structured);
    assert_eq!(first, minutes(21, 1, Codec::Structured));
    let other = minutes(22, 1, Codec::Structured);
    assert!(first.iter().zip(&other).all(|(one, other)| one != other));
}

#[test]
fn it_does_not_matter_how_many_threads_there_are() {
    let alone = minutes(23, 1, Codec::Structured);
    for threads in [2, 3] {
        assert_eq!(
            minutes(23, threads, Codec::Structured),
            alone,
            "{threads} threads"
        );
    }
}

#[test]
fn messages_that_were_datagrams_say_the_same() {
    assert_eq!(
        minutes(24, 1, Codec::Bytes),
        minutes(24, 1, Codec::Structured)
    );
}

#[test]
fn every_packet_is_accounted_for() {
    let mut plan = plan(25, 24);
    plan.network = rough();
    let mut world = World::grown(&plan);
    for number in 0..10 {
        world.begin(number, Goal::Announce(hash(number % 3)));
        world.leave(14 + number);
        world.run_for(MINUTE);
    }
    let traffic = world.traffic();
    assert_eq!(
        traffic.sent + traffic.duplicated,
        traffic.delivered + traffic.lost + traffic.offline + traffic.in_flight
    );
    assert!(traffic.duplicated > 0 && traffic.lost > 0 && traffic.offline > 0);
}

#[test]
fn a_swarm_is_its_seed_too() {
    let run = |seed| {
        let mut plan = plan(seed, 8);
        plan.network = rough();
        let network = Network::new(&plan, plan.nodes, None);
        let addresses: Vec<_> = (0..8)
            .map(|number| network.address(number).into())
            .collect();
        let mut swarm = Swarm::new(network, seed, virtual_torrent(4 << 20, 1 << 16));
        for (number, &address) in addresses.iter().enumerate() {
            let role = if number == 0 {
                Role::seed(1_000_000)
            } else {
                Role::leecher(1_000_000, 0)
            };
            swarm.join(address, role);
            swarm.introduce(address, &addresses[..number]);
        }
        swarm.run_for(MINUTE).expect("what always holds does");
        assert!(addresses.iter().all(|&address| swarm.is_finished(address)));
        swarm.digest()
    };
    assert_eq!(run(25), run(25));
    assert_ne!(run(25), run(26));
}
