//! The file of what is known of a torrent's content between two runs: a bencoded dictionary with a version.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use sha1::{Digest, Sha1};
use wire::{Bitfield, InfoHash};

use super::Unreadable;
use crate::platform::FileStamp;
use crate::storage::{FileRecord, Record};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct ResumeFile {
    /// The name that the system gives to the time since the machine was started; empty if every file is on the disk for certain.
    boot: String,
    /// SHA-1 of the info-hash, `version` and `pieces` in 4 bytes each, `boot`, `files` and `have`, one after the other: a bit that has turned must not make a piece.
    digest: ByteArray<20>,
    /// For each file, in the order of the torrent, [`FILE`] bytes, numbers with the highest byte first: its index in 4; length, time of its last change as programs set it,
    /// time of its last change as the system keeps it (both nanoseconds since 1970, signed), and number in its file system, in 8 each; 1 if it is on the disk for certain, else 0.
    #[serde(with = "serde_bytes")]
    files: Vec<u8>,
    /// A bit a piece as in BEP 3, "bitfield".
    #[serde(with = "serde_bytes")]
    have: Vec<u8>,
    /// Pieces in all.
    pieces: u32,
    version: u32,
}

/// Bytes of a file.
const FILE: usize = 37;

/// What every version has.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// Writes what is known of a torrent.
pub(super) fn encode(
    info_hash: InfoHash,
    record: &Record,
) -> Result<Vec<u8>, serde_bencode::Error> {
    let mut files = Vec::with_capacity(record.files.len() * FILE);
    for file in &record.files {
        files.extend_from_slice(&file.index.to_be_bytes());
        push_stamp(&mut files, &file.stamp);
        files.push(file.durable.into());
    }
    let mut file = ResumeFile {
        boot: record.boot.clone().unwrap_or_default(),
        digest: ByteArray::default(),
        files,
        have: record.have.as_bytes().to_vec(),
        pieces: record.have.len(),
        version: VERSION,
    };
    file.digest = ByteArray::new(file.expected_digest(info_hash));
    serde_bencode::to_bytes(&file)
}

/// Reads what is known of a torrent.
pub(super) fn decode(info_hash: InfoHash, bytes: &[u8]) -> Result<Record, Unreadable> {
    let damaged = || Unreadable::Damaged("it is not a record of this torrent's files");
    let head: Head = serde_bencode::from_bytes(bytes).map_err(|_| damaged())?;
    if head.version > VERSION {
        return Err(Unreadable::Newer {
            version: head.version,
            known: VERSION,
        });
    }
    let file: ResumeFile = serde_bencode::from_bytes(bytes).map_err(|_| damaged())?;
    if file.digest.into_array() != file.expected_digest(info_hash) {
        return Err(damaged());
    }
    let files: Option<Vec<_>> = file.files.chunks(FILE).map(read_file).collect();
    Ok(Record {
        have: Bitfield::from_bytes(&file.have, file.pieces).map_err(|_| damaged())?,
        files: files.ok_or_else(damaged)?,
        boot: Some(file.boot).filter(|boot| !boot.is_empty()),
    })
}

fn read_file(bytes: &[u8]) -> Option<FileRecord> {
    let (index, rest) = bytes.split_first_chunk()?;
    let (stamp, rest) = split_stamp(rest)?;
    let durable = match rest {
        [0] => false,
        [1] => true,
        _ => return None,
    };
    Some(FileRecord {
        index: u32::from_be_bytes(*index),
        stamp,
        durable,
    })
}

/// 32 bytes: its length, both times and number, as [`ResumeFile::files`] has them.
pub(super) fn push_stamp(list: &mut Vec<u8>, stamp: &FileStamp) {
    list.extend_from_slice(&stamp.length.to_be_bytes());
    list.extend_from_slice(&stamp.modified.to_be_bytes());
    list.extend_from_slice(&stamp.changed.to_be_bytes());
    list.extend_from_slice(&stamp.number.to_be_bytes());
}

/// Takes a stamp from the front of the bytes.
pub(super) fn split_stamp(bytes: &[u8]) -> Option<(FileStamp, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (modified, rest) = rest.split_first_chunk()?;
    let (changed, rest) = rest.split_first_chunk()?;
    let (number, rest) = rest.split_first_chunk()?;
    let stamp = FileStamp {
        length: u64::from_be_bytes(*length),
        modified: i64::from_be_bytes(*modified),
        changed: i64::from_be_bytes(*changed),
        number: u64::from_be_bytes(*number),
    };
    Some((stamp, rest))
}

impl ResumeFile {
    fn expected_digest(&self, info_hash: InfoHash) -> [u8; 20] {
        let mut sha1 = Sha1::new();
        sha1.update(info_hash.as_bytes());
        sha1.update(self.version.to_be_bytes());
        sha1.update(self.pieces.to_be_bytes());
        sha1.update(self.boot.as_bytes());
        sha1.update(&self.files);
        sha1.update(&self.have);
        sha1.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INFO_HASH: [u8; 20] = [7; 20];

    fn record(bits: &[bool], files: &[(u64, i64, bool)], boot: Option<&str>) -> Record {
        let mut have = Bitfield::new(bits.len() as u32);
        for (piece, _) in (0..).zip(bits).filter(|(_, bit)| **bit) {
            have.set(piece);
        }
        let file = |(index, &(length, changed, durable)): (u32, &(u64, i64, bool))| FileRecord {
            index,
            stamp: FileStamp {
                length,
                modified: !changed,
                changed,
                number: length.rotate_left(7),
            },
            durable,
        };
        Record {
            have,
            files: (3..).zip(files).map(file).collect(),
            boot: boot.map(str::to_owned),
        }
    }

    #[test]
    fn a_turned_bit_is_found_wherever_it_is() {
        let whole = encode(
            INFO_HASH.into(),
            &record(&[true, false, true], &[(9, 5, false)], Some("monday")),
        );
        let whole = whole.unwrap();
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(INFO_HASH.into(), &bytes).is_err(), "bit {bit}");
        }
        assert!(decode([8; 20].into(), &whole).is_err());
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            bits in prop::collection::vec(any::<bool>(), 0..40),
            files in prop::collection::vec(any::<(u64, i64, bool)>(), 0..5),
            boot in prop::option::of("[a-f0-9-]{1,36}"),
        ) {
            let record = record(&bits, &files, boot.as_deref());
            let bytes = encode(INFO_HASH.into(), &record).unwrap();
            prop_assert_eq!(decode(INFO_HASH.into(), &bytes).ok(), Some(record));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(INFO_HASH.into(), &bytes).is_err());
        }
    }
}
