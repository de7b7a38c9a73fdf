//! The file of which files a download has begun: a bencoded dictionary with a version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Unreadable;
use super::resume_record::{push_stamp, split_stamp};
use crate::storage::{Begun, Identity, Mark};

const VERSION: u32 = 1;

/// Numbers with the highest byte first.
#[derive(Serialize, Deserialize)]
struct BegunFile {
    #[serde(with = "serde_bytes")]
    directory: Vec<u8>,
    /// Those that were not written to any more: for each, its index in 4 bytes, and its stamp as in a record of pieces.
    #[serde(with = "serde_bytes")]
    left: Vec<u8>,
    /// Those that were: for each, its index in 4 bytes, its number in its file system in 8, and when it was made in 8 (nanoseconds since 1970, signed; the smallest number where nobody knows).
    #[serde(with = "serde_bytes")]
    open: Vec<u8>,
    version: u32,
}

/// Bytes of a file in each list.
const LEFT: usize = 36;
const OPEN: usize = 20;

/// What every version has.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// Writes which files were begun.
pub(super) fn encode(begun: &Begun) -> Result<Vec<u8>, serde_bencode::Error> {
    let (mut left, mut open) = (Vec::new(), Vec::new());
    for (index, mark) in &begun.files {
        match mark {
            Mark::Left(stamp) => {
                left.extend_from_slice(&index.to_be_bytes());
                push_stamp(&mut left, stamp);
            }
            Mark::Open(Identity { number, born }) => {
                open.extend_from_slice(&index.to_be_bytes());
                open.extend_from_slice(&number.to_be_bytes());
                open.extend_from_slice(&born.unwrap_or(i64::MIN).to_be_bytes());
            }
        }
    }
    serde_bencode::to_bytes(&BegunFile {
        directory: begun.directory.clone(),
        left,
        open,
        version: VERSION,
    })
}

/// Reads which files were begun.
pub(super) fn decode(bytes: &[u8]) -> Result<Begun, Unreadable> {
    let damaged = || Unreadable::Damaged("it does not say which files were begun");
    let head: Head = serde_bencode::from_bytes(bytes).map_err(|_| damaged())?;
    if head.version > VERSION {
        return Err(Unreadable::Newer {
            version: head.version,
            known: VERSION,
        });
    }
    let file: BegunFile = serde_bencode::from_bytes(bytes).map_err(|_| damaged())?;
    let left = file.left.chunks(LEFT).map(read_left);
    let open = file.open.chunks(OPEN).map(read_open);
    let files: Option<BTreeMap<_, _>> = left.chain(open).collect();
    Ok(Begun {
        directory: file.directory,
        files: files.ok_or_else(damaged)?,
    })
}

fn read_left(bytes: &[u8]) -> Option<(u32, Mark)> {
    let (index, rest) = bytes.split_first_chunk()?;
    let (stamp, rest) = split_stamp(rest)?;
    rest.is_empty()
        .then_some((u32::from_be_bytes(*index), Mark::Left(stamp)))
}

fn read_open(bytes: &[u8]) -> Option<(u32, Mark)> {
    let (index, rest) = bytes.split_first_chunk()?;
    let (number, rest) = rest.split_first_chunk()?;
    let born = i64::from_be_bytes(rest.try_into().ok()?);
    let identity = Identity {
        number: u64::from_be_bytes(*number),
        born: Some(born).filter(|&born| born != i64::MIN),
    };
    Some((u32::from_be_bytes(*index), Mark::Open(identity)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::platform::FileStamp;

    fn mark((number, born): (u64, Option<i64>)) -> Mark {
        match born {
            Some(time) if time % 2 == 0 => Mark::Left(FileStamp {
                length: number.rotate_left(7),
                modified: !time,
                changed: time,
                number,
            }),
            born => Mark::Open(Identity { number, born }),
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            directory in prop::collection::vec(any::<u8>(), 0..20),
            files in prop::collection::btree_map(any::<u32>(), any::<(u64, Option<i64>)>(), 0..6),
        ) {
            let files = files.into_iter().map(|(index, file)| (index, mark(file))).collect();
            let begun = Begun { directory, files };
            let bytes = encode(&begun).unwrap();
            prop_assert_eq!(decode(&bytes).ok(), Some(begun));
            for length in 0..bytes.len() {
                prop_assert!(decode(&bytes[..length]).is_err());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&bytes).is_err());
        }
    }
}
