//! Who is at an address, asked by the application.

use std::net::SocketAddr;

use dht::{Event, Id, Input, LookupId, Probe};

use crate::count;
use crate::world::{LATENCY, World, local};

const PROBE: LookupId = LookupId(9);

fn probe(world: &mut World, who: SocketAddr, address: SocketAddr) -> Option<Probe> {
    let lookup = PROBE;
    world.input(who, Input::Probe { lookup, address });
    let probed = |event: &Event| matches!(event, Event::Probed { .. });
    world.run_until(who, probed)?;
    let mut events = world.nodes[&who].events.iter().rev();
    events.find_map(|(_, event)| match event {
        Event::Probed { outcome, .. } => Some(*outcome),
        _ => None,
    })
}

#[test]
fn a_node_says_who_it_is_and_a_silent_address_nothing() {
    let mut world = World::of(3, local, 71);
    let id = |world: &World, who| -> Id { world.nodes[&who].node.id() };
    let Some(Probe::Answered {
        node,
        version,
        round_trip,
    }) = probe(&mut world, local(0), local(1))
    else {
        panic!("it is there");
    };
    assert_eq!((node.id, node.address), (id(&world, local(1)), local(1)));
    assert_eq!(version, Some(world.config.version));
    assert_eq!(round_trip, 2 * LATENCY);

    let before = world.now;
    assert_eq!(probe(&mut world, local(0), local(77)), Some(Probe::Silent));
    assert_eq!(world.now.saturating_sub(before), world.config.query_timeout);
    // Nothing is sent to where nobody can be.
    let sent = world.nodes[&local(0)].sent.len();
    let nowhere = "0.0.0.0:1".parse().unwrap();
    assert_eq!(probe(&mut world, local(0), nowhere), Some(Probe::Silent));
    assert_eq!(world.nodes[&local(0)].sent.len(), sent);
    // Each question is answered once.
    world.run_for(3 * world.config.query_timeout);
    let probed = |event: &Event| matches!(event, Event::Probed { .. });
    assert_eq!(count(&world, local(0), probed), 3);
}
