use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{MAX_METADATA_LENGTH, METADATA_PIECE_LENGTH};
use crate::InfoHash;

/// Puts an info dictionary together from pieces that peers send, until its hash is that of the torrent.
/// BEP 9, "metadata".
///
/// Peers may lie about its size and its content. What peers of one claimed size send is put together, so that a wrong
/// size harms nobody but the liars. If the hash of several peers' work is wrong in the end, each one's pieces are kept
/// apart from then on: then one honest peer is enough, and a liar convicts itself.
///
/// `Peer` is whatever names a connection.
/// Memory grows with the data that came and is bounded by [`MAX_METADATA_LENGTH`].
#[derive(Clone, Debug)]
pub struct MetadataAssembly<Peer> {
    info_hash: InfoHash,
    drafts: BTreeMap<Source<Peer>, Draft<Peer>>,
    keeps_apart: bool,
}

/// Whose pieces may stand in one draft: those of all that claim a size, or those of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Source<Peer> {
    size: u32,
    peer: Option<Peer>,
}

type Draft<Peer> = BTreeMap<u32, (Peer, Box<[u8]>)>;

/// What has become of the metadata with a new piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataProgress<Peer> {
    /// Pieces are still missing.
    Incomplete,
    /// This is the info dictionary: its hash is right.
    Complete(Bytes),
    /// All pieces were there and the hash was wrong. The pieces have been forgotten.
    Mismatch {
        /// Whose they were, ascending. If it is one peer alone, then that one has lied.
        contributors: Vec<Peer>,
    },
}

/// Why a piece of metadata, or its announced size, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The size is 0 or above [`MAX_METADATA_LENGTH`].
    #[error("metadata of {0} bytes is not between 1 and {MAX_METADATA_LENGTH}")]
    Size(u32),
    /// There is no such piece in metadata of that size.
    #[error("metadata of {size} bytes has no piece {piece}")]
    NoSuchPiece {
        /// Bytes of the metadata.
        size: u32,
        /// The piece's index.
        piece: u32,
    },
    /// The piece does not have the length that its place calls for.
    #[error("piece {piece} of the metadata has {length} bytes instead of {expected}")]
    Length {
        /// The piece's index.
        piece: u32,
        /// Bytes that came.
        length: usize,
        /// Bytes that it has to have.
        expected: u32,
    },
}

impl<Peer: Copy + Ord> MetadataAssembly<Peer> {
    /// Nothing as yet of the torrent with this hash.
    pub fn new(info_hash: InfoHash) -> Self {
        Self {
            info_hash,
            drafts: BTreeMap::new(),
            keeps_apart: false,
        }
    }

    /// The pieces that are worth asking this peer for, ascending, given the size that it announced.
    pub fn missing(
        &self,
        peer: Peer,
        size: u32,
    ) -> Result<impl Iterator<Item = u32>, MetadataError> {
        let draft = self.drafts.get(&self.source(peer, size));
        Ok((0..pieces(size)?)
            .filter(move |piece| draft.is_none_or(|draft| !draft.contains_key(piece))))
    }

    /// Takes in a piece that was asked for. One that is there already stays as it is.
    pub fn add(
        &mut self,
        peer: Peer,
        size: u32,
        piece: u32,
        data: &[u8],
    ) -> Result<MetadataProgress<Peer>, MetadataError> {
        let pieces = pieces(size)?;
        if piece >= pieces {
            return Err(MetadataError::NoSuchPiece { size, piece });
        }
        let expected = (size - piece * METADATA_PIECE_LENGTH).min(METADATA_PIECE_LENGTH);
        if data.len() != expected as usize {
            return Err(MetadataError::Length {
                piece,
                length: data.len(),
                expected,
            });
        }

        let source = self.source(peer, size);
        self.make_room(source, data.len());
        let draft = self.drafts.entry(source).or_default();
        draft.entry(piece).or_insert_with(|| (peer, data.into()));
        if draft.len() < pieces as usize {
            return Ok(MetadataProgress::Incomplete);
        }

        let draft = self.drafts.remove(&source).unwrap_or_default();
        let (contributors, parts): (BTreeSet<Peer>, Vec<Box<[u8]>>) = draft.into_values().unzip();
        let whole = parts.concat();
        if InfoHash::of(&whole) == self.info_hash {
            return Ok(MetadataProgress::Complete(whole.into()));
        }
        if contributors.len() > 1 && !self.keeps_apart {
            self.keeps_apart = true;
            self.drafts.clear();
        }
        Ok(MetadataProgress::Mismatch {
            contributors: contributors.into_iter().collect(),
        })
    }

    fn source(&self, peer: Peer, size: u32) -> Source<Peer> {
        Source {
            size,
            peer: self.keeps_apart.then_some(peer),
        }
    }

    /// Forgets the other drafts if all together would exceed the bound; this one alone cannot.
    fn make_room(&mut self, source: Source<Peer>, length: usize) {
        let held: usize = self
            .drafts
            .values()
            .flat_map(BTreeMap::values)
            .map(|(_, data)| data.len())
            .sum();
        if held + length > MAX_METADATA_LENGTH as usize {
            self.drafts.retain(|&other, _| other == source);
        }
    }
}

fn pieces(size: u32) -> Result<u32, MetadataError> {
    if (1..=MAX_METADATA_LENGTH).contains(&size) {
        Ok(size.div_ceil(METADATA_PIECE_LENGTH))
    } else {
        Err(MetadataError::Size(size))
    }
}

#[cfg(test)]
mod tests;
