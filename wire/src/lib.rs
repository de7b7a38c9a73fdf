//! The BitTorrent peer-wire engine as a pure state machine: no socket, no clock, no file, no randomness of its own.
//!
//! [`Torrent`] is the engine: a driver tells it what happened ([`Input`]) and does what it wants done ([`Outbox`]).
//! Around it stand the formats of BEP 3, 6, 9, 10 and 20, each readable without trust in who wrote it:
//! [`Metainfo`] and [`Magnet`] say what there is to fetch, [`Handshake`] opens a connection, and [`decode_frame`] or
//! [`Receiver`] take [`Message`]s out of its stream.
//!
//! ```
//! use wire::{BLOCK_LENGTH, Frame, InfoBuilder, Magnet, Message, decode_frame};
//!
//! // A torrent of one file and the link that names it.
//! let info = InfoBuilder::single_file("a.txt", 20_000).build(&[[0; 20], [1; 20]])?;
//! let link = Magnet::new(info.hash()).to_string();
//! assert_eq!(link.parse::<Magnet>()?.info_hash, info.hash());
//!
//! // A request for the first block, over the wire.
//! let block = info.geometry().block(0, 0);
//! assert_eq!(block.length, BLOCK_LENGTH);
//! let request = Message::Request(block);
//! let mut stream = Vec::new();
//! request.encode(&mut stream);
//! assert_eq!(decode_frame(&stream)?, Frame::Message { message: request, consumed: stream.len() });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod allowed_fast;
mod bitfield;
mod blame;
mod choker;
mod close_reason;
mod config;
mod connection;
mod culprit;
mod extension;
mod file_set;
mod frame;
mod geometry;
mod handshake;
mod host;
mod host_port;
mod info_hash;
mod input;
mod magnet;
mod message;
mod metadata;
mod metainfo;
mod outbox;
mod peer_id;
mod peer_list;
mod peer_priority;
mod piece_picker;
mod pipeline;
mod priority;
mod rate;
mod receiver;
mod torrent;
mod utp;

pub use allowed_fast::allowed_fast_set;
pub use bitfield::{Bitfield, BitfieldError};
pub use close_reason::CloseReason;
pub use config::{Config, SeedChoice};
pub use extension::{ExtensionError, ExtensionHandshake, ExtensionIds};
pub use file_set::{FileSet, FileSetError};
pub use frame::{Frame, FrameError, MAX_EXTENDED, MAX_PAYLOAD, decode_frame};
pub use geometry::{BLOCK_LENGTH, Block, Geometry, GeometryError, MAX_PIECE_LENGTH, MAX_PIECES};
pub use handshake::{Handshake, HandshakeError, Reserved};
pub use host::Host;
pub use host_port::{HostPort, HostPortError};
pub use info_hash::{InfoHash, InfoHashError};
pub use input::{Allowance, Direction, Input, Link, Source};
pub use magnet::{Magnet, MagnetError};
pub use message::{Message, encode_piece_header};
pub use metadata::{
    MAX_METADATA_LENGTH, METADATA_PIECE_LENGTH, MetadataAssembly, MetadataError, MetadataMessage,
    MetadataProgress, metadata_piece,
};
pub use metainfo::{
    Change, File, Info, InfoBuilder, MAX_NAME_LENGTH, Metainfo, MetainfoEdit, MetainfoError,
    piece_length_for,
};
pub use outbox::{Event, Outbox};
pub use peer_id::PeerId;
pub use peer_priority::peer_priority;
pub use priority::{Order, Priority, piece_priorities};
pub use receiver::{MAX_SCATTER, ReceiveError, Received, Receiver};
pub use torrent::{LinkView, Progress, Torrent};
pub use utp::refuse_utp;
