//! The BitTorrent peer-wire engine as a pure state machine: no socket, no clock, no file, no randomness of its own.

mod allowed_fast;
mod bitfield;
mod blame;
mod choker;
mod close_reason;
mod config;
mod connection;
mod extension;
mod frame;
mod geometry;
mod handshake;
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
mod rate;
mod receiver;
mod torrent;

pub use allowed_fast::allowed_fast_set;
pub use bitfield::{Bitfield, BitfieldError};
pub use close_reason::CloseReason;
pub use config::Config;
pub use extension::{ExtensionError, ExtensionHandshake, ExtensionIds};
pub use frame::{Frame, FrameError, MAX_EXTENDED, MAX_PAYLOAD, decode_frame};
pub use geometry::{BLOCK_LENGTH, Block, Geometry, GeometryError, MAX_PIECE_LENGTH, MAX_PIECES};
pub use handshake::{Handshake, HandshakeError, Reserved};
pub use host_port::{HostPort, HostPortError};
pub use info_hash::{InfoHash, InfoHashError};
pub use input::{Direction, Input, Link, Source};
pub use magnet::{Magnet, MagnetError};
pub use message::{Message, encode_piece_header};
pub use metadata::{
    MAX_METADATA_LENGTH, METADATA_PIECE_LENGTH, MetadataAssembly, MetadataError, MetadataMessage,
    MetadataProgress, metadata_piece,
};
pub use metainfo::{
    File, Info, InfoBuilder, MAX_NAME_LENGTH, Metainfo, MetainfoError, piece_length_for,
};
pub use outbox::{Event, Outbox};
pub use peer_id::PeerId;
pub use peer_priority::peer_priority;
pub use receiver::{MAX_SCATTER, ReceiveError, Received, Receiver};
pub use torrent::{LinkView, Progress, Torrent};
