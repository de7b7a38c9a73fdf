//! Many lookups one after the other.

use std::collections::BTreeMap;

use dht::{Config, Id, Input, LookupId};

use crate::world::{World, public};
use crate::{ended, result};

/// Points in key-space order.
fn points(count: usize, world: &mut World) -> Vec<Id> {
    let mut points: Vec<_> = (0..count).map(|_| Id::random(world.rng())).collect();
    points.sort_unstable();
    points
}

/// Queries that a newcomer needs for each of so many lookups in key-space order, and whether each found the node that is nearest.
fn queries_a_lookup(recent_responders: usize) -> (f64, bool) {
    let config = Config {
        first_buckets: &[],
        ..Config::default()
    };
    let mut world = World::established(600, config.clone(), BTreeMap::new(), 7);
    world.config = Config {
        recent_responders,
        ..config
    };
    let who = public(5000);
    world.add(who, &[public(0)]);
    world.run_for(crate::MINUTE);
    let points = points(150, &mut world);
    let mut asked = 0;
    let mut all_nearest = true;
    for (name, point) in points.iter().enumerate() {
        let (lookup, target) = (LookupId(name as u64), *point);
        world.input(who, Input::FindNode { lookup, target });
        world.run_until(who, ended).unwrap();
        let report = result(&world, who).0;
        asked += report.asked;
        let others = world.nearest(point, 2);
        let nearest = others.into_iter().find(|address| *address != who);
        all_nearest &= report.closest.first().map(|node| node.address) == nearest;
    }
    (asked as f64 / points.len() as f64, all_nearest)
}

#[test]
fn lookups_in_key_space_order_begin_where_those_before_ended() {
    let (alone, found_alone) = queries_a_lookup(0);
    let (shared, found) = queries_a_lookup(256);
    assert!(found_alone && found, "{found_alone} {found}");
    assert!(shared < 0.75 * alone, "{shared} queries against {alone}");
}

#[test]
fn a_responder_that_has_gone_is_not_asked_again_and_again() {
    let config = Config {
        recent_responders: 64,
        ..Config::default()
    };
    let mut world = World::established(60, config, BTreeMap::new(), 8);
    let (who, target) = (public(0), Id::new([9; 20]));
    let ask = |world: &mut World, name| {
        let lookup = LookupId(name);
        world.input(who, Input::FindNode { lookup, target });
        world.run_until(who, ended).unwrap();
        result(world, who).0
    };
    let gone = ask(&mut world, 0).closest.first().unwrap().address;
    world.silent.insert(gone);
    // The routing table gives it up after two.
    for name in 1..=2 {
        let report = ask(&mut world, name);
        assert_eq!(report.stalled, 1, "{report:?}");
        world.run_for(12 * crate::SECOND);
    }
    let report = ask(&mut world, 3);
    assert_eq!((report.failed, report.stalled), (0, 0), "{report:?}");
}
