//! Disks that do not take what is written: the exit code is 6, and what arrived before is kept.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use crate::support::{Desk, FakePeer, FileSystem, Running, Sample, assert_same, noise};

const LENGTH: usize = 2 << 20;

fn film(desk: &Desk) -> (Sample, FakePeer) {
    desk.write("share/film.mkv", noise(50, LENGTH));
    let sample = desk.torrent("share/film.mkv");
    let seed = FakePeer::honest(&sample);
    (sample, seed)
}

#[test]
fn a_disk_that_fills_up_costs_nothing_that_is_there() {
    let desk = Desk::new();
    let (_, seed) = film(&desk);
    let peer = seed.address();
    let theirs = noise(51, 1 << 20);
    let small = FileSystem::mount("size=2560k");
    let out = small
        .as_ref()
        .map_or_else(|| desk.path("out"), |small| small.path().to_owned());
    let get = [
        "get",
        "film.mkv.torrent",
        "-o",
        out.to_str().unwrap(),
        "--peer",
        &peer,
    ];

    if small.is_some() {
        fs::write(out.join("holiday.jpg"), &theirs).unwrap();
        desk.run(&get)
            .assert_refused(6, &["no space left", "film.mkv", "make room", "resumes"]);
        assert_eq!(fs::read(out.join("holiday.jpg")).unwrap(), theirs);
        fs::remove_file(out.join("holiday.jpg")).unwrap();
    } else {
        // Nothing can be mounted here. A limit on the length of files refuses the later bytes as a full disk does.
        Running::start(desk.trackless_after("trap '' XFSZ; ulimit -f 3000", &get))
            .end()
            .assert_refused(6, &["film.mkv"]);
    }

    let resumed = desk.run(&get);
    resumed.assert_done();
    assert!(resumed.downloaded() < LENGTH as u64, "{resumed}");
    assert_same(&desk.path("share"), &out);
}

#[test]
fn a_file_system_that_takes_no_file_of_that_length() {
    let desk = Desk::new();
    let (_, seed) = film(&desk);
    let get = [
        "get",
        "film.mkv.torrent",
        "-o",
        "out",
        "--peer",
        &seed.address(),
    ];
    let limited = desk.trackless_after("trap '' XFSZ; ulimit -f 1000", &get);
    Running::start(limited)
        .end()
        .assert_refused(6, &["film.mkv", "longer than its file system allows"]);
    desk.run(&get).assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
}

/// A directory into which this user cannot write, whoever that is.
fn unwritable(desk: &Desk) -> (PathBuf, Option<FileSystem>) {
    if let Some(mounted) = FileSystem::mount("ro") {
        return (mounted.path().to_owned(), Some(mounted));
    }
    let directory = desk.path("unwritable");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(directory.join("probe"), []).is_err() {
        return (directory, None);
    }
    // Root, and not allowed to mount anything: no file can be made in the kernel's own directories.
    ("/sys".into(), None)
}

#[test]
fn a_read_only_directory_is_found_out_before_the_first_byte() {
    let desk = Desk::new();
    let (_, seed) = film(&desk);
    let (directory, _mounted) = unwritable(&desk);
    let out = directory.to_str().unwrap();
    let get = desk.run(&[
        "get",
        "film.mkv.torrent",
        "-o",
        out,
        "--peer",
        &seed.address(),
    ]);
    get.assert_refused(6, &[out, "another directory"]);
    assert_eq!(get.downloaded(), 0);
}

#[test]
fn a_directory_and_a_file_in_the_place_of_the_other() {
    let desk = Desk::new();
    let (_, seed) = film(&desk);
    desk.write("out/film.mkv/somebody's", "own");
    desk.write("file", "of somebody's");
    for (out, words) in [
        ("out", ["film.mkv", "no regular file"]),
        ("file", ["file", "no directory"]),
    ] {
        let get = desk.run(&[
            "get",
            "film.mkv.torrent",
            "-o",
            out,
            "--peer",
            &seed.address(),
        ]);
        get.assert_refused(6, &words);
    }
    assert_eq!(
        fs::read(desk.path("out/film.mkv/somebody's")).unwrap(),
        b"own"
    );
    assert_eq!(fs::read(desk.path("file")).unwrap(), b"of somebody's");
}

#[test]
fn a_link_that_leads_out_of_the_directory_is_not_followed() {
    let desk = Desk::new();
    let (_, seed) = film(&desk);
    desk.write("elsewhere/precious", "own");
    fs::create_dir(desk.path("out")).unwrap();
    symlink("../elsewhere/precious", desk.path("out/film.mkv")).unwrap();
    let get = desk.get("film.mkv.torrent", &seed.address(), &[]);
    get.assert_refused(6, &["film.mkv", "symbolic link", "leads out"]);
    assert_eq!(fs::read(desk.path("elsewhere/precious")).unwrap(), b"own");
}
