use bencode::{DictEncoder, Encoder};

use super::{Info, MetainfoError, file::compare_paths};
use crate::Geometry;

const MIN_AUTOMATIC: u64 = 16 * 1024;
const MAX_AUTOMATIC: u64 = 16 * 1024 * 1024;

/// The pure part of making a torrent: names, lengths and piece hashes in, an [`Info`] out.
///
/// The same content gives the same bytes, and so the same info-hash, wherever and in whatever order it was listed.
///
/// ```
/// let torrent = wire::InfoBuilder::multiple_files("album", vec![("b.txt".into(), 5), ("a/c.txt".into(), 20_000)])
///     .piece_length(16_384);
/// // Hash the files in this order, piece by piece.
/// assert_eq!(torrent.files()[0], ("a/c.txt".into(), 20_000));
/// assert_eq!(torrent.geometry()?.pieces(), 2);
/// let info = torrent.build(&[[0; 20], [1; 20]])?;
/// assert_eq!(info.files()[1].offset, 20_000);
/// # Ok::<(), wire::MetainfoError>(())
/// ```
#[derive(Clone, Debug)]
pub struct InfoBuilder {
    name: String,
    files: Vec<(String, u64)>,
    is_single_file: bool,
    is_private: bool,
    piece_length: u64,
}

impl InfoBuilder {
    /// A torrent that is one file of `length` bytes.
    pub fn single_file(name: impl Into<String>, length: u64) -> Self {
        Self::new(name.into(), vec![(String::new(), length)], true)
    }

    /// A torrent that is a directory of files: paths below it with `/` between their components, and lengths in bytes.
    pub fn multiple_files(name: impl Into<String>, mut files: Vec<(String, u64)>) -> Self {
        files.sort_by(|(a, _), (b, _)| compare_paths(a, b));
        Self::new(name.into(), files, false)
    }

    fn new(name: String, files: Vec<(String, u64)>, is_single_file: bool) -> Self {
        let mut builder = Self {
            name,
            files,
            is_single_file,
            is_private: false,
            piece_length: 0,
        };
        builder.piece_length = piece_length_for(builder.total_length()).into();
        builder
    }

    /// Sets the bytes of a piece, which otherwise are [chosen by the length](piece_length_for).
    #[must_use]
    pub fn piece_length(mut self, bytes: u32) -> Self {
        self.piece_length = bytes.into();
        self
    }

    /// Marks the torrent as private. BEP 27.
    #[must_use]
    pub fn private(mut self, is_private: bool) -> Self {
        self.is_private = is_private;
        self
    }

    /// The files in the order in which their bytes make up the torrent.
    pub fn files(&self) -> &[(String, u64)] {
        &self.files
    }

    /// How the torrent is to be cut into pieces.
    pub fn geometry(&self) -> Result<Geometry, MetainfoError> {
        Ok(Geometry::new(self.total_length(), self.piece_length)?)
    }

    /// Makes the info dictionary from the SHA-1 of every piece, in order.
    ///
    /// What could not be read back is refused here already: names that are not safe, hashes that do not fit the length.
    pub fn build(&self, piece_hashes: &[[u8; 20]]) -> Result<Info, MetainfoError> {
        let mut raw = Vec::new();
        Encoder::new(&mut raw).dict(|info| {
            if self.is_single_file {
                info.integer(b"length", signed(self.total_length()));
            } else {
                info.list(b"files", |files| {
                    for (path, length) in &self.files {
                        files.dict(|file| encode_file(file, path, *length));
                    }
                });
            }
            info.bytes(b"name", self.name.as_bytes());
            info.integer(b"piece length", signed(self.piece_length));
            info.bytes(b"pieces", piece_hashes.as_flattened());
            if self.is_private {
                info.integer(b"private", 1);
            }
        });
        Info::from_bytes(raw)
    }

    fn total_length(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |total, (_, length)| total.saturating_add(*length))
    }
}

fn encode_file(file: &mut DictEncoder<'_>, path: &str, length: u64) {
    file.integer(b"length", signed(length));
    file.list(b"path", |components| {
        for component in path.split('/') {
            components.bytes(component.as_bytes());
        }
    });
}

/// No file has more bytes than this.
fn signed(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The bytes of a piece that suit a torrent of `total` bytes: the power of two from 16 KiB to 16 MiB
/// that makes at most 2,048 pieces of it, or comes closest.
pub fn piece_length_for(total: u64) -> u32 {
    let most = 2_048;
    let enough = total.div_ceil(most).clamp(MIN_AUTOMATIC, MAX_AUTOMATIC);
    enough.next_power_of_two() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_gives_the_same_hash_in_whatever_order_it_was_listed() {
        let files = [("b/2", 7), ("b", 0), ("b.txt", 1), ("a", 3)].map(|(p, l)| (p.to_owned(), l));
        let files = &files[..];
        let listed = |order: [usize; 3]| order.map(|index| files[index].clone()).to_vec();
        let one = InfoBuilder::multiple_files("x", listed([0, 2, 3]));
        let two = InfoBuilder::multiple_files("x", listed([3, 0, 2]));
        assert_eq!(one.files()[1].0, "b/2");
        let hashes = [[7; 20]];
        assert_eq!(
            one.build(&hashes).unwrap().raw(),
            two.build(&hashes).unwrap().raw()
        );
    }

    #[test]
    fn the_bytes_are_those_of_bep_3() {
        let info = InfoBuilder::multiple_files("x", vec![("d/f".into(), 3)])
            .private(true)
            .build(&[[b'h'; 20]])
            .unwrap();
        assert_eq!(
            info.raw(),
            "d5:filesld6:lengthi3e4:pathl1:d1:feee4:name1:x12:piece lengthi16384e\
             6:pieces20:hhhhhhhhhhhhhhhhhhhh7:privatei1ee"
        );
        assert!(info.is_private() && !info.is_single_file());
    }

    #[test]
    fn what_could_not_be_read_back_is_not_made() {
        let build = |name: &str, files, hashes: &[[u8; 20]]| {
            InfoBuilder::multiple_files(name, files)
                .build(hashes)
                .unwrap_err()
        };
        let file = |path: &str, length| (path.to_owned(), length);
        assert!(matches!(
            build("..", vec![file("a", 1)], &[[0; 20]]),
            MetainfoError::Name { .. }
        ));
        assert!(matches!(
            build("x", vec![file("a//b", 1)], &[[0; 20]]),
            MetainfoError::Name { .. }
        ));
        assert_eq!(build("x", vec![], &[]), MetainfoError::NoFiles);
        assert_eq!(
            build("x", vec![file("a", 1)], &[]),
            MetainfoError::PieceCount {
                hashes: 0,
                pieces: 1
            }
        );
        assert!(matches!(
            InfoBuilder::single_file("x", u64::MAX).geometry(),
            Err(MetainfoError::Geometry(_))
        ));
    }

    #[test]
    fn the_piece_length_makes_one_to_two_thousand_pieces() {
        const MIB: u64 = 1 << 20;
        for (total, expected) in [
            (0, 16 << 10),
            (32 * MIB, 16 << 10),
            (32 * MIB + 1, 32 << 10),
            (1024 * MIB, 512 << 10),
            (32 * 1024 * MIB, 16 << 20),
            (u64::MAX, 16 << 20),
        ] {
            assert_eq!(piece_length_for(total), expected, "{total}");
        }
    }
}
