//! How many have a torrent, counted at the nodes that peers announce to. BEP 33.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    AnnouncedPort, BloomFilter, Body, Event, Flag, Id, Input, Message, Method, Nodes, Response,
    Scrape, ScrapeCount, Want, Wishes,
};

use crate::world::{World, local, public};
use crate::{LOOKUP, MINUTE, ask, ended, hash, message, result};

const SCRAPE: Wishes = Wishes {
    no_seeds: Flag(false),
    scrape: Flag(true),
};

fn announce(world: &mut World, who: SocketAddr, seed: bool) {
    world.input(
        who,
        Input::Announce {
            lookup: LOOKUP,
            info_hash: hash(1),
            port: AnnouncedPort::Given(5000),
            seed,
        },
    );
    world.run_until(who, ended).unwrap();
}

fn scrape(world: &mut World, who: SocketAddr) -> ScrapeCount {
    world.input(
        who,
        Input::Scrape {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
    world.run_until(who, ended).unwrap();
    last_count(world, who)
}

fn last_count(world: &World, who: SocketAddr) -> ScrapeCount {
    let mut events = world.nodes[&who].events.iter().rev();
    let count = events.find_map(|(_, event)| match event {
        Event::Scraped { count, .. } => Some((**count).clone()),
        _ => None,
    });
    count.expect("a scrape says what it counted before it ends")
}

fn get_peers(world: &mut World, holder: SocketAddr, from: SocketAddr, wishes: Wishes) -> Response {
    let want = Want::BOTH;
    let info_hash = hash(1);
    let method = Method::GetPeers {
        info_hash,
        want,
        wishes,
    };
    let answer = ask(world, holder, from, &message(hash(50), method)).unwrap();
    assert!(dht::encoded_length(&answer) <= 1200);
    match answer.body {
        Body::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

/// Stores a peer at a node.
fn store(world: &mut World, holder: SocketAddr, announcer: SocketAddr, seed: bool) {
    let token = get_peers(world, holder, announcer, Wishes::NONE)
        .token
        .unwrap();
    let announce = Method::AnnouncePeer {
        info_hash: hash(1),
        port: AnnouncedPort::Given(5000),
        token,
        seed: Flag(seed),
    };
    ask(world, holder, announcer, &message(hash(50), announce)).unwrap();
}

#[test]
fn seeds_and_leechers_are_counted_by_all_who_hold_them_together() {
    let mut world = World::of(60, public, 61);
    world.run_for(5 * MINUTE);
    for number in 0..25 {
        announce(&mut world, public(number), number < 9);
    }
    let count = scrape(&mut world, public(40));
    assert!(count.seeds().abs_diff(9) <= 1, "{count:?}");
    assert!(count.leechers().abs_diff(16) <= 1, "{count:?}");
    assert!(count.counted >= 8, "{count:?}");
    assert_eq!((count.without_filters, count.refused), (0, 0));
    // It looks for peers on its way.
    assert!(result(&world, public(40)).0.peers >= 20);
    // One who holds them himself counts the same.
    let holder = world.nearest(&hash(1), 1)[0];
    let own = scrape(&mut world, holder);
    assert_eq!(
        (own.seeds(), own.leechers()),
        (count.seeds(), count.leechers())
    );
    // Nobody has what nobody announced.
    world.input(
        public(41),
        Input::Scrape {
            lookup: LOOKUP,
            info_hash: hash(2),
        },
    );
    world.run_until(public(41), ended).unwrap();
    assert_eq!(last_count(&world, public(41)), ScrapeCount::default());
}

#[test]
fn who_has_got_the_rest_is_a_seed_from_the_next_announce_on() {
    let mut world = World::of(12, public, 62);
    announce(&mut world, public(1), false);
    let before = scrape(&mut world, public(5));
    assert_eq!((before.seeds(), before.leechers()), (0, 1));
    announce(&mut world, public(1), true);
    let after = scrape(&mut world, public(5));
    assert_eq!((after.seeds(), after.leechers()), (1, 0));
}

#[test]
fn a_seed_is_not_told_of_seeds() {
    let mut world = World::of(12, public, 63);
    announce(&mut world, public(1), true);
    announce(&mut world, public(2), false);
    announce(&mut world, public(3), true);
    let leecher: SocketAddr = SocketAddr::new(public(2).ip(), 5000);
    let seeds = [1, 3].map(|number| SocketAddr::new(public(number).ip(), 5000));
    let own = |number| SocketAddr::new(public(number).ip(), 5000);
    let found = result(&world, public(3)).1;
    assert!(
        found.contains(&leecher) && !found.contains(&own(1)),
        "{found:?}"
    );
    announce(&mut world, public(4), false);
    let found = result(&world, public(4)).1;
    assert!(seeds.iter().all(|seed| found.contains(seed)), "{found:?}");
}

#[test]
fn a_crowded_torrent_is_scraped_in_one_datagram() {
    let mut world = World::of(10, local, 64);
    let holder = local(0);
    let nobody = get_peers(&mut world, holder, local(50), SCRAPE);
    assert_eq!(nobody.scrape.get(), None);
    let ip = |number: u16| SocketAddr::from(([10, 1, (number >> 8) as u8, number as u8], 6881));
    for number in 0..300 {
        store(&mut world, holder, ip(number), number % 3 == 0);
    }
    let answer = get_peers(&mut world, holder, local(50), SCRAPE);
    let seeds = (0..300).filter(|number| number % 3 == 0);
    let others = (0..300).filter(|number| number % 3 != 0);
    let expected = Scrape {
        seeds: seeds.map(|number| ip(number).ip()).collect::<BloomFilter>(),
        peers: others.map(|number| ip(number).ip()).collect(),
    };
    assert_eq!(answer.scrape.get(), Some(&expected));
    assert!(answer.values.len() >= 20 && answer.token.is_some());
    // Only the nodes of the asker's family, though both were wanted.
    assert!(answer.nodes.is_some() && answer.nodes6.is_none());
    // Who does not ask for filters is not sent any.
    let plain = get_peers(&mut world, holder, local(50), Wishes::NONE);
    assert_eq!(plain.scrape.get(), None);
    assert!(plain.values.len() > answer.values.len());
}

#[test]
fn those_who_know_no_filters_count_by_the_peers_that_they_name() {
    let mut world = World::of(10, public, 65);
    announce(&mut world, public(1), true);
    announce(&mut world, public(2), false);
    // An old node stands nearest of all. It names a peer that all others know as a seed, and one that nobody else knows.
    let (who, old) = (public(5), OldNode::next_to(hash(1), public(200)));
    let ping = message(old.id, Method::Ping);
    world.input(
        who,
        Input::Receive {
            from: old.address,
            message: &ping,
        },
    );
    for _ in 0..1000 {
        old.answer(&mut world, who);
        world.run_for(Duration::from_millis(10));
    }
    world.input(
        who,
        Input::Scrape {
            lookup: LOOKUP,
            info_hash: hash(1),
        },
    );
    old.answer(&mut world, who);
    world.run_until(who, ended).unwrap();
    let count = last_count(&world, who);
    assert_eq!((count.seeds(), count.leechers()), (1, 2), "{count:?}");
    assert_eq!(count.without_filters, 1);
}

/// A node that knows BEP 5 and no more.
struct OldNode {
    id: Id,
    address: SocketAddr,
}

impl OldNode {
    fn next_to(point: Id, address: SocketAddr) -> Self {
        let mut id = *point.as_bytes();
        id[19] ^= 1;
        let id = id.into();
        Self { id, address }
    }

    /// Answers what somebody has just asked it.
    fn answer(&self, world: &mut World, other: SocketAddr) {
        let sent = world.nodes[&other].sent.iter();
        let asked: Vec<_> = sent
            .filter(|(at, to, _)| *to == self.address && *at == world.now)
            .map(|(_, _, message)| message.clone())
            .collect();
        for Message {
            transaction, body, ..
        } in asked
        {
            let Body::Query(query) = body else { continue };
            let mut response = Response::new(self.id);
            response.nodes = Some(Nodes::default());
            if let Method::GetPeers { .. } = query.method {
                response.values = vec![
                    SocketAddr::new(public(1).ip(), 5000),
                    "99.99.99.99:9".parse().unwrap(),
                ];
            }
            let answer = Message {
                transaction,
                version: None,
                external: None,
                body: Body::Response(response),
            };
            let (from, message) = (self.address, &answer);
            world.input(other, Input::Receive { from, message });
        }
    }
}
