use std::sync::Arc;

use wire::{Info, InfoBuilder};

/// A torrent of one file whose content does not exist: its hashes are of nothing.
///
/// # Panics
/// If there is no such torrent: see [`wire::GeometryError`].
pub fn virtual_torrent(length: u64, piece_length: u32) -> Arc<Info> {
    let pieces = length.div_ceil(piece_length.into());
    let info = InfoBuilder::single_file("virtual", length)
        .piece_length(piece_length)
        .build(&vec![[0; 20]; pieces as usize]);
    Arc::new(info.expect("a torrent can be cut like that"))
}
