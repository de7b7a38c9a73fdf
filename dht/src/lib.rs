//! The Mainline DHT as a pure state machine: Kademlia over KRPC.

mod address;
mod config;
mod event;
mod id;
mod krpc;
mod limiter;
mod lookup;
mod message;
mod node;
mod peer_store;
mod round_trip;
mod routing_table;
mod security;
mod tables;
mod token;
mod transaction;

pub use address::Family;
pub use config::Config;
pub use event::{Event, LookupId, LookupReport, Outbox, Outcome, Step};
pub use id::{Distance, Id, ParseIdError};
pub use krpc::{DecodeError, decode, encode};
pub use limiter::{Limiter, Limits};
pub use message::{
    AnnouncedPort, Body, KrpcError, MAX_NODES, Message, Method, NodeInfo, Nodes, Query, Response,
    Token, TransactionId, Want,
};
pub use node::{Input, Node, Stats};
pub use routing_table::{BucketView, ContactView};
pub use security::{id_for, is_id_valid};
