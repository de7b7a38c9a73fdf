use crate::{
    Block, MAX_PIECES, Message,
    message::{PIECE_HEADER_LENGTH, id},
};

/// The most payload that a `piece` message may carry: more than the 16 KiB that are ever requested here,
/// so that a peer which sends too much is met by the rules on requests and not by those on frames.
pub const MAX_PAYLOAD: u32 = 128 * 1024;

/// The most bytes of an extended message after its id: room for one piece of metadata and a generous dictionary.
pub const MAX_EXTENDED: u32 = 80 * 1024;

/// The most bytes of a message that is not known here.
const MAX_UNKNOWN: u32 = 64 * 1024;

const MAX_BITFIELD: u32 = MAX_PIECES / 8;

/// No message is longer, whatever its id.
const MAX_LENGTH: u32 = 1 + MAX_BITFIELD;

/// Bytes of the length prefix.
const PREFIX: usize = 4;

/// What stands at the front of a peer's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole message, which took `consumed` bytes of the stream. Never [`Message::Piece`].
    Message {
        /// The message.
        message: Message<'a>,
        /// Bytes that it took, length prefix included.
        consumed: usize,
    },
    /// A `piece` message: its header took 13 bytes, and `block.length` bytes of payload follow in the stream.
    Payload {
        /// What the payload claims to be; its length is 1 to [`MAX_PAYLOAD`].
        block: Block,
    },
    /// Nothing whole as yet.
    Incomplete {
        /// The stream must hold at least so many bytes before it is worth asking again.
        /// Never more than 256 KiB and 5 bytes.
        needed: usize,
    },
}

/// Why a stream cannot be read on. There is no way to find the next message: the connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than any message may be.
    #[error("a message of {length} bytes is longer than any may be ({MAX_LENGTH})")]
    TooLong {
        /// Its length prefix.
        length: u32,
    },
    /// Not a length that a message with this id can have.
    #[error("a message with id {id} cannot be {length} bytes long")]
    WrongLength {
        /// The message's id.
        id: u8,
        /// Its length prefix, which counts the id.
        length: u32,
    },
}

/// Reads one message from the front of a peer's stream. BEP 3, "peer protocol".
///
/// Every length is judged as soon as prefix and id are there, before anybody waits for the rest or makes room for it.
#[inline]
pub fn decode_frame(input: &[u8]) -> Result<Frame<'_>, FrameError> {
    let Some((prefix, rest)) = input.split_first_chunk::<PREFIX>() else {
        return Ok(Frame::Incomplete { needed: PREFIX });
    };
    let length = u32::from_be_bytes(*prefix);
    if length == 0 {
        return Ok(Frame::Message {
            message: Message::KeepAlive,
            consumed: PREFIX,
        });
    }
    if length > MAX_LENGTH {
        return Err(FrameError::TooLong { length });
    }
    let Some((&id, rest)) = rest.split_first() else {
        return Ok(Frame::Incomplete { needed: PREFIX + 1 });
    };
    if !length_is_possible(id, length) {
        return Err(FrameError::WrongLength { id, length });
    }
    if id == id::PIECE {
        return Ok(match piece_header(rest) {
            Some((piece, offset)) => Frame::Payload {
                block: Block {
                    piece,
                    offset,
                    length: length - 9,
                },
            },
            None => Frame::Incomplete {
                needed: PIECE_HEADER_LENGTH,
            },
        });
    }
    let consumed = PREFIX + length as usize;
    match rest.get(..length as usize - 1) {
        None => Ok(Frame::Incomplete { needed: consumed }),
        Some(payload) => match message(id, payload) {
            Some(message) => Ok(Frame::Message { message, consumed }),
            None => Err(FrameError::WrongLength { id, length }),
        },
    }
}

/// Whether a message with this id may have this length, the id included.
fn length_is_possible(id: u8, length: u32) -> bool {
    match id {
        id::CHOKE..=id::NOT_INTERESTED | id::HAVE_ALL | id::HAVE_NONE => length == 1,
        id::PORT => length == 3,
        id::HAVE | id::SUGGEST | id::ALLOWED_FAST => length == 5,
        id::REQUEST | id::CANCEL | id::REJECT => length == 13,
        id::PIECE => (10..=9 + MAX_PAYLOAD).contains(&length),
        id::BITFIELD => length <= 1 + MAX_BITFIELD,
        id::EXTENDED => (2..=2 + MAX_EXTENDED).contains(&length),
        _ => length <= 1 + MAX_UNKNOWN,
    }
}

/// The message of a whole payload; `None` if the payload has the wrong length.
fn message(id: u8, payload: &[u8]) -> Option<Message<'_>> {
    Some(match id {
        id::CHOKE => Message::Choke,
        id::UNCHOKE => Message::Unchoke,
        id::INTERESTED => Message::Interested,
        id::NOT_INTERESTED => Message::NotInterested,
        id::HAVE => Message::Have(number(payload)?),
        id::BITFIELD => Message::Bitfield(payload),
        id::REQUEST => Message::Request(block(payload)?),
        id::CANCEL => Message::Cancel(block(payload)?),
        id::PORT => Message::Port(u16::from_be_bytes(*payload.first_chunk()?)),
        id::SUGGEST => Message::Suggest(number(payload)?),
        id::HAVE_ALL => Message::HaveAll,
        id::HAVE_NONE => Message::HaveNone,
        id::REJECT => Message::Reject(block(payload)?),
        id::ALLOWED_FAST => Message::AllowedFast(number(payload)?),
        id::EXTENDED => {
            let (&id, payload) = payload.split_first()?;
            Message::Extended { id, payload }
        }
        _ => Message::Unknown { id },
    })
}

fn piece_header(rest: &[u8]) -> Option<(u32, u32)> {
    Some((number(rest)?, number(rest.get(4..)?)?))
}

fn number(payload: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*payload.first_chunk()?))
}

fn block(payload: &[u8]) -> Option<Block> {
    Some(Block {
        piece: number(payload)?,
        offset: number(payload.get(4..)?)?,
        length: number(payload.get(8..)?)?,
    })
}

#[cfg(test)]
mod tests;
