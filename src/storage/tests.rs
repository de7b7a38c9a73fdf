mod begun;
mod selection;

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;
use proptest::prelude::*;
use sha1::{Digest, Sha1};
use tempfile::TempDir;
use wire::InfoBuilder;

/// A torrent and what it contains.
pub(super) struct Sample {
    pub(super) info: Arc<Info>,
    pub(super) content: Vec<u8>,
}

impl Sample {
    /// A torrent named `sample` with files of these lengths, in this order.
    pub(super) fn new(files: &[(&str, u64)], piece_length: u32) -> Self {
        let files = files
            .iter()
            .map(|(path, length)| ((*path).to_owned(), *length));
        Self::build(
            InfoBuilder::multiple_files("sample", files.collect()),
            piece_length,
        )
    }

    /// A torrent that is one file named `sample`.
    pub(super) fn single(length: u64, piece_length: u32) -> Self {
        Self::build(InfoBuilder::single_file("sample", length), piece_length)
    }

    fn build(builder: InfoBuilder, piece_length: u32) -> Self {
        let builder = builder.piece_length(piece_length);
        let length = builder.geometry().unwrap().total();
        // No byte is zero, so that no piece looks like a hole.
        let content: Vec<u8> = (0..length)
            .map(|byte| (byte * byte % 251 + 1) as u8)
            .collect();
        Self::with_content(&builder, content)
    }

    fn with_content(builder: &InfoBuilder, content: Vec<u8>) -> Self {
        let piece_length = builder.geometry().unwrap().full_piece_length() as usize;
        let hashes: Vec<[u8; 20]> = content
            .chunks(piece_length)
            .map(|piece| Sha1::digest(piece).into())
            .collect();
        let info = Arc::new(builder.build(&hashes).unwrap());
        Self { info, content }
    }

    pub(super) fn storage(&self, directory: &TempDir) -> Storage {
        Storage::open(Arc::clone(&self.info), directory.path())
    }

    fn write_all(&self, storage: &Storage) {
        storage.write(0, &[IoSlice::new(&self.content)]).unwrap();
    }
}

/// What cannot be had without waiting is waited for, a buffer at a time.
fn read_at_hand(
    storage: &Storage,
    mut offset: u64,
    buffers: &mut [IoSliceMut<'_>],
) -> Result<(), StorageError> {
    for buffer in buffers {
        if !storage.read_at_hand(offset, &mut [IoSliceMut::new(buffer)])? {
            storage.read(offset, buffer)?;
        }
        offset += buffer.len() as u64;
    }
    Ok(())
}

/// No piece is known to be right.
pub(super) fn nothing() -> Bitfield {
    Bitfield::new(0)
}

fn check(storage: &Storage) -> Vec<u32> {
    let found = storage.check(None, 2, &|_| {}, &AtomicBool::new(false));
    found.unwrap().have.iter_ones().collect()
}

/// As a download begins. Returns what has become of somebody else's files.
fn begin(storage: &Storage, begun: Option<&Begun>) -> Vec<Kept> {
    storage.lock_out().unwrap();
    let found = storage.check(None, 1, &|_| {}, &AtomicBool::new(false));
    storage.adopt(&found.unwrap().have, begun).unwrap()
}

fn renamed(from: &Path, to: &Path) -> Kept {
    Kept::Renamed {
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

fn copied(from: &Path, to: &Path) -> Kept {
    Kept::Copied {
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

#[test]
fn files_lie_below_the_name_and_a_single_file_is_the_name() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::new(&[("a/b/c", 10), ("d", 20_000)], 16_384);
    let storage = sample.storage(&directory);
    storage.prepare(&nothing()).unwrap();
    sample.write_all(&storage);
    let root = directory.path().join("sample");
    assert_eq!(storage.path(), root);
    assert_eq!(fs::read(root.join("a/b/c")).unwrap(), sample.content[..10]);
    assert_eq!(fs::read(root.join("d")).unwrap(), sample.content[10..]);

    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::single(20_000, 16_384);
    let storage = sample.storage(&directory);
    sample.write_all(&storage);
    assert_eq!(
        fs::read(directory.path().join("sample")).unwrap(),
        sample.content
    );
}

#[test]
fn content_under_another_name_is_found_where_the_user_says() {
    let directory = tempfile::tempdir().unwrap();
    let single = Sample::single(20_000, 16_384);
    let path = directory.path().join("renamed");
    fs::write(&path, &single.content).unwrap();
    assert_eq!(
        check(&Storage::open_at(Arc::clone(&single.info), &path)),
        [0, 1]
    );

    let multiple = Sample::new(&[("x/y", 20_000)], 16_384);
    let root = directory.path().join("elsewhere");
    fs::create_dir_all(root.join("x")).unwrap();
    fs::write(root.join("x/y"), &multiple.content).unwrap();
    assert_eq!(
        check(&Storage::open_at(Arc::clone(&multiple.info), &root)),
        [0, 1]
    );
}

#[test]
fn nothing_is_there_before_the_first_byte_and_no_space_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::new(&[("a", 100_000), ("empty", 0)], 16_384);
    let storage = sample.storage(&directory);
    assert_eq!(check(&storage), []);
    assert!(!storage.path().exists());
    storage.prepare(&nothing()).unwrap();
    assert_eq!(check(&storage), []);
    assert_eq!(fs::metadata(storage.path().join("a")).unwrap().len(), 0);
    assert!(storage.path().join("empty").exists());
}

#[test]
fn a_partial_file_gives_the_pieces_that_are_right() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::single(5 * 16_384 + 1, 16_384);
    let path = directory.path().join("sample");
    let found = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        check(&sample.storage(&directory))
    };

    assert_eq!(found(&sample.content), [0, 1, 2, 3, 4, 5]);
    assert_eq!(found(&sample.content[..3 * 16_384 - 1]), [0, 1]);
    assert_eq!(found(b""), []);
    let mut corrupt = sample.content.clone();
    corrupt[2 * 16_384] ^= 1;
    assert_eq!(found(&corrupt), [0, 1, 3, 4, 5]);
    let longer = [&sample.content[..], b"and more"].concat();
    assert_eq!(found(&longer), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_missing_file_costs_only_the_pieces_it_touches() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::new(&[("a", 40_000), ("b", 10), ("c", 40_000)], 16_384);
    let storage = sample.storage(&directory);
    sample.write_all(&storage);
    drop(storage);
    let storage = sample.storage(&directory);
    fs::remove_file(storage.path().join("b")).unwrap();
    assert_eq!(check(&storage), [0, 1, 3, 4]);

    let mut byte = [0];
    let error = storage.read(40_005, &mut byte).unwrap_err();
    assert!(
        matches!(&error, StorageError::Missing { path } if path.ends_with("b")),
        "{error}"
    );
}

#[test]
fn holes_are_zeros_where_the_torrent_has_zeros() {
    let directory = tempfile::tempdir().unwrap();
    let mut content = vec![0; 4 * 65_536 + 5];
    content[3 * 65_536] = 1;
    let builder = InfoBuilder::single_file("sample", content.len() as u64).piece_length(65_536);
    let sample = Sample::with_content(&builder, content);
    let storage = sample.storage(&directory);
    storage.prepare(&nothing()).unwrap();
    let path = directory.path().join("sample");
    fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(sample.content.len() as u64)
        .unwrap();
    assert_eq!(check(&storage), [0, 1, 2, 4]);
    storage.write(3 * 65_536, &[IoSlice::new(&[1])]).unwrap();
    assert_eq!(check(&storage), [0, 1, 2, 3, 4]);
}

#[test]
fn a_read_past_the_end_of_a_file_names_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::single(40_000, 16_384);
    fs::write(directory.path().join("sample"), &sample.content[..30_000]).unwrap();
    let storage = sample.storage(&directory);
    let mut block = [0; 16_384];
    storage.read(0, &mut block).unwrap();
    assert_eq!(block, sample.content[..16_384]);
    let error = storage.read(16_384, &mut block).unwrap_err();
    assert!(
        matches!(error, StorageError::TooShort { length: 40_000, .. }),
        "{error}"
    );
    let error = storage.read(30_000, &mut block).unwrap_err();
    assert!(matches!(error, StorageError::OutOfRange { .. }), "{error}");
}

#[test]
fn finishing_cuts_a_file_that_was_longer() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::new(&[("a", 20_000), ("empty", 0)], 16_384);
    let storage = sample.storage(&directory);
    storage.prepare(&nothing()).unwrap();
    sample.write_all(&storage);
    fs::write(
        storage.path().join("a"),
        [&sample.content[..], b"more"].concat(),
    )
    .unwrap();
    fs::write(storage.path().join("empty"), b"not empty").unwrap();
    storage.finish().unwrap();
    assert_eq!(fs::read(storage.path().join("a")).unwrap(), sample.content);
    assert_eq!(fs::read(storage.path().join("empty")).unwrap(), b"");
}

#[test]
fn only_one_writes_into_a_directory_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::new(&[("a", 10), ("b", 10)], 16_384);
    let first = sample.storage(&directory);
    first.prepare(&nothing()).unwrap();
    let error = sample.storage(&directory).prepare(&nothing()).unwrap_err();
    assert!(
        matches!(&error, StorageError::AlreadyInUse { path } if path.ends_with("a")),
        "{error}"
    );
    // Reading is free for all.
    sample.write_all(&first);
    assert_eq!(check(&sample.storage(&directory)), [0]);
    drop(first);
    sample.storage(&directory).prepare(&nothing()).unwrap();
}

#[test]
fn what_stood_there_before_is_renamed_and_not_lost() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::single(20_000, 16_384);
    let path = directory.path().join("sample");
    for (text, old) in [
        ("mine", "sample.old"),
        ("again", "sample.old.1"),
        ("third", "sample.old.2"),
    ] {
        fs::write(&path, text).unwrap();
        let storage = sample.storage(&directory);
        let old = directory.path().join(old);
        assert_eq!(begin(&storage, None), [renamed(&path, &old)]);
        assert_eq!(fs::read_to_string(old).unwrap(), text);
        sample.write_all(&storage);
        assert_eq!(fs::read(&path).unwrap(), sample.content);
        let second = sample.storage(&directory).prepare(&nothing());
        assert!(matches!(second, Err(StorageError::AlreadyInUse { .. })));
    }
    fs::write(&path, "").unwrap();
    assert_eq!(begin(&sample.storage(&directory), None), []);
}

#[test]
fn a_directory_in_the_place_of_a_file_and_the_reverse_are_said() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::new(&[("sub/file", 10)], 16_384);
    let storage = sample.storage(&directory);
    let place = storage.path().join("sub");
    fs::create_dir_all(place.join("file")).unwrap();
    let error = storage.prepare(&nothing()).unwrap_err();
    assert!(
        matches!(&error, StorageError::NotAFile { path } if path.ends_with("sub/file")),
        "{error}"
    );

    fs::remove_dir_all(&place).unwrap();
    fs::write(&place, "a file").unwrap();
    let error = storage.prepare(&nothing()).unwrap_err();
    assert!(
        matches!(&error, StorageError::NotADirectory { path } if path.ends_with("sub")),
        "{error}"
    );

    let inside_a_file = Storage::open(Arc::clone(&sample.info), &place);
    let error = inside_a_file.prepare(&nothing()).unwrap_err();
    assert!(
        matches!(error, StorageError::NotADirectory { .. }),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn no_byte_is_written_through_a_link_that_leads_out() {
    let outside = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "theirs").unwrap();
    let sample = Sample::new(&[("sub/file", 10)], 16_384);
    let storage = sample.storage(&directory);
    fs::create_dir(storage.path()).unwrap();
    std::os::unix::fs::symlink(outside.path(), storage.path().join("sub")).unwrap();
    assert!(matches!(
        storage.prepare(&nothing()),
        Err(StorageError::SymlinkLeadsOut { .. })
    ));
    let written = storage.write(0, &[IoSlice::new(&sample.content)]);
    assert!(matches!(written, Err(StorageError::SymlinkLeadsOut { .. })));
    assert_eq!(
        fs::read_to_string(outside.path().join("file")).unwrap(),
        "theirs"
    );
}

#[test]
fn padding_is_never_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut piece = vec![7; 100];
    piece.resize(16_384, 0);
    let hashes = [Sha1::digest(&piece), Sha1::digest([8; 10])].concat();
    let raw = [
        b"d5:filesl\
          d6:lengthi100e4:pathl1:aee\
          d4:attr1:p6:lengthi16284e4:pathl4:.pad5:16284ee\
          d6:lengthi10e4:pathl1:beee\
          4:name6:sample12:piece lengthi16384e6:pieces40:",
        &hashes[..],
        b"e",
    ]
    .concat();
    let info = Arc::new(Info::from_bytes(raw).unwrap());
    let storage = Storage::open(info, directory.path());
    storage.prepare(&nothing()).unwrap();
    let content = [&piece[..], &[8; 10]].concat();
    storage.write(0, &[IoSlice::new(&content)]).unwrap();
    storage.finish().unwrap();

    assert!(!storage.path().join(".pad").exists());
    assert_eq!(check(&storage), [0, 1]);
    let mut back = vec![1; content.len()];
    storage.read(0, &mut back).unwrap();
    assert_eq!(back, content);
}

#[test]
fn a_torrent_may_have_more_files_than_may_be_open() {
    let directory = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..1_500).map(|number| format!("{number:04}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), 37)).collect();
    let sample = Sample::new(&files, 16_384);
    let storage = sample.storage(&directory);
    storage.prepare(&nothing()).unwrap();
    sample.write_all(&storage);
    assert_eq!(check(&storage).len(), 4);
}

#[test]
fn a_thousand_torrents_have_no_more_files_open_than_their_node_may() {
    const MOST: usize = 50;
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::new(&[("a", 10_000), ("b", 10_000), ("c", 10_000)], 16_384);
    sample.write_all(&sample.storage(&directory));
    let open_files = OpenFiles::at_most(MOST);
    let torrent = |_| sample.storage(&directory).sharing(&open_files);
    let torrents: Vec<_> = (0..1000).map(torrent).collect();
    for _ in 0..2 {
        for torrent in &torrents {
            let mut back = vec![0; sample.content.len()];
            torrent.read(0, &mut back).unwrap();
            assert!(back == sample.content);
            assert!(open_files.count() <= MOST);
        }
    }
    assert_eq!(open_files.count(), MOST);
    drop(torrents);
    assert_eq!(open_files.count(), 0);
}

#[test]
fn a_check_tells_how_far_it_is_and_can_be_called_off() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::single(10 * 16_384, 16_384);
    let storage = sample.storage(&directory);
    sample.write_all(&storage);
    let most = AtomicU32::new(0);
    let progress = |checked| {
        most.fetch_max(checked, Ordering::Relaxed);
    };
    storage
        .check(None, 2, &progress, &AtomicBool::new(false))
        .unwrap();
    assert_eq!(most.load(Ordering::Relaxed), 10);
    let called_off = storage.check(None, 2, &progress, &AtomicBool::new(true));
    assert!(matches!(called_off, Err(StorageError::Interrupted)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_written_in_whatever_parts_reads_back(
        lengths in prop::collection::vec(0_u64..30_000, 1..8),
        cuts in prop::collection::btree_set(0_usize..200_000, 0..12),
        scatter in 1_usize..20_000,
        seed: u64,
    ) {
        prop_assume!(lengths.iter().sum::<u64>() > 0);
        let names: Vec<_> = (0..lengths.len()).map(|number| format!("{}/{number}", number % 2)).collect();
        let files: Vec<_> = names.iter().map(String::as_str).zip(lengths).collect();
        let sample = Sample::new(&files, 16_384);
        let directory = tempfile::tempdir().unwrap();
        let storage = sample.storage(&directory);
        storage.prepare(&nothing()).unwrap();

        let length = sample.content.len();
        let mut borders: Vec<usize> = cuts.into_iter().filter(|&cut| cut < length).collect();
        borders.extend([0, length]);
        borders.sort_unstable();
        borders.dedup();
        let mut ranges: Vec<_> = borders.windows(2).map(|pair| pair[0]..pair[1]).collect();
        ranges.sort_by_key(|range| (range.start as u64).wrapping_mul(seed | 1));
        for range in ranges {
            let parts: Vec<_> = sample.content[range.clone()].chunks(scatter).map(IoSlice::new).collect();
            storage.write(range.start as u64, &parts).unwrap();
        }
        storage.finish().unwrap();

        let mut back = vec![0; length];
        let step = scatter.max(length / 50).max(1);
        for (index, part) in back.chunks_mut(step).enumerate() {
            storage.read((index * step) as u64, part).unwrap();
        }
        prop_assert!(back == sample.content);
        for read in [Storage::read_verified, read_at_hand] {
            back.fill(0);
            let mut parts: Vec<_> = back.chunks_mut(scatter).map(IoSliceMut::new).collect();
            read(&storage, 0, &mut parts).unwrap();
            prop_assert!(back == sample.content);
        }
        for file in sample.info.files() {
            let content = fs::read(storage.path().join(file.path())).unwrap();
            let start = file.offset as usize;
            prop_assert!(content == sample.content[start..start + file.length as usize]);
        }
        prop_assert_eq!(check(&storage).len(), sample.info.geometry().pieces() as usize);
    }
}

#[test]
fn a_last_piece_of_one_byte_is_checked_beside_long_ones() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::single(4 * (1 << 20) + 1, 1 << 20);
    fs::write(directory.path().join("sample"), &sample.content).unwrap();
    let storage = sample.storage(&directory);
    let found = storage.check(None, 1, &|_| {}, &AtomicBool::new(false));
    assert!(found.unwrap().have.is_full());
}
