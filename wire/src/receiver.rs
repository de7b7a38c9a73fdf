//! Reading a peer's stream so that payload lands where it stays.
//!
//! A peer that serves us answers requests in the order in which they were sent, nearly always. So the next read is
//! scattered by that guess: header, block, header, block. Where the guess holds, payload is never copied; where it does
//! not, the rest of that one read is, and nothing else is lost.

use std::collections::VecDeque;
use std::io::IoSliceMut;

use crate::message::PIECE_HEADER_LENGTH;
use crate::{BLOCK_LENGTH, Block, Frame, FrameError, Message, decode_frame, encode_piece_header};

/// Most blocks that one read is scattered over: 1 MiB of payload.
pub const MAX_SCATTER: usize = 64;
/// What is read at once while no block is expected.
const TAIL: usize = 16 * 1024;
const MIN_SCATTER: usize = 2;

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a, B> {
    /// Any message but `piece`.
    Message(Message<'a>),
    /// A block, its payload at the front of the buffer.
    Block(Block, B),
}

/// Why a stream cannot be read any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// The bytes are no peer-wire message.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A block that nobody asks for in this length.
    #[error("the peer sent a block of {length} bytes; blocks have at most {BLOCK_LENGTH}")]
    BlockTooLong {
        /// The length of its payload.
        length: u32,
    },
}

/// The receiving half of a connection: owns partial frames and buffers that wait for payload.
///
/// A read goes `expect`, `slices` (hand them to a vectored read), `advance` with the count that was read.
/// `B` is a buffer of at least [`BLOCK_LENGTH`] bytes.
#[derive(Debug)]
pub struct Receiver<B> {
    /// The front of a frame that is not whole yet. Empty while payload is being read.
    partial: Vec<u8>,
    /// A block whose header has been read and whose payload has not.
    filling: Option<Filling<B>>,
    /// Where the blocks go that are expected next.
    slots: VecDeque<Slot<B>>,
    tail: Box<[u8]>,
    /// How many slots the last reads deserved.
    window: usize,
}

#[derive(Debug)]
struct Filling<B> {
    block: Block,
    buffer: B,
    filled: usize,
}

#[derive(Debug)]
struct Slot<B> {
    block: Block,
    header: [u8; PIECE_HEADER_LENGTH],
    buffer: B,
}

impl<B> Default for Receiver<B> {
    fn default() -> Self {
        Receiver {
            partial: Vec::new(),
            filling: None,
            slots: VecDeque::new(),
            tail: vec![0; TAIL].into_boxed_slice(),
            window: MIN_SCATTER,
        }
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Receiver<B> {
    /// Guesses what comes next: the outstanding requests in order, without the block that is being read already
    /// ([`Receiver::filling`]). Takes buffers for as many as the last reads could fill.
    pub fn expect(&mut self, blocks: impl IntoIterator<Item = Block>, mut take: impl FnMut() -> B) {
        let mut count = 0;
        for block in blocks.into_iter().take(self.window) {
            if block.length > BLOCK_LENGTH {
                break;
            }
            match self.slots.get_mut(count) {
                Some(slot) => slot.block = block,
                None => self.slots.push_back(Slot {
                    block,
                    header: [0; PIECE_HEADER_LENGTH],
                    buffer: take(),
                }),
            }
            count += 1;
        }
        self.slots.truncate(count);
    }

    /// The block whose payload is being read.
    pub fn filling(&self) -> Option<Block> {
        self.filling.as_ref().map(|filling| filling.block)
    }

    /// Whether the bytes of the frame that has begun fit what is expected.
    fn prediction_holds(&self) -> bool {
        self.slots
            .front()
            .is_some_and(|slot| encode_piece_header(slot.block).starts_with(&self.partial))
    }

    /// Where the next bytes of the stream are to be read to, in order.
    pub fn slices(&mut self) -> Vec<IoSliceMut<'_>> {
        let predicted = self.prediction_holds();
        let mut slices = Vec::with_capacity(2 + 2 * self.slots.len());
        if let Some(filling) = &mut self.filling {
            let length = filling.block.length as usize;
            slices.push(IoSliceMut::new(
                &mut filling.buffer.as_mut()[filling.filled..length],
            ));
        }
        if predicted {
            let mut start = self.partial.len();
            for slot in &mut self.slots {
                slot.header[..start].copy_from_slice(&self.partial[..start]);
                slices.push(IoSliceMut::new(&mut slot.header[start..]));
                let length = slot.block.length as usize;
                slices.push(IoSliceMut::new(&mut slot.buffer.as_mut()[..length]));
                start = 0;
            }
        } else {
            slices.push(IoSliceMut::new(&mut self.tail));
        }
        slices
    }

    /// Takes in the `count` bytes that were read into [`Receiver::slices`] and hands on all that is whole.
    ///
    /// # Errors
    /// The stream cannot be read any further: close the connection.
    pub fn advance(
        &mut self,
        count: usize,
        mut take: impl FnMut() -> B,
        mut sink: impl FnMut(Received<'_, B>),
    ) -> Result<(), ReceiveError> {
        let mut left = count;
        let predicted = self.prediction_holds();
        if let Some(filling) = &mut self.filling {
            let length = filling.block.length as usize;
            let read = left.min(length - filling.filled);
            filling.filled += read;
            left -= read;
            if filling.filled < length {
                return Ok(());
            }
            if let Some(Filling { block, buffer, .. }) = self.filling.take() {
                sink(Received::Block(block, buffer));
            }
        }
        // What has to be read byte by byte after all: the guess was wrong somewhere, or ended.
        let mut rest = std::mem::take(&mut self.partial);
        if predicted {
            self.advance_slots(left, &mut rest, &mut sink);
        } else {
            rest.extend_from_slice(&self.tail[..left]);
        }
        self.decode(rest, &mut take, &mut sink)
    }

    /// Takes a read that was scattered by the guess; `rest` gets what has to be decoded.
    fn advance_slots(
        &mut self,
        mut left: usize,
        rest: &mut Vec<u8>,
        sink: &mut impl FnMut(Received<'_, B>),
    ) {
        let planned = self.slots.len();
        let mut used = 0;
        while left > 0 {
            let Some(slot) = self.slots.pop_front() else {
                break;
            };
            used += 1;
            let read = left.min(PIECE_HEADER_LENGTH - rest.len());
            left -= read;
            let header_end = rest.len() + read;
            if header_end < PIECE_HEADER_LENGTH {
                rest.extend_from_slice(&slot.header[rest.len()..header_end]);
                self.slots.push_front(slot);
                break;
            }
            rest.clear();
            let length = slot.block.length as usize;
            if slot.header != encode_piece_header(slot.block) {
                rest.extend_from_slice(&slot.header);
                left = gather(&slot.buffer.as_ref()[..length], left, rest);
                for slot in &self.slots {
                    left = gather(&slot.header, left, rest);
                    left = gather(
                        &slot.buffer.as_ref()[..slot.block.length as usize],
                        left,
                        rest,
                    );
                }
                self.slots.push_front(slot);
                break;
            }
            let filled = left.min(length);
            left -= filled;
            if filled == length {
                sink(Received::Block(slot.block, slot.buffer));
            } else {
                self.filling = Some(Filling {
                    block: slot.block,
                    buffer: slot.buffer,
                    filled,
                });
            }
        }
        self.window = if used == planned {
            (planned * 2).clamp(MIN_SCATTER, MAX_SCATTER)
        } else {
            self.window.min((used * 2).max(MIN_SCATTER))
        };
    }

    fn decode(
        &mut self,
        mut bytes: Vec<u8>,
        take: &mut impl FnMut() -> B,
        sink: &mut impl FnMut(Received<'_, B>),
    ) -> Result<(), ReceiveError> {
        let mut at = 0;
        while at < bytes.len() {
            match decode_frame(&bytes[at..])? {
                Frame::Message { message, consumed } => {
                    sink(Received::Message(message));
                    at += consumed;
                }
                Frame::Payload { block } => {
                    if block.length > BLOCK_LENGTH {
                        return Err(ReceiveError::BlockTooLong {
                            length: block.length,
                        });
                    }
                    at += PIECE_HEADER_LENGTH;
                    let mut buffer = take();
                    let length = block.length as usize;
                    let filled = length.min(bytes.len() - at);
                    buffer.as_mut()[..filled].copy_from_slice(&bytes[at..at + filled]);
                    at += filled;
                    if filled < length {
                        self.filling = Some(Filling {
                            block,
                            buffer,
                            filled,
                        });
                    } else {
                        sink(Received::Block(block, buffer));
                    }
                }
                Frame::Incomplete { .. } => break,
            }
        }
        bytes.drain(..at);
        self.partial = bytes;
        Ok(())
    }
}

/// Appends at most `left` bytes; returns how many are left after them.
fn gather(bytes: &[u8], left: usize, into: &mut Vec<u8>) -> usize {
    let count = left.min(bytes.len());
    into.extend_from_slice(&bytes[..count]);
    left - count
}

#[cfg(test)]
mod tests;
