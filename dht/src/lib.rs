//! The Mainline DHT as a pure state machine: Kademlia over KRPC.

mod address;
mod id;
pub mod krpc;
mod message;

pub use address::Family;
pub use id::{Distance, Id, ParseIdError};
pub use krpc::{DecodeError, decode, encode};
pub use message::*;
