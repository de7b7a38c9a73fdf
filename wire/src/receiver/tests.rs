use proptest::prelude::*;

use super::*;

type Buffer = Vec<u8>;

fn buffer() -> Buffer {
    vec![0; BLOCK_LENGTH as usize]
}

/// What the stream says, independent of how it was cut and what was guessed.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Message(Vec<u8>),
    Block(Block, Vec<u8>),
}

fn seen(received: Received<'_, Buffer>) -> Seen {
    match received {
        Received::Message(message) => {
            let mut bytes = Vec::new();
            message.encode(&mut bytes);
            Seen::Message(bytes)
        }
        Received::Block(block, buffer) => {
            Seen::Block(block, buffer[..block.length as usize].to_vec())
        }
    }
}

/// Feeds `stream` in reads of at most `chunks` bytes, guessing `expected` as a driver does.
fn receive(
    stream: &[u8],
    expected: &[Block],
    chunks: &[usize],
) -> Result<(Vec<Seen>, usize), ReceiveError> {
    let mut receiver = Receiver::<Buffer>::default();
    let mut expected: VecDeque<Block> = expected.iter().copied().collect();
    let mut output = Vec::new();
    let mut at = 0;
    let mut fallback_buffers = 0;
    let mut turn = 0;
    while at < stream.len() {
        let filling = receiver.filling();
        receiver.expect(
            expected
                .iter()
                .copied()
                .filter(|&block| Some(block) != filling),
            buffer,
        );
        let limit = chunks[turn % chunks.len()].max(1);
        turn += 1;
        let mut read = 0;
        for slice in receiver.slices() {
            let mut slice = slice;
            let count = slice.len().min(stream.len() - at).min(limit - read);
            slice[..count].copy_from_slice(&stream[at..at + count]);
            at += count;
            read += count;
        }
        receiver.advance(
            read,
            || {
                fallback_buffers += 1;
                buffer()
            },
            |received| {
                if let Received::Block(block, _) = &received
                    && let Some(position) = expected.iter().position(|other| other == block)
                {
                    expected.drain(..=position);
                }
                output.push(seen(received));
            },
        )?;
    }
    Ok((output, fallback_buffers))
}

fn payload(block: Block) -> Vec<u8> {
    (0..block.length)
        .map(|i| (i ^ block.piece ^ (block.offset >> 7)) as u8)
        .collect()
}

fn piece(block: Block, out: &mut Vec<u8>) -> Seen {
    out.extend(encode_piece_header(block));
    out.extend(payload(block));
    Seen::Block(block, payload(block))
}

fn blocks(count: u32) -> Vec<Block> {
    (0..count)
        .map(|index| Block {
            piece: index / 8,
            offset: index % 8 * BLOCK_LENGTH,
            length: BLOCK_LENGTH,
        })
        .collect()
}

#[test]
fn payload_that_comes_as_asked_is_never_copied() {
    let wanted = blocks(200);
    let mut stream = Vec::new();
    for &block in &wanted {
        piece(block, &mut stream);
    }
    let (output, copied) = receive(&stream, &wanted, &[1 << 20]).expect("a good stream");
    assert_eq!(output.len(), 200);
    assert_eq!(copied, 0);
}

#[test]
fn a_block_longer_than_any_request_ends_the_stream() {
    let mut stream = Vec::new();
    stream.extend(encode_piece_header(Block {
        piece: 0,
        offset: 0,
        length: BLOCK_LENGTH + 1,
    }));
    stream.extend(vec![0; 64]);
    assert_eq!(
        receive(&stream, &[], &[7]).err(),
        Some(ReceiveError::BlockTooLong {
            length: BLOCK_LENGTH + 1
        })
    );
}

proptest! {
    /// However a stream is cut and whatever was guessed, the same messages and the same payload come out.
    #[test]
    fn any_cut_and_any_guess_give_the_same(
        script in prop::collection::vec((0u8..6, 0u32..12, 1u32..=40), 1..40),
        guess in prop::collection::vec(0u32..12, 0..40),
        chunks in prop::collection::vec(1usize..60_000, 1..12),
    ) {
        let block = |index: u32| Block {
            piece: index / 4,
            offset: index % 4 * BLOCK_LENGTH,
            length: if index.is_multiple_of(5) { 100 + index } else { BLOCK_LENGTH },
        };
        let mut stream = Vec::new();
        let mut wanted = Vec::new();
        for &(kind, index, length) in &script {
            let message = match kind {
                0 => Message::Have(index),
                1 => Message::Unchoke,
                2 => Message::Extended { id: 3, payload: &[7; 40][..length as usize] },
                _ => {
                    wanted.push(piece(block(index), &mut stream));
                    continue;
                }
            };
            let start = stream.len();
            message.encode(&mut stream);
            wanted.push(Seen::Message(stream[start..].to_vec()));
        }
        let guess: Vec<Block> = guess.into_iter().map(block).collect();
        let (output, _) = receive(&stream, &guess, &chunks).expect("a good stream");
        prop_assert_eq!(output, wanted);
    }
}
