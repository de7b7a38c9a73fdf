use super::*;

/// The fastest first.
fn contacts() -> Vec<SavedContact> {
    ["192.0.2.1:6881", "[2001:db8::1]:65535", "192.0.2.2:1"]
        .iter()
        .zip(1..)
        .map(|(address, byte)| SavedContact {
            id: [byte; 20],
            address: address.parse().unwrap(),
            silent_for: Duration::from_secs(60 * u64::from(byte)),
            round_trip: (byte < 3).then(|| Duration::from_millis(byte.into())),
        })
        .collect()
}

#[test]
fn a_node_comes_back_with_its_id_and_contacts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/state");
    let state = StateDir::open(&path).unwrap();
    assert_eq!(state.load_node(0), None);
    state.save_node(0, [7; 20], contacts()).unwrap();
    drop(state);

    let expected = SavedNode {
        id: Some([7; 20]),
        contacts: contacts(),
    };
    assert_eq!(StateDir::open(&path).unwrap().load_node(0), Some(expected));
}

#[cfg(unix)]
#[test]
fn no_other_user_may_look_into_the_directory_or_hold_its_lock() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/state");
    let state = StateDir::open(&path).unwrap();
    state.save_node(0, [7; 20], contacts()).unwrap();
    assert_eq!(mode(&path), 0o700);
    for file in [NODE_LOCK, NODE] {
        assert_eq!(mode(&path.join(file)), 0o600, "{file}");
    }
    drop(state);
    // One that an earlier version has left.
    let lock = path.join(NODE_LOCK);
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!StateDir::open(&path).unwrap().is_taken());
    assert_eq!(mode(&lock), 0o600);
}

#[test]
fn each_address_has_a_node_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    state.save_node(0, [7; 20], contacts()).unwrap();
    state.save_node(1, [9; 20], Vec::new()).unwrap();
    let ids = [0, 1, 2].map(|place| state.load_node(place).and_then(|node| node.id));
    assert_eq!(ids, [Some([7; 20]), Some([9; 20]), None]);
}

#[test]
fn a_second_process_gets_the_contacts_but_neither_uses_nor_replaces_the_id() {
    let directory = tempfile::tempdir().unwrap();
    let first = StateDir::open(directory.path()).unwrap();
    first.save_node(0, [7; 20], contacts()).unwrap();
    let second = StateDir::open(directory.path()).unwrap();

    let seen = second.load_node(0).unwrap();
    assert_eq!((seen.id, seen.contacts), (None, contacts()));
    second.save_node(0, [9; 20], Vec::new()).unwrap();
    assert_eq!(first.load_node(0).unwrap().id, Some([7; 20]));
}

#[test]
fn a_damaged_node_is_set_aside_and_the_next_one_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    state.save_node(0, [7; 20], contacts()).unwrap();
    let path = directory.path().join(NODE);
    let whole = fs::read(&path).unwrap();
    for damaged in [
        &b""[..],
        b"d",
        b"d2:id3:abc5:nodes0:6:nodes60:e",
        &whole[..whole.len() / 2],
    ] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(state.load_node(0), None);
        assert!(directory.path().join("node.benc.damaged").exists());
        assert!(!path.exists());
    }
    state.save_node(0, [7; 20], Vec::new()).unwrap();
    assert!(state.load_node(0).is_some());
}

#[test]
fn who_was_heard_of_last_comes_first_and_the_others_make_room() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let many = (0..2 * node_file::MAX_CONTACTS as u32).rev();
    let many = many.map(|second| SavedContact {
        id: [1; 20],
        address: (second.to_be_bytes(), 6881).into(),
        silent_for: Duration::from_secs(second.into()),
        round_trip: None,
    });
    state.save_node(0, [7; 20], many.collect()).unwrap();
    let saved = state.load_node(0).unwrap().contacts;
    let ages: Vec<_> = saved
        .iter()
        .map(|contact| contact.silent_for.as_secs())
        .collect();
    assert!(ages.into_iter().eq(0..node_file::MAX_CONTACTS as u64));
}

#[test]
fn the_fastest_come_first_of_those_heard_of_within_ten_minutes() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let contact = |minutes: u64, milliseconds: Option<u64>| SavedContact {
        id: [1; 20],
        address: "192.0.2.1:6881".parse().unwrap(),
        silent_for: Duration::from_secs(60 * minutes),
        round_trip: milliseconds.map(Duration::from_millis),
    };
    let by_promise = [
        contact(9, Some(20)),
        contact(1, Some(300)),
        contact(0, None),
        contact(12, Some(10)),
        contact(25, Some(1)),
    ];
    let mut shuffled = by_promise;
    shuffled.reverse();
    shuffled.swap(1, 3);
    state.save_node(0, [7; 20], shuffled.to_vec()).unwrap();
    assert_eq!(state.load_node(0).unwrap().contacts, by_promise);
}

#[test]
fn a_node_of_the_first_version_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let mut file = b"d2:id20:".to_vec();
    file.extend([7; 20]);
    file.extend(b"5:nodes26:");
    file.extend([1; 20]);
    file.extend(b"\xc0\0\x02\x01\x1a\xe16:nodes60:e");
    fs::write(directory.path().join(NODE), file).unwrap();
    let node = state.load_node(0).unwrap();
    assert_eq!(node.id, Some([7; 20]));
    let [contact] = node.contacts[..] else {
        panic!("{node:?}")
    };
    assert_eq!(contact.address, "192.0.2.1:6881".parse().unwrap());
}

#[test]
fn a_node_of_a_newer_version_is_set_aside_whole() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let (path, newer) = (directory.path().join(NODE), b"d4:mind5:blown7:versioni3ee");
    fs::write(&path, newer).unwrap();
    assert_eq!(state.load_node(0), None);
    state.save_node(0, [7; 20], Vec::new()).unwrap();
    assert_eq!(
        fs::read(directory.path().join("node.benc.newer")).unwrap(),
        newer
    );
    assert_eq!(state.load_node(0).unwrap().id, Some([7; 20]));
}

#[cfg(unix)]
#[test]
fn a_node_of_another_user_is_neither_used_nor_replaced() {
    use std::os::unix::fs::{chown, symlink};

    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    state.save_node(0, [7; 20], contacts()).unwrap();
    let path = directory.path().join(NODE);
    // Who may not give a file away shows one that is the system's.
    if chown(&path, Some(12345), None).is_err() {
        fs::remove_file(&path).unwrap();
        symlink("/etc/passwd", &path).unwrap();
    }
    let before = fs::read(&path).unwrap();
    assert_eq!(state.load_node(0), None);
    state.save_node(0, [9; 20], Vec::new()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn metadata_are_kept_until_the_torrent_is_finished() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let info_hash = InfoHash::from(<[u8; 20]>::from(Sha1::digest(b"d4:name1:ae")));
    assert_eq!(state.load_info(info_hash), None);
    state.save_info(info_hash, b"d4:name1:ae").unwrap();
    assert_eq!(
        state.load_info(info_hash).as_deref(),
        Some(&b"d4:name1:ae"[..])
    );
    state.forget_info(info_hash).unwrap();
    state.forget_info(info_hash).unwrap();
    assert_eq!(state.load_info(info_hash), None);
}

#[test]
fn metadata_that_do_not_match_their_hash_are_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let info_hash = InfoHash::from([1; 20]);
    state.save_info(info_hash, b"de").unwrap();
    assert_eq!(state.load_info(info_hash), None);
    let damaged = directory.path().join(format!("{info_hash}.info.damaged"));
    assert!(damaged.exists());
}

fn record() -> Record {
    Record {
        have: wire::Bitfield::full(3),
        files: Vec::new(),
        boot: None,
    }
}

#[test]
fn a_record_is_kept_until_it_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let info_hash = InfoHash::from([1; 20]);
    assert_eq!(state.load_record(info_hash), None);
    state.save_record(info_hash, &record()).unwrap();
    assert_eq!(state.load_record(info_hash), Some(record()));
    state.forget_record(info_hash).unwrap();
    state.forget_record(info_hash).unwrap();
    assert_eq!(state.load_record(info_hash), None);
}

#[test]
fn a_record_of_another_torrent_or_a_newer_version_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let info_hash = InfoHash::from([1; 20]);
    let path = |ending| directory.path().join(format!("{info_hash}.{ending}"));
    state.save_record([2; 20].into(), &record()).unwrap();
    let of_another = directory
        .path()
        .join(format!("{}.resume", InfoHash::from([2; 20])));
    fs::rename(of_another, path("resume")).unwrap();
    assert_eq!(state.load_record(info_hash), None);
    assert!(path("resume.damaged").exists());

    fs::write(path("resume"), b"d4:mind5:blown7:versioni2ee").unwrap();
    assert_eq!(state.load_record(info_hash), None);
    assert!(path("resume.newer").exists());
}

#[test]
fn of_too_many_records_those_go_that_were_not_used_for_longest() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let hash = |number: u8| InfoHash::from([number; 20]);
    for number in 0..5 {
        state.save_record(hash(number), &record()).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(number.into());
        let file = File::options()
            .write(true)
            .open(state.record_path(hash(number)));
        file.unwrap().set_modified(long_ago).unwrap();
    }
    assert!(state.load_record(hash(0)).is_some());
    state.drop_old_records(3).unwrap();
    let left = [0, 1, 2, 3, 4].map(|number| state.record_path(hash(number)).exists());
    assert_eq!(left, [true, false, false, true, true]);
    assert!(directory.path().join(NODE_LOCK).exists());
}

#[test]
fn nothing_but_the_files_themselves_is_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    for _ in 0..3 {
        state.save_node(0, [7; 20], contacts()).unwrap();
    }
    let names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}
