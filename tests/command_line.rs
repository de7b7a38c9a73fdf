//! The real binary, as far as it goes without others: making, showing and checking torrents, what wrong use gets, and
//! the demo, which brings its own network.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";
const PUBLISHER: &str =
    "magnet:?xs=urn:btpk:8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e&s=6e";

/// The program in a directory of its own, with an environment that says nothing.
fn trackless(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trackless"));
    command
        .current_dir(directory)
        .args(arguments)
        .env_clear()
        .env("HOME", directory);
    command.output().expect("the binary starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code, not a signal")
}

/// The events on standard output, each a line.
fn events(output: &Output) -> Vec<Value> {
    stdout(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

/// A directory with content to share: 50,000 bytes in three files, one of them empty.
fn content() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("äpfel");
    fs::create_dir_all(root.join("more")).unwrap();
    fs::write(root.join("one.bin"), vec![1; 20_000]).unwrap();
    fs::write(root.join("more/two.bin"), vec![2; 30_000]).unwrap();
    fs::write(root.join("empty"), []).unwrap();
    directory
}

#[test]
fn a_torrent_is_made_shown_and_verified() {
    let directory = content();
    let run = |arguments: &[&str]| trackless(directory.path(), arguments);

    let made = run(&[
        "--json",
        "create",
        "äpfel",
        "-o",
        "a.torrent",
        "--piece-length",
        "16K",
        "--comment",
        "ripe",
    ]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let created = &events(&made)[0];
    assert_eq!(created["event"], "created");
    assert_eq!(created["pieces"], 4);

    let shown = run(&["--json", "show", "a.torrent"]);
    let description = &events(&shown)[0];
    assert_eq!(description["event"], "torrent");
    assert_eq!(description["name"], "äpfel");
    assert_eq!(description["length"], 50_000);
    assert_eq!(description["comment"], "ripe");
    assert_eq!(description["info_hash"], created["info_hash"]);
    assert_eq!(description["files"].as_array().unwrap().len(), 3);

    let shown = run(&["show", "a.torrent"]);
    for line in [
        "äpfel/",
        "two.bin",
        created["info_hash"].as_str().unwrap(),
        "48.8 KiB (50000 bytes) in 3 files",
    ] {
        assert!(
            stdout(&shown).contains(line),
            "{line} is not in\n{}",
            stdout(&shown)
        );
    }

    for path in [".", "äpfel"] {
        let verified = run(&["--json", "verify", "a.torrent", path]);
        assert_eq!(code(&verified), 0, "{}", stderr(&verified));
        assert_eq!(events(&verified)[0]["wrong"].as_array().unwrap().len(), 0);
    }
}

#[test]
fn the_same_content_has_the_same_info_hash() {
    let directory = content();
    let info_hash = |name: &str| {
        let made = trackless(directory.path(), &["--json", "create", "äpfel", "-o", name]);
        events(&made)[0]["info_hash"].as_str().unwrap().to_owned()
    };
    assert_eq!(info_hash("a.torrent"), info_hash("b.torrent"));
}

#[test]
fn a_torrent_file_is_not_overwritten_unless_forced() {
    let directory = content();
    let run = |arguments: &[&str]| trackless(directory.path(), arguments);
    fs::write(directory.path().join("äpfel.torrent"), "precious").unwrap();

    let refused = run(&["create", "äpfel"]);
    assert_eq!(code(&refused), 2);
    assert!(stderr(&refused).contains("--force"), "{}", stderr(&refused));
    assert_eq!(
        fs::read(directory.path().join("äpfel.torrent")).unwrap(),
        b"precious"
    );

    assert_eq!(code(&run(&["create", "äpfel", "--force"])), 0);
    assert_eq!(code(&run(&["show", "äpfel.torrent"])), 0);
}

#[test]
fn a_changed_byte_and_a_missing_file_are_named() {
    let directory = content();
    let run = |arguments: &[&str]| trackless(directory.path(), arguments);
    assert_eq!(
        code(&run(&[
            "create",
            "äpfel",
            "-o",
            "a.torrent",
            "--piece-length",
            "16K"
        ])),
        0
    );

    let path = directory.path().join("äpfel/one.bin");
    let mut bytes = fs::read(&path).unwrap();
    bytes[19_999] ^= 1;
    fs::write(&path, bytes).unwrap();
    let verified = run(&["--json", "verify", "a.torrent", "."]);
    assert_eq!(code(&verified), 7);
    let events = events(&verified);
    assert_eq!(events[0]["wrong"], serde_json::json!([3]));
    assert_eq!(events[0]["files"], serde_json::json!(["äpfel/one.bin"]));
    assert_eq!(events[1]["event"], "error");
    assert_eq!(events[1]["code"], 7);

    fs::remove_dir_all(directory.path().join("äpfel")).unwrap();
    fs::create_dir(directory.path().join("äpfel")).unwrap();
    let verified = run(&["verify", "a.torrent", "."]);
    assert_eq!(code(&verified), 7);
    assert!(
        stdout(&verified).contains("pieces 0-3"),
        "{}",
        stdout(&verified)
    );
    assert!(
        stdout(&verified).contains("äpfel/more/two.bin"),
        "{}",
        stdout(&verified)
    );
}

#[test]
fn a_magnet_link_is_shown_without_asking_anybody() {
    let directory = tempfile::tempdir().unwrap();
    let link = format!(
        "magnet:?xt=urn:btih:{HASH}&dn=a%20name&x.pe=192.0.2.1:6881&tr=udp%3A%2F%2Ftracker"
    );
    let shown = trackless(directory.path(), &["--json", "show", &link]);
    let description = &events(&shown)[0];
    assert_eq!(description["info_hash"], HASH);
    assert_eq!(description["name"], "a name");
    assert_eq!(description["peers"], serde_json::json!(["192.0.2.1:6881"]));
    assert_eq!(
        description["trackers"],
        serde_json::json!(["udp://tracker"])
    );
}

/// Standard error in one line, whatever was broken to be read.
fn said(output: &Output) -> String {
    let text = stderr(output);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Wrong use ends before anything is opened, with a sentence that names what is wrong.
#[test]
fn wrong_use_exits_2_and_says_what_is_wrong() {
    let directory = content();
    for (arguments, sentence) in [
        (&["get", &HASH[1..]][..], "this one has 39"),
        (&["get", &HASH.replace('a', "x")], "'x'"),
        (&["lookup", "hello"], "this one has 5"),
        (&["get", "magnet:?dn=nothing"], "urn:btih"),
        (&["get", "missing.torrent"], "missing.torrent"),
        (&["seed", "missing"], "missing"),
        (&["create", "missing"], "cannot read missing: "),
        (
            &["create", "äpfel", "-o", "nowhere/a.torrent"],
            "cannot write nowhere/a.torrent: there is no directory nowhere",
        ),
        (&["show", HASH], "an info-hash alone has nothing to show"),
        (&["show", "missing.torrent"], "missing.torrent"),
        (&["get", HASH, "--bootstrap", "localhost"], "HOST:PORT"),
        (&["get", HASH, "--peer", "localhost:0"], "1 to 65535"),
        (&["get", HASH, "--listen", "localhost"], "127.0.0.1:6881"),
        (&["get", HASH, "--timeout", "-1"], "0 to wait for ever"),
        (&["lookup", HASH, "--timeout", "-1"], "0 to wait for ever"),
        (&["get"], "<INFOHASH|MAGNET|FILE.torrent>"),
        (
            &["create", "äpfel", "--piece-length", "100K"],
            "power of two",
        ),
        (&["fetch", HASH], "fetch"),
        (&["announce", HASH, "--port", "0"], "from 1 to 65535"),
        (&["get", HASH, "--select", "5-2"], "write 2-5"),
        (&["get", HASH, "--select", "-1"], "counted from 1"),
        (&["get", "https://web.example/a.torrent"], "on the web"),
        (&["lookup", PUBLISHER], "names a publisher"),
        (
            &["lookup", "missing.torrent"],
            "cannot read missing.torrent",
        ),
        (
            &["item", "key", "nowhere/me.key"],
            "cannot write nowhere/me.key: there is no directory nowhere",
        ),
        (&["item", "key", "äpfel/one.bin"], "holds no key"),
        (
            &["simulate", "chrun"],
            "did you mean churn? `trackless simulate --list`",
        ),
    ] {
        let refused = trackless(directory.path(), arguments);
        assert_eq!(code(&refused), 2, "{arguments:?}: {}", stderr(&refused));
        assert!(
            stderr(&refused).contains(sentence),
            "{arguments:?}: {}",
            stderr(&refused)
        );
        assert!(
            stderr(&refused).starts_with("error: "),
            "{arguments:?}: {}",
            stderr(&refused)
        );
        assert_eq!(stdout(&refused), "", "{arguments:?}");

        let with_json: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let refused = trackless(directory.path(), &with_json);
        let events = events(&refused);
        assert_eq!(events.len(), 1, "{arguments:?}");
        assert_eq!(events[0]["event"], "error");
        assert_eq!(events[0]["code"], 2);
        let message = events[0]["message"].as_str().unwrap();
        assert!(said(&refused).contains(message), "{arguments:?}: {message}");
        for dialect in ["os error", "entity not found"] {
            assert!(!message.contains(dialect), "{message}");
        }
        assert!(message.contains(sentence), "{arguments:?}: {message}");
    }
}

#[test]
fn a_seed_of_a_torrent_file_has_to_know_where_the_content_is() {
    let directory = content();
    assert_eq!(
        code(&trackless(
            directory.path(),
            &["create", "äpfel", "-o", "a.torrent"]
        )),
        0
    );
    let refused = trackless(directory.path(), &["seed", "a.torrent"]);
    assert_eq!(code(&refused), 2);
    assert!(stderr(&refused).contains("--data"), "{}", stderr(&refused));

    let wrong = ["seed", "a.torrent", "--data", "äpfel/more"];
    let refused = trackless(directory.path(), &wrong);
    assert_eq!(code(&refused), 2);
    assert!(
        stderr(&refused).contains("there is no äpfel in äpfel/more, nor any file of it"),
        "{}",
        stderr(&refused)
    );
}

/// What the system says of it ("Is a directory", and to try the disk again) helps nobody.
#[test]
fn a_directory_in_the_place_of_a_file_is_wrong_use() {
    let directory = content();
    let run = |arguments: &[&str]| trackless(directory.path(), arguments);
    assert_eq!(code(&run(&["create", "äpfel"])), 0);
    assert_eq!(code(&run(&["item", "key", "me.key"])), 0);
    for (arguments, sentence) in [
        (&["show", "äpfel"][..], "a torrent file is wanted"),
        (&["get", "äpfel/"], "a torrent file is wanted"),
        (&["edit", "äpfel", "--drop", "date"], "a torrent file"),
        (&["verify", "äpfel", "."], "a torrent file is wanted"),
        (&["item", "key", "äpfel"], "the file of a key"),
        (&["item", "put", "--file", "äpfel"], "a file is wanted"),
        (&["lookup", "--batch", "äpfel"], "a file with info-hashes"),
        (
            &["verify", "äpfel", "äpfel.torrent"],
            "trackless verify äpfel.torrent äpfel",
        ),
        (
            &["seed", "äpfel", "--data", "äpfel.torrent"],
            "trackless seed äpfel.torrent --data äpfel",
        ),
        (
            &["publish", "äpfel", "me.key"],
            "trackless publish me.key äpfel",
        ),
    ] {
        let refused = run(arguments);
        let said = said(&refused);
        assert_eq!(code(&refused), 2, "{arguments:?}: {said}");
        assert!(said.contains(sentence), "{arguments:?}: {said}");
    }
}

#[test]
fn the_link_of_a_publisher_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let shown = trackless(directory.path(), &["--json", "show", PUBLISHER]);
    let publisher = &events(&shown)[0];
    assert_eq!(publisher["event"], "publisher");
    assert_eq!(publisher["publisher"], PUBLISHER);
    assert_eq!(publisher["salt"], "6e");
    // Test vector 2 of BEP 46.
    let target = "59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f";
    assert_eq!(publisher["target"], target);
    let shown = stdout(&trackless(directory.path(), &["show", PUBLISHER]));
    assert!(shown.contains(target), "{shown}");
}

#[test]
fn a_private_torrent_is_not_looked_up() {
    let directory = content();
    let made = trackless(directory.path(), &["create", "äpfel", "--private"]);
    assert_eq!(code(&made), 0);
    let refused = trackless(directory.path(), &["lookup", "äpfel.torrent"]);
    assert_eq!(code(&refused), 2);
    assert!(said(&refused).contains("is marked private"));
}

#[test]
fn damaged_and_malicious_torrent_files_are_refused_in_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let climbs: &[u8] = b"d4:infod5:filesld6:lengthi1e4:pathl2:..4:evileee4:name1:x12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
    let deep = [vec![b'l'; 100_000], vec![b'e'; 100_000]].concat();
    for (content, sentence) in [
        (&b""[..], "damaged"),
        (b"d4:info", "damaged"),
        (b"4:text", "not a dictionary"),
        (b"de", "info"),
        (climbs, "lead out"),
        (&deep, "damaged"),
    ] {
        fs::write(directory.path().join("bad.torrent"), content).unwrap();
        for command in ["show", "get"] {
            let refused = trackless(directory.path(), &[command, "bad.torrent"]);
            assert_eq!(code(&refused), 1, "{}", stderr(&refused));
            assert!(
                stderr(&refused).contains("bad.torrent"),
                "{}",
                stderr(&refused)
            );
            assert!(stderr(&refused).contains(sentence), "{}", stderr(&refused));
        }
    }
}

#[test]
fn the_environment_sets_flags_and_the_command_line_overrides_it() {
    let directory = content();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trackless"));
        command
            .current_dir(directory.path())
            .args(arguments)
            .env_clear();
        command
            .env("TRACKLESS_JSON", "1")
            .env("TRACKLESS_OUTPUT", "a-directory-of-get")
            .env("TRACKLESS_TORRENT_FILE", "from-environment.torrent");
        command.output().unwrap()
    };
    assert_eq!(
        events(&run(&["create", "äpfel"]))[0]["path"],
        "from-environment.torrent"
    );
    assert_eq!(
        events(&run(&["create", "äpfel", "-o", "given.torrent"]))[0]["path"],
        "given.torrent"
    );
    assert_eq!(events(&run(&["get"]))[0]["event"], "error");
}

#[test]
fn a_flag_in_the_environment_is_yes_or_no() {
    let directory = content();
    let create = |force: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trackless"));
        command.current_dir(directory.path()).env_clear();
        let command = command.args(["create", "äpfel"]);
        command.env("TRACKLESS_FORCE", force).output().unwrap()
    };
    for (force, exit_code) in [("no", 0), ("0", 2), ("", 2), ("yes", 0), ("hello", 2)] {
        let made = create(force);
        assert_eq!(code(&made), exit_code, "{force}: {}", stderr(&made));
    }
    let refused = said(&create("hello"));
    assert!(refused.contains("'hello' for '--force'"), "{refused}");
    assert!(refused.contains("yes or no"), "{refused}");
}

#[test]
fn what_a_command_is_about_stands_on_the_command_line_alone() {
    let directory = content();
    let mut command = Command::new(env!("CARGO_BIN_EXE_trackless"));
    command.current_dir(directory.path()).env_clear();
    for name in ["FILE", "SALT", "SEQ", "CAS", "BATCH", "PUBLIC_KEY"] {
        command.env(format!("TRACKLESS_{name}"), "7");
    }
    let refused = command
        .args(["item", "put", "x", "--key", "gone.key"])
        .output()
        .unwrap();
    assert_eq!(code(&refused), 2, "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("cannot read gone.key"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn results_go_to_standard_output_and_colours_only_to_terminals() {
    let directory = content();
    let made = trackless(directory.path(), &["create", "äpfel", "--quiet"]);
    assert!(stdout(&made).contains("magnet:?xt=urn:btih:"));
    assert!(!stdout(&made).contains('\x1b'), "{}", stdout(&made));
    assert_eq!(stderr(&made), "");
}

#[test]
fn help_and_version_are_answers_and_no_errors() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["get", "--help"], &["--version"]] {
        let answer = trackless(directory.path(), arguments);
        assert_eq!(code(&answer), 0);
        assert!(stdout(&answer).contains("trackless"), "{}", stdout(&answer));
    }
    let help = stdout(&trackless(directory.path(), &["--help"]));
    assert!(
        help.contains("Exit codes:") && help.contains("130"),
        "{help}"
    );
}

#[test]
fn every_shell_gets_its_completions() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = trackless(directory.path(), &["completions", shell]);
        assert_eq!(code(&script), 0);
        assert!(stdout(&script).contains("keep-seeding"), "{shell}");
    }
}

/// The program with its standard output elsewhere.
fn trackless_into(place: impl Into<Stdio>, directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trackless"));
    command.current_dir(directory).args(arguments).env_clear();
    let command = command.stdout(place).stderr(Stdio::piped());
    let running = command.spawn().expect("the binary starts");
    running.wait_with_output().unwrap()
}

/// What answers without asking anybody, in every way in which something is written.
const ANSWERS: [&[&str]; 11] = [
    &["show", "äpfel.torrent"],
    &["--json", "show", "äpfel.torrent"],
    &["get", "äpfel.torrent", "--list"],
    &["verify", "äpfel.torrent", "."],
    &["verify", "äpfel.torrent", ".", "--json"],
    &["create", "äpfel", "--force"],
    &["create", "äpfel", "-o", "-"],
    &["simulate", "--list"],
    &["completions", "bash"],
    &["--version"],
    &["get", "--help"],
];

#[cfg(target_os = "linux")]
#[test]
fn what_does_not_reach_standard_output_is_not_done() {
    let directory = content();
    assert_eq!(code(&trackless(directory.path(), &["create", "äpfel"])), 0);
    for arguments in ANSWERS {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let failed = trackless_into(full, directory.path(), arguments);
        assert_eq!(code(&failed), 6, "{arguments:?}: {}", stderr(&failed));
        let sentence = "error: cannot write to standard output: No space left on device";
        assert!(stderr(&failed).contains(sentence), "{}", stderr(&failed));
    }
    // What went wrong before has the number.
    fs::remove_file(directory.path().join("äpfel/one.bin")).unwrap();
    for arguments in [
        &["verify", "äpfel.torrent", "."][..],
        &["verify", "äpfel.torrent", ".", "--json"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let failed = trackless_into(full, directory.path(), arguments);
        assert_eq!(code(&failed), 7, "{}", stderr(&failed));
        assert!(stderr(&failed).contains("standard output"));
    }
}

#[test]
fn whoever_has_seen_enough_is_no_failure() {
    let directory = content();
    assert_eq!(code(&trackless(directory.path(), &["create", "äpfel"])), 0);
    for arguments in ANSWERS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = trackless_into(writer, directory.path(), arguments);
        assert_eq!(code(&ended), 0, "{arguments:?}: {}", stderr(&ended));
        assert!(!stderr(&ended).contains("error"), "{}", stderr(&ended));
    }
}

#[test]
fn the_demo_tells_a_story_that_fits_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let demo = trackless(directory.path(), &["demo", "--nodes", "4", "--size", "1"]);
    assert_eq!(code(&demo), 0, "{}", stderr(&demo));
    let (steps, story) = (stderr(&demo), stdout(&demo));
    assert!(story.contains(" 1 peer found"), "{story}");
    assert!(
        steps.contains("✓ download") && !steps.contains("✓ seed"),
        "{steps}"
    );
    // The commands to try next are as long as the path of the program.
    let program = env!("CARGO_BIN_EXE_trackless");
    for line in steps.lines().chain(story.lines()) {
        let length = line
            .replace(program, "target/release/trackless")
            .chars()
            .count();
        assert!(length <= 100, "{length}: {line}");
    }
}
