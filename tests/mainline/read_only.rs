//! Nodes that ask and do not answer. BEP 43.

use std::net::Ipv4Addr;

use mainline::Dht;
use trackless::Node;

use crate::network::{First, Network, PATIENCE, address, our_node, within};

#[tokio::test]
async fn one_of_theirs_that_does_not_answer_is_named_by_nobody() {
    let entrance = our_node(None).await;
    let neighbour = our_node(Some(entrance.local_address())).await;
    within(neighbour.bootstrapped(PATIENCE)).await.unwrap();
    let reader = Dht::builder()
        .bind_address(Ipv4Addr::LOCALHOST)
        .bootstrap(&[entrance.local_address()])
        .build()
        .unwrap()
        .as_async();
    assert!(within(reader.bootstrapped()).await);

    let next = our_node(Some(entrance.local_address())).await;
    within(next.bootstrapped(PATIENCE)).await.unwrap();
    next.settled(PATIENCE).await;
    let reader = address(&reader).await.into();
    let named = within(next.closest_nodes([9; 20])).await.unwrap();
    assert!(!named.is_empty());
    assert!(named.iter().all(|node| node.address != reader), "{named:?}");
}

#[tokio::test]
async fn one_of_ours_that_does_not_answer_finds_what_they_have_and_is_not_remembered() {
    let network = Network::start(First::Theirs).await;
    let info_hash = [0x77; 20];
    within(network.theirs[2].announce_peer(mainline::Id::from(info_hash), Some(7077)))
        .await
        .unwrap();
    let reader = Node::builder()
        .listen((Ipv4Addr::LOCALHOST, 0).into())
        .bootstrap(address(&network.theirs[0]).await.to_string())
        .read_only()
        .start()
        .await
        .unwrap();
    within(reader.bootstrapped(PATIENCE)).await.unwrap();
    let found = within(async { reader.get_peers(info_hash.into()).next().await }).await;
    assert_eq!(found, Some(([127, 0, 0, 1], 7077).into()));

    let reader = reader.local_address().to_string();
    // The first one of theirs remembers whoever asks it for nodes.
    for node in &network.theirs[1..] {
        let known = node.to_bootstrap().await;
        assert!(!known.is_empty() && !known.contains(&reader), "{known:?}");
    }
}
