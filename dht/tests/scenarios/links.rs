//! Links that are down, come back, or lead to another network.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use dht::{Body, Config, Event, Family, Id, Input, Method};

use crate::world::{LATENCY, World, public, public_v6};
use crate::{LOOKUP, MINUTE, SECOND, announce, contacts, ended, hash, look_up, result};

/// Contacts of one family that did not fail last time.
fn living(world: &World, who: SocketAddr, family: Family) -> Vec<SocketAddr> {
    let contacts = contacts(world, who).into_iter();
    contacts
        .filter(|address| Family::of(address) == family)
        .collect()
}

/// How long a lookup of this node takes.
fn time_of_lookup(world: &mut World, who: SocketAddr, info_hash: Id) -> std::time::Duration {
    look_up(world, who, info_hash);
    world.run_until(who, ended).unwrap()
}

fn queries(world: &World, who: SocketAddr) -> usize {
    let sent = world.nodes[&who].sent.iter();
    sent.filter(|(_, _, message)| matches!(message.body, Body::Query(_)))
        .count()
}

#[test]
fn one_family_is_down_while_the_other_goes_on() {
    for (down, up) in [(Family::V6, Family::V4), (Family::V4, Family::V6)] {
        let mut world = World::new(60);
        for number in 0..24 {
            let hosts = [public(0), public_v6(0)];
            let hosts = if number == 0 { &[] } else { hosts.as_slice() };
            world.add_dual(public(number), public_v6(number), hosts);
            world.run_for(SECOND);
        }
        world.run_for(10 * MINUTE);
        let me = public(1);
        let address_of = |number, family| match family {
            Family::V4 => public(number),
            Family::V6 => public_v6(number),
        };
        let before = Family::ALL.map(|family| living(&world, me, family).len());
        assert!(before.iter().all(|&count| count >= 20), "{before:?}");

        world.silent.insert(address_of(1, down));
        world.run_for(60 * MINUTE);
        let stats = world.nodes[&me].node.stats();
        let [kept_v4, kept_v6] = [stats.contacts_v4, stats.contacts_v6];
        let [kept, others] = match down {
            Family::V4 => [kept_v4, kept_v6],
            Family::V6 => [kept_v6, kept_v4],
        };
        assert!(kept >= 16 && others >= 22, "{down:?}: {kept}, {others}");
        let knows = |world: &World, family| {
            let address = address_of(1, family);
            let knows = |number: &u16| contacts(world, public(*number)).contains(&address);
            (2..24).filter(knows).count()
        };
        assert!(knows(&world, up) >= 20 && knows(&world, down) == 0);
        // Nothing waits for the family from which nothing comes.
        let before = queries(&world, me);
        let took = time_of_lookup(&mut world, me, hash(1));
        assert!(took <= 8 * LATENCY, "{took:?}");
        assert!(queries(&world, me) - before <= 16);
        // The one that lives is cared for, as if nothing were the matter.
        let me_view = world.nodes[&me].node.table(up, world.now, &world.config);
        let mut cared = me_view.iter().flat_map(|bucket| &bucket.contacts);
        assert!(cared.all(|contact| contact.silent_for <= 12 * MINUTE));

        world.silent.clear();
        world.run_for(30 * SECOND);
        assert!(living(&world, me, down).len() >= 22);
        assert!(knows(&world, down) >= 12, "{}", knows(&world, down));
    }
}

/// A network in which everybody knows one another, and of which a third is gone and a sixth new when the node at `public(1)` is there again; not before
/// `nap` is over.
fn changed_meanwhile(nap: std::time::Duration, seed: u64) -> (World, usize) {
    let mut world = World::established(240, Config::default(), BTreeMap::new(), seed);
    world.run_for(MINUTE);
    let before = living(&world, public(1), Family::V4).len();
    world.silent.extend((160..240).map(public));
    for number in 300..340 {
        world.add(public(number), &[public(0)]);
    }
    world.run_for(nap);
    (world, before)
}

/// What a table in order is like.
fn assert_in_order(world: &World, who: SocketAddr, before: usize) {
    let living = living(world, who, Family::V4);
    let dead = living.iter().filter(|node| world.silent.contains(node));
    assert_eq!(dead.count(), 0);
    assert!(living.len() * 2 >= before, "{} of {before}", living.len());
    // It knows those around it, and they know it.
    let own = world.nodes[&who].node.id();
    for neighbour in &world.nearest(&own, 9)[1..] {
        assert!(living.contains(neighbour), "{neighbour}");
        assert!(contacts(world, *neighbour).contains(&who), "{neighbour}");
    }
}

#[test]
fn a_laptop_wakes_up_in_another_network() {
    let (mut world, before) = changed_meanwhile(SECOND, 61);
    let (home, elsewhere) = (public(1), public(500));
    announce(&mut world, public(2), hash(1)).unwrap();
    let laptop = world.take_away(home);
    world.run_for(20 * MINUTE);
    world.bring_back(elsewhere, laptop);
    world.run_for(MINUTE);
    let node = &world.nodes[&elsewhere].node;
    assert!(dht::is_id_valid(&node.id(), elsewhere.ip()));
    let address = Event::ExternalAddress { ip: elsewhere.ip() };
    let mut events = world.nodes[&elsewhere].events.iter();
    assert!(
        events.any(|(_, event)| *event == address),
        "who has announced peers has to do it again"
    );
    assert_in_order(&world, elsewhere, before);
    let took = time_of_lookup(&mut world, elsewhere, hash(1));
    assert!(took <= SECOND, "{took:?}");
    assert_eq!(result(&world, elsewhere).1.len(), 1);
    // Then it is as quiet as ever.
    world.run_for(MINUTE);
    let quiet = queries(&world, elsewhere);
    world.run_for(MINUTE);
    assert!(queries(&world, elsewhere) - quiet <= 40);
}

#[test]
fn a_link_comes_back_after_a_long_time() {
    let mut world = World::established(240, Config::default(), BTreeMap::new(), 62);
    let me = public(1);
    world.run_for(MINUTE);
    let before = living(&world, me, Family::V4).len();
    world.silent.insert(me);
    world.run_for(20 * MINUTE);
    world.silent.extend((160..240).map(public));
    world.run_for(10 * MINUTE);
    world.silent.remove(&me);
    world.run_for(MINUTE);
    assert_in_order(&world, me, before);
}

#[test]
fn nobody_is_forgotten_because_a_cable_was_plugged_in_elsewhere() {
    let mut world = World::established(100, Config::default(), BTreeMap::new(), 63);
    let me = public(1);
    world.run_for(MINUTE);
    let before = living(&world, me, Family::V4);
    // What it asked through the old cable is never answered.
    let cut = |world: &mut World| {
        world.silent.insert(me);
        let lookup = LOOKUP;
        let target = hash(1);
        world.input(me, Input::FindNode { lookup, target });
        world.run_for(SECOND);
        world.silent.remove(&me);
    };
    cut(&mut world);
    let asked = queries(&world, me);
    world.input(me, Input::NetworkChanged);
    assert_eq!(queries(&world, me) - asked, 8, "at once");
    let pings = world.nodes[&me].sent.iter().rev().take(8);
    let near: Vec<_> = pings.map(|(_, to, _)| *to).collect();
    let own = world.nodes[&me].node.id();
    assert!(
        world.nearest(&own, 9)[1..]
            .iter()
            .all(|node| near.contains(node))
    );
    world.run_for(30 * SECOND);
    let after = living(&world, me, Family::V4);
    assert!(before.iter().all(|node| after.contains(node)));
    // A hint that nothing is behind costs each contact a packet.
    let asked = queries(&world, me);
    world.input(me, Input::NetworkChanged);
    world.run_for(30 * SECOND);
    let asked = queries(&world, me) - asked;
    assert!(asked <= before.len() + 40, "{asked} queries");
    let is_about_us = |method: &Method| method.target() == Some(&own);
    let sent = world.nodes[&me].sent.iter();
    let about_us = sent.filter(
        |(_, _, message)| matches!(&message.body, Body::Query(query) if is_about_us(&query.method)),
    );
    assert!(about_us.count() >= 8);
}
