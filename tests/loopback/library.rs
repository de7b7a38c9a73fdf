//! The library in a program of somebody else's, with real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;
use trackless::{CreateOptions, Error, Event, GetOptions, Node, create};

use crate::support::{Desk, PATIENCE, UNKNOWN, assert_same, noise};

async fn node(bootstrap: Option<&Node>) -> Node {
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let mut builder = Node::builder().listen(loopback);
    if let Some(first) = bootstrap {
        builder = builder.bootstrap(first.local_address().to_string());
    }
    builder.start().await.unwrap()
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}

#[tokio::test]
async fn three_embedded_nodes_share_a_directory() {
    let desk = Desk::new();
    desk.write("share/album/one", noise(90, 200_000));
    desk.write("share/album/two", noise(91, 50_000));
    let torrent = create(
        &desk.path("share/album"),
        &CreateOptions::default(),
        &|_, _| {},
    )
    .unwrap();

    let first = node(None).await;
    let alice = node(Some(&first)).await;
    let mut seed = within(alice.seed(&torrent, &desk.path("share")))
        .await
        .unwrap();
    within(async {
        while let Some(event) = seed.next().await {
            if matches!(event, Event::Announced { .. }) {
                return;
            }
        }
        panic!("the seed ended");
    })
    .await;

    let bob = node(Some(&first)).await;
    assert_eq!(within(bob.bootstrapped(PATIENCE)).await.unwrap(), 1);
    let options = GetOptions {
        directory: desk.path("out"),
        ..GetOptions::default()
    };
    let mut download = bob.get(torrent.info.hash(), options).await.unwrap();
    let finished = within(download.finished()).await.unwrap();
    assert_eq!(finished.bytes, 250_000);
    assert_eq!(finished.path, desk.path("out/album"));
    assert_eq!(download.progress().done, 250_000);
    assert_eq!(download.info().unwrap().hash(), torrent.info.hash());
    assert_same(&desk.path("share"), &desk.path("out"));
    within(download.stop()).await;
    within(seed.stop()).await;
    within(bob.shutdown()).await;
}

#[tokio::test]
async fn what_one_node_announces_another_finds() {
    let first = node(None).await;
    let alice = node(Some(&first)).await;
    within(alice.bootstrapped(PATIENCE)).await.unwrap();
    let info_hash = UNKNOWN.parse().unwrap();
    assert!(within(alice.announce(info_hash, Some(4711))).await.unwrap() > 0);

    let bob = node(Some(&first)).await;
    let mut peers = bob.get_peers(info_hash);
    let peer = within(peers.next()).await;
    assert_eq!(peer, Some("127.0.0.1:4711".parse().unwrap()));
    assert_eq!(within(peers.next()).await, None);
}

#[tokio::test]
async fn an_announce_is_kept_and_those_who_hold_it_say_so() {
    let first = node(None).await;
    let alice = node(Some(&first)).await;
    within(alice.bootstrapped(PATIENCE)).await.unwrap();
    let info_hash = UNKNOWN.parse().unwrap();
    let mut kept = alice.keep_announced(info_hash, Some(4711));
    let receipt = within(kept.next()).await.unwrap().unwrap();
    assert_eq!((receipt.holders.len(), receipt.confirmed()), (1, 1));
    assert_eq!(receipt.holders[0].node, first.local_address());

    let implied = within(alice.announce_with_receipt([7; 20].into(), None)).await;
    assert_eq!(implied.unwrap().confirmed(), 1);
    let mut batch = alice.announce_all(&[info_hash], None);
    let answer = within(batch.next()).await.unwrap();
    assert_eq!(answer.holders, [first.local_address()]);
}

#[tokio::test]
async fn a_thousand_lookups_at_once_each_find_what_was_announced() {
    let first = node(None).await;
    let alice = node(Some(&first)).await;
    within(alice.bootstrapped(PATIENCE)).await.unwrap();
    let info_hash = UNKNOWN.parse().unwrap();
    within(alice.announce(info_hash, Some(4711))).await.unwrap();

    // None of them is begun before this task gives way to the node.
    let lookups: Vec<_> = (0..1000).map(|_| alice.get_peers(info_hash)).collect();
    for mut peers in lookups {
        let peer = within(peers.next()).await;
        assert_eq!(peer, Some("127.0.0.1:4711".parse().unwrap()));
    }
    assert_eq!(alice.dht_statistics().events_missed, 0);
}

#[tokio::test]
async fn errors_are_values_that_say_what_happened() {
    let first = node(None).await;
    let nobody = node(None).await;
    let info_hash: wire::InfoHash = UNKNOWN.parse().unwrap();
    let waiting = |seconds| GetOptions {
        timeout: Some(Duration::from_secs(seconds)),
        ..GetOptions::default()
    };
    let refused = nobody.get(info_hash, waiting(1)).await;
    assert!(
        matches!(refused, Err(Error::NobodyToAsk { .. })),
        "{refused:?}"
    );

    let bob = node(Some(&first)).await;
    let mut download = bob.get(info_hash, waiting(1)).await.unwrap();
    let again = bob.get(info_hash, waiting(1)).await;
    assert!(matches!(again, Err(Error::AlreadyOpen { .. })), "{again:?}");
    let failed = within(download.finished()).await;
    assert!(matches!(failed, Err(Error::NoPeers { .. })), "{failed:?}");

    let taken = Node::builder().listen(first.local_address()).start().await;
    assert!(
        matches!(taken, Err(Error::Bind { address, .. }) if address == first.local_address()),
        "{taken:?}"
    );
}
