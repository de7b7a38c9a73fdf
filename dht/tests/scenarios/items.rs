//! Storing items and finding them again. BEP 44.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    Body, Event, Holding, Id, Input, Item, ItemValue, KrpcError, LookupReport, Message, Method,
    MutableItem, Outcome, Response, Salt, SecretKey, Signature,
};

use crate::world::{World, local};
use crate::{LOOKUP, MINUTE, ended, hash, result};

mod serving;

static NONE: Salt = Salt::NONE;

fn value(text: &str) -> ItemValue {
    ItemValue::from_bytes(text.as_bytes()).unwrap()
}

fn immutable(text: &str) -> Item {
    Item::Immutable(value(text))
}

fn salt(text: &str) -> Salt {
    Salt::new(text.as_bytes()).unwrap()
}

fn signed(seq: i64, text: &str, salt: &Salt) -> Item {
    let key = SecretKey::from_seed(&[7; 32]);
    Item::Mutable(MutableItem::sign(value(text), seq, salt, &key))
}

fn version(seq: i64) -> Item {
    signed(seq, &format!("version {seq}"), &NONE)
}

fn forged(item: &Item) -> Item {
    match item.clone() {
        Item::Immutable(_) => immutable("something else"),
        Item::Mutable(item) => Item::Mutable(MutableItem {
            signature: Signature::new([1; 64]),
            ..item
        }),
    }
}

fn put(world: &mut World, who: SocketAddr, item: &Item, cas: Option<i64>) -> LookupReport {
    put_salted(world, who, item, &NONE, cas)
}

fn put_salted(
    world: &mut World,
    who: SocketAddr,
    item: &Item,
    salt: &Salt,
    cas: Option<i64>,
) -> LookupReport {
    let lookup = LOOKUP;
    world.input(
        who,
        Input::PutItem {
            lookup,
            item,
            salt,
            cas,
        },
    );
    world.run_until(who, ended).expect("a put ends");
    result(world, who).0
}

/// How a search ended, and what it reported on its way.
fn get(world: &mut World, who: SocketAddr, target: Id, salt: &Salt) -> (LookupReport, Vec<Item>) {
    get_newer(world, who, target, salt, None)
}

fn get_newer(
    world: &mut World,
    who: SocketAddr,
    target: Id,
    salt: &Salt,
    newer_than: Option<i64>,
) -> (LookupReport, Vec<Item>) {
    let before = found(world, who).len();
    let lookup = LOOKUP;
    world.input(
        who,
        Input::GetItem {
            lookup,
            target,
            salt,
            newer_than,
        },
    );
    world.run_until(who, ended).expect("a search ends");
    (result(world, who).0, found(world, who).split_off(before))
}

/// All items that a node's lookups have reported.
fn found(world: &World, who: SocketAddr) -> Vec<Item> {
    let events = world.nodes[&who].events.iter();
    let items = events.filter_map(|(_, event)| match event {
        Event::Item { item, .. } => Some((**item).clone()),
        _ => None,
    });
    items.collect()
}

fn holders(world: &World) -> Vec<SocketAddr> {
    let nodes = world.nodes.iter();
    let holding = nodes.filter(|(_, member)| member.node.stats().items > 0);
    holding.map(|(address, _)| *address).collect()
}

fn receipts(world: &World, who: SocketAddr) -> Vec<SocketAddr> {
    let events = world.nodes[&who].events.iter();
    let receipts = events.filter_map(|(_, event)| match event {
        Event::Stored { node, .. } => Some(node.address),
        _ => None,
    });
    receipts.collect()
}

fn refusals(world: &World, who: SocketAddr) -> Vec<i64> {
    let events = world.nodes[&who].events.iter();
    let codes = events.filter_map(|(_, event)| match event {
        Event::PutRefused { error, .. } => Some(error.code),
        _ => None,
    });
    codes.collect()
}

#[test]
fn what_one_node_puts_a_third_one_finds() {
    let mut world = World::of(20, local, 40);
    let item = immutable("Hello World!");
    let target = item.target(&NONE);
    let report = put(&mut world, local(1), &item, None);
    assert_eq!(
        (report.outcome, report.announced_to),
        (Outcome::Converged, 8)
    );
    let mut told = receipts(&world, local(1));
    told.sort();
    assert_eq!(told, holders(&world), "a receipt names who holds it");
    let near = world.nearest(&target, 9);
    assert!(told.iter().all(|holder| near.contains(holder)));
    let asker = (2..20)
        .map(local)
        .find(|node| !told.contains(node))
        .unwrap();
    let (report, items) = get(&mut world, asker, target, &NONE);
    assert_eq!((report.outcome, items), (Outcome::Found, vec![item]));
    // Nobody else has it, and nobody says so.
    let (report, items) = get(&mut world, asker, hash(1), &NONE);
    assert_eq!((report.outcome, items.len()), (Outcome::Converged, 0));
}

#[test]
fn two_nodes_are_enough() {
    let mut world = World::of(2, local, 41);
    let item = version(1);
    assert_eq!(put(&mut world, local(1), &item, None).announced_to, 1);
    // Who has it himself need not ask.
    let (report, items) = get(&mut world, local(0), item.target(&NONE), &NONE);
    assert_eq!((items, report.copies), (vec![item.clone()], 0));
    assert_eq!(
        get(&mut world, local(1), item.target(&NONE), &NONE).1,
        [item]
    );
}

#[test]
fn the_newest_version_wins_although_some_have_slept_through_it() {
    let mut world = World::of(20, local, 42);
    let (old, new) = (version(1), version(2));
    let target = old.target(&NONE);
    assert_eq!(put(&mut world, local(1), &old, None).announced_to, 8);
    let sleepers: Vec<_> = receipts(&world, local(1)).into_iter().take(5).collect();
    world.silent.extend(&sleepers);
    let report = put(&mut world, local(2), &new, None);
    assert!(report.announced_to >= 3, "{report:?}");
    world.silent.clear();
    world.run_for(5 * MINUTE);
    for asker in [3, 4, 5].map(local) {
        let (report, items) = get(&mut world, asker, target, &NONE);
        assert_eq!(report.outcome, Outcome::Converged);
        assert_eq!(items.last(), Some(&new));
        let numbers: Vec<_> = items.iter().map(Item::seq).collect();
        assert!(numbers.is_sorted() && numbers.len() <= 2, "{numbers:?}");
        assert!(report.copies > 0 && report.copies <= 8, "{report:?}");
    }
}

#[test]
fn an_older_version_is_pressed_upon_nobody() {
    let mut world = World::of(20, local, 43);
    put(&mut world, local(1), &version(5), None);
    let before = holders(&world);
    for late in [version(4), signed(5, "another fifth", &NONE)] {
        let report = put(&mut world, local(2), &late, None);
        assert_eq!(
            (report.outcome, report.announced_to),
            (Outcome::Converged, 0)
        );
        assert_eq!(found(&world, local(2)).last(), Some(&version(5)));
    }
    assert_eq!(holders(&world), before);
    // The same again is a sign of life.
    assert_eq!(put(&mut world, local(2), &version(5), None).announced_to, 8);
}

#[test]
fn who_expects_another_predecessor_is_refused() {
    let mut world = World::of(20, local, 44);
    put(&mut world, local(1), &version(5), None);
    let report = put(&mut world, local(2), &version(6), Some(4));
    assert_eq!(report.announced_to, 0);
    let codes = refusals(&world, local(2));
    assert!(!codes.is_empty() && codes.iter().all(|&code| code == KrpcError::CAS_MISMATCH));
    let target = version(1).target(&NONE);
    assert_eq!(get(&mut world, local(3), target, &NONE).1, [version(5)]);
    assert_eq!(
        put(&mut world, local(2), &version(6), Some(5)).announced_to,
        8
    );
    assert_eq!(get(&mut world, local(3), target, &NONE).1, [version(6)]);
}

#[test]
fn nothing_is_put_beside_what_was_not_expected() {
    let mut world = World::of(30, local, 57);
    put(&mut world, local(1), &version(5), None);
    // The nearest to it are gone, so that some who hold nothing are among the nearest now.
    let gone: Vec<_> = receipts(&world, local(1)).into_iter().take(4).collect();
    world.silent.extend(gone);
    let here = |number: &SocketAddr| !world.silent.contains(number);
    let mut askers = (2..30).map(local).filter(here);
    let (owner, asker) = (askers.next().unwrap(), askers.next().unwrap());
    let report = put(&mut world, owner, &version(7), Some(4));
    assert_eq!(report.announced_to, 0);
    let codes = refusals(&world, owner);
    assert!(!codes.is_empty() && codes.iter().all(|&code| code == KrpcError::CAS_MISMATCH));
    let target = version(1).target(&NONE);
    assert_eq!(get(&mut world, asker, target, &NONE).1, [version(5)]);
}

#[test]
fn only_who_holds_something_is_told_what_it_shall_replace() {
    let mut world = World::of(20, local, 45);
    put(&mut world, local(1), &version(5), None);
    let target = version(5).target(&NONE);
    let gone = *world
        .nearest(&target, 8)
        .iter()
        .find(|node| holders(&world).contains(node))
        .unwrap();
    world.silent.insert(gone);
    let before = holders(&world);
    put(&mut world, local(2), &version(6), Some(5));
    let sent = world.nodes[&local(2)].sent.iter();
    let puts: Vec<_> = sent
        .filter_map(|(_, to, message)| match &message.body {
            Body::Query(query) => match &query.method {
                Method::Put(put) => Some((*to, put.cas)),
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert!(puts.len() >= 8);
    for (to, cas) in puts {
        assert_eq!(cas, before.contains(&to).then_some(5), "{to}");
    }
}

#[test]
fn two_salts_are_two_items() {
    let mut world = World::of(20, local, 46);
    let (one, two) = (salt("one"), salt("two"));
    let items = [signed(1, "first", &one), signed(1, "second", &two)];
    let targets = [items[0].target(&one), items[1].target(&two)];
    assert_ne!(targets[0], targets[1]);
    put_salted(&mut world, local(1), &items[0], &one, None);
    put_salted(&mut world, local(1), &items[1], &two, None);
    assert_eq!(get(&mut world, local(2), targets[0], &one).1, items[..1]);
    assert_eq!(get(&mut world, local(2), targets[1], &two).1, items[1..]);
    // What cannot be verified is not reported.
    assert_eq!(get(&mut world, local(2), targets[1], &one).1, []);
}

#[test]
fn a_forgery_is_not_believed() {
    let mut world = World::of(20, local, 47);
    for genuine in [version(3), immutable("genuine")] {
        let target = genuine.target(&NONE);
        put(&mut world, local(1), &genuine, None);
        let asker = local(9);
        let liar = *world
            .nearest(&target, 8)
            .iter()
            .find(|&&node| node != asker && node != local(1))
            .unwrap();
        let before = (found(&world, asker).len(), world.nodes[&asker].sent.len());
        world.silent.insert(liar);
        world.input(
            asker,
            Input::GetItem {
                lookup: LOOKUP,
                target,
                salt: &NONE,
                newer_than: None,
            },
        );
        world.run_for(Duration::from_millis(100));
        let sent = &world.nodes[&asker].sent[before.1..];
        let query = sent.iter().find(|(_, to, _)| *to == liar);
        let newer = match &genuine {
            Item::Mutable(_) => forged(&version(9)),
            Item::Immutable(_) => forged(&genuine),
        };
        if let Some((_, _, query)) = query.cloned() {
            let id = world.nodes[&liar].node.id();
            let lie = Message {
                transaction: query.transaction,
                version: None,
                external: None,
                body: Body::Response(Response {
                    item: Holding::Item(newer).into(),
                    ..Response::new(id)
                }),
            };
            let (from, message) = (liar, &lie);
            world.input(asker, Input::Receive { from, message });
        } else {
            assert!(
                matches!(genuine, Item::Immutable(_)),
                "the nearest are asked"
            );
        }
        world.run_for(MINUTE);
        assert_eq!(found(&world, asker)[before.0..], [genuine]);
        world.silent.clear();
    }
}

#[test]
fn an_item_is_forgotten_after_two_hours_unless_it_is_put_again() {
    let mut world = World::of(12, local, 50);
    let (kept, left) = (version(1), immutable("left alone"));
    put(&mut world, local(1), &kept, None);
    put(&mut world, local(1), &left, None);
    world.run_for(61 * MINUTE);
    assert_eq!(put(&mut world, local(1), &kept, None).announced_to, 8);
    world.run_for(61 * MINUTE);
    assert_eq!(
        get(&mut world, local(2), kept.target(&NONE), &NONE).1,
        [kept]
    );
    assert_eq!(get(&mut world, local(2), left.target(&NONE), &NONE).1, []);
}

/// What a node was told since then about items.
fn told(world: &World, who: SocketAddr, since: Duration) -> Vec<Holding> {
    let sent = world.nodes.values().flat_map(|member| &member.sent);
    let to_it = sent.filter(|(at, to, _)| *at >= since && *to == who);
    let items = to_it.filter_map(|(_, _, message)| match &message.body {
        Body::Response(response) => response.item.get().cloned(),
        Body::Query(_) | Body::Error(_) => None,
    });
    items.collect()
}

#[test]
fn who_follows_an_item_is_told_its_number_until_there_is_a_newer_one() {
    let mut world = World::of(30, local, 58);
    let (first, second) = (version(1), version(2));
    let target = first.target(&NONE);
    put(&mut world, local(1), &first, None);
    let near = world.nearest(&target, 12);
    let follower = (2..30).map(local).find(|who| !near.contains(who)).unwrap();
    assert_eq!(get(&mut world, follower, target, &NONE).1, [first]);

    let start = world.now;
    let (report, items) = get_newer(&mut world, follower, target, &NONE, Some(1));
    assert_eq!((report.outcome, items), (Outcome::Converged, vec![]));
    let numbers = told(&world, follower, start);
    assert_eq!(numbers, vec![Holding::Seq(1); report.copies]);
    assert!(report.copies >= 7, "{report:?}");

    put(&mut world, local(1), &second, None);
    let (report, items) = get_newer(&mut world, follower, target, &NONE, Some(1));
    assert_eq!(items, [second]);
    assert!(report.copies >= 7, "{report:?}");
}

#[test]
fn who_puts_the_next_version_need_not_be_told_the_one_before() {
    let mut world = World::of(30, local, 59);
    put(&mut world, local(1), &version(1), None);
    let start = world.now;
    let report = put(&mut world, local(2), &version(2), None);
    assert_eq!(report.announced_to, 8);
    let numbers = told(&world, local(2), start);
    assert!(numbers.len() >= 7, "{numbers:?}");
    assert!(numbers.iter().all(|held| *held == Holding::Seq(1)));
}

#[test]
fn a_read_only_node_puts_and_gets() {
    let mut world = World::of(12, local, 53);
    world.config.read_only = true;
    world.add(local(99), &[local(0)]);
    let item = version(1);
    assert_eq!(put(&mut world, local(99), &item, None).announced_to, 8);
    assert_eq!(
        get(&mut world, local(99), item.target(&NONE), &NONE).1,
        [item]
    );
    assert_eq!(world.nodes[&local(99)].node.stats().items, 0);
}

#[test]
fn half_of_the_holders_may_go() {
    let mut world = World::of(30, local, 54);
    let item = immutable("kept by eight");
    put(&mut world, local(1), &item, None);
    let gone: Vec<_> = receipts(&world, local(1)).into_iter().take(4).collect();
    world.silent.extend(gone);
    let asker = *world
        .nodes
        .keys()
        .find(|node| !holders(&world).contains(node) && **node != local(1))
        .unwrap();
    assert_eq!(get(&mut world, asker, item.target(&NONE), &NONE).1, [item]);
}
