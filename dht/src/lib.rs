//! The Mainline DHT as a pure state machine: Kademlia over KRPC.
//!
//! A [`Node`] finds peers for an info-hash and helps others to find theirs: BEP 5, with BEP 32 (IPv6), BEP 33 (scrapes), BEP 42 (ids that follow
//! from addresses), BEP 43 (read-only nodes), BEP 44 (items: small values that anybody may store) and BEP 51 (samples of what others keep). It knows
//! nothing of torrents, and nothing of sockets, clocks, threads or the
//! system's randomness either: a driver hands it an [`Input`] with the time, and the node puts what is to be sent and told into
//! the driver's [`Outbox`] and returns its next deadline. [`decode`] and [`encode`] are the driver's way from datagrams to
//! [`Message`]s and back; a [`Limiter`] tells it which datagrams not to read at all.
//!
//! Here two nodes meet. The "network" between them is a vector:
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::Duration;
//!
//! use dht::{Config, Event, Input, Message, Node, Outbox};
//! use rand::SeedableRng;
//!
//! #[derive(Default)]
//! struct Desk {
//!     sent: Vec<(SocketAddr, Message)>,
//!     events: Vec<Event>,
//! }
//!
//! impl Outbox for Desk {
//!     fn transmit(&mut self, to: SocketAddr, message: Message) {
//!         self.sent.push((to, message));
//!     }
//!     fn event(&mut self, event: Event) {
//!         self.events.push(event);
//!     }
//! }
//!
//! let config = Config::default();
//! let mut rng = rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(1);
//! let addresses: [SocketAddr; 2] = ["127.0.0.1:7001".parse()?, "127.0.0.1:7002".parse()?];
//! let mut nodes = [Node::new(None, &mut rng), Node::new(None, &mut rng)];
//! let mut desks = [Desk::default(), Desk::default()];
//!
//! let now = Duration::ZERO;
//! let [first, _] = addresses;
//! let bootstrap = Input::Bootstrap(&[first]);
//! let mut deadline = nodes[1].handle(&config, now, &mut rng, bootstrap, &mut desks[1]);
//! for sender in [1, 0, 1, 0] {
//!     let receiver = 1 - sender;
//!     for (_, message) in std::mem::take(&mut desks[sender].sent) {
//!         let input = Input::Receive { from: addresses[sender], message: &message };
//!         deadline = nodes[receiver].handle(&config, now, &mut rng, input, &mut desks[receiver]);
//!     }
//! }
//! assert!(desks[0].events.contains(&Event::Ready) && desks[1].events.contains(&Event::Ready));
//! assert!(deadline > Some(now), "the driver calls again with `Input::Timeout` at this time");
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

mod address;
mod bloom_filter;
mod cell_rate;
mod census;
mod config;
mod event;
mod id;
mod input;
mod item;
mod item_store;
mod keyed_hash;
mod krpc;
mod limiter;
mod lookup;
mod message;
mod node;
mod pace;
mod peer_store;
mod per_family;
mod recent_responders;
mod round_trip;
mod routing_table;
mod scrape_count;
mod security;
mod shares;
mod sought_item;
mod stored;
mod survey;
mod tables;
mod token;
mod transaction;
mod traversal;

pub use address::Family;
pub use bloom_filter::BloomFilter;
pub use census::{Census, NetworkSize};
pub use config::Config;
pub use event::{Event, LookupId, LookupReport, Outbox, Outcome, Probe, Step};
pub use id::{Distance, Id, ParseIdError};
pub use input::Input;
pub use item::{
    Item, ItemError, ItemValue, MutableItem, ParsePublicKeyError, PublicKey, Salt, SecretKey,
    Signature,
};
pub use krpc::{DecodeError, decode, encode, encoded_length};
pub use limiter::{Limiter, Limits};
pub use message::{
    AnnouncedPort, Body, Flag, Holding, KrpcError, MAX_NODES, Message, Method, NodeInfo, Nodes,
    Put, Query, Rare, Response, Sample, Scrape, Token, TransactionId, Want, Wishes,
};
pub use node::{Node, Stats};
pub use routing_table::{BucketView, ContactView};
pub use scrape_count::ScrapeCount;
pub use security::{id_for, is_id_valid};
pub use stored::{StoredItem, StoredPeer};
