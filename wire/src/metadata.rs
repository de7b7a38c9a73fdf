mod assembly;

use bencode::Encoder;

pub use self::assembly::{MetadataAssembly, MetadataError, MetadataProgress};
use crate::ExtensionError;

/// Bytes of every piece of an info dictionary but the last. BEP 9, "metadata".
pub const METADATA_PIECE_LENGTH: u32 = 16 * 1024;

/// The most bytes of an info dictionary that are fetched from peers: 32 MiB.
pub const MAX_METADATA_LENGTH: u32 = 32 * 1024 * 1024;

/// A message of the metadata exchange. BEP 9, "extension message".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataMessage<'a> {
    /// Asks for a piece of the info dictionary.
    Request {
        /// Its index.
        piece: u32,
    },
    /// Carries a piece.
    Data {
        /// Its index.
        piece: u32,
        /// Bytes of the whole info dictionary.
        total_size: u32,
        /// The piece.
        data: &'a [u8],
    },
    /// The piece cannot be had from the sender.
    Reject {
        /// Its index.
        piece: u32,
    },
}

impl<'a> MetadataMessage<'a> {
    /// Reads the payload of an extended message. `None` for a kind that is not known, which is to be ignored.
    pub fn decode(payload: &'a [u8]) -> Result<Option<Self>, ExtensionError> {
        let (document, data) = bencode::decode_prefix(payload)?;
        let dict = document
            .root()
            .as_dict()
            .ok_or(ExtensionError::NotADictionary)?;
        let number = |key: &'static str| {
            dict.integer(key.as_bytes())
                .and_then(|number| u32::try_from(number).ok())
                .ok_or(ExtensionError::Field(key))
        };
        Ok(Some(match number("msg_type")? {
            0 => Self::Request {
                piece: number("piece")?,
            },
            1 => Self::Data {
                piece: number("piece")?,
                total_size: number("total_size")?,
                data,
            },
            2 => Self::Reject {
                piece: number("piece")?,
            },
            _ => return Ok(None),
        }))
    }

    /// The payload of an extended message.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, piece, total_size, data): (_, _, _, &[u8]) = match *self {
            Self::Request { piece } => (0, piece, None, &[]),
            Self::Data {
                piece,
                total_size,
                data,
            } => (1, piece, Some(total_size), data),
            Self::Reject { piece } => (2, piece, None, &[]),
        };
        let mut payload = Vec::with_capacity(64 + data.len());
        Encoder::new(&mut payload).dict(|dict| {
            dict.integer(b"msg_type", kind);
            dict.integer(b"piece", piece.into());
            if let Some(size) = total_size {
                dict.integer(b"total_size", size.into());
            }
        });
        payload.extend_from_slice(data);
        payload
    }
}

/// A piece of an info dictionary, to be sent to a peer that asks; `None` past the last.
pub fn metadata_piece(metadata: &[u8], piece: u32) -> Option<&[u8]> {
    metadata
        .chunks(METADATA_PIECE_LENGTH as usize)
        .nth(piece as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_bep_9_are_read_and_written() {
        for (message, payload) in [
            (
                MetadataMessage::Request { piece: 0 },
                &b"d8:msg_typei0e5:piecei0ee"[..],
            ),
            (
                MetadataMessage::Data {
                    piece: 0,
                    total_size: 34256,
                    data: b"xxxxxxxx",
                },
                b"d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx",
            ),
            (
                MetadataMessage::Reject { piece: 0 },
                b"d8:msg_typei2e5:piecei0ee",
            ),
        ] {
            assert_eq!(message.encode(), payload);
            assert_eq!(MetadataMessage::decode(payload), Ok(Some(message)));
        }
    }

    #[test]
    fn a_kind_that_is_not_known_is_ignored() {
        assert_eq!(MetadataMessage::decode(b"d8:msg_typei9ee"), Ok(None));
    }

    #[test]
    fn nonsense_is_refused() {
        let decode = MetadataMessage::decode;
        assert_eq!(decode(b"le"), Err(ExtensionError::NotADictionary));
        assert_eq!(decode(b"de"), Err(ExtensionError::Field("msg_type")));
        assert_eq!(
            decode(b"d8:msg_typei0e5:piecei-1ee"),
            Err(ExtensionError::Field("piece"))
        );
        assert_eq!(
            decode(b"d8:msg_typei1e5:piecei0e10:total_sizei4294967296ee"),
            Err(ExtensionError::Field("total_size"))
        );
        assert!(matches!(decode(b"x"), Err(ExtensionError::Bencode(_))));
    }

    #[test]
    fn the_last_piece_that_is_served_is_the_rest() {
        let metadata = vec![7; 20_000];
        let length = |piece| metadata_piece(&metadata, piece).map(<[u8]>::len);
        assert_eq!(length(0), Some(16_384));
        assert_eq!(length(1), Some(3_616));
        assert_eq!(length(2), None);
        assert_eq!(length(u32::MAX), None);
    }

    proptest! {
        #[test]
        fn a_message_reads_back_as_it_was_written(kind in 0..3, piece: u32, total_size: u32, data: Vec<u8>) {
            let message = match kind {
                0 => MetadataMessage::Request { piece },
                1 => MetadataMessage::Data { piece, total_size, data: &data },
                _ => MetadataMessage::Reject { piece },
            };
            let payload = message.encode();
            prop_assert_eq!(MetadataMessage::decode(&payload), Ok(Some(message)));
        }

        #[test]
        fn no_payload_makes_the_reader_panic(payload: Vec<u8>) {
            let _ = MetadataMessage::decode(&payload);
        }
    }
}
