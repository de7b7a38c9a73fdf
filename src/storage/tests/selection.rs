//! Files that are wanted, and those that are not.

use super::*;

/// Three files; the pieces at their borders are shared.
pub(super) fn neighbours() -> Sample {
    Sample::new(&[("a", 40_000), ("b", 40_000), ("c", 40_000)], 16_384)
}

pub(super) fn only(file: u32) -> FileSet {
    FileSet::from_iter([file])
}

pub(super) fn names(storage: &Storage) -> Vec<String> {
    let entries = fs::read_dir(storage.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// Writes these pieces, and nothing else.
pub(super) fn write_pieces(sample: &Sample, storage: &Storage, pieces: std::ops::Range<u32>) {
    for piece in pieces {
        let start = sample.info.geometry().piece_offset(piece);
        let length = sample.info.geometry().piece_length(piece) as usize;
        let bytes = &sample.content[start as usize..][..length];
        storage.write(start, &[IoSlice::new(bytes)]).unwrap();
    }
}

#[test]
fn files_that_are_not_wanted_are_not_made_and_the_pieces_they_share_are_whole() {
    let directory = tempfile::tempdir().unwrap();
    let sample = neighbours();
    let storage = sample.storage(&directory);
    storage.select(only(1));
    storage.prepare(&nothing()).unwrap();
    write_pieces(&sample, &storage, 2..5);
    let parts = format!(".{}.parts", sample.info.hash());
    assert_eq!(names(&storage), [parts.clone(), "b".to_owned()]);
    let b = storage.path().join("b");
    assert_eq!(fs::read(b).unwrap(), sample.content[40_000..80_000]);
    assert_eq!(check(&storage), [2, 3, 4]);
    storage.finish().unwrap();
    drop(storage);

    // Whoever only looks finds the shared pieces, too.
    let root = directory.path().join("sample");
    assert_eq!(
        check(&Storage::open_at(Arc::clone(&sample.info), &root)),
        [2, 3, 4]
    );
    assert!(fs::metadata(root.join(parts)).is_ok());
}

#[test]
fn what_is_wanted_later_begins_with_what_is_there_and_ends_without_a_part_file() {
    let directory = tempfile::tempdir().unwrap();
    let sample = neighbours();
    for wanted in [only(1), FileSet::from_iter([1, 2]), FileSet::all()] {
        let storage = sample.storage(&directory);
        storage.select(wanted.clone());
        storage.prepare(&nothing()).unwrap();
        let have = check(&storage);
        let pieces = (0..8).filter(|piece| !have.contains(piece));
        match have.len() {
            0 => write_pieces(&sample, &storage, 2..5),
            3 => write_pieces(&sample, &storage, 5..8),
            _ => assert_eq!(pieces.collect::<Vec<_>>(), [0, 1]),
        }
        if wanted == FileSet::all() {
            write_pieces(&sample, &storage, 0..2);
        }
        storage.finish().unwrap();
    }
    let storage = sample.storage(&directory);
    assert_eq!(check(&storage).len(), 8);
    assert_eq!(names(&storage), ["a", "b", "c"]);
}

#[test]
fn a_file_can_be_wanted_while_the_others_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let sample = neighbours();
    let storage = sample.storage(&directory);
    storage.select(only(0));
    storage.prepare(&nothing()).unwrap();
    write_pieces(&sample, &storage, 0..3);
    storage.select(FileSet::from_iter([0, 1]));
    storage.prepare(&nothing()).unwrap();
    write_pieces(&sample, &storage, 3..5);
    assert_eq!(check(&storage), [0, 1, 2, 3, 4]);
    let b = storage.path().join("b");
    assert_eq!(fs::read(b).unwrap(), sample.content[40_000..80_000]);
}

/// A directory with the torrent's, in which the user has something of his own.
pub(super) fn beside(name: &str, content: impl AsRef<[u8]>) -> (TempDir, Sample) {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("sample")).unwrap();
    fs::write(directory.path().join("sample").join(name), content).unwrap();
    (directory, neighbours())
}

/// A download of one file that has come to its end.
fn fetched(
    sample: &Sample,
    directory: &TempDir,
    file: u32,
    pieces: std::ops::Range<u32>,
) -> Storage {
    let storage = sample.storage(directory);
    storage.select(only(file));
    assert_eq!(begin(&storage, None), []);
    write_pieces(sample, &storage, pieces);
    storage.finish().unwrap();
    storage
}

#[test]
fn somebody_elses_file_stays_as_it_is_if_it_is_not_wanted() {
    let (directory, sample) = beside("a", "mine");
    let storage = fetched(&sample, &directory, 1, 2..5);
    assert_eq!(fs::read(storage.path().join("a")).unwrap(), b"mine");
    assert_eq!(check(&storage), [2, 3, 4]);
}

#[test]
fn somebody_elses_file_is_set_aside_when_it_is_wanted_whichever_run_that_is() {
    for is_known in [false, true] {
        for earlier in [0, 1, 2] {
            let (directory, sample) = beside("b", "my own diary");
            let mut storage = sample.storage(&directory);
            let mut begun = None;
            for _ in 0..earlier {
                drop(storage);
                storage = fetched(&sample, &directory, 0, 0..3);
                assert_eq!(check(&storage), [0, 1, 2]);
                begun = is_known.then(|| storage.left());
            }
            drop(storage);
            let storage = sample.storage(&directory);
            storage.select(only(1));
            let (b, old) = (storage.path().join("b"), storage.path().join("b.old"));
            assert_eq!(begin(&storage, begun.as_ref()), [renamed(&b, &old)]);
            write_pieces(&sample, &storage, 2..5);
            storage.finish().unwrap();
            assert_eq!(fs::read(old).unwrap(), b"my own diary");
            assert_eq!(fs::read(b).unwrap(), sample.content[40_000..80_000]);
        }
    }
}

#[test]
fn somebody_elses_file_is_set_aside_when_it_is_wanted_in_the_same_run() {
    let (directory, sample) = beside("b", "my own diary");
    let storage = fetched(&sample, &directory, 0, 0..3);
    storage.select(only(2));
    assert_eq!(storage.prepare(&nothing()).unwrap(), []);
    // What the border needs of it is not read from what stands there.
    assert_eq!(check(&storage), [0, 1, 2]);
    storage.select(FileSet::all());
    let (b, old) = (storage.path().join("b"), storage.path().join("b.old"));
    assert_eq!(storage.prepare(&nothing()).unwrap(), [renamed(&b, &old)]);
    assert_eq!(check(&storage), [0, 1, 2]);
    write_pieces(&sample, &storage, 3..8);
    storage.finish().unwrap();
    assert_eq!(fs::read(old).unwrap(), b"my own diary");
    assert_eq!(names(&storage), ["a", "b", "b.old", "c"]);
    assert_eq!(check(&storage).len(), 8);
    assert_eq!(storage.prepare(&nothing()).unwrap(), []);
}

#[test]
fn what_was_put_in_its_place_later_is_taken_if_it_is_right() {
    let sample = neighbours();
    let directory = tempfile::tempdir().unwrap();
    let storage = fetched(&sample, &directory, 0, 0..3);
    let b = storage.path().join("b");
    let begun = storage.left();
    drop(storage);
    fs::write(b, &sample.content[40_000..80_000]).unwrap();
    let storage = sample.storage(&directory);
    assert_eq!(begin(&storage, Some(&begun)), []);
    assert_eq!(check(&storage), [0, 1, 2, 3]);
}

#[test]
fn a_file_that_is_not_wanted_keeps_what_was_added_to_it() {
    let longer = [&neighbours().content[40_000..80_000], b"a line of mine"].concat();
    let (directory, sample) = beside("b", &longer);
    let storage = fetched(&sample, &directory, 0, 0..3);
    assert_eq!(fs::read(storage.path().join("b")).unwrap(), longer);
}

#[test]
fn a_file_that_is_not_wanted_may_be_read_only() {
    for (theirs, wanted, pieces) in [("b", 0, 0..3), ("a", 1, 2..5)] {
        let right = match theirs {
            "a" => 0..40_000,
            _ => 40_000..80_000,
        };
        for content in [&b"mine"[..], &neighbours().content[right]] {
            let (directory, sample) = beside(theirs, content);
            let path = directory.path().join("sample").join(theirs);
            let writable = fs::metadata(&path).unwrap().permissions();
            let mut read_only = writable.clone();
            read_only.set_readonly(true);
            fs::set_permissions(&path, read_only).unwrap();
            let storage = fetched(&sample, &directory, wanted, pieces.clone());
            assert_eq!(check(&storage), pieces.clone().collect::<Vec<_>>());
            assert_eq!(fs::read(&path).unwrap(), content);
            fs::set_permissions(&path, writable).unwrap();
        }
    }
}

#[test]
fn two_processes_do_not_fetch_different_files_of_one_torrent_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let sample = neighbours();
    for (ones, others) in [
        (only(1), only(2)),
        (FileSet::all(), only(2)),
        (only(1), FileSet::all()),
    ] {
        let (one, other) = (sample.storage(&directory), sample.storage(&directory));
        one.select(ones);
        other.select(others);
        one.prepare(&nothing()).unwrap();
        let error = other.prepare(&nothing()).unwrap_err();
        assert!(
            matches!(error, StorageError::AlreadyInUse { .. }),
            "{error}"
        );
        drop((one, other));
        fs::remove_dir_all(directory.path().join("sample")).unwrap();
    }
}

#[test]
fn what_somebody_has_added_to_a_file_is_kept_and_its_pieces_are_not_fetched_again() {
    let longer = [&neighbours().content[40_000..80_000], b"a line of mine"].concat();
    let (directory, sample) = beside("b", &longer);
    let storage = sample.storage(&directory);
    let (b, old) = (storage.path().join("b"), storage.path().join("b.old"));
    assert_eq!(begin(&storage, None), [copied(&b, &old)]);
    assert_eq!(fs::read(old).unwrap(), longer);
    assert_eq!(fs::read(b).unwrap(), sample.content[40_000..80_000]);
    assert_eq!(check(&storage), [3]);
    assert_eq!(storage.prepare(&nothing()).unwrap(), []);
}

#[test]
fn of_what_is_not_wanted_no_space_is_missed() {
    let (directory, sample) = beside("a", "");
    let storage = sample.storage(&directory);
    let a = fs::File::options()
        .write(true)
        .open(storage.path().join("a"));
    a.unwrap().set_len(40_000).unwrap();
    storage.select(only(1));
    assert_eq!(begin(&storage, None), []);
    assert_eq!(storage.files.unwritten(&storage.wanted()), 40_000);
    assert_eq!(storage.files.unwritten(&FileSet::all()), 120_000);
}
