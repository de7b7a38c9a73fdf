//! What happens to nodes among nodes, in virtual time.

mod batches;
mod bootstrap;
mod floods;
mod items;
mod keeping;
mod links;
mod lookups;
mod probes;
mod sampling;
mod scraping;
mod serving;
mod sybils;
mod table;
mod world;

use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    AnnouncedPort, Body, Event, Flag, Id, Input, LookupId, LookupReport, Message, Method, Query,
    Response, Token, TransactionId, Want, Wishes,
};

use world::World;

const LOOKUP: LookupId = LookupId(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn hash(number: u8) -> Id {
    let mut bytes = [number; 20];
    bytes[0] = number.wrapping_mul(73);
    Id::new(bytes)
}

fn ended(event: &Event) -> bool {
    matches!(event, Event::LookupEnded { .. })
}

/// Begins to look for peers.
fn look_up(world: &mut World, who: SocketAddr, info_hash: Id) {
    let lookup = LOOKUP;
    world.input(who, Input::GetPeers { lookup, info_hash });
}

fn announce(world: &mut World, who: SocketAddr, info_hash: Id) -> Option<Duration> {
    world.input(
        who,
        Input::Announce {
            lookup: LOOKUP,
            info_hash,
            port: AnnouncedPort::Given(5000),
            seed: false,
        },
    );
    world.run_until(who, ended)
}

/// The last report of a node, and all peers that its lookups found.
fn result(world: &World, who: SocketAddr) -> (LookupReport, Vec<SocketAddr>) {
    let events = || world.nodes[&who].events.iter().map(|(_, event)| event);
    let report = events().rev().find_map(|event| match event {
        Event::LookupEnded { report, .. } => Some((**report).clone()),
        _ => None,
    });
    let peers = events().flat_map(|event| match event {
        Event::Peers { peers, .. } => peers.clone(),
        _ => Vec::new(),
    });
    (report.expect("a lookup has ended"), peers.collect())
}

fn contacts(world: &World, who: SocketAddr) -> Vec<SocketAddr> {
    world.nodes[&who]
        .node
        .contacts()
        .map(|node| node.address)
        .collect()
}

fn count(world: &World, who: SocketAddr, wanted: impl Fn(&Event) -> bool) -> usize {
    world.nodes[&who]
        .events
        .iter()
        .filter(|(_, event)| wanted(event))
        .count()
}

fn message(id: Id, method: Method) -> Message {
    Message {
        transaction: TransactionId::new(b"xy").unwrap(),
        version: None,
        external: None,
        body: Body::Query(Query {
            id,
            read_only: false,
            method,
        }),
    }
}

/// What a node answers to a stranger who asks it something.
fn ask(
    world: &mut World,
    who: SocketAddr,
    stranger: SocketAddr,
    query: &Message,
) -> Option<Message> {
    world.input(
        who,
        Input::Receive {
            from: stranger,
            message: query,
        },
    );
    let mut sent = world.nodes[&who].sent.iter().rev();
    let answer = sent.find(|(at, to, message)| {
        *at == world.now && *to == stranger && !matches!(message.body, Body::Query(_))
    });
    answer.map(|(_, _, message)| message.clone())
}

/// The token that a node gives a stranger for announcing himself.
fn token(world: &mut World, who: SocketAddr, stranger: SocketAddr, info_hash: Id) -> Token {
    let get_peers = Method::GetPeers {
        info_hash,
        want: Want::UNSAID,
        wishes: Wishes::NONE,
    };
    let answer = ask(world, who, stranger, &message(hash(99), get_peers)).unwrap();
    let Body::Response(Response {
        token: Some(token), ..
    }) = answer.body
    else {
        panic!("get_peers is answered with a token");
    };
    token
}

/// A stranger announces himself to one node.
fn store(world: &mut World, who: SocketAddr, stranger: SocketAddr, info_hash: Id) {
    let announce = Method::AnnouncePeer {
        info_hash,
        port: AnnouncedPort::Given(5000),
        token: token(world, who, stranger, info_hash),
        seed: Flag(false),
    };
    ask(world, who, stranger, &message(hash(99), announce)).unwrap();
}
