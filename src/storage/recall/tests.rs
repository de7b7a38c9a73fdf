use std::fs::{self, File};
use std::io::{IoSlice, IoSliceMut, Write};
use std::path::PathBuf;
use std::thread;

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::tests::{Sample, nothing};
use super::*;

/// Three files of two pieces and a half: the third piece lies in two of them.
const LENGTH: u64 = 40_960;
const PIECES: u32 = 8;

struct Download {
    sample: Sample,
    directory: TempDir,
}

impl Download {
    fn new() -> Self {
        let files = [("a", LENGTH), ("b", LENGTH), ("c", LENGTH)];
        Self {
            sample: Sample::new(&files, 16_384),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn storage(&self) -> Storage {
        self.sample.storage(&self.directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("sample").join(name)
    }

    fn write(&self, storage: &Storage, piece: u32) {
        let geometry = self.sample.info.geometry();
        let start = geometry.piece_offset(piece) as usize;
        let end = start + geometry.piece_length(piece) as usize;
        let bytes = &self.sample.content[start..end];
        storage.write(start as u64, &[IoSlice::new(bytes)]).unwrap();
    }

    /// A run that fetches these pieces, and ends well.
    fn fetch(&self, record: Option<&Record>, pieces: &[u32]) -> Record {
        let storage = self.storage();
        storage.prepare(&nothing()).unwrap();
        let mut have = check(&storage, record).have;
        for &piece in pieces {
            self.write(&storage, piece);
            have.set(piece);
        }
        thread::sleep(platform::STEP);
        storage.record(have).record
    }

    /// What the next run finds: pieces that are right, and how many it had to read.
    fn found(&self, record: &Record) -> (Vec<u32>, u32) {
        let found = check(&self.storage(), Some(record));
        (found.have.iter_ones().collect(), PIECES - found.known)
    }
}

fn check(storage: &Storage, record: Option<&Record>) -> Found {
    storage
        .check(record, 1, &|_| {}, &AtomicBool::new(false))
        .unwrap()
}

fn all() -> Vec<u32> {
    (0..PIECES).collect()
}

#[test]
fn what_looks_as_it_did_is_not_read() {
    let download = Download::new();
    let record = download.fetch(None, &[0, 2, 7]);
    assert_eq!(download.found(&record), (vec![0, 2, 7], PIECES - 3));
    let record = download.fetch(Some(&record), &[1, 3, 4, 5, 6]);
    assert_eq!(download.found(&record), (all(), 0));
}

#[test]
fn a_file_that_changed_is_read_and_no_other() {
    let download = Download::new();
    let record = download.fetch(None, &all());
    let modified = fs::metadata(download.path("b"))
        .unwrap()
        .modified()
        .unwrap();
    let file = File::options().write(true).open(download.path("b"));
    let mut file = file.unwrap();
    file.write_all(b"x").unwrap();
    // Whoever does it in secret is found out, too.
    file.set_modified(modified).unwrap();
    let expected: Vec<u32> = all().into_iter().filter(|&piece| piece != 2).collect();
    assert_eq!(download.found(&record), (expected, 3));
}

#[test]
fn a_file_that_is_gone_or_short_or_another_one_is_noticed() {
    let download = Download::new();
    let record = download.fetch(None, &all());
    let (path, copy) = (download.path("c"), download.path("copy"));
    fs::copy(&path, &copy).unwrap();

    fs::remove_file(&path).unwrap();
    assert_eq!(download.found(&record), (vec![0, 1, 2, 3, 4], 3));
    fs::rename(&copy, &path).unwrap();
    assert_eq!(download.found(&record), (all(), 3));
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(LENGTH - 1)
        .unwrap();
    assert_eq!(download.found(&record), (vec![0, 1, 2, 3, 4, 5, 6], 3));
}

#[test]
fn what_is_written_after_the_record_costs_its_file_and_nothing_else() {
    let download = Download::new();
    let storage = download.storage();
    storage.prepare(&nothing()).unwrap();
    let mut have = check(&storage, None).have;
    for piece in [0, 1, 6, 7] {
        download.write(&storage, piece);
        have.set(piece);
    }
    thread::sleep(platform::STEP);
    let Recorded { record, .. } = storage.record(have);
    assert_eq!(download.found(&record), (vec![0, 1, 6, 7], 4));
    // Here the process is killed: piece 4 is written, and no record made of it.
    download.write(&storage, 4);
    assert_eq!(download.found(&record), (vec![0, 1, 4, 6, 7], 4));
}

#[test]
fn a_piece_that_was_written_and_not_judged_yet_is_not_given_up() {
    let download = Download::new();
    let storage = download.storage();
    storage.prepare(&nothing()).unwrap();
    let mut have = check(&storage, None).have;
    for piece in [3, 4] {
        download.write(&storage, piece);
    }
    have.set(3);
    thread::sleep(platform::STEP);
    let Recorded { record, .. } = storage.record(have);
    assert_eq!(download.found(&record), (vec![3, 4], PIECES - 1));
}

#[test]
fn a_file_that_is_being_written_is_left_out() {
    let download = Download::new();
    let storage = download.storage();
    storage.prepare(&nothing()).unwrap();
    let mut have = check(&storage, None).have;
    thread::sleep(platform::STEP);
    download.write(&storage, 0);
    have.set(0);
    let Recorded { record, pending } = storage.record(have.clone());
    let files: Vec<u32> = record.files.iter().map(|file| file.index).collect();
    assert!(pending);
    assert!(!files.contains(&0), "{files:?}");
    thread::sleep(platform::STEP);
    let Recorded { record, .. } = storage.record(have);
    let files: Vec<u32> = record.files.iter().map(|file| file.index).collect();
    assert_eq!(files, [0, 1, 2]);
}

#[test]
fn what_changed_between_the_check_and_the_record_is_not_vouched_for() {
    let download = Download::new();
    download.fetch(None, &all());
    let storage = download.storage();
    let have = check(&storage, None).have;
    // Nobody of us: it is found right, and changed a moment later.
    fs::write(download.path("a"), vec![1; LENGTH as usize]).unwrap();
    thread::sleep(platform::STEP);
    let Recorded { record, .. } = storage.record(have);
    let (have, read) = download.found(&record);
    assert_eq!((have, read), (vec![3, 4, 5, 6, 7], 3));
}

/// Writes over one byte, in place.
fn spoil(download: &Download, name: &str, place: u64) {
    let file = File::options().write(true).open(download.path(name));
    platform::write_at(&file.unwrap(), &[IoSlice::new(&[0])], place).unwrap();
}

#[test]
fn what_others_write_between_two_writes_of_ours_is_not_taken_for_ours() {
    let download = Download::new();
    let storage = download.storage();
    storage.prepare(&nothing()).unwrap();
    let mut have = check(&storage, None).have;
    download.write(&storage, 0);
    thread::sleep(platform::STEP);
    spoil(&download, "a", 5);
    for piece in 1..PIECES {
        download.write(&storage, piece);
    }
    (0..PIECES).for_each(|piece| assert!(have.set(piece)));

    let read = |piece: u32| {
        let offset = u64::from(piece) * 16_384;
        storage.read_verified(offset, &mut [IoSliceMut::new(&mut [0; 100])])
    };
    let is_changed =
        |result| matches!(result, Err(StorageError::Changed { path }) if path.ends_with("a"));
    assert!(is_changed(read(0)));
    (1..PIECES).for_each(|piece| read(piece).unwrap());
    assert!(is_changed(storage.vouch(&[])));
    thread::sleep(platform::STEP);
    let Recorded { record, .. } = storage.record(have);
    assert_eq!(download.found(&record), ((1..PIECES).collect(), 3));
    // Put back, it may end.
    download.write(&storage, 0);
    storage.vouch(&[]).unwrap();
}

#[test]
fn a_settled_file_that_others_change_before_we_write_on_is_not_vouched_for() {
    let download = Download::new();
    let record = download.fetch(None, &[0, 1]);
    let storage = download.storage();
    storage.prepare(&nothing()).unwrap();
    let mut have = check(&storage, Some(&record)).have;
    spoil(&download, "a", 5);
    download.write(&storage, 2);
    have.set(2);
    thread::sleep(platform::STEP);
    let Recorded { record, .. } = storage.record(have);
    assert_eq!(download.found(&record).0, [1, 2]);
}

#[test]
fn a_file_in_whose_place_another_one_stands_is_not_vouched_for() {
    let download = Download::new();
    let storage = download.storage();
    storage.prepare(&nothing()).unwrap();
    let mut have = check(&storage, None).have;
    fs::write(download.path("other"), vec![1; LENGTH as usize]).unwrap();
    fs::rename(download.path("other"), download.path("b")).unwrap();
    for piece in all() {
        download.write(&storage, piece);
        have.set(piece);
    }
    thread::sleep(platform::STEP);
    let Recorded { record, .. } = storage.record(have);
    let files: Vec<u32> = record.files.iter().map(|file| file.index).collect();
    assert_eq!(files, [0, 2]);
    assert!(matches!(
        storage.vouch(&[]),
        Err(StorageError::Changed { path }) if path.ends_with("b")
    ));
    // Another one with the right bytes is as good.
    let (_, content) = download.sample.content.split_at(LENGTH as usize);
    fs::write(download.path("other"), &content[..LENGTH as usize]).unwrap();
    fs::rename(download.path("other"), download.path("b")).unwrap();
    storage.vouch(&[]).unwrap();
    storage.finish().unwrap();
}

#[test]
fn a_file_that_was_moved_away_is_missed() {
    let download = Download::new();
    let storage = download.storage();
    storage.prepare(&nothing()).unwrap();
    check(&storage, None);
    (0..PIECES).for_each(|piece| download.write(&storage, piece));
    storage.vouch(&[]).unwrap();
    fs::rename(download.path("c"), download.path("elsewhere")).unwrap();
    assert!(matches!(
        storage.vouch(&[]),
        Err(StorageError::Missing { path }) if path.ends_with("c")
    ));
}

#[test]
fn a_piece_that_was_lost_is_looked_at_though_its_file_looks_as_it_did() {
    let download = Download::new();
    let storage = download.storage();
    storage.prepare(&nothing()).unwrap();
    check(&storage, None);
    (0..PIECES - 1).for_each(|piece| download.write(&storage, piece));
    storage.vouch(&[0, 2]).unwrap();
    for lost in [&[PIECES - 1][..], &[0, PIECES - 1]] {
        assert!(storage.vouch(lost).is_err());
    }
    // What is not wanted may be lost.
    storage.select(wire::FileSet::from_iter([0]));
    storage.vouch(&[PIECES - 1]).unwrap();
}

#[test]
fn a_lock_goes_over_to_the_file_that_takes_the_place_of_the_locked_one() {
    let download = Download::new();
    let storage = download.storage();
    storage.prepare(&nothing()).unwrap();
    check(&storage, None);
    (0..PIECES).for_each(|piece| download.write(&storage, piece));
    fs::write(download.path("other"), vec![1; LENGTH as usize]).unwrap();
    fs::rename(download.path("other"), download.path("a")).unwrap();
    let read = storage.read_verified(0, &mut [IoSliceMut::new(&mut [0; 100])]);
    assert!(matches!(read, Err(StorageError::Changed { .. })));
    assert!(matches!(
        download.storage().prepare(&nothing()),
        Err(StorageError::AlreadyInUse { path }) if path.ends_with("a")
    ));
}

/// The part file, which has what the pieces at the borders of a chosen file need of its neighbours, is not vouched for: bytes move in and out of it.
#[test]
fn what_lies_in_the_part_file_is_always_read() {
    let download = Download::new();
    let only_b = || wire::FileSet::from_iter([1]);
    let storage = download.storage();
    storage.select(only_b());
    storage.prepare(&nothing()).unwrap();
    let mut have = check(&storage, None).have;
    for piece in [2, 3, 4] {
        download.write(&storage, piece);
        have.set(piece);
    }
    thread::sleep(platform::STEP);
    let Recorded { record, .. } = storage.record(have);
    drop(storage);

    let storage = download.storage();
    storage.select(only_b());
    storage.prepare(&nothing()).unwrap();
    let found = check(&storage, Some(&record));
    assert_eq!(found.have.iter_ones().collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(found.known, 2);
    drop(storage);

    // Now everything is wanted, and what the part file has is brought in.
    let record = download.fetch(Some(&record), &[0, 1, 5, 6, 7]);
    assert_eq!(download.found(&record), (all(), 0));
}

#[test]
fn a_record_of_another_run_of_the_machine_counts_for_what_the_disk_has() {
    let download = Download::new();
    let mut record = download.fetch(None, &all());
    record.boot = Some("another".to_owned());
    for file in &mut record.files {
        file.durable = file.index == 1;
    }
    let (have, read) = download.found(&record);
    assert_eq!((have, read), (all(), PIECES - 2));
}

#[test]
fn a_record_of_a_torrent_with_another_number_of_pieces_says_nothing() {
    let download = Download::new();
    let record = download.fetch(None, &all());
    for pieces in [0, PIECES - 1, PIECES + 1] {
        let have = Bitfield::full(pieces);
        let record = Record {
            have,
            ..record.clone()
        };
        assert_eq!(download.found(&record), (all(), PIECES));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However runs end and whatever is done to the files in between: no record makes a piece of bytes that are not right.
    #[test]
    fn no_record_vouches_for_what_is_not_there(
        runs in prop::collection::vec((
            prop::collection::vec(0..PIECES, 0..4),
            prop::option::of((prop::sample::select(vec!["a", "b", "c"]), 0..LENGTH)),
            any::<bool>(),
        ), 1..5),
    ) {
        let download = Download::new();
        let mut record = None;
        for (pieces, spoilt, graceful) in runs {
            let made = download.fetch(record.as_ref(), &pieces);
            if graceful {
                record = Some(made);
            }
            if let Some((name, place)) = spoilt {
                let file = File::options().write(true).open(download.path(name)).unwrap();
                platform::write_at(&file, &[IoSlice::new(&[0])], place).unwrap();
            }
            let truth = check(&download.storage(), None).have;
            let believed = check(&download.storage(), record.as_ref()).have;
            prop_assert_eq!(believed, truth);
        }
    }
}
