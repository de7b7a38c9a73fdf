//! What the bytes of a script say.

use std::net::SocketAddr;

use libfuzzer_sys::arbitrary::{Arbitrary, Result, Unstructured};
use wire::{
    BLOCK_LENGTH, Block, ExtensionHandshake, ExtensionIds, Geometry, Handshake, Info, InfoBuilder,
    Message, MetadataMessage, PeerId, Reserved,
};

pub fn info(script: &mut Unstructured<'_>) -> Result<Info> {
    let piece_length: u32 = *script.choose(&[BLOCK_LENGTH, 3 * BLOCK_LENGTH, 20_000, 16])?;
    // Metadata of more than one piece needs many hashes.
    let full_pieces: u32 = if script.ratio(15, 16)? {
        script.int_in_range(0..=12)?
    } else {
        900
    };
    let last = script.int_in_range(1..=piece_length)?;
    let builder = InfoBuilder::single_file("file", u64::from(full_pieces * piece_length + last))
        .piece_length(piece_length);
    Ok(builder
        .build(&vec![[7; 20]; full_pieces as usize + 1])
        .expect("the torrent is a good one"))
}

/// Few, so that some come again; public ones, which are banned as hosts, and private ones.
pub fn address(script: &mut Unstructured<'_>) -> Result<SocketAddr> {
    let host = script.int_in_range(1..=6)?;
    let port = script.int_in_range(0..=3)?;
    Ok(match script.int_in_range(0..=2)? {
        0 => ([198, 51, 100, host], port).into(),
        1 => ([10, 0, 0, host], port).into(),
        _ => ([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host)], port).into(),
    })
}

pub fn handshake(script: &mut Unstructured<'_>, truth: &Info) -> Result<Handshake> {
    let mut reserved = Reserved::default();
    if !script.ratio(1, 4)? {
        reserved = reserved.with_fast();
    }
    if !script.ratio(1, 4)? {
        reserved = reserved.with_extension();
    }
    if script.arbitrary()? {
        reserved = reserved.with_dht();
    }
    Ok(Handshake {
        reserved,
        info_hash: truth.hash(),
        peer_id: PeerId::from([*script.choose(&[1, 2, 3, 4, 0x7f, 0x80, 0xf0])?; 20]),
    })
}

pub fn message<'a>(
    script: &mut Unstructured<'_>,
    geometry: Geometry,
    bytes: &'a [u8],
) -> Result<Message<'a>> {
    Ok(match script.int_in_range(0..=19)? {
        0 => Message::Choke,
        1..=3 => Message::Unchoke,
        4 => Message::Interested,
        5 => Message::NotInterested,
        6 | 7 => Message::Have(piece(script, geometry)?),
        8 => Message::Bitfield(bytes),
        9 | 10 => Message::HaveAll,
        11 => Message::HaveNone,
        12 => Message::Request(block(script, geometry)?),
        13 => Message::Cancel(block(script, geometry)?),
        14 => Message::Reject(block(script, geometry)?),
        15 => Message::AllowedFast(piece(script, geometry)?),
        16 => Message::Suggest(piece(script, geometry)?),
        17 => Message::Port(script.arbitrary()?),
        18 => Message::KeepAlive,
        _ => Message::Unknown { id: 99 },
    })
}

pub fn piece(script: &mut Unstructured<'_>, geometry: Geometry) -> Result<u32> {
    if script.ratio(1, 16)? {
        u32::arbitrary(script)
    } else {
        script.int_in_range(0..=geometry.pieces())
    }
}

pub fn block(script: &mut Unstructured<'_>, geometry: Geometry) -> Result<Block> {
    if script.ratio(1, 8)? {
        let (piece, offset, length) = script.arbitrary()?;
        return Ok(Block {
            piece,
            offset,
            length,
        });
    }
    Ok(geometry.block(piece(script, geometry)?, script.int_in_range(0..=2)?))
}

/// The payload of an extended message that speaks of the metadata, rightly or not.
pub fn extended(script: &mut Unstructured<'_>, truth: &Info) -> Result<Vec<u8>> {
    let size = truth.raw().len() as u32;
    let size = if script.ratio(1, 6)? {
        script.int_in_range(0..=40_000_000)?
    } else {
        size
    };
    let piece = script.int_in_range(0..=2)?;
    Ok(match script.int_in_range(0..=4)? {
        0 | 1 => ExtensionHandshake {
            ids: ExtensionIds {
                ut_metadata: script.arbitrary()?,
                lt_donthave: script.arbitrary()?,
                ..ExtensionIds::default()
            },
            metadata_size: Some(size),
            request_queue: script.arbitrary()?,
            upload_only: script.arbitrary()?,
            ..ExtensionHandshake::default()
        }
        .encode(),
        2 => {
            let mut data = wire::metadata_piece(truth.raw(), piece)
                .unwrap_or_default()
                .to_vec();
            if let Some(first) = data.first_mut()
                && script.ratio(1, 3)?
            {
                *first ^= 1;
            }
            MetadataMessage::Data {
                piece,
                total_size: size,
                data: &data,
            }
            .encode()
        }
        3 => MetadataMessage::Request { piece }.encode(),
        _ => MetadataMessage::Reject { piece }.encode(),
    })
}
