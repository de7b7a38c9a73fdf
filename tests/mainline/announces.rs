//! Peers, announced by one kind and found by the other. BEP 5.

use std::net::SocketAddr;

use futures_lite::StreamExt;
use mainline::Id;
use trackless::Node;

use crate::network::{First, Network, within};

/// Whether a lookup of ours finds the peer.
async fn we_find(node: &Node, info_hash: [u8; 20], peer: SocketAddr) -> bool {
    let mut peers = node.get_peers(info_hash.into());
    while let Some(found) = peers.next().await {
        if found == peer {
            return true;
        }
    }
    false
}

async fn each_finds_what_the_other_announced(first: First) {
    let network = Network::start(first).await;
    for (number, (our_node, their_node)) in (1..).zip(network.ours.iter().zip(&network.theirs)) {
        let ours = [0x40 + number; 20];
        let port = 7000 + u16::from(number);
        let holders = within(our_node.announce(ours.into(), Some(port))).await;
        assert_eq!(holders.unwrap(), 8, "{first:?} first");
        let theirs = [0xa0 + number; 20];
        within(their_node.announce_peer(Id::from(theirs), Some(port)))
            .await
            .unwrap();
        let peer: SocketAddr = ([127, 0, 0, 1], port).into();

        for seeker in &network.ours {
            let found = within(we_find(seeker, theirs, peer)).await;
            assert!(found, "we do not find what they announced, {first:?} first");
        }
        for seeker in &network.theirs {
            let found = within(
                seeker
                    .get_peers(Id::from(ours))
                    .any(|peers| peers.iter().any(|found| SocketAddr::from(*found) == peer)),
            )
            .await;
            assert!(found, "they do not find what we announced, {first:?} first");
        }
    }
}

#[tokio::test]
async fn each_finds_what_the_other_announced_in_a_network_that_we_began() {
    each_finds_what_the_other_announced(First::Ours).await;
}

#[tokio::test]
async fn each_finds_what_the_other_announced_in_a_network_that_they_began() {
    each_finds_what_the_other_announced(First::Theirs).await;
}
