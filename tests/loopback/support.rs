//! What the scenarios are made of: processes, content, and counterparts that misbehave on command.

mod content;
mod desk;
mod fake_dht_node;
mod fake_peer;
mod file_system;
mod gate;
mod relay;
mod running;
mod sealed;

use std::time::Duration;

pub(crate) use content::{Sample, assert_same, noise, tree};
pub(crate) use desk::Desk;
pub(crate) use fake_dht_node::FakeDhtNode;
pub(crate) use fake_peer::{Block, Conversation, FakePeer, id};
pub(crate) use file_system::FileSystem;
pub(crate) use gate::Gate;
pub(crate) use relay::Relay;
pub(crate) use running::{Ended, Running};
pub(crate) use sealed::Sealed;

/// Nothing that is waited for takes so long, even on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// An info-hash that nobody has.
pub(crate) const UNKNOWN: &str = "0123456789abcdef0123456789abcdef01234567";
