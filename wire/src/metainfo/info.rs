use std::fmt;
use std::ops::Range;

use bencode::{Dict, Value};
use bytes::Bytes;

use super::{
    File, MetainfoError,
    file::{check_distinct, for_display, safe_name},
};
use crate::{BLOCK_LENGTH, Geometry, InfoHash};

const HASH_LENGTH: usize = 20;

/// An info dictionary: what a torrent is made of, with the exact bytes that its info-hash is taken over.
/// BEP 3, "info dictionary".
///
/// Whoever holds one can rely on it: names are safe to create, lengths add up, and there is a hash for every piece.
#[derive(Clone)]
pub struct Info {
    raw: Bytes,
    hash: InfoHash,
    name: String,
    files: Vec<File>,
    is_single_file: bool,
    is_private: bool,
    geometry: Geometry,
    pieces: Bytes,
}

impl Info {
    /// Reads an info dictionary, in time and memory that grow with its bytes and with nothing that it claims.
    ///
    /// Of a hybrid torrent (BEP 52) the v1 part is used.
    pub fn from_bytes(raw: impl Into<Bytes>) -> Result<Self, MetainfoError> {
        let raw = raw.into();
        let document = bencode::decode(&raw)?;
        let dict = document
            .root()
            .as_dict()
            .ok_or(MetainfoError::NotADictionary("the info dictionary"))?;
        let entries = InfoEntries::of(dict);

        let pieces = match (entries.pieces, entries.meta_version) {
            (None, Some(_)) => return Err(MetainfoError::OnlyV2),
            (pieces, _) => bytes_of("pieces", pieces)?,
        };
        let name = utf8_or(entries.name_utf8, bytes_of("name", entries.name))?;
        let name = safe_name(name)?.into_owned();
        let files = match entries.files {
            None => {
                let length = length_of(entries.length, || name.clone())?;
                vec![File::new(String::new(), length, 0, false)]
            }
            Some(files) => read_files(files)?,
        };
        let total = files.last().map_or(0, |last| last.offset + last.length);

        let piece_length = integer_of("piece length", entries.piece_length)?;
        let piece_length = u64::try_from(piece_length).unwrap_or(0);
        let geometry = Geometry::new(total, piece_length)?;
        if pieces.len() % HASH_LENGTH != 0 {
            return Err(MetainfoError::PieceHashes(pieces.len()));
        }
        let hashes = pieces.len() / HASH_LENGTH;
        if hashes != geometry.pieces() as usize {
            return Err(MetainfoError::PieceCount {
                hashes,
                pieces: geometry.pieces(),
            });
        }

        Ok(Self {
            hash: InfoHash::of(&raw),
            name,
            files,
            is_single_file: entries.files.is_none(),
            is_private: entries
                .private
                .and_then(|private| private.as_integer())
                .is_some_and(|private| private != 0),
            geometry,
            pieces: raw.slice_ref(pieces),
            raw,
        })
    }

    /// The dictionary exactly as it was encoded.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The torrent's info-hash.
    pub const fn hash(&self) -> InfoHash {
        self.hash
    }

    /// The name of the single file, or of the directory that the files are in.
    /// As safe as a [component](File::components).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files in the order in which their bytes make up the torrent. At least one.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Whether the torrent is one file rather than a directory. A directory may hold one file, too.
    pub const fn is_single_file(&self) -> bool {
        self.is_single_file
    }

    /// Whether the torrent may not be looked up or announced anywhere but at its tracker. BEP 27.
    pub const fn is_private(&self) -> bool {
        self.is_private
    }

    /// How the torrent is cut into pieces.
    pub const fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Bytes of all files.
    pub const fn total_length(&self) -> u64 {
        self.geometry.total()
    }

    /// The pieces that have a part of this file; none if it is empty.
    pub fn pieces_of(&self, file: &File) -> Range<u32> {
        let length = u64::from(self.geometry.full_piece_length());
        let end = file.offset.saturating_add(file.length).div_ceil(length);
        let start = file.offset / length;
        if file.length == 0 {
            return start as u32..start as u32;
        }
        start as u32..end as u32
    }

    /// How many blocks of a piece are to be fetched: those behind them are padding and known to be zeros (BEP 47). Of a piece that is nothing but padding, one.
    pub fn blocks_to_fetch(&self, piece: u32) -> u32 {
        let start = self.geometry.piece_offset(piece);
        let end = start + u64::from(self.geometry.piece_length(piece));
        let blocks = self.geometry.blocks(piece);
        let before = |file: &File| file.offset.saturating_add(file.length) < end;
        let last = self.files.partition_point(before);
        let mut files = self.files.iter().skip(last);
        let last = files.find(|file| file.length > 0);
        let Some(padding) = last.filter(|file| file.padding) else {
            return blocks;
        };
        let content = padding.offset.saturating_sub(start);
        let needed = content.div_ceil(u64::from(BLOCK_LENGTH)) as u32;
        needed.clamp(1, blocks.max(1))
    }

    /// The SHA-1 of a piece; `None` past the last piece.
    pub fn piece_hash(&self, piece: u32) -> Option<&[u8; HASH_LENGTH]> {
        self.pieces.as_chunks().0.get(piece as usize)
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Info({} {:?})", self.hash, self.name)
    }
}

/// The entries of an info dictionary that matter here, found in one pass.
#[derive(Default)]
struct InfoEntries<'a> {
    name: Option<Value<'a>>,
    name_utf8: Option<Value<'a>>,
    piece_length: Option<Value<'a>>,
    pieces: Option<Value<'a>>,
    length: Option<Value<'a>>,
    files: Option<Value<'a>>,
    private: Option<Value<'a>>,
    meta_version: Option<Value<'a>>,
}

impl<'a> InfoEntries<'a> {
    fn of(dict: Dict<'a>) -> Self {
        let mut entries = Self::default();
        for (key, value) in dict {
            let entry = match key {
                b"name" => &mut entries.name,
                b"name.utf-8" => &mut entries.name_utf8,
                b"piece length" => &mut entries.piece_length,
                b"pieces" => &mut entries.pieces,
                b"length" => &mut entries.length,
                b"files" => &mut entries.files,
                b"private" => &mut entries.private,
                b"meta version" => &mut entries.meta_version,
                _ => continue,
            };
            entry.get_or_insert(value);
        }
        entries
    }
}

fn read_files(files: Value<'_>) -> Result<Vec<File>, MetainfoError> {
    let list = files.as_list().ok_or(MetainfoError::WrongType {
        key: "files",
        expected: "a list",
    })?;
    let mut files = Vec::new();
    let mut offset = 0u64;
    for (index, entry) in (1..).zip(list) {
        let file = read_file(index, entry, offset)?;
        offset = offset
            .checked_add(file.length)
            .ok_or_else(|| MetainfoError::TooLong(for_display(file.path().as_bytes())))?;
        files.push(file);
    }
    if files.is_empty() {
        return Err(MetainfoError::NoFiles);
    }
    check_distinct(&files)?;
    Ok(files)
}

fn read_file(index: usize, entry: Value<'_>, offset: u64) -> Result<File, MetainfoError> {
    let dict = entry
        .as_dict()
        .ok_or(MetainfoError::NotADictionary("an entry of its `files`"))?;
    let (mut attributes, mut length, mut path, mut path_utf8) = (None, None, None, None);
    for (key, value) in dict {
        let entry = match key {
            b"attr" => &mut attributes,
            b"length" => &mut length,
            b"path" => &mut path,
            b"path.utf-8" => &mut path_utf8,
            _ => continue,
        };
        entry.get_or_insert(value);
    }
    let attributes = attributes.and_then(|value| value.as_bytes()).unwrap_or(b"");
    if attributes.contains(&b'p') {
        let length = length_of(length, || format!("number {index}"))?;
        return Ok(File::new(format!(".pad/{length}"), length, offset, true));
    }

    let path = path_utf8
        .filter(is_utf8_path)
        .or(path)
        .and_then(|path| path.as_list())
        .ok_or(MetainfoError::MissingPath { index })?;
    let mut joined = String::new();
    for component in path {
        let component = component
            .as_bytes()
            .ok_or(MetainfoError::MissingPath { index })?;
        if !joined.is_empty() {
            joined.push('/');
        }
        joined.push_str(&safe_name(component)?);
    }
    if joined.is_empty() {
        return Err(MetainfoError::MissingPath { index });
    }
    // BEP 47, "Symlinks": their length is zero and need not be there.
    let length = if length.is_none() && attributes.contains(&b'l') {
        0
    } else {
        length_of(length, || for_display(joined.as_bytes()))?
    };
    Ok(File::new(joined, length, offset, false))
}

fn is_utf8_path(path: &Value<'_>) -> bool {
    path.as_list()
        .is_some_and(|path| path.iter().all(|component| component.as_str().is_some()))
}

/// What `name.utf-8` says, if it is there and indeed UTF-8.
fn utf8_or<'a, E>(utf8: Option<Value<'a>>, other: Result<&'a [u8], E>) -> Result<&'a [u8], E> {
    utf8.and_then(|name| name.as_str())
        .map_or(other, |name| Ok(name.as_bytes()))
}

fn bytes_of<'a>(key: &'static str, value: Option<Value<'a>>) -> Result<&'a [u8], MetainfoError> {
    value
        .ok_or(MetainfoError::Missing(key))?
        .as_bytes()
        .ok_or(MetainfoError::WrongType {
            key,
            expected: "a string",
        })
}

fn integer_of(key: &'static str, value: Option<Value<'_>>) -> Result<i64, MetainfoError> {
    value
        .ok_or(MetainfoError::Missing(key))?
        .as_integer()
        .ok_or(MetainfoError::WrongType {
            key,
            expected: "a number",
        })
}

fn length_of(value: Option<Value<'_>>, file: impl Fn() -> String) -> Result<u64, MetainfoError> {
    let length = value
        .and_then(|length| length.as_integer())
        .ok_or_else(|| MetainfoError::MissingLength(file()))?;
    u64::try_from(length).map_err(|_| MetainfoError::NegativeLength {
        file: file(),
        length,
    })
}
