//! What is ours, what is somebody else's, and that nothing of his is lost.

use std::io::Write as _;

use super::selection::{beside, names, neighbours, only, write_pieces};
use super::*;

/// What a run leaves that was killed, and one that ended in order.
const ENDS: [fn(&Storage) -> Begun; 2] = [|storage| storage.begun(&nothing()), Storage::left];

/// A download that ends with some blocks of a piece. Returns the second of its three files, in which they are.
fn begun(
    sample: &Sample,
    directory: &TempDir,
    wanted: FileSet,
    end: fn(&Storage) -> Begun,
) -> (PathBuf, Begun) {
    let storage = sample.storage(directory);
    storage.select(wanted);
    assert_eq!(begin(&storage, None), []);
    let part = &sample.content[50_000..60_000];
    // As it is for whoever is killed: what is known was kept before.
    let before = storage.begun(&nothing());
    storage.write(50_000, &[IoSlice::new(part)]).unwrap();
    let after = end(&storage);
    let begun = if after == storage.begun(&nothing()) {
        before
    } else {
        after
    };
    (storage.path().join("b"), begun)
}

#[test]
fn what_was_begun_is_not_taken_for_somebody_elses() {
    let sample = neighbours();
    for end in ENDS {
        for wanted in [FileSet::all(), only(1)] {
            let directory = tempfile::tempdir().unwrap();
            let (_, begun) = begun(&sample, &directory, wanted.clone(), end);
            for wanted in [only(2), wanted] {
                let storage = sample.storage(&directory);
                storage.select(wanted);
                assert_eq!(begin(&storage, Some(&begun)), []);
            }
        }
    }
}

#[test]
fn what_was_begun_elsewhere_makes_nothing_ours() {
    let sample = neighbours();
    for end in ENDS {
        let elsewhere = tempfile::tempdir().unwrap();
        let (_, begun) = begun(&sample, &elsewhere, FileSet::all(), end);

        let (directory, sample) = beside("b", "my own diary");
        let storage = sample.storage(&directory);
        let (b, old) = (storage.path().join("b"), storage.path().join("b.old"));
        storage.select(only(0));
        assert_eq!(begin(&storage, Some(&begun)), []);
        // The last of them has bytes of it.
        write_pieces(&sample, &storage, 0..3);
        assert_eq!(storage.finish().unwrap(), []);
        assert_eq!(fs::read(&b).unwrap(), b"my own diary");
        drop(storage);

        let storage = sample.storage(&directory);
        assert_eq!(begin(&storage, Some(&begun)), [renamed(&b, &old)]);
        write_pieces(&sample, &storage, 3..8);
        assert_eq!(storage.finish().unwrap(), []);
        assert_eq!(fs::read(&old).unwrap(), b"my own diary");
        assert_eq!(check(&storage).len(), 8);
    }
}

#[test]
fn what_has_taken_the_place_of_a_file_of_ours_is_somebody_elses() {
    let sample = neighbours();
    for end in ENDS {
        for wanted in [FileSet::all(), only(1)] {
            let directory = tempfile::tempdir().unwrap();
            let (b, begun) = begun(&sample, &directory, wanted, end);
            let diary = b.with_file_name("diary");
            fs::write(&diary, "my own diary").unwrap();
            fs::rename(diary, &b).unwrap();
            let storage = sample.storage(&directory);
            let old = b.with_file_name("b.old");
            assert_eq!(begin(&storage, Some(&begun)), [renamed(&b, &old)]);
            assert_eq!(fs::read(old).unwrap(), b"my own diary");
        }
    }
}

#[test]
fn what_was_written_over_a_file_that_we_had_left_is_somebody_elses() {
    let sample = neighbours();
    let directory = tempfile::tempdir().unwrap();
    let (b, begun) = begun(&sample, &directory, FileSet::all(), Storage::left);
    fs::write(&b, "my own diary").unwrap();
    let storage = sample.storage(&directory);
    let old = b.with_file_name("b.old");
    assert_eq!(begin(&storage, Some(&begun)), [renamed(&b, &old)]);
    assert_eq!(fs::read(old).unwrap(), b"my own diary");
}

#[test]
fn a_file_that_was_whole_when_the_run_was_killed_is_known_by_its_looks() {
    let sample = neighbours();
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("sample")).unwrap();
    let b = directory.path().join("sample/b");
    let c = b.with_file_name("c");
    fs::write(&b, &sample.content[40_000..80_000]).unwrap();
    fs::write(&c, &sample.content[80_000..]).unwrap();
    let storage = sample.storage(&directory);
    assert_eq!(begin(&storage, None), []);
    let have = Bitfield::full(8);
    let begun = storage.begun(&have);
    drop(storage);
    fs::write(&c, "my own diary").unwrap();
    let old = b.with_file_name("c.old");
    let storage = sample.storage(&directory);
    assert_eq!(begin(&storage, Some(&begun)), [renamed(&c, &old)]);
}

#[test]
fn what_is_added_to_a_file_during_a_download_is_kept() {
    let sample = neighbours();
    let directory = tempfile::tempdir().unwrap();
    let storage = sample.storage(&directory);
    begin(&storage, None);
    let (b, old) = (storage.path().join("b"), storage.path().join("b.old"));
    write_pieces(&sample, &storage, 0..8);
    let mut theirs = fs::File::options().append(true).open(&b).unwrap();
    theirs.write_all(b"a line of mine").unwrap();
    assert_eq!(storage.finish().unwrap(), [copied(&b, &old)]);
    let longer = [&sample.content[40_000..80_000], b"a line of mine"].concat();
    assert_eq!(fs::read(old).unwrap(), longer);
    assert_eq!(fs::read(b).unwrap(), sample.content[40_000..80_000]);
    assert_eq!(storage.finish().unwrap(), []);
}

#[test]
fn a_copy_that_cannot_be_whole_leaves_nothing_behind_and_nothing_is_cut() {
    // With `.old` behind it, it is too long for any file system.
    let name = "n".repeat(253);
    let sample = Sample::new(&[(&name, 20_000)], 16_384);
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("sample");
    fs::create_dir(&root).unwrap();
    let longer = [&sample.content[..], b"a line of mine"].concat();
    fs::write(root.join(&name), &longer).unwrap();
    for _ in 0..2 {
        let storage = sample.storage(&directory);
        storage.prepare(&nothing()).unwrap_err();
        assert_eq!(names(&storage), std::slice::from_ref(&name));
        assert_eq!(fs::read(root.join(&name)).unwrap(), longer);
    }
}

#[test]
fn a_longer_file_that_may_not_be_cut_is_not_copied_again_and_again() {
    let longer = [&neighbours().content[40_000..80_000], b"a line of mine"].concat();
    let (directory, sample) = beside("b", &longer);
    let b = directory.path().join("sample/b");
    let writable = fs::metadata(&b).unwrap().permissions();
    let mut read_only = writable.clone();
    read_only.set_readonly(true);
    fs::set_permissions(&b, read_only).unwrap();
    for _ in 0..2 {
        let storage = sample.storage(&directory);
        // The superuser may.
        let is_cut = storage.prepare(&nothing()).is_ok();
        let copies = names(&storage)
            .iter()
            .filter(|name| name.ends_with("old"))
            .count();
        assert_eq!(copies, usize::from(is_cut));
        assert_eq!(fs::read(&b).unwrap().len() == 40_000, is_cut);
    }
    fs::set_permissions(&b, writable).unwrap();
}
