use crate::{BitfieldError, Block, ExtensionError, MetadataError};

/// Why a connection was ended by us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The address or the peer was banned before.
    #[error("the peer was banned for bad data")]
    Banned,
    /// The only contributor of a piece that failed its check.
    #[error("the peer sent piece {piece}, and its hash is wrong")]
    BadPiece {
        /// The piece.
        piece: u32,
    },
    /// The only contributor of metadata that failed its check.
    #[error("the peer sent metadata that does not match the info-hash")]
    BadMetadata,
    /// All connections are taken.
    #[error("all connections are in use")]
    TooManyConnections,
    /// So much was found on the disk that a new connection tells it sooner.
    #[error("what we have is told sooner on a new connection")]
    TooMuchNews,
    /// The peer waits for a piece that is not there any more, and takes no message that would say so.
    #[error("piece {piece} is gone, and this peer sees that only on a new connection")]
    PieceGone {
        /// The piece.
        piece: u32,
    },
    /// There is another connection to the same peer.
    #[error("there is another connection to this peer")]
    Duplicate,
    /// The peer is this very node.
    #[error("the connection leads back to this node")]
    Ourselves,
    /// Neither side has anything that the other lacks.
    #[error("both sides have everything")]
    NothingToExchange,
    /// Nothing came for too long.
    #[error("the peer said nothing for {seconds} s")]
    Silent {
        /// How long.
        seconds: u64,
    },
    /// A bitfield that does not belong to this torrent.
    #[error("the peer sent a bad bitfield")]
    Bitfield(#[from] BitfieldError),
    /// A message of the fast extension without that extension. BEP 6: "the peer MUST close the connection".
    #[error("the peer uses the fast extension, which was not agreed on")]
    FastNotAgreed,
    /// A message of the extension protocol without that extension.
    #[error("the peer uses the extension protocol, which was not agreed on")]
    ExtensionNotAgreed,
    /// An index that the torrent does not have.
    #[error("the peer speaks of piece {piece} of a torrent of {pieces} pieces")]
    NoSuchPiece {
        /// The index.
        piece: u32,
        /// Pieces of the torrent.
        pieces: u32,
    },
    /// A request that lies outside of its piece, is empty, or longer than a block.
    #[error("the peer requested {} bytes at {} of piece {}, which is out of range", .0.length, .0.offset, .0.piece)]
    RequestOutOfRange(Block),
    /// Too many requests while choked, or above the advertised queue.
    #[error("the peer floods us with requests")]
    RequestFlood,
    /// Too many blocks that nobody asked for. BEP 6: "the peer MUST close the connection".
    #[error("the peer keeps sending blocks that were not requested")]
    UnrequestedBlocks,
    /// Too many claims before the torrent's size was known, or too often that it has everything after all.
    #[error("the peer floods us with messages about what it has")]
    ClaimFlood,
    /// Too many metadata requests.
    #[error("the peer floods us with requests for metadata")]
    MetadataFlood,
    /// An extension message that cannot be read.
    #[error("the peer sent an extension message that cannot be read")]
    Extension(#[from] ExtensionError),
    /// A piece of metadata that cannot be one.
    #[error("the peer sent a piece of metadata that cannot be right")]
    Metadata(#[from] MetadataError),
}
