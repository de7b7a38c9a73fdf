//! What is stored for others outlives its keeper.

use std::time::Duration;

use dht::{
    Input, Item, ItemValue, LookupId, MutableItem, Node, Salt, SecretKey, StoredItem, StoredPeer,
};

use crate::world::{World, local};
use crate::{MINUTE, announce, ended, hash, look_up, result};

fn item(words: &[u8], salt: &Salt) -> Item {
    let value = ItemValue::from_bytes(words).unwrap();
    let key = SecretKey::from_seed(&[5; 32]);
    Item::Mutable(MutableItem::sign(value, 1, salt, &key))
}

fn stored(world: &World, now: Duration) -> (Vec<StoredPeer>, Vec<StoredItem>) {
    let node = &world.nodes[&local(0)].node;
    (
        node.stored_peers(now).collect(),
        node.stored_items(now).collect(),
    )
}

/// The keeper, alone, after it was told this.
fn restored(peers: &[StoredPeer], items: &[StoredItem]) -> World {
    let mut world = World::new(6);
    let node = Node::new(None, world.rng());
    world.place(local(0), node, Input::RestoreStored { peers, items });
    world
}

#[test]
fn a_node_that_comes_back_still_has_what_was_stored_there() {
    let salt = Salt::new(b"weather").unwrap();
    let mut world = World::of(2, local, 5);
    announce(&mut world, local(1), hash(1)).unwrap();
    let item = item(b"It rains.", &salt);
    let put = Input::PutItem {
        lookup: LookupId(2),
        item: &item,
        salt: &salt,
        cas: None,
    };
    world.input(local(1), put);
    world.run_until(local(1), ended).unwrap();
    world.run_for(10 * MINUTE);
    let (peers, items) = stored(&world, world.now);
    assert_eq!((peers.len(), items.len()), (1, 1));
    assert!(peers[0].left <= 35 * MINUTE && peers[0].left > 34 * MINUTE);
    assert!(items[0].left <= 110 * MINUTE && items[0].left > 109 * MINUTE);

    let mut world = restored(&peers, &items);
    assert_eq!(stored(&world, world.now), (peers.clone(), items));
    world.add(local(2), &[local(0)]);
    world.run_for(MINUTE);
    look_up(&mut world, local(2), hash(1));
    world.run_until(local(2), ended).unwrap();
    assert_eq!(result(&world, local(2)).1, [peers[0].address]);
    // It is no older and no younger than it was.
    world.run_for(34 * MINUTE);
    assert_eq!(stored(&world, world.now).0, []);
}

#[test]
fn what_is_restored_keeps_within_the_bounds_and_is_verified() {
    let salt = Salt::NONE;
    let peer = |number: u16| StoredPeer {
        info_hash: hash(1),
        address: local(number),
        is_seed: false,
        left: 1000 * MINUTE,
    };
    let no_port = StoredPeer {
        address: "192.0.2.1:0".parse().unwrap(),
        ..peer(1)
    };
    let genuine = StoredItem {
        item: item(b"It rains.", &salt),
        salt: salt.clone(),
        source: local(1),
        left: 1000 * MINUTE,
    };
    let forged = StoredItem {
        salt: Salt::new(b"another").unwrap(),
        ..genuine.clone()
    };
    let peers: Vec<_> = (1..3000).map(peer).chain([no_port]).collect();
    let world = restored(&peers, &[forged, genuine.clone()]);
    let (peers, items) = stored(&world, world.now);
    assert_eq!(peers.len(), world.config.max_peers_per_info_hash);
    assert!(
        peers
            .iter()
            .all(|peer| peer.left == world.config.peer_lifetime)
    );
    assert!(peers.iter().all(|peer| peer.address.port() != 0));
    let items: Vec<_> = items.iter().map(|item| &item.item).collect();
    assert_eq!(items, [&genuine.item]);
}
