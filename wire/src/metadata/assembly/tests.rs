use super::*;
use crate::metadata_piece;

/// 40,000 bytes: two whole pieces and a rest.
fn metadata() -> Vec<u8> {
    (0..40_000u32).map(|index| (index % 251) as u8).collect()
}

struct Download {
    assembly: MetadataAssembly<u32>,
    metadata: Vec<u8>,
}

impl Download {
    fn start() -> Self {
        let metadata = metadata();
        Self {
            assembly: MetadataAssembly::new(InfoHash::of(&metadata)),
            metadata,
        }
    }

    fn missing(&self, peer: u32) -> Vec<u32> {
        self.assembly.missing(peer, 40_000).unwrap().collect()
    }

    fn honest(&mut self, peer: u32, piece: u32) -> MetadataProgress<u32> {
        let data = metadata_piece(&self.metadata, piece).unwrap();
        self.assembly.add(peer, 40_000, piece, data).unwrap()
    }

    fn lie(&mut self, peer: u32, size: u32, piece: u32) -> MetadataProgress<u32> {
        let length = (size - piece * METADATA_PIECE_LENGTH).min(METADATA_PIECE_LENGTH);
        let data = vec![0; length as usize];
        self.assembly.add(peer, size, piece, &data).unwrap()
    }
}

#[test]
fn pieces_of_several_peers_in_any_order_make_the_metadata() {
    let mut download = Download::start();
    assert_eq!(download.missing(1), [0, 1, 2]);
    assert_eq!(download.honest(1, 2), MetadataProgress::Incomplete);
    assert_eq!(download.honest(2, 0), MetadataProgress::Incomplete);
    assert_eq!(download.honest(2, 0), MetadataProgress::Incomplete);
    assert_eq!(download.missing(3), [1]);
    let expected = MetadataProgress::Complete(metadata().into());
    assert_eq!(download.honest(1, 1), expected);
}

#[test]
fn a_liar_is_convicted_while_an_honest_peer_finishes() {
    let mut download = Download::start();
    download.honest(1, 0);
    download.honest(1, 1);
    let suspects = MetadataProgress::Mismatch {
        contributors: vec![1, 9],
    };
    assert_eq!(download.lie(9, 40_000, 2), suspects);

    // From here on, nobody's pieces are mixed with anybody else's.
    download.lie(9, 40_000, 0);
    download.honest(1, 0);
    assert_eq!(download.missing(9), [1, 2]);
    download.honest(1, 1);
    download.lie(9, 40_000, 1);
    let convicted = MetadataProgress::Mismatch {
        contributors: vec![9],
    };
    assert_eq!(download.lie(9, 40_000, 2), convicted);
    assert_eq!(download.missing(1), [2]);
    assert!(matches!(
        download.honest(1, 2),
        MetadataProgress::Complete(_)
    ));
}

#[test]
fn a_wrong_size_harms_only_those_who_claim_it() {
    let mut download = Download::start();
    download.lie(9, 40_001, 0);
    download.honest(1, 0);
    download.honest(1, 1);
    assert!(matches!(
        download.honest(1, 2),
        MetadataProgress::Complete(_)
    ));
}

#[test]
fn what_does_not_fit_the_claimed_size_is_refused() {
    let mut assembly = MetadataAssembly::new(InfoHash::of(b""));
    for size in [0, MAX_METADATA_LENGTH + 1, u32::MAX] {
        let refused = MetadataError::Size(size);
        assert_eq!(assembly.missing(1, size).err(), Some(refused));
        assert_eq!(assembly.add(1, size, 0, b""), Err(refused));
    }
    for piece in [2, u32::MAX] {
        let refused = MetadataError::NoSuchPiece {
            size: 20_000,
            piece,
        };
        assert_eq!(assembly.add(1, 20_000, piece, b""), Err(refused));
    }
    for (piece, length, expected) in [(0, 3_616, 16_384), (1, 16_384, 3_616), (1, 0, 3_616)] {
        let refused = MetadataError::Length {
            piece,
            length,
            expected,
        };
        let data = vec![0; length];
        assert_eq!(assembly.add(1, 20_000, piece, &data), Err(refused));
    }
}

#[test]
fn liars_cannot_make_it_hold_more_than_one_metadata_may_have() {
    let mut download = Download::start();
    let size = MAX_METADATA_LENGTH;
    for piece in 0..size / METADATA_PIECE_LENGTH - 1 {
        download.lie(9, size, piece);
    }
    download.lie(8, size - 1, 0);
    download.lie(8, size - 1, 1);
    // The long draft had to go.
    assert_eq!(download.assembly.missing(9, size).unwrap().count(), 2_048);
    assert_eq!(
        download.assembly.missing(8, size - 1).unwrap().count(),
        2_046
    );
}
