//! Content to share, and what a test knows about it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wire::{Info, Metainfo};

/// Bytes that no two pieces have in common: the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A torrent and its bytes, for a counterpart that serves it.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) info: Arc<Info>,
    /// All files one after the other.
    pub(crate) bytes: Arc<[u8]>,
}

impl Sample {
    pub(crate) fn read(torrent: &Path, content: &Path) -> Self {
        let info = Metainfo::from_bytes(fs::read(torrent).unwrap())
            .unwrap()
            .info;
        let bytes = info
            .files()
            .iter()
            .flat_map(|file| {
                fs::read(content.join(file.path())).unwrap_or_else(|_| fs::read(content).unwrap())
            })
            .collect();
        Self { info, bytes }
    }

    pub(crate) fn info_hash(&self) -> String {
        self.info.hash().to_string()
    }

    /// The bytes of a piece from `offset` on; none where there are none.
    pub(crate) fn block(&self, piece: u32, offset: u32, length: u32) -> &[u8] {
        let start = self.info.geometry().piece_offset(piece) as usize + offset as usize;
        self.bytes
            .get(start..start + length as usize)
            .unwrap_or_default()
    }

    pub(crate) fn pieces(&self) -> u32 {
        self.info.geometry().pieces()
    }
}

/// Every file below a directory with its content, or the file itself under an empty name.
pub(crate) fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    walkdir::WalkDir::new(root)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| {
            let name = entry.path().strip_prefix(root).unwrap().to_owned();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// Both have the same files with the same bytes.
pub(crate) fn assert_same(one: &Path, other: &Path) {
    let (ones, others) = (tree(one), tree(other));
    assert!(!ones.is_empty(), "there is nothing in {}", one.display());
    assert!(
        ones.keys().eq(others.keys()),
        "{:?} are not {:?}",
        ones.keys(),
        others.keys()
    );
    for (name, bytes) in &ones {
        assert!(others[name] == *bytes, "{} differs", name.display());
    }
}
