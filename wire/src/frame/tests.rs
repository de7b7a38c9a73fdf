use super::*;
use crate::encode_piece_header;
use proptest::prelude::*;

const BLOCK: Block = Block {
    piece: 1,
    offset: 0x4000,
    length: 0x4000,
};

fn encoded(message: Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

fn frame_of(length: u32, rest: &[u8]) -> Vec<u8> {
    [&length.to_be_bytes()[..], rest].concat()
}

#[test]
fn every_message_stands_on_the_wire_as_its_specification_says() {
    for (message, bytes) in [
        (Message::KeepAlive, &b"\0\0\0\0"[..]),
        (Message::Choke, b"\0\0\0\x01\x00"),
        (Message::Unchoke, b"\0\0\0\x01\x01"),
        (Message::Interested, b"\0\0\0\x01\x02"),
        (Message::NotInterested, b"\0\0\0\x01\x03"),
        (Message::Have(7), b"\0\0\0\x05\x04\0\0\0\x07"),
        (Message::Bitfield(b"\xf0"), b"\0\0\0\x02\x05\xf0"),
        (
            Message::Request(BLOCK),
            b"\0\0\0\x0d\x06\0\0\0\x01\0\0\x40\0\0\0\x40\0",
        ),
        (
            Message::Cancel(BLOCK),
            b"\0\0\0\x0d\x08\0\0\0\x01\0\0\x40\0\0\0\x40\0",
        ),
        (Message::Port(6881), b"\0\0\0\x03\x09\x1a\xe1"),
        (Message::Suggest(7), b"\0\0\0\x05\x0d\0\0\0\x07"),
        (Message::HaveAll, b"\0\0\0\x01\x0e"),
        (Message::HaveNone, b"\0\0\0\x01\x0f"),
        (
            Message::Reject(BLOCK),
            b"\0\0\0\x0d\x10\0\0\0\x01\0\0\x40\0\0\0\x40\0",
        ),
        (Message::AllowedFast(7), b"\0\0\0\x05\x11\0\0\0\x07"),
        (
            Message::Extended {
                id: 3,
                payload: b"de",
            },
            b"\0\0\0\x04\x14\x03de",
        ),
    ] {
        assert_eq!(encoded(message), bytes, "{message:?}");
        let consumed = bytes.len();
        assert_eq!(
            decode_frame(bytes),
            Ok(Frame::Message { message, consumed })
        );
    }
}

#[test]
fn the_payload_of_a_block_stays_in_the_stream() {
    let piece = Message::Piece {
        piece: 1,
        offset: 0x4000,
        data: b"abc",
    };
    let bytes = encoded(piece);
    assert_eq!(bytes, b"\0\0\0\x0c\x07\0\0\0\x01\0\0\x40\0abc");
    let block = Block { length: 3, ..BLOCK };
    assert_eq!(encode_piece_header(block), bytes[..13]);
    assert_eq!(decode_frame(&bytes[..13]), Ok(Frame::Payload { block }));
    assert_eq!(
        decode_frame(&bytes[..12]),
        Ok(Frame::Incomplete { needed: 13 })
    );
}

#[test]
fn a_prefix_of_four_gibibytes_is_refused_before_anything_is_awaited() {
    let error = decode_frame(&[0xff; 4]).unwrap_err();
    assert_eq!(error, FrameError::TooLong { length: u32::MAX });
    assert_eq!(
        error.to_string(),
        "a message of 4294967295 bytes is longer than any may be (262145)"
    );
}

#[test]
fn a_length_that_the_id_cannot_have_is_refused_with_the_fifth_byte() {
    for (id, length) in [
        (id::CHOKE, 2),
        (id::UNCHOKE, 2),
        (id::INTERESTED, 2),
        (id::NOT_INTERESTED, 5),
        (id::HAVE, 1),
        (id::HAVE, 4),
        (id::HAVE, 6),
        (id::BITFIELD, 2 + MAX_BITFIELD),
        (id::REQUEST, 12),
        (id::REQUEST, 14),
        (id::PIECE, 1),
        (id::PIECE, 9),
        (id::PIECE, 10 + MAX_PAYLOAD),
        (id::CANCEL, 1),
        (id::PORT, 2),
        (id::PORT, 4),
        (id::SUGGEST, 13),
        (id::HAVE_ALL, 2),
        (id::HAVE_NONE, 2),
        (id::REJECT, 5),
        (id::ALLOWED_FAST, 1),
        (id::EXTENDED, 1),
        (id::EXTENDED, 3 + MAX_EXTENDED),
        (99, 2 + MAX_UNKNOWN),
    ] {
        let expected = if length > MAX_LENGTH {
            FrameError::TooLong { length }
        } else {
            FrameError::WrongLength { id, length }
        };
        assert_eq!(decode_frame(&frame_of(length, &[id])), Err(expected));
    }
}

#[test]
fn the_longest_messages_pass() {
    for (id, length) in [
        (id::BITFIELD, 1 + MAX_BITFIELD),
        (id::PIECE, 9 + MAX_PAYLOAD),
        (id::EXTENDED, 2 + MAX_EXTENDED),
        (99, 1 + MAX_UNKNOWN),
    ] {
        let mut bytes = frame_of(length, &[id]);
        bytes.resize(4 + length as usize, 0);
        assert!(
            !matches!(decode_frame(&bytes), Err(_) | Ok(Frame::Incomplete { .. })),
            "{id}"
        );
    }
}

#[test]
fn an_unknown_message_is_skipped_whole() {
    let consumed = 9;
    let message = Message::Unknown { id: 21 };
    assert_eq!(
        decode_frame(b"\0\0\0\x05\x15abcd\0\0"),
        Ok(Frame::Message { message, consumed })
    );
}

/// A message as this side may send it, with what it borrows.
#[derive(Clone, Debug)]
enum Sent {
    Bare(Message<'static>),
    Bitfield(Vec<u8>),
    Extended(u8, Vec<u8>),
    Piece(u32, u32, Vec<u8>),
}

impl Sent {
    fn message(&self) -> Message<'_> {
        match self {
            Self::Bare(message) => *message,
            Self::Bitfield(bytes) => Message::Bitfield(bytes),
            Self::Extended(id, payload) => Message::Extended { id: *id, payload },
            &Self::Piece(piece, offset, ref data) => Message::Piece {
                piece,
                offset,
                data,
            },
        }
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let block = || {
        any::<(u32, u32, u32)>().prop_map(|(piece, offset, length)| Block {
            piece,
            offset,
            length,
        })
    };
    let bytes = |least| prop::collection::vec(any::<u8>(), least..50);
    prop_oneof![
        prop::sample::select(vec![
            Message::KeepAlive,
            Message::Choke,
            Message::Unchoke,
            Message::Interested,
            Message::NotInterested,
            Message::HaveAll,
            Message::HaveNone,
            Message::Unknown { id: 77 },
        ])
        .prop_map(Sent::Bare),
        any::<u32>().prop_map(|piece| Sent::Bare(Message::Have(piece))),
        any::<u32>().prop_map(|piece| Sent::Bare(Message::Suggest(piece))),
        any::<u32>().prop_map(|piece| Sent::Bare(Message::AllowedFast(piece))),
        any::<u16>().prop_map(|port| Sent::Bare(Message::Port(port))),
        block().prop_map(|block| Sent::Bare(Message::Request(block))),
        block().prop_map(|block| Sent::Bare(Message::Cancel(block))),
        block().prop_map(|block| Sent::Bare(Message::Reject(block))),
        bytes(0).prop_map(Sent::Bitfield),
        (any::<u8>(), bytes(0)).prop_map(|(id, payload)| Sent::Extended(id, payload)),
        (any::<u32>(), any::<u32>(), bytes(1)).prop_map(|(p, o, data)| Sent::Piece(p, o, data)),
    ]
}

/// Reads as a connection would: appends chunks to a buffer and takes out what is whole.
fn read_back(stream: &[u8], chunks: &[usize]) -> Vec<u8> {
    let (mut buffer, mut again, mut fed) = (Vec::new(), Vec::new(), 0);
    let mut chunks = chunks.iter().copied().cycle();
    while fed < stream.len() {
        let end = (fed + chunks.next().unwrap_or(1)).min(stream.len());
        buffer.extend_from_slice(&stream[fed..end]);
        fed = end;
        loop {
            let consumed = match decode_frame(&buffer).expect("only whole messages were sent") {
                Frame::Incomplete { needed } => {
                    assert!(needed > buffer.len(), "more is needed than there is");
                    break;
                }
                Frame::Message { message, consumed } => {
                    message.encode(&mut again);
                    consumed
                }
                Frame::Payload { block } => {
                    let Some(data) = buffer.get(13..13 + block.length as usize) else {
                        break;
                    };
                    again.extend(encode_piece_header(block));
                    again.extend_from_slice(data);
                    13 + block.length as usize
                }
            };
            buffer.drain(..consumed);
        }
    }
    assert!(buffer.is_empty(), "nothing is left over");
    again
}

proptest! {
    #[test]
    fn a_stream_reads_the_same_however_it_is_chunked(
        messages in prop::collection::vec(sent(), 1..20),
        chunks in prop::collection::vec(1usize..40, 1..10),
    ) {
        let mut stream = Vec::new();
        for message in &messages {
            message.message().encode(&mut stream);
        }
        prop_assert_eq!(read_back(&stream, &chunks), stream);
    }

    #[test]
    fn no_stream_makes_the_decoder_panic_or_wait_for_ever(
        length in 0u32..300_000, rest in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        for input in [frame_of(length, &rest), rest] {
            match decode_frame(&input) {
                Ok(Frame::Message { consumed, .. }) => prop_assert!((4..=input.len()).contains(&consumed)),
                Ok(Frame::Payload { block }) => prop_assert!((1..=MAX_PAYLOAD).contains(&block.length)),
                Ok(Frame::Incomplete { needed }) => {
                    prop_assert!(needed > input.len() && needed <= 4 + MAX_LENGTH as usize);
                }
                Err(_) => {}
            }
        }
    }
}
