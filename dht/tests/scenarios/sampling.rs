//! What nodes tell of the torrents that they keep peers of, and who asks them how often. BEP 51.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use dht::{Body, Event, Id, Input, LookupId, Method, Outcome, Response, Sample, Want};

use crate::world::{World, local, public};
use crate::{MINUTE, SECOND, announce, ask, ended, hash, look_up, message, result, store};

const SURVEY: LookupId = LookupId(7);

fn key(number: u16) -> Id {
    let mut bytes = [0; 20];
    bytes[..2].copy_from_slice(&number.wrapping_mul(40_503).to_be_bytes());
    Id::new(bytes)
}

fn sample_of(world: &mut World, holder: SocketAddr, want: Want) -> Response {
    let target = hash(3);
    let query = message(hash(98), Method::SampleInfohashes { target, want });
    let answer = ask(world, holder, local(98), &query).unwrap();
    assert!(dht::encoded_length(&answer) <= 1200);
    match answer.body {
        Body::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

fn survey(world: &mut World, who: SocketAddr, target: Id) {
    let lookup = SURVEY;
    world.input(who, Input::Sample { lookup, target });
    world.run_until(who, ended).unwrap();
}

/// What the surveys of a node were told, by whom.
fn told(world: &World, who: SocketAddr) -> Vec<(SocketAddr, Sample)> {
    let events = world.nodes[&who].events.iter();
    let told = events.filter_map(|(_, event)| match event {
        Event::Sampled { node, sample, .. } => Some((node.address, (**sample).clone())),
        _ => None,
    });
    told.collect()
}

/// How often a node asked each other one for a sample.
fn asked(world: &World, who: SocketAddr) -> BTreeMap<SocketAddr, usize> {
    let mut asked = BTreeMap::new();
    for (_, to, message) in &world.nodes[&who].sent {
        if let Body::Query(query) = &message.body
            && matches!(query.method, Method::SampleInfohashes { .. })
        {
            *asked.entry(*to).or_default() += 1;
        }
    }
    asked
}

#[test]
fn a_node_tells_what_it_keeps_and_names_nodes_beside() {
    let mut world = World::of(20, local, 51);
    let holder = local(0);
    let nothing = sample_of(&mut world, holder, Want::UNSAID);
    let sample = nothing.sample.get().expect("who keeps nothing says so");
    assert_eq!((sample.info_hashes.len(), sample.total), (0, 0));
    assert_eq!(nothing.nodes.unwrap().len(), 8);

    for number in 0..5 {
        store(&mut world, holder, local(200 + number), key(number));
    }
    let few = sample_of(&mut world, holder, Want::UNSAID);
    let told: BTreeSet<_> = few
        .sample
        .get()
        .unwrap()
        .info_hashes
        .iter()
        .copied()
        .collect();
    assert_eq!(told, (0..5).map(key).collect());
    assert_eq!(few.sample.get().unwrap().total, 5);
}

#[test]
fn a_sample_of_many_fits_one_datagram_and_changes_only_when_its_interval_is_over() {
    let mut world = World::of(20, local, 52);
    let holder = local(0);
    for number in 0..500 {
        store(&mut world, holder, local(200 + number), key(number));
    }
    let first = sample_of(&mut world, holder, Want::BOTH);
    let sample = first.sample.get().unwrap().clone();
    assert_eq!(sample.total, 500);
    assert!((24..=40).contains(&sample.info_hashes.len()), "{sample:?}");

    world.run_for(sample.lifetime().saturating_sub(SECOND));
    let again = sample_of(&mut world, holder, Want::BOTH);
    assert_eq!(again.sample.get().unwrap().info_hashes, sample.info_hashes);
    world.run_for(SECOND);
    let next = sample_of(&mut world, holder, Want::BOTH);
    assert_ne!(next.sample.get().unwrap().info_hashes, sample.info_hashes);
}

#[test]
fn a_survey_asks_nobody_twice_and_finds_every_torrent() {
    for (address, seed) in [(local as fn(u16) -> SocketAddr, 53), (public, 54)] {
        let mut world = World::of(60, address, seed);
        world.run_for(5 * MINUTE);
        let announced: BTreeSet<_> = (1..=12).map(hash).collect();
        for (number, info_hash) in (1..).zip(&announced) {
            announce(&mut world, address(number), *info_hash).unwrap();
        }
        let who = address(30);
        survey(&mut world, who, hash(200));
        let told = told(&world, who);
        let found: BTreeSet<_> = told
            .iter()
            .flat_map(|(_, sample)| sample.info_hashes.iter().copied())
            .collect();
        assert_eq!(found, announced);
        let (report, _) = result(&world, who);
        assert_eq!(report.outcome, Outcome::Converged);
        // One question a node tells of nearly everybody, and nobody fails to answer.
        assert!(report.asked >= 55, "{report:?}");
        assert_eq!(report.asked, report.answered);
        assert!(asked(&world, who).values().all(|&times| times == 1));
        let nearest = world.nearest(&hash(200), 9);
        let nearest: Vec<_> = nearest
            .into_iter()
            .filter(|node| *node != who)
            .take(8)
            .collect();
        let closest: Vec<_> = report.closest.iter().map(|node| node.address).collect();
        assert_eq!(closest, nearest);
    }
}

#[test]
fn nobody_is_asked_again_before_his_interval_is_over() {
    let mut world = World::of(12, local, 55);
    announce(&mut world, local(1), hash(1)).unwrap();
    let who = local(5);
    survey(&mut world, who, hash(2));
    assert_eq!(asked(&world, who).len(), 11);
    // Another survey walks as far as the first one, and asks nobody for what he has told.
    survey(&mut world, who, hash(3));
    assert_eq!(result(&world, who).0.answered, 11);
    assert_eq!(told(&world, who).len(), 11);
    world.run_for(world.config.sample_interval.saturating_sub(SECOND));
    survey(&mut world, who, hash(3));
    assert!(asked(&world, who).values().all(|&times| times == 1));
    world.run_for(2 * SECOND);
    survey(&mut world, who, hash(3));
    assert!(asked(&world, who).values().all(|&times| times == 2));
    assert_eq!(told(&world, who).len(), 22);
}

#[test]
fn a_survey_gets_past_the_dead_and_can_be_cancelled() {
    let mut world = World::of(30, local, 56);
    world.run_for(5 * MINUTE);
    world.silent.extend((20..30).map(local));
    let who = local(5);
    survey(&mut world, who, hash(1));
    let (report, _) = result(&world, who);
    assert_eq!((report.outcome, report.answered), (Outcome::Converged, 19));

    let lookup = SURVEY;
    let target = hash(9);
    world.input(who, Input::Sample { lookup, target });
    world.input(who, Input::Cancel { lookup });
    world.run_until(who, ended).unwrap();
    assert_eq!(result(&world, who).0.outcome, Outcome::Cancelled);
    let before = asked(&world, who);
    world.run_for(MINUTE);
    assert_eq!(asked(&world, who), before);
}

#[test]
fn a_survey_that_begins_too_early_waits_for_somebody() {
    let mut world = World::of(5, local, 57);
    announce(&mut world, local(1), hash(1)).unwrap();
    let who = local(60);
    world.add(who, &[]);
    let (lookup, target) = (SURVEY, hash(1));
    world.input(who, Input::Sample { lookup, target });
    world.run_for(MINUTE);
    assert!(told(&world, who).is_empty());
    world.input(who, Input::Bootstrap(&[local(0)]));
    world.run_until(who, ended).unwrap();
    assert_eq!(told(&world, who).len(), 5);
    // What ended does not hinder what comes.
    look_up(&mut world, who, hash(1));
    world.run_until(who, ended).unwrap();
    assert_eq!(result(&world, who).0.peers, 1);
}
