//! Any stream of a peer, cut anywhere and read with any guess: the receiver hands out what a reader of the whole stream sees.
//!
//! The first eight bytes of the input seed the cuts and the guesses, the rest is the stream after the handshake.
#![no_main]

use std::collections::VecDeque;

use libfuzzer_sys::fuzz_target;
use wire::{BLOCK_LENGTH, Block, Frame, Message, ReceiveError, Received, Receiver, decode_frame};

/// A message as it is written, or a block with its payload.
#[derive(Debug, PartialEq)]
enum Seen {
    Message(Vec<u8>),
    Block(Block, Vec<u8>),
}

fuzz_target!(|input: &[u8]| {
    let Some((seed, stream)) = input.split_first_chunk::<8>() else {
        return;
    };
    let (whole, error) = read_whole(stream);
    let (pieces, other_error) =
        read_in_pieces(stream, &whole, &mut Choices(u64::from_le_bytes(*seed)));
    assert_eq!(pieces, whole);
    assert_eq!(other_error, error);
});

fn read_whole(mut stream: &[u8]) -> (Vec<Seen>, Option<ReceiveError>) {
    let mut seen = Vec::new();
    loop {
        match decode_frame(stream) {
            Ok(Frame::Message { message, consumed }) => {
                let (frame, rest) = stream.split_at(consumed);
                let written = written(message);
                if !matches!(message, Message::Unknown { .. }) {
                    assert_eq!(written, frame, "a message is written as it was read");
                }
                seen.push(Seen::Message(written));
                stream = rest;
            }
            Ok(Frame::Payload { block }) if block.length > BLOCK_LENGTH => {
                return (
                    seen,
                    Some(ReceiveError::BlockTooLong {
                        length: block.length,
                    }),
                );
            }
            Ok(Frame::Payload { block }) => {
                let (header, rest) = stream.split_at(13);
                assert_eq!(wire::encode_piece_header(block), header);
                let Some((payload, rest)) = rest.split_at_checked(block.length as usize) else {
                    return (seen, None);
                };
                seen.push(Seen::Block(block, payload.to_vec()));
                stream = rest;
            }
            Ok(Frame::Incomplete { needed }) => {
                assert!(needed > stream.len(), "what is there is not enough");
                return (seen, None);
            }
            Err(error) => return (seen, Some(error.into())),
        }
    }
}

fn read_in_pieces(
    mut stream: &[u8],
    whole: &[Seen],
    choices: &mut Choices,
) -> (Vec<Seen>, Option<ReceiveError>) {
    let mut expected = requested(whole, choices);
    let mut receiver = Receiver::default();
    let mut seen = Vec::new();
    let buffer = || vec![0; BLOCK_LENGTH as usize];
    while !stream.is_empty() {
        let filling = receiver.filling();
        receiver.expect(
            expected
                .iter()
                .copied()
                .filter(|&block| Some(block) != filling),
            buffer,
        );
        let longest = if choices.below(4) == 0 { 24 } else { 40_000 };
        let limit = 1 + choices.below(longest);
        let mut read = 0;
        for mut slice in receiver.slices() {
            let count = slice.len().min(limit - read).min(stream.len());
            let (now, later) = stream.split_at(count);
            slice[..count].copy_from_slice(now);
            stream = later;
            read += count;
        }
        let result = receiver.advance(read, buffer, |received| match received {
            Received::Message(message) => seen.push(Seen::Message(written(message))),
            Received::Block(block, buffer) => {
                if let Some(position) = expected.iter().position(|&other| other == block) {
                    expected.drain(..=position);
                }
                seen.push(Seen::Block(block, buffer[..block.length as usize].to_vec()));
            }
        });
        if let Err(error) = result {
            return (seen, Some(error));
        }
    }
    (seen, None)
}

/// What somebody who reads the stream may have asked for: its blocks, some left out, some in another order, some never sent.
fn requested(whole: &[Seen], choices: &mut Choices) -> VecDeque<Block> {
    let mut requested = VecDeque::new();
    for seen in whole {
        let Seen::Block(block, _) = seen else {
            continue;
        };
        match choices.below(8) {
            0 => {}
            1 => requested.push_front(*block),
            2 => requested.extend([
                Block {
                    piece: block.piece ^ 1,
                    ..*block
                },
                *block,
            ]),
            3 => requested.push_back(Block {
                length: BLOCK_LENGTH,
                ..*block
            }),
            _ => requested.push_back(*block),
        }
    }
    requested
}

fn written(message: Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// A repeatable sequence of numbers (`SplitMix64`).
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}
