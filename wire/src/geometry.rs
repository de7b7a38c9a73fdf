/// Bytes of a block, the unit of a request. BEP 3 leaves it open; every client asks for 16 KiB.
pub const BLOCK_LENGTH: u32 = 16 * 1024;

/// The most pieces that a torrent may have here: two million, that is 1 TiB in pieces of 512 KiB.
pub const MAX_PIECES: u32 = 1 << 21;

/// The most bytes that a piece may have here: 256 MiB.
pub const MAX_PIECE_LENGTH: u32 = 1 << 28;

/// A part of a piece: what a request asks for and a `piece` message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// Index of the piece.
    pub piece: u32,
    /// Bytes from the start of the piece.
    pub offset: u32,
    /// Bytes of the block.
    pub length: u32,
}

/// How a torrent's bytes are cut into pieces, and pieces into blocks.
///
/// No method panics: what lies outside of the torrent has length 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    total: u64,
    piece_length: u32,
}

/// Why a torrent cannot be cut in that way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// The piece length is zero or above [`MAX_PIECE_LENGTH`].
    #[error("a piece length of {0} bytes is not between 1 and {MAX_PIECE_LENGTH}")]
    PieceLength(u64),
    /// There are more than [`MAX_PIECES`] pieces.
    #[error("{0} pieces are more than the {MAX_PIECES} that are supported")]
    TooManyPieces(u64),
}

impl Geometry {
    /// A torrent of `total` bytes in pieces of `piece_length` bytes, the last of which may be shorter.
    pub fn new(total: u64, piece_length: u64) -> Result<Self, GeometryError> {
        let length = u32::try_from(piece_length)
            .ok()
            .filter(|length| (1..=MAX_PIECE_LENGTH).contains(length))
            .ok_or(GeometryError::PieceLength(piece_length))?;
        let pieces = total.div_ceil(piece_length);
        if pieces > u64::from(MAX_PIECES) {
            return Err(GeometryError::TooManyPieces(pieces));
        }
        Ok(Self {
            total,
            piece_length: length,
        })
    }

    /// Bytes of the torrent.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Number of pieces, at most [`MAX_PIECES`].
    pub const fn pieces(&self) -> u32 {
        self.total.div_ceil(self.piece_length as u64) as u32
    }

    /// Bytes of every piece but the last.
    pub const fn full_piece_length(&self) -> u32 {
        self.piece_length
    }

    /// Bytes of this piece.
    pub fn piece_length(&self, piece: u32) -> u32 {
        let left = self.total.saturating_sub(self.piece_offset(piece));
        left.min(u64::from(self.piece_length)) as u32
    }

    /// Bytes of the torrent that lie before this piece.
    pub const fn piece_offset(&self, piece: u32) -> u64 {
        piece as u64 * self.piece_length as u64
    }

    /// Number of blocks in this piece.
    pub fn blocks(&self, piece: u32) -> u32 {
        self.piece_length(piece).div_ceil(BLOCK_LENGTH)
    }

    /// One block of a piece, counted from 0.
    pub fn block(&self, piece: u32, index: u32) -> Block {
        let offset = index.saturating_mul(BLOCK_LENGTH);
        let length = self.piece_length(piece).saturating_sub(offset);
        Block {
            piece,
            offset,
            length: length.min(BLOCK_LENGTH),
        }
    }

    /// The index for which [`block`](Self::block) gives exactly this block.
    pub fn block_index(&self, block: Block) -> Option<u32> {
        let index = block.offset / BLOCK_LENGTH;
        (block.length > 0 && self.block(block.piece, index) == block).then_some(index)
    }

    /// Whether a peer may request this block: 1 to [`BLOCK_LENGTH`] bytes that all lie within one piece.
    pub fn contains(&self, block: Block) -> bool {
        (1..=BLOCK_LENGTH).contains(&block.length)
            && block
                .offset
                .checked_add(block.length)
                .is_some_and(|end| end <= self.piece_length(block.piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_last_piece_of_one_byte_is_a_piece_of_one_block() {
        let geometry = Geometry::new(2 * 32_768 + 1, 32_768).unwrap();
        assert_eq!(geometry.pieces(), 3);
        assert_eq!(geometry.piece_length(1), 32_768);
        assert_eq!(geometry.piece_length(2), 1);
        assert_eq!(geometry.blocks(1), 2);
        assert_eq!(geometry.blocks(2), 1);
        let last = Block {
            piece: 2,
            offset: 0,
            length: 1,
        };
        assert_eq!(geometry.block(2, 0), last);
        assert!(geometry.contains(last));
    }

    #[test]
    fn an_empty_torrent_has_no_piece() {
        let geometry = Geometry::new(0, 16_384).unwrap();
        assert_eq!((geometry.pieces(), geometry.blocks(0)), (0, 0));
    }

    #[test]
    fn nonsense_is_refused() {
        let error = |total, length| Geometry::new(total, length).unwrap_err();
        assert_eq!(error(1, 0), GeometryError::PieceLength(0));
        assert_eq!(error(1, 1 << 32), GeometryError::PieceLength(1 << 32));
        assert_eq!(
            error(1_000_000_000, 1),
            GeometryError::TooManyPieces(1_000_000_000)
        );
        assert_eq!(
            error(u64::MAX, 1 << 28),
            GeometryError::TooManyPieces(1 << 36)
        );
        assert!(Geometry::new(u64::from(MAX_PIECES), 1).is_ok());
    }

    #[test]
    fn requests_out_of_range_are_not_contained() {
        let geometry = Geometry::new(100_000, 40_000).unwrap();
        let contains = |piece, offset, length| {
            geometry.contains(Block {
                piece,
                offset,
                length,
            })
        };
        assert!(contains(0, 5, 16_384));
        assert!(contains(0, 39_999, 1));
        assert!(contains(2, 19_999, 1));
        assert!(!contains(0, 0, 0));
        assert!(!contains(0, 0, 16_385));
        assert!(!contains(0, 39_999, 2));
        assert!(!contains(2, 20_000, 1));
        assert!(!contains(3, 0, 1));
        assert!(!contains(u32::MAX, u32::MAX, 16_384));
    }

    proptest! {
        #[test]
        fn blocks_tile_the_torrent_without_gap_or_overlap(total in 0u64..5_000_000, length in 1_000u64..200_000) {
            let geometry = Geometry::new(total, length).unwrap();
            let mut position = 0;
            for piece in 0..geometry.pieces() {
                prop_assert_eq!(geometry.piece_offset(piece), position);
                for index in 0..geometry.blocks(piece) {
                    let block = geometry.block(piece, index);
                    prop_assert!(geometry.contains(block));
                    prop_assert_eq!(geometry.block_index(block), Some(index));
                    prop_assert_eq!(geometry.piece_offset(piece) + u64::from(block.offset), position);
                    position += u64::from(block.length);
                }
                prop_assert_eq!(geometry.block(piece, geometry.blocks(piece)).length, 0);
            }
            prop_assert_eq!(position, total);
        }

        #[test]
        fn no_question_about_it_panics(total: u64, length: u64, piece: u32, offset: u32, block_length: u32) {
            if let Ok(geometry) = Geometry::new(total, length) {
                let block = Block { piece, offset, length: block_length };
                if geometry.contains(block) {
                    prop_assert!(piece < geometry.pieces());
                    prop_assert!(geometry.piece_offset(piece) + u64::from(offset) + u64::from(block_length) <= total);
                }
                let _ = (geometry.block(piece, offset), geometry.block_index(block));
            }
        }
    }
}
