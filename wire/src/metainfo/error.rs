use crate::GeometryError;

/// Why bytes are not a torrent that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetainfoError {
    /// Not bencode, or nested too deep.
    #[error("the torrent is damaged: {0}")]
    Bencode(#[from] bencode::Error),
    /// Bencode, but not a dictionary.
    #[error("this is not a torrent: {0} is not a dictionary")]
    NotADictionary(&'static str),
    /// A key that every torrent has is not there.
    #[error("the torrent has no `{0}`")]
    Missing(&'static str),
    /// The value of a key is of another type.
    #[error("`{key}` in the torrent is not {expected}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// What it should be, with its article.
        expected: &'static str,
    },
    /// Only the second version of the format.
    #[error(
        "this is a BitTorrent v2 torrent (BEP 52) without a v1 part, which is not supported; \
         ask for a v1 or a hybrid torrent"
    )]
    OnlyV2,
    /// The lengths do not make a torrent.
    #[error("the torrent cannot be cut into pieces: {0}")]
    Geometry(#[from] GeometryError),
    /// The piece hashes do not come out even.
    #[error("the piece hashes take {0} bytes, which is not a multiple of 20")]
    PieceHashes(usize),
    /// There are more or fewer hashes than pieces.
    #[error("the torrent has {hashes} piece hashes, but its length makes {pieces} pieces")]
    PieceCount {
        /// Hashes that are there.
        hashes: usize,
        /// Pieces according to the length.
        pieces: u32,
    },
    /// A list of files without any.
    #[error("the torrent has no files")]
    NoFiles,
    /// A file's length is missing or no number.
    #[error("the file {0:?} in the torrent has no length")]
    MissingLength(String),
    /// A file's length is below zero.
    #[error("the file {file:?} in the torrent has a negative length ({length})")]
    NegativeLength {
        /// Its path.
        file: String,
        /// What it claims.
        length: i64,
    },
    /// The sum of the lengths does not fit 64 bits.
    #[error("the torrent is too long: with the file {0:?} its length exceeds 64 bits")]
    TooLong(String),
    /// A file has no usable path.
    #[error("file {index} of the torrent has no path")]
    MissingPath {
        /// Counted from 1.
        index: usize,
    },
    /// A name that would climb out of the directory or that no file system takes.
    #[error("the torrent is refused: its file name {name:?} {problem}")]
    Name {
        /// The name, shortened for display.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two files have the same path.
    #[error("the torrent is refused: it has two files {0:?}")]
    DuplicateFile(String),
    /// One path is both a file and a directory.
    #[error("the torrent is refused: {0:?} is a file and a directory at once")]
    FileIsDirectory(String),
}
