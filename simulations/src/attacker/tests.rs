mod room;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use dht::{
    AnnouncedPort, Config, Event, Flag, Input, KrpcError, LookupId, NodeInfo, Query, Token, Want,
    Wishes, decode, is_id_valid,
};
use proptest::prelude::*;
use rand::SeedableRng;

use self::room::{Room, address, datagram, target};
use super::*;
use crate::network::Generator;
use crate::{EnemyPlan, Plan};

const MINUTE: Duration = Duration::from_secs(60);

fn room(enemies: EnemyPlan, population: u32) -> Room {
    Room::new(enemies, population, Config::default())
}

#[test]
fn forged_tokens_are_refused_everywhere() {
    let forgers = EnemyPlan {
        forgers: 0.3,
        swallowers: 0.1,
        ..EnemyPlan::default()
    };
    let mut room = room(forgers, 30);
    room.run_for(5 * MINUTE);
    let tally = room.tally(Part::Forger);
    assert!(tally.tried > 5_000, "{tally:?}");
    assert_eq!(tally.succeeded, 0);
    let stored = |peers: usize| peers > 0;
    assert!(
        !room
            .people
            .iter()
            .any(|person| stored(person.node.stats().peers))
    );
    // Many were tokens that the same node had given to the same forger, for something else.
    let mut given = BTreeSet::new();
    let mut shown = 0;
    for (_, packet) in &room.log {
        match &packet.message.body {
            Body::Response(Response {
                token: Some(token), ..
            }) => {
                given.insert((packet.from, packet.to, token.as_bytes()));
            }
            Body::Query(Query {
                method: Method::AnnouncePeer { token, .. },
                ..
            }) => {
                let token = (packet.to, packet.from, token.as_bytes());
                shown += u64::from(given.contains(&token));
            }
            _ => {}
        }
    }
    assert!(shown > tally.tried / 3, "{shown} of {tally:?}");
}

#[test]
fn announces_to_enemies_are_acknowledged_and_gone() {
    let swallowers = EnemyPlan {
        swallowers: 0.4,
        ..EnemyPlan::default()
    };
    let sybils = EnemyPlan {
        sybils: 0.4,
        ..EnemyPlan::default()
    };
    for (part, enemies) in [(Part::Swallower, swallowers), (Part::Sybil, sybils)] {
        let mut room = room(enemies, 30);
        room.run_for(MINUTE);
        let honest = |person: &room::Person| person.part == Part::Honest;
        let announcer = room.people.iter().position(honest).unwrap();
        let announce = Input::Announce {
            lookup: LookupId(1),
            info_hash: target(),
            port: AnnouncedPort::Given(4000),
            seed: false,
        };
        room.input(announcer, announce);
        room.run_for(MINUTE);
        let mut told = BTreeSet::new();
        for event in &room.people[announcer].events {
            if let Event::Announced { node, .. } = event {
                told.insert(node.address);
            }
        }
        let enemies = room.people.iter().filter(|person| person.part == part);
        let (fooled, stored): (Vec<_>, Vec<_>) = enemies
            .map(|enemy| (told.contains(&enemy.address), enemy.node.stats().peers))
            .unzip();
        let fooled = fooled.into_iter().filter(|fooled| *fooled).count() as u64;
        assert!(
            fooled > 0 && stored.iter().all(|peers| *peers == 0),
            "{part:?}"
        );
        assert_eq!(room.tally(part).succeeded, fooled);
        // The honest ones among the nearest hold it.
        let holders = room
            .honest()
            .filter(|person| person.node.stats().peers == 1);
        assert_eq!(holders.count(), told.len() - fooled as usize, "{part:?}");
    }
}

#[test]
fn sybils_at_a_target_keep_the_place_that_they_chose() {
    let at_target = EnemyPlan {
        targets: 1,
        sybils_at_target: 12,
        ..EnemyPlan::default()
    };
    let mut room = room(at_target, 20);
    room.run_for(2 * MINUTE);
    let mut kept = 0;
    for person in &room.people {
        if let Some(attacker) = &person.attacker {
            assert_eq!(Some(person.node.id()), attacker.id());
            kept += 1;
        } else {
            // Everybody else has learned what its id has to be.
            assert!(is_id_valid(&person.node.id(), person.address.ip()));
        }
    }
    assert_eq!(kept, 12);
    // Whoever looks for the info-hash ends with them.
    let look_up = Input::GetPeers {
        lookup: LookupId(1),
        info_hash: target(),
    };
    room.input(3, look_up);
    room.run_for(MINUTE);
    let Some(Event::LookupEnded { report, .. }) = room.people[3].events.last() else {
        panic!("{:?}", room.people[3].events)
    };
    let near = |node: &NodeInfo| node.id.shared_prefix(&target()) >= 32;
    assert!(
        report.closest.len() == 8 && report.closest.iter().all(near),
        "{report:?}"
    );
}

#[test]
fn invented_nodes_get_into_no_table() {
    let poisoners = EnemyPlan {
        poisoners: 0.2,
        dead_namers: 0.1,
        ..EnemyPlan::default()
    };
    let mut room = room(poisoners, 60);
    room.run_for(30 * MINUTE);
    assert!(room.tally(Part::Poisoner).tried > 5_000);
    assert!(room.tally(Part::DeadNamer).tried > 5_000);
    let honest: BTreeSet<_> = room.honest().map(|person| person.address).collect();
    for person in room.honest() {
        let contacts: BTreeSet<_> = person.node.contacts().map(|node| node.address).collect();
        assert!(
            !contacts
                .iter()
                .any(|address| room.scene.is_invented(address))
        );
        // Hardly anybody who lives is missing for them.
        let met = honest.intersection(&contacts).count();
        assert!(met + 3 >= honest.len(), "{}", person.address);
    }
}

#[test]
fn inventors_get_into_tables_no_more_than_others() {
    let narrow = Config {
        first_buckets: &[],
        ..Config::default()
    };
    let poisoners = EnemyPlan {
        poisoners: 0.2,
        ..EnemyPlan::default()
    };
    let mut room = Room::new(poisoners, 100, narrow);
    room.run_for(30 * MINUTE);
    let is_honest = |person: &&room::Person| !person.part.is_enemy();
    let addresses = room.people.iter().filter(is_honest).map(|it| it.address);
    let honest: BTreeSet<_> = addresses.collect();
    let contacts = room.honest().flat_map(|person| person.node.contacts());
    let (good, bad): (Vec<_>, Vec<_>) = contacts.partition(|node| honest.contains(&node.address));
    let share = bad.len() as f64 / (good.len() + bad.len()) as f64;
    let fair = 1.0 - honest.len() as f64 / 100.0;
    assert!(
        share < fair * 1.2,
        "{share} of all contacts, {fair} of all nodes"
    );
}

#[test]
fn an_innocent_one_who_is_named_again_and_again_gets_few_packets() {
    for is_gone in [false, true] {
        let namers = EnemyPlan {
            innocent_namers: 0.3,
            ..EnemyPlan::default()
        };
        let mut room = room(namers, 40);
        let victim = room.scene.victim().unwrap() as usize;
        room.people[victim].is_gone = is_gone;
        let victim = room.people[victim].address;
        room.log.clear();
        room.run_for(30 * MINUTE);
        let mut asked: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (at, packet) in &room.log {
            let verifies = matches!(
                packet.message.body,
                Body::Query(Query {
                    method: Method::Ping,
                    ..
                })
            );
            if packet.to == victim && verifies {
                asked.entry(packet.from).or_default().push(*at);
            }
        }
        // It is not named for nothing.
        let named = room.tally(Part::InnocentNamer).tried;
        assert!(named > 5_000 && asked.len() > 10, "{named} {asked:?}");
        let quarantine = Config::default().quarantine;
        for (asker, times) in asked {
            let with = |from: Duration| {
                let together = times.iter();
                together
                    .filter(|at| (from..from + quarantine).contains(*at))
                    .count()
            };
            // One packet may get lost, so one more is sent to those who do not answer.
            let most = times.iter().map(|at| with(*at)).max();
            assert!(most <= Some(2), "{asker} {times:?}");
        }
    }
}

#[test]
fn a_flood_is_read_up_to_the_limits() {
    for limits in [false, true] {
        let flooders = EnemyPlan {
            flooders: 0.2,
            flood_rate: 500,
            limits,
            ..EnemyPlan::default()
        };
        let mut room = room(flooders, 30);
        let before = room.tally(Part::Flooder);
        room.run_for(Duration::from_secs(20));
        let [row] = &room.rows()[..] else {
            panic!("one kind of enemy")
        };
        let tried = row.tried - before.tried;
        let planned = u64::from(row.enemies) * 500 * 20;
        assert!(
            (planned * 94 / 100..planned * 101 / 100).contains(&tried),
            "{row:?}"
        );
        // A hundred a second are read, after four hundred at once for each of ten seconds: nearly a third.
        let answered = row.succeeded - before.succeeded;
        let share = answered as f64 / tried as f64;
        assert_eq!(share < 0.4, limits, "{share}");
    }
}

/// A world in which every kind of enemy has somebody to name.
static SCENE: LazyLock<Arc<Scene>> = LazyLock::new(|| {
    let plan = Plan {
        enemies: EnemyPlan {
            sybils: 0.5,
            poisoners: 0.2,
            targets: 1,
            sybils_at_target: 8,
            ..EnemyPlan::default()
        },
        ..Plan::default()
    };
    let parts = Parts::new(&plan, 40);
    let attacked = vec![target()];
    Arc::new(Scene::new(&plan, &parts, attacked, address, |_| false))
});

fn part() -> impl Strategy<Value = Part> {
    prop::sample::select(vec![
        Part::Sybil,
        Part::SybilAtTarget(0),
        Part::Poisoner,
        Part::DeadNamer,
        Part::InnocentNamer,
        Part::Swallower,
        Part::Forger,
        Part::Flooder,
    ])
}

fn method() -> impl Strategy<Value = Method> {
    (any::<[u8; 20]>(), 0..5, any::<bool>(), any::<bool>()).prop_map(|(id, kind, v4, v6)| {
        let (target, info_hash, want) = (Id::new(id), Id::new(id), Want { v4, v6 });
        match kind {
            0 => Method::Ping,
            1 => Method::FindNode { target, want },
            2 => Method::GetPeers {
                info_hash,
                want,
                wishes: Wishes::NONE,
            },
            3 => Method::AnnouncePeer {
                info_hash,
                port: AnnouncedPort::Given(1),
                token: Token::from([1; 8]),
                seed: Flag(false),
            },
            _ => Method::Other {
                name: b"vote".iter().copied().collect(),
                target: v4.then_some(target),
                want,
            },
        }
    })
}

fn answer() -> impl Strategy<Value = Body> {
    let nodes = prop::collection::vec((any::<[u8; 20]>(), any::<u32>()), 0..=8);
    let values = prop::collection::vec(any::<u32>(), 0..20);
    (
        any::<[u8; 20]>(),
        prop::option::of(nodes),
        values,
        any::<bool>(),
    )
        .prop_map(|(id, nodes, values, refuses)| {
            let at = |ip: u32| SocketAddrV4::new(ip.into(), 6881);
            let mut response = Response::new(Id::new(id));
            let node = |(id, ip)| NodeInfo {
                id: Id::new(id),
                address: at(ip),
            };
            response.nodes = nodes.map(|nodes| nodes.into_iter().map(node).collect());
            response.values = values.into_iter().map(|ip| at(ip).into()).collect();
            if refuses {
                Body::Error(KrpcError {
                    code: KrpcError::GENERIC,
                    message: "no".into(),
                })
            } else {
                Body::Response(response)
            }
        })
}

proptest! {
    #[test]
    fn whatever_an_enemy_says_is_a_message(
        part in part(), method in method(), body in answer(), seed: u64,
    ) {
        let mut enemy = Attacker::new(part, Arc::clone(&SCENE), 20, address(20)).unwrap();
        let mut rng = Generator::seed_from_u64(seed);
        let node = Node::new(enemy.id(), &mut rng);
        let asker = address(99).into();
        let mut query = Message {
            transaction: TransactionId::new(b"any").unwrap(),
            version: None,
            external: None,
            body: Body::Query(Query { id: Id::random(&mut rng), read_only: false, method }),
        };
        let mut answer = Message { body, ..query.clone() };
        let honest = answer.clone();

        let mut own = Vec::new();
        let heard = enemy.receives(&node, asker, &mut query, &mut |to, message| own.push((to, message)));
        prop_assert_eq!(own.len(), usize::from(heard == Heard::Swallowed));
        for (to, message) in own {
            prop_assert_eq!(to, asker);
            prop_assert_eq!(decode(&datagram(&message)), Ok(message));
        }
        if heard == Heard::Passed {
            enemy.sends(asker, &mut answer, &mut rng);
            prop_assert_eq!(decode(&datagram(&answer)), Ok(answer.clone()));
            prop_assert_eq!(&answer.transaction, &honest.transaction);
        }
        // Nothing is left that a later message could be mistaken for the answer to.
        let mut later = honest.clone();
        enemy.sends(asker, &mut later, &mut rng);
        if answer != honest {
            prop_assert_eq!(later, honest);
        }
    }
}
