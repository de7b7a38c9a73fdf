//! A BitTorrent node that needs no tracker.
//!
//! A [`Node`] takes part in the Mainline DHT over UDP, finds there who has a torrent, and fetches it over TCP, verified.
//! The protocols themselves are pure state machines in the crates `dht` and `wire`; this crate gives them sockets, disks
//! and a clock.
//!
//! Two nodes on one machine; the second one knows an address and an info-hash, nothing else:
//!
//! ```
//! use trackless::{CreateOptions, GetOptions, Node, create};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! # let here = tempfile::tempdir()?;
//! # let there = tempfile::tempdir()?;
//! # let (here, there) = (here.path(), there.path());
//! std::fs::write(here.join("letter.txt"), "Nobody in the middle.")?;
//! let torrent = create(&here.join("letter.txt"), &CreateOptions::default(), &|_, _| {})?;
//!
//! let loopback = "127.0.0.1:0".parse()?;
//! let alice = Node::builder().listen(loopback).start().await?;
//! let _seed = alice.seed(&torrent, here).await?;
//!
//! let bob = Node::builder()
//!     .listen(loopback)
//!     .bootstrap(alice.local_address().to_string())
//!     .start()
//!     .await?;
//! let options = GetOptions { directory: there.to_owned(), ..GetOptions::default() };
//! let mut download = bob.get(torrent.info.hash(), options).await?;
//! let finished = download.finished().await?;
//! assert_eq!(std::fs::read_to_string(finished.path)?, "Nobody in the middle.");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(clippy::print_stdout)]

mod batch;
mod create;
mod dht_driver;
mod error;
mod event;
mod following;
mod item;
mod lookup;
mod node;
mod peer_driver;
mod piece_hash;
mod platform;
mod publisher;
mod reader;
mod receipt;
mod selection;
mod session;
mod sockets;
mod state;
mod storage;
mod throttle;
mod torrent;
mod verify;

pub use batch::{Batch, BatchAnswer};
pub use create::{CreateError, CreateOptions, LeftOut, Reason, create, create_noting};
pub use dht_driver::DhtStatistics;
pub use error::Error;
pub use event::{Event, Finished, Phase, Progress};
pub use following::{Following, Publication};
pub use item::{ItemEvent, ItemSearch, KeptItem, Receipt};
pub use lookup::{Lookup, LookupEvent, LookupFailure, Peers};
pub use node::{
    Builder, Estimate, GetOptions, Node, NodeSample, Pong, Samples, Scraped, Source, SurveySummary,
    TableView,
};
pub use platform::{available_space, raise_descriptor_limit};
pub use publisher::{Publisher, PublisherError};
pub use reader::Reader;
pub use receipt::{AnnounceReceipt, Holder, KeptAnnounce, Testimony};
pub use selection::Selection;
pub use state::default_state_dir;
pub use storage::StorageError;
pub use throttle::Limits;
pub use torrent::Torrent;
pub use verify::verify;
