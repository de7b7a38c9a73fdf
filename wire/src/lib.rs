//! The BitTorrent peer-wire engine as a pure state machine: no socket, no clock, no file, no randomness of its own.

mod bitfield;
mod frame;
mod geometry;
mod handshake;
mod info_hash;
mod message;
mod peer_id;

pub use bitfield::{Bitfield, BitfieldError};
pub use frame::{Frame, FrameError, MAX_EXTENDED, MAX_PAYLOAD, decode_frame};
pub use geometry::{BLOCK_LENGTH, Block, Geometry, GeometryError, MAX_PIECE_LENGTH, MAX_PIECES};
pub use handshake::{Handshake, HandshakeError, Reserved};
pub use info_hash::{InfoHash, InfoHashError};
pub use message::{Message, encode_piece_header};
pub use peer_id::PeerId;
