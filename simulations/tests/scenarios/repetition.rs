//! A run is its seed.

use simulations::{
    Codec, Digest, Fault, Goal, Network, Role, Swarm, Traffic, World, address, virtual_torrent,
};

use crate::{MINUTE, addresses, hash, rough};

/// Twenty minutes of a world in which things go wrong.
fn world(seed: u64, codec: Codec) -> World {
    let mut world = World::new(Network::new(seed, rough())).with_codec(codec);
    world.grow(24);
    for number in 0..10 {
        world.begin(address(number), Goal::Announce(hash(number % 3)));
        world.fail(address(14 + number), Fault::Dead);
        world.run_for(MINUTE);
    }
    world.network_mut().part(addresses(0..10));
    world.run_for(5 * MINUTE);
    world.network_mut().reunite();
    world.run_for(5 * MINUTE);
    world
}

fn digest(seed: u64, codec: Codec) -> Digest {
    world(seed, codec).digest()
}

#[test]
fn one_seed_gives_one_run_and_another_another() {
    assert_eq!(digest(21, Codec::Structured), digest(21, Codec::Structured));
    assert_ne!(digest(21, Codec::Structured), digest(22, Codec::Structured));
}

#[test]
fn messages_that_were_datagrams_say_the_same() {
    assert_eq!(digest(23, Codec::Bytes), digest(23, Codec::Structured));
}

#[test]
fn every_packet_is_accounted_for() {
    let Traffic {
        sent,
        duplicated,
        delivered,
        lost,
        unreachable,
        in_flight,
    } = world(24, Codec::Structured).traffic();
    assert_eq!(
        sent + duplicated,
        delivered + lost + unreachable + in_flight
    );
    assert!(duplicated > 0 && lost > 0 && unreachable > 0);
}

#[test]
fn a_swarm_is_its_seed_too() {
    let run = |seed| {
        let mut swarm = Swarm::new(
            Network::new(seed, rough()),
            seed,
            virtual_torrent(4 << 20, 1 << 16),
        );
        for number in 0..8 {
            let role = if number == 0 {
                Role::seed(1_000_000)
            } else {
                Role::leecher(1_000_000, 0)
            };
            swarm.join(address(number), role);
            swarm.introduce(address(number), &addresses(0..number));
        }
        swarm.run_for(MINUTE).expect("what always holds does");
        assert!((0..8).all(|number| swarm.is_finished(address(number))));
        swarm.digest()
    };
    assert_eq!(run(25), run(25));
    assert_ne!(run(25), run(26));
}
