//! Disks that do not take what is written: the exit code is 6, and what arrived before is kept.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{
    Desk, FakePeer, FileSystem, PATIENCE, Running, Sample, Sealed, assert_same, noise,
};

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

/// A copy of a program, and that running: nobody can open it to write to it, root neither.
struct Busy(std::process::Child);

impl Busy {
    fn run(path: &Path) -> Self {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path, mode).unwrap();
        let begun = Instant::now();
        loop {
            // Where one program is many, its name says which it is to be.
            match Command::new(path).arg0("sleep").arg("600").spawn() {
                // A process that another test is about to start may still have it open, as it was written.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                    assert!(begun.elapsed() < PATIENCE, "{error}");
                    std::thread::sleep(Duration::from_millis(10));
                }
                running => return Self(running.unwrap()),
            }
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that sleeps.
fn sleeper() -> Vec<u8> {
    let directories = ["/bin", "/usr/bin"].iter();
    let mut programs =
        directories.filter_map(|place| fs::read(Path::new(place).join("sleep")).ok());
    programs.next().expect("the system has `sleep`")
}

#[test]
fn what_is_whole_is_not_opened_to_be_written_to_and_what_is_not_is_named() {
    let desk = Desk::new();
    let behind = noise(53, 100_000);
    desk.write("share/tool", [sleeper(), behind].concat());
    let seed = FakePeer::honest(&desk.torrent("share/tool"));
    let get = [
        "get",
        "tool.torrent",
        "-o",
        "out",
        "--peer",
        &seed.address(),
    ];

    fs::create_dir(desk.path("out")).unwrap();
    fs::copy(desk.path("share/tool"), desk.path("out/tool")).unwrap();
    let busy = Busy::run(&desk.path("out/tool"));
    let whole = desk.run(&get);
    whole.assert_done();
    assert_eq!(whole.downloaded(), 0);
    drop(busy);

    desk.write("out/tool", [sleeper(), vec![0; 100_000]].concat());
    let busy = Busy::run(&desk.path("out/tool"));
    let refused = desk.run(&get);
    refused.assert_refused(6, &["cannot write to out/tool"]);
    assert_eq!(refused.downloaded(), 0);
    drop(busy);
    desk.run(&get).assert_done();
}

#[test]
fn what_is_complete_may_lie_where_nothing_can_be_written() {
    let desk = Desk::new();
    desk.write("share/album/one", noise(54, 100_000));
    desk.write("share/album/two", noise(55, 100_000));
    let seed = FakePeer::honest(&desk.torrent("share/album"));
    let mut mounted = FileSystem::mount("size=4m");
    let out = match &mounted {
        Some(mounted) => mounted.path().to_owned(),
        None => desk.path("out"),
    };
    let get = |more: &[&str]| {
        let out = out.to_str().unwrap();
        let get = ["get", "album.torrent", "-o", out, "--peer", &seed.address()];
        desk.run(&[&get[..], more].concat())
    };
    get(&["--select", "one"]).assert_done();
    let _sealed = match &mut mounted {
        Some(mounted) => {
            mounted.seal();
            None
        }
        None => Some(Sealed::new(&out)),
    };
    let again = get(&["--select", "one"]);
    again.assert_done();
    assert_eq!(again.downloaded(), 0);
    // Where root cannot mount anything, nothing keeps him from writing.
    if fs::write(out.join("probe"), "").is_err() {
        let more = get(&[]);
        more.assert_refused(6, &["album/two"]);
        assert_eq!(more.downloaded(), 0);
    }
}
