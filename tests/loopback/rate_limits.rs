//! Content that may not go as fast as it could, over real sockets. What is compared are bytes, not times.

use std::net::SocketAddr;
use std::num::NonZeroU64;

use tokio::time::{Duration, sleep, timeout};
use trackless::{CreateOptions, GetOptions, Limits, Node, Torrent, create};
use wire::Metainfo;

use crate::support::{Desk, PATIENCE, noise};

const KIB: u64 = 1024;

fn rate(bytes: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(bytes)
}

async fn node(limits: Limits) -> Node {
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let builder = Node::builder().listen(loopback).limits(limits);
    builder.start().await.unwrap()
}

fn content(desk: &Desk, name: &str, seed: u64) -> Metainfo {
    desk.write(format!("share/{name}"), noise(seed, 8 << 20));
    let path = desk.path(format!("share/{name}"));
    create(&path, &CreateOptions::default(), &|_, _| {}).unwrap()
}

/// A node that fetches this from that one.
async fn fetch(from: &Node, by: &Node, torrent: &Metainfo, to: std::path::PathBuf) -> Torrent {
    let options = GetOptions {
        directory: to,
        peers: vec![from.local_address()],
        ..GetOptions::default()
    };
    by.get(torrent.info.hash(), options).await.unwrap()
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("not so: {what}"));
}

#[tokio::test]
async fn of_two_downloads_the_one_that_may_go_a_quarter_as_fast_has_a_quarter() {
    let desk = Desk::new();
    let torrent = content(&desk, "film", 70);
    let seeder = node(Limits::default()).await;
    let _seed = seeder.seed(&torrent, &desk.path("share")).await.unwrap();
    let down = |bytes| Limits {
        down: rate(bytes),
        ..Limits::default()
    };
    let (slow, quick) = (node(down(1000 * KIB)).await, node(Limits::default()).await);
    let slow = fetch(&seeder, &slow, &torrent, desk.path("slow")).await;
    let quick = fetch(&seeder, &quick, &torrent, desk.path("quick")).await;
    // A torrent's own limit, set while it runs.
    quick.set_limits(down(4000 * KIB));
    until("both have begun", || {
        slow.progress().downloaded > 0 && quick.progress().downloaded > 0
    })
    .await;
    let before = [&slow, &quick].map(|torrent| torrent.progress().downloaded);
    until("the quick one has most of it", || {
        quick.progress().done > 6 << 20
    })
    .await;
    let after = [&slow, &quick].map(|torrent| torrent.progress().downloaded);
    let [slow, quick] = [after[0] - before[0], after[1] - before[1]];
    let ratio = quick as f64 / slow.max(1) as f64;
    assert!((2.5..6.0).contains(&ratio), "{quick} to {slow} is {ratio}");
}

#[tokio::test]
async fn a_seeder_shares_its_rate_among_torrents_until_the_limit_is_lifted() {
    let desk = Desk::new();
    let (one, other) = (content(&desk, "one", 71), content(&desk, "other", 72));
    let seeder = node(Limits {
        up: rate(1000 * KIB),
        ..Limits::default()
    })
    .await;
    let share = desk.path("share");
    let _seeds = [
        seeder.seed(&one, &share).await.unwrap(),
        seeder.seed(&other, &share).await.unwrap(),
    ];
    let leechers = [(); 3].map(|()| Limits::default());
    let mut nodes = Vec::new();
    for limits in leechers {
        nodes.push(node(limits).await);
    }
    // Two peers of the one, and one of the other.
    let mut downloads = [
        fetch(&seeder, &nodes[0], &one, desk.path("a")).await,
        fetch(&seeder, &nodes[1], &one, desk.path("b")).await,
        fetch(&seeder, &nodes[2], &other, desk.path("c")).await,
    ];
    let received =
        |downloads: &[Torrent; 3]| downloads.each_ref().map(|it| it.progress().downloaded);
    until("all have begun", || {
        received(&downloads).iter().all(|&bytes| bytes > 0)
    })
    .await;
    let before = received(&downloads);
    until("some went", || {
        received(&downloads)[2] - before[2] > 1 << 20
    })
    .await;
    let after = received(&downloads);
    let of_one = after[0] + after[1] - before[0] - before[1];
    let ratio = of_one as f64 / (after[2] - before[2]) as f64;
    assert!((0.5..2.0).contains(&ratio), "{before:?} to {after:?}");
    assert!(
        downloads.iter().all(|it| it.progress().done < 8 << 20),
        "nothing was limited"
    );

    seeder.set_limits(Limits::default());
    for download in &mut downloads {
        timeout(PATIENCE, download.finished())
            .await
            .expect("it goes on")
            .unwrap();
    }
}
