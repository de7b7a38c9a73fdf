//! The real binary: what gets into a torrent, what is changed around it, and that both can be relied on.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory in which `album` has files of which not all are meant for others.
fn desk() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in [
        ("song.flac", vec![1; 40_000]),
        ("song.tmp", vec![2; 10]),
        (".cache", vec![3; 10]),
        ("raw/take.wav", vec![4; 30_000]),
    ] {
        let path = directory.path().join("album").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    directory
}

fn trackless(desk: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trackless"));
    command.current_dir(desk).args(arguments).env_clear();
    command.output().expect("the binary starts")
}

/// The only event of a command that succeeds.
fn event(desk: &TempDir, arguments: &[&str]) -> Value {
    let output = trackless(desk, &[&["--json", "--quiet"], arguments].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a command that fails has to say.
fn refusal(desk: &TempDir, arguments: &[&str], code: i32) -> String {
    let output = trackless(desk, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn paths(torrent: &Value) -> Vec<&str> {
    let files = torrent["files"].as_array().unwrap();
    files
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect()
}

#[test]
fn what_is_hidden_or_excluded_stays_at_home_and_is_told() {
    let desk = desk();
    let created = event(
        &desk,
        &["create", "album", "--exclude", "*.tmp", "--exclude", "raw/"],
    );
    assert_eq!(
        created["left_out"],
        json!([
            {"path": ".cache", "reason": "hidden"},
            {"path": "raw", "reason": "excluded"},
            {"path": "song.tmp", "reason": "excluded"},
        ])
    );
    assert_eq!(
        paths(&event(&desk, &["show", "album.torrent"])),
        ["album/song.flac"]
    );

    let made = trackless(&desk, &["create", "album", "-o", "told.torrent"]);
    let said = String::from_utf8(made.stderr).unwrap();
    assert!(
        said.contains("left out .cache: hidden (--hidden takes it)"),
        "{said}"
    );

    event(&desk, &["create", "album", "--hidden", "-o", "all.torrent"]);
    let all = event(&desk, &["show", "all.torrent"]);
    assert_eq!(
        paths(&all),
        [
            "album/.cache",
            "album/raw/take.wav",
            "album/song.flac",
            "album/song.tmp"
        ]
    );
}

#[cfg(unix)]
#[test]
fn links_are_left_out_unless_they_are_followed_and_never_lead_out() {
    let desk = desk();
    let album = desk.path().join("album");
    std::os::unix::fs::symlink("song.flac", album.join("best.flac")).unwrap();
    let created = event(&desk, &["create", "album"]);
    assert_eq!(
        created["left_out"][1],
        json!({"path": "best.flac", "reason": "link"})
    );
    let created = event(
        &desk,
        &["create", "album", "--follow-links", "-o", "b.torrent"],
    );
    assert_eq!(created["files"], 4);

    fs::write(desk.path().join("diary"), "private").unwrap();
    std::os::unix::fs::symlink("../diary", album.join("diary")).unwrap();
    let said = refusal(
        &desk,
        &["create", "album", "--follow-links", "-o", "c.torrent"],
        6,
    );
    assert!(said.contains("album/diary"), "{said}");
}

#[test]
fn the_same_content_makes_the_same_file_unless_it_is_dated() {
    let desk = desk();
    let bytes = |name: &str| fs::read(desk.path().join(name)).unwrap();
    event(&desk, &["create", "album", "-o", "a.torrent"]);
    event(&desk, &["create", "album", "-o", "b.torrent"]);
    assert_eq!(bytes("a.torrent"), bytes("b.torrent"));

    event(
        &desk,
        &[
            "create",
            "album",
            "--date",
            "2023-11-14 22:13:20",
            "-o",
            "c.torrent",
        ],
    );
    let dated = event(&desk, &["show", "c.torrent"]);
    assert_eq!(dated["creation_date"], 1_700_000_000);
    let plain = event(&desk, &["show", "a.torrent"]);
    assert_eq!(dated["info_hash"], plain["info_hash"]);
}

#[test]
fn a_torrent_that_is_written_into_its_content_is_no_part_of_it() {
    let desk = desk();
    let album = desk.path().join("album");
    let create = |arguments: &[&str]| event(&desk, &[&["create", "album"], arguments].concat());
    let first = create(&["-o", "album"]);
    let again = create(&["-o", "album", "--force"]);
    assert_eq!(again["info_hash"], first["info_hash"]);
    let told = json!({"path": "album.torrent", "reason": "output"});
    assert!(again["left_out"].as_array().unwrap().contains(&told));
    // Of another one it is a file like any other.
    assert_eq!(create(&[])["files"], 4);

    let mut here = Command::new(env!("CARGO_BIN_EXE_trackless"));
    here.current_dir(&album).env_clear();
    let made = here.args(["create", ".", "--force"]).output().unwrap();
    let said = String::from_utf8(made.stderr).unwrap();
    let hash = first["info_hash"].as_str().unwrap();
    assert!(String::from_utf8(made.stdout).unwrap().contains(hash));
    assert!(said.contains("left out album.torrent"), "{said}");
}

#[test]
fn a_torrent_is_not_written_over_the_file_that_it_is_made_of() {
    let desk = desk();
    let song = "album/song.flac";
    let said = refusal(&desk, &["create", song, "-o", song, "--force"], 2);
    assert!(said.contains("what the torrent is made of"), "{said}");
    assert!(fs::read(desk.path().join(song)).unwrap() == vec![1; 40_000]);
}

/// Content whose length is beyond all reading: whoever hashed it first would not come back.
#[cfg(unix)]
#[test]
fn that_there_is_no_place_for_a_torrent_is_said_before_anything_is_hashed() {
    let desk = desk();
    let long = "n".repeat(250);
    for name in ["huge", &long] {
        let huge = fs::File::create(desk.path().join(name)).unwrap();
        huge.set_len(1 << 40).unwrap();
    }
    fs::write(desk.path().join("huge.torrent"), "old").unwrap();
    fs::create_dir(desk.path().join("other.torrent")).unwrap();
    let said = refusal(&desk, &["create", "huge"], 2);
    assert!(said.contains("huge.torrent exists already"), "{said}");
    let said = refusal(&desk, &["create", "huge", "-o", "."], 2);
    assert!(said.contains("huge.torrent exists already"), "{said}");
    let said = refusal(&desk, &["create", "huge", "--name", "other", "--force"], 2);
    assert!(said.contains("other.torrent is a directory"), "{said}");
    let said = refusal(&desk, &["create", &long], 6);
    assert!(said.contains("cannot write nnn"), "{said}");
}

#[test]
fn nonsense_in_patterns_and_dates_is_wrong_use() {
    let desk = desk();
    let said = refusal(&desk, &["create", "album", "--exclude", "[a"], 2);
    assert!(said.contains("the pattern \"[a\" makes no sense"), "{said}");
    let said = refusal(&desk, &["create", "album", "--date", "yesterday"], 2);
    assert!(said.contains("a date is `now`"), "{said}");
    let said = refusal(&desk, &["create", "album", "--exclude", "*"], 2);
    assert!(said.contains("nothing to share"), "{said}");
    assert!(!desk.path().join("album.torrent").exists());
}

#[test]
fn an_edit_changes_the_advice_and_not_the_torrent() {
    let desk = desk();
    let created = event(
        &desk,
        &[
            "create",
            "album",
            "--comment",
            "old",
            "--nodes",
            "192.0.2.1:6881",
        ],
    );
    let edited = event(
        &desk,
        &[
            "edit",
            "album.torrent",
            "--comment",
            "new",
            "--node",
            "dht.example:1",
            "--drop",
            "creator",
        ],
    );
    assert_eq!(edited["event"], "edited");
    assert_eq!(edited["info_hash"], created["info_hash"]);
    assert_eq!(edited["changed"], true);
    let shown = event(&desk, &["show", "album.torrent"]);
    assert_eq!(shown["info_hash"], created["info_hash"]);
    assert_eq!(shown["comment"], "new");
    assert_eq!(shown["nodes"], json!(["192.0.2.1:6881", "dht.example:1"]));
    assert_eq!(shown.get("created_by"), None);
    assert!(
        trackless(&desk, &["verify", "album.torrent", "."])
            .status
            .success()
    );

    let bare = [
        "edit",
        "album.torrent",
        "--drop",
        "comment,nodes",
        "-o",
        "bare.torrent",
    ];
    event(&desk, &bare);
    let said = refusal(&desk, &bare, 2);
    assert!(said.contains("bare.torrent exists already"), "{said}");
    assert_eq!(event(&desk, &["show", "album.torrent"])["comment"], "new");
    let bytes = fs::read(desk.path().join("bare.torrent")).unwrap();
    assert!(bytes.starts_with(b"d4:infod5:files") && bytes.ends_with(b"ee"));
}

#[test]
fn a_torrent_goes_to_a_file_to_a_directory_or_to_standard_output() {
    let desk = desk();
    fs::create_dir(desk.path().join("torrents")).unwrap();
    event(&desk, &["create", "album", "-o", "a.torrent"]);
    let torrent = fs::read(desk.path().join("a.torrent")).unwrap();

    let created = event(&desk, &["create", "album", "-o", "torrents"]);
    assert_eq!(created["path"], "torrents/album.torrent");
    let written = fs::read(desk.path().join("torrents/album.torrent")).unwrap();
    assert!(written == torrent);

    let piped = trackless(&desk, &["create", "album", "-o", "-"]);
    let said = String::from_utf8(piped.stderr).unwrap();
    assert!(piped.status.success(), "{said}");
    assert!(piped.stdout == torrent);
    assert!(said.contains("magnet:?xt=urn:btih:"), "{said}");
    assert!(!desk.path().join("-").exists());
    let said = refusal(&desk, &["create", "album", "-o", "-", "--json"], 2);
    assert!(said.contains("both want standard output"), "{said}");

    let bare = ["edit", "a.torrent", "--drop", "creator", "-o"];
    let edited = event(&desk, &[&bare[..], &["torrents", "--force"]].concat());
    assert_eq!(edited["path"], "torrents/album.torrent");
    let written = fs::read(desk.path().join("torrents/album.torrent")).unwrap();
    let piped = trackless(&desk, &[&bare[..], &["-"]].concat());
    assert!(piped.status.success());
    assert!(piped.stdout == written && written != torrent);
    assert!(fs::read(desk.path().join("a.torrent")).unwrap() == torrent);
    let said = refusal(&desk, &[&bare[..], &["nowhere/a.torrent"]].concat(), 2);
    assert!(said.contains("there is no directory nowhere"), "{said}");
}

#[test]
fn what_other_clients_wrote_beside_the_content_survives_an_edit() {
    let desk = tempfile::tempdir().unwrap();
    let info = "d6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    let file = format!("d8:announce9:udp://old4:info{info}8:url-list14:http://a.web/fe");
    fs::write(desk.path().join("a.torrent"), file).unwrap();
    event(&desk, &["edit", "a.torrent", "--drop", "trackers"]);
    assert_eq!(
        fs::read_to_string(desk.path().join("a.torrent")).unwrap(),
        format!("d4:info{info}8:url-list14:http://a.web/fe")
    );
    let left: Vec<_> = fs::read_dir(&desk).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary file is left: {left:?}");
}

#[cfg(unix)]
#[test]
fn an_edit_reaches_the_file_behind_a_link_and_leaves_it_as_secret_as_it_was() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let desk = desk();
    let path = |name: &str| desk.path().join(name);
    event(&desk, &["create", "album"]);
    let secret = fs::Permissions::from_mode(0o600);
    fs::set_permissions(path("album.torrent"), secret).unwrap();
    symlink("album.torrent", path("link.torrent")).unwrap();
    event(&desk, &["edit", "link.torrent", "--comment", "new"]);
    let elsewhere = ["edit", "album.torrent", "--comment", "newer", "--force"];
    event(&desk, &[&elsewhere[..], &["-o", "link.torrent"]].concat());
    assert!(path("link.torrent").is_symlink());
    let shown = event(&desk, &["show", "album.torrent"]);
    assert_eq!(shown["comment"], "newer");
    let kept = path("album.torrent").metadata().unwrap();
    assert_eq!(kept.permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_replaced_by_a_torrent() {
    let desk = desk();
    event(&desk, &["create", "album"]);
    let socket = desk.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for arguments in [
        &["create", "album", "--force", "-o", "socket"][..],
        &["create", "album", "-o", "socket"],
        &["create", "album", "--force", "-o", "/dev/null"],
        &[
            "edit",
            "album.torrent",
            "--comment",
            "new",
            "-o",
            "socket",
            "--force",
        ],
        &["edit", "socket", "--comment", "new"],
    ] {
        let said = refusal(&desk, arguments, 2);
        assert!(said.contains("`-o -`"), "{said}");
    }
    assert!(!socket.is_file());
}

#[test]
fn an_edit_of_nothing_or_of_no_torrent_is_refused() {
    let desk = desk();
    event(&desk, &["create", "album"]);
    let said = refusal(&desk, &["edit", "album.torrent"], 2);
    assert!(said.contains("--comment"), "{said}");
    let said = refusal(&desk, &["edit", "album.torrent", "--drop", "info"], 2);
    assert!(
        said.contains("comment, creator, date, nodes, trackers"),
        "{said}"
    );
    let said = refusal(&desk, &["edit", "absent.torrent", "--drop", "comment"], 2);
    assert!(said.contains("cannot read absent.torrent"), "{said}");
    fs::write(desk.path().join("bad.torrent"), "d4:infodee").unwrap();
    let said = refusal(&desk, &["edit", "bad.torrent", "--drop", "comment"], 1);
    assert!(
        said.contains("bad.torrent is not a usable torrent file"),
        "{said}"
    );
    assert_eq!(
        fs::read(Path::new(desk.path()).join("bad.torrent")).unwrap(),
        b"d4:infodee"
    );
}
