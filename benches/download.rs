//! What a user waits for: a `get` by info-hash on loopback, from the first datagram to the last verified byte on the disk.
//!
//! The content lies in the system's directory for temporary files; `TMPDIR` chooses another file system.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use divan::Bencher;
use divan::counter::BytesCount;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use trackless::{CreateOptions, Event, GetOptions, Node, create};
use wire::InfoHash;

const LENGTH: usize = 256 << 20;
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn get_256_mib(bencher: Bencher<'_, '_>) {
    let seeder = Seeder::start();
    bencher
        .counter(BytesCount::new(LENGTH))
        .with_inputs(|| tempfile::tempdir().expect("a temporary directory"))
        .bench_local_refs(|directory| seeder.give_to(directory.path()));
}

/// A DHT node, and a node that serves random bytes, on a thread of their own, as other processes would.
struct Seeder {
    /// The DHT node's.
    way_in: SocketAddr,
    info_hash: InfoHash,
    /// Dropped before the thread is joined: that ends it.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Seeder {
    fn start() -> Self {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let directory = content();
            let file = directory.path().join("content");
            let torrent = create(&file, &CreateOptions::default(), &|_, _| {}).expect("a torrent");
            runtime().block_on(async {
                let first = node(None).await;
                let second = node(Some(first.local_address())).await;
                let seed = second.seed_unchecked(&torrent, &file).await;
                let mut seed = seed.expect("the only torrent of its node");
                while !matches!(seed.next().await, Some(Event::Announced { .. })) {}
                let _ = tell.send((first.local_address(), torrent.info.hash()));
                let _ = stopped.await;
            });
        });
        let (way_in, info_hash) = told.recv().expect("the seeder started");
        Self {
            way_in,
            info_hash,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Fetches the content with a node that knows the DHT node's address and the info-hash.
    fn give_to(&self, directory: &Path) {
        runtime().block_on(async {
            let node = node(Some(self.way_in)).await;
            let options = GetOptions {
                directory: directory.to_owned(),
                ..GetOptions::default()
            };
            let mut download = node.get(self.info_hash, options).await.expect("a download");
            let finished = download.finished().await.expect("all of it");
            assert_eq!(finished.bytes, LENGTH as u64);
            node.shutdown().await;
        });
    }
}

impl Drop for Seeder {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn node(bootstrap: Option<SocketAddr>) -> Node {
    let mut builder = Node::builder().listen(LOOPBACK);
    if let Some(address) = bootstrap {
        builder = builder.bootstrap(address.to_string());
    }
    builder.start().await.expect("a port")
}

fn content() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut bytes = vec![0; LENGTH];
    StdRng::seed_from_u64(1).fill_bytes(&mut bytes);
    fs::write(directory.path().join("content"), bytes).expect("room for the content");
    directory
}

/// One thread, as the program has.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}
