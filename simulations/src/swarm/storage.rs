use std::collections::BTreeMap;

use wire::{Bitfield, Block, Geometry};

/// What a peer has stored. Content does not exist: a block is genuine or not, by who sent it.
pub(super) struct Storage {
    geometry: Geometry,
    drafts: BTreeMap<u32, Draft>,
    /// The pieces that were checked and are right.
    verified: Bitfield,
}

/// A piece that was not checked yet.
struct Draft {
    blocks: Bitfield,
    /// Something of it came from a liar.
    is_wrong: bool,
}

/// A block cannot be stored: its place is taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StoredTwice;

impl Storage {
    pub(super) fn new(geometry: Geometry, is_full: bool) -> Self {
        let pieces = geometry.pieces();
        Self {
            geometry,
            drafts: BTreeMap::new(),
            verified: if is_full {
                Bitfield::full(pieces)
            } else {
                Bitfield::new(pieces)
            },
        }
    }

    /// Keeps a block. Returns whether its piece is whole now, and is to be checked.
    pub(super) fn store(&mut self, block: Block, is_genuine: bool) -> Result<bool, StoredTwice> {
        if self.verified.get(block.piece) {
            return Err(StoredTwice);
        }
        let index = self.geometry.block_index(block).ok_or(StoredTwice)?;
        let blocks = self.geometry.blocks(block.piece);
        let draft = self.drafts.entry(block.piece).or_insert_with(|| Draft {
            blocks: Bitfield::new(blocks),
            is_wrong: false,
        });
        if !draft.blocks.set(index) {
            return Err(StoredTwice);
        }
        draft.is_wrong |= !is_genuine;
        Ok(draft.blocks.is_full())
    }

    /// Checks a whole piece: it is right if no liar sent any of it.
    pub(super) fn check(&mut self, piece: u32) -> bool {
        let draft = self.drafts.get(&piece);
        let is_right = draft.is_some_and(|draft| draft.blocks.is_full() && !draft.is_wrong);
        if is_right {
            self.drafts.remove(&piece);
            self.verified.set(piece);
        }
        is_right
    }

    /// Forgets a piece that failed its check.
    pub(super) fn discard(&mut self, piece: u32) {
        self.drafts.remove(&piece);
    }

    pub(super) fn has(&self, piece: u32) -> bool {
        self.verified.get(piece)
    }

    pub(super) fn is_full(&self) -> bool {
        self.verified.is_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_right_if_all_of_it_is_genuine() {
        let geometry = Geometry::new(65_536, 32_768).unwrap();
        let mut storage = Storage::new(geometry, false);
        assert_eq!(storage.store(geometry.block(0, 0), true), Ok(false));
        assert!(!storage.check(0), "half of it is missing");
        assert_eq!(storage.store(geometry.block(0, 1), false), Ok(true));
        assert!(!storage.check(0), "half of it is a lie");
        storage.discard(0);
        assert_eq!(storage.store(geometry.block(0, 1), true), Ok(false));
        assert_eq!(storage.store(geometry.block(0, 1), true), Err(StoredTwice));
        assert_eq!(storage.store(geometry.block(0, 0), true), Ok(true));
        assert!(storage.check(0) && storage.has(0) && !storage.is_full());
        assert_eq!(storage.store(geometry.block(0, 0), true), Err(StoredTwice));
    }
}
