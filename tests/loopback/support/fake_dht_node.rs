//! A DHT node that answers everything, or not, and remembers what it was asked. BEP 5.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::PATIENCE;

/// A node that knows no other. It ends when it is dropped.
pub(crate) struct FakeDhtNode {
    address: SocketAddr,
    queries: Arc<(Mutex<Vec<Query>>, Condvar)>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Something that the node was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) method: String,
    pub(crate) info_hash: Option<String>,
}

impl FakeDhtNode {
    /// Names these peers (IPv4 only) for every info-hash.
    pub(crate) fn naming(peers: &[SocketAddr]) -> Self {
        Self::start(peers, |_, _| true)
    }

    /// Answers only those queries of which this is true, given the method and how many came before.
    pub(crate) fn answering(wanted: fn(&str, usize) -> bool) -> Self {
        Self::start(&[], wanted)
    }

    fn start(peers: &[SocketAddr], wanted: fn(&str, usize) -> bool) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Often enough to see that it is to end.
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let address = socket.local_addr().unwrap();
        let queries = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let ends = Arc::new(AtomicBool::new(false));
        let (record, end) = (Arc::clone(&queries), Arc::clone(&ends));
        let peers: Vec<Vec<u8>> = peers.iter().map(compact).collect();
        let thread = thread::spawn(move || {
            let mut datagram = [0; 2048];
            while !end.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut datagram) else {
                    continue;
                };
                let Some((query, transaction)) = read(&datagram[..length]) else {
                    continue;
                };
                let answer = answer(&query, &transaction, &peers);
                let (queries, arrived) = &*record;
                let mut queries = queries.lock().unwrap();
                let is_wanted = wanted(&query.method, queries.len());
                queries.push(query);
                drop(queries);
                arrived.notify_all();
                if is_wanted {
                    // Who asked may be gone.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self {
            address,
            queries,
            ends,
            thread: Some(thread),
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits until it has been asked this about that torrent.
    pub(crate) fn wait_for(&self, method: &str, info_hash: &str) {
        let wanted = Query {
            method: method.to_owned(),
            info_hash: Some(info_hash.to_owned()),
        };
        let (queries, arrived) = &*self.queries;
        let guard = queries.lock().unwrap();
        let (queries, _) = arrived
            .wait_timeout_while(guard, PATIENCE, |queries| !queries.contains(&wanted))
            .unwrap();
        assert!(
            queries.contains(&wanted),
            "{wanted:?} is not in {queries:?}"
        );
    }

    /// What it was asked about this torrent.
    pub(crate) fn asked_about(&self, info_hash: &str) -> Vec<Query> {
        let queries = self.queries.0.lock().unwrap();
        let about = |query: &&Query| query.info_hash.as_deref() == Some(info_hash);
        queries.iter().filter(about).cloned().collect()
    }
}

impl Drop for FakeDhtNode {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The query in a datagram, and its transaction id.
fn read(datagram: &[u8]) -> Option<(Query, Vec<u8>)> {
    let document = bencode::decode(datagram).ok()?;
    let message = document.root().as_dict()?;
    let arguments = message.dict(b"a")?;
    // A lookup may ask for the nodes around an info-hash, too.
    let about = arguments.bytes(b"info_hash").or(arguments.bytes(b"target"));
    let query = Query {
        method: message.str(b"q")?.to_owned(),
        info_hash: about.map(hex::encode),
    };
    Some((query, message.bytes(b"t")?.to_vec()))
}

fn answer(query: &Query, transaction: &[u8], peers: &[Vec<u8>]) -> Vec<u8> {
    let mut datagram = Vec::new();
    bencode::Encoder::new(&mut datagram).dict(|message| {
        message.dict(b"r", |response| {
            response.bytes(b"id", b"a fake node's own id");
            if query.method != "ping" && query.method != "announce_peer" {
                response.bytes(b"nodes", b"");
            }
            if query.method == "get_peers" {
                response.bytes(b"token", b"token");
                if !peers.is_empty() {
                    response.list(b"values", |values| {
                        for peer in peers {
                            values.bytes(peer);
                        }
                    });
                }
            }
        });
        message.bytes(b"t", transaction);
        message.bytes(b"y", b"r");
    });
    datagram
}

/// BEP 5, "Contact Encoding".
fn compact(peer: &SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(peer) = peer else {
        panic!("{peer} is not IPv4")
    };
    [&peer.ip().octets()[..], &peer.port().to_be_bytes()].concat()
}
