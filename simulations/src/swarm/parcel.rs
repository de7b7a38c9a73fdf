use smallvec::SmallVec;
use wire::{Block, Message};

/// Bytes of a `piece` message around its payload. BEP 3, "peer messages".
const PIECE_HEADER: u64 = 13;
/// Bytes of a handshake. BEP 3, "peer protocol".
const HANDSHAKE: u64 = 68;
/// What is no longer than this goes out between the packets of other connections, and waits for none of them.
const PACKET: u64 = 1400;

/// What travels on a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Parcel {
    /// The handshake of the one who was dialled.
    Handshake,
    /// A message as it was encoded; all but `bitfield` and `extended` fit without an allocation.
    Message(SmallVec<[u8; 17]>),
    /// The payload of a `piece` message, of which only the length matters.
    Block(Block),
    /// The end of the connection.
    End,
}

impl Parcel {
    pub(super) fn message(message: &Message<'_>, scratch: &mut Vec<u8>) -> Self {
        scratch.clear();
        message.encode(scratch);
        Self::Message(SmallVec::from_slice(scratch))
    }

    /// Bytes on the wire, headers of IP and TCP not counted.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Handshake => HANDSHAKE,
            Self::Message(bytes) => bytes.len() as u64,
            Self::Block(block) => u64::from(block.length) + PIECE_HEADER,
            Self::End => 0,
        }
    }

    /// It has to wait for its turn on the uplink.
    pub(super) fn is_bulky(&self) -> bool {
        self.bytes() > PACKET
    }
}
