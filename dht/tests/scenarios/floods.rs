//! What becomes of our own lookups while others press upon us, and of others while we press.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    AnnouncedPort, Body, Config, Id, Input, KrpcError, LookupId, Message, Method, TransactionId,
};

use super::world::{World, public};
use super::{MINUTE, SECOND, count, ended, message};

const FLOODS: u16 = 400;

/// Runs some seconds in which, 400 times a second, somebody asks us: number so and so at this address, under an id that is nearly ours.
/// Whom we ask back answers what `answer` makes of it. Returns how often we asked one of them.
fn flooded(
    world: &mut World,
    me: SocketAddr,
    seconds: u16,
    asker: impl Fn(u16) -> SocketAddr,
    answer: impl Fn(&TransactionId) -> Option<Body>,
) -> usize {
    let askers: BTreeSet<_> = (0..seconds * FLOODS).map(&asker).collect();
    let mut questions = 0;
    for number in 0..seconds * FLOODS {
        let mut id = *world.nodes[&me].node.id().as_bytes();
        id[18..].copy_from_slice(&(number + 1).to_be_bytes());
        id[17] ^= 1;
        let query = message(Id::new(id), Method::Ping);
        let (from, message) = (asker(number), &query);
        world.input(me, Input::Receive { from, message });
        world.run_for(SECOND / u32::from(FLOODS));
        let sent = std::mem::take(&mut world.nodes.get_mut(&me).unwrap().sent);
        let fresh = sent.into_iter().filter(|(_, to, message)| {
            askers.contains(to) && matches!(message.body, Body::Query(_))
        });
        for (_, from, question) in fresh.collect::<Vec<_>>() {
            questions += 1;
            if let Some(body) = answer(&question.transaction) {
                let message = &Message { body, ..question };
                world.input(me, Input::Receive { from, message });
            }
        }
        let in_flight = world.nodes[&me].node.stats().queries_in_flight;
        assert!(in_flight <= 256 + 4, "{in_flight} queries in flight");
    }
    questions
}

fn look_up(world: &mut World, me: SocketAddr, lookups: u64) {
    for number in 0..lookups {
        let (lookup, info_hash) = (LookupId(number), Id::random(world.rng()));
        world.input(me, Input::GetPeers { lookup, info_hash });
    }
}

#[test]
fn silent_askers_who_seem_to_be_near_take_none_of_the_room_of_lookups() {
    let mut world = World::established(200, Config::default(), BTreeMap::new(), 71);
    let me = public(1);
    // One host with many ports, then many hosts.
    let one_host = |number| SocketAddr::from(([9, 9, 9, 9], 2000 + number));
    let asked = flooded(&mut world, me, 10, one_host, |_| None);
    assert!(asked <= 2, "{asked} datagrams to one host");
    let many = |number: u16| SocketAddr::from(([9, 8, (number >> 8) as u8, number as u8], 6881));
    let asked = flooded(&mut world, me, 10, many, |_| None);
    assert!((32..=300).contains(&asked), "{asked} datagrams to askers");
    let before = world.nodes[&me].node.stats().queries_in_flight;
    assert!(before <= 32 + 4, "{before} queries in flight");

    look_up(&mut world, me, 100);
    flooded(&mut world, me, 4, many, |_| None);
    assert_eq!(count(&world, me, ended), 100);
}

#[test]
fn askers_who_answer_with_errors_do_not_keep_lookups_waiting() {
    let mut world = World::established(200, Config::default(), BTreeMap::new(), 72);
    let me = public(1);
    let network = |number: u16| SocketAddr::from(([9, 9, 9, number as u8], 2000 + number));
    let error = |_: &TransactionId| {
        Some(Body::Error(KrpcError {
            code: KrpcError::SERVER,
            message: "no".into(),
        }))
    };
    flooded(&mut world, me, 20, network, error);
    look_up(&mut world, me, 40);
    flooded(&mut world, me, 4, network, error);
    assert_eq!(count(&world, me, ended), 40);
}

#[test]
fn announces_that_converge_together_wait_their_turn_like_queries() {
    let config = Config {
        max_in_flight: 64,
        ..Config::default()
    };
    let mut world = World::established(200, config, BTreeMap::new(), 73);
    let me = public(1);
    for number in 0..400 {
        let info_hash = Id::random(world.rng());
        let input = Input::Announce {
            lookup: LookupId(number),
            info_hash,
            port: AnnouncedPort::Given(5000),
            seed: false,
        };
        world.input(me, input);
    }
    let mut most = 0;
    for _ in 0..60_000 {
        world.run_for(SECOND / 1000);
        most = most.max(world.nodes[&me].node.stats().queries_in_flight);
    }
    assert!((60..=64 + 4).contains(&most), "{most} queries in flight");
    assert_eq!(count(&world, me, ended), 400);
    let told = |event: &dht::Event| matches!(event, dht::Event::Announced { .. });
    assert_eq!(count(&world, me, told), 8 * 400);
}

#[test]
fn many_lookups_write_to_no_more_strangers_in_a_time_than_a_small_nat_remembers() {
    let config = Config {
        query_interval: Duration::from_millis(100),
        query_burst: 20,
        ..Config::default()
    };
    let mut world = World::established(250, config, BTreeMap::new(), 44);
    let me = public(1);
    let before = world.nodes[&me].sent.len();
    for number in 0..300 {
        let (lookup, info_hash) = (LookupId(number), Id::random(world.rng()));
        world.input(
            me,
            if number % 2 == 0 {
                Input::GetPeers { lookup, info_hash }
            } else {
                let port = AnnouncedPort::Given(5000);
                Input::Announce {
                    lookup,
                    info_hash,
                    port,
                    seed: false,
                }
            },
        );
    }
    world.run_for(2 * MINUTE);
    // Those who were asked lately may be asked again at once.
    assert_eq!(count(&world, me, ended), 300);

    let mut last = BTreeMap::new();
    let mut strangers = Vec::new();
    let sent = world.nodes[&me].sent.iter().skip(before);
    for (time, to, message) in sent {
        if matches!(message.body, Body::Query(_))
            && last
                .insert(*to, *time)
                .is_none_or(|last| last + 30 * SECOND <= *time)
        {
            strangers.push(*time);
        }
    }
    assert!(strangers.len() > 150, "{} strangers", strangers.len());
    // Maintenance and the like come on top of it, and are few.
    for (number, start) in strangers.iter().enumerate() {
        let end = *start + 10 * SECOND;
        let written = strangers.iter().skip(number);
        let written = written.take_while(|time| **time < end).count();
        assert!(
            written <= 20 + 100 + 10,
            "{written} strangers in ten seconds"
        );
    }
}
