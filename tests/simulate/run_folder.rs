//! What a run leaves, and what it leaves alone.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::desk::{Desk, SMALL};
use crate::file_system::FileSystem;

/// All files below a folder, sorted, as paths from there.
fn files(folder: &Path) -> Vec<String> {
    let mut files: Vec<String> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            entry
                .path()
                .strip_prefix(folder)
                .unwrap()
                .display()
                .to_string()
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_run_leaves_a_folder_with_everything_in_it() {
    let desk = Desk::new();
    let run = desk.small(&["baseline"]);
    let report = run.event("report");
    assert_eq!(report["path"], "runs/baseline-1");
    assert_eq!(report["state"], "finished");

    let manifest = desk.manifest("runs/baseline-1");
    assert_eq!(manifest["state"], "finished");
    assert_eq!(manifest["digest"], report["digest"]);
    assert_eq!(manifest["seed"], 1);
    assert_eq!(manifest["plan"]["nodes"], 200);
    assert_eq!(manifest["digests_a_minute"].as_array().unwrap().len(), 2);
    assert!(manifest["cost"]["wall_s"].as_f64().unwrap() > 0.0);

    let files = files(&desk.path("runs/baseline-1"));
    for name in ["lookups.csv", "timeseries.csv", "nodes.csv"] {
        assert!(files.iter().any(|file| file == name), "{name}: {files:?}");
        let table = desk.read(Path::new("runs/baseline-1").join(name));
        let mut rows = table.lines();
        let columns = rows.next().unwrap().split(',').count();
        assert!(columns > 5, "{name}");
        assert!(rows.clone().count() > 0, "{name}");
        assert!(rows.all(|row| row.split(',').count() == columns), "{name}");
    }
    let page = desk.read("runs/baseline-1/report.html");
    assert!(page.contains("<svg") && page.contains("</html>"));
    let plots: Vec<&String> = files
        .iter()
        .filter(|file| file.starts_with("plots/"))
        .collect();
    // Every picture of the page is there as a file, too, and nothing else.
    assert_eq!(plots.len(), page.matches("<svg").count(), "{files:?}");
    for plot in plots {
        let picture = desk.read(Path::new("runs/baseline-1").join(plot));
        assert!(picture.starts_with("<svg") && picture.contains("</svg>"));
    }

    let mut listed: Vec<String> = serde_json::from_value(manifest["files"].clone()).unwrap();
    listed.push("manifest.json".to_owned());
    listed.sort();
    assert_eq!(files, listed);
}

#[test]
fn a_repetition_takes_the_place_of_its_like_and_no_other() {
    let desk = Desk::new();
    desk.small(&["baseline"]);
    let again = desk.small(&["baseline"]);
    assert_eq!(again.event("report")["path"], "runs/baseline-1");
    let other = desk.small(&["baseline", "--set", "dht.alpha=2"]);
    assert_eq!(other.event("report")["path"], "runs/baseline-1-2");
    let seed = desk.small(&["baseline", "--seed", "7"]);
    assert_eq!(seed.event("report")["path"], "runs/baseline-7");
}

#[test]
fn a_manifest_says_of_which_commit_the_program_was_made() {
    let desk = Desk::new();
    desk.small(&["baseline"]);
    let commit = desk.manifest("runs/baseline-1")["commit"].clone();
    assert_eq!(commit.as_str(), option_env!("TRACKLESS_COMMIT"));
    let here = env!("CARGO_MANIFEST_DIR");
    let head = ["-C", here, "rev-parse", "HEAD"];
    let git = Command::new("git").args(head).output();
    // From an archive, or where git is not there or may not look, nobody can know.
    if Path::new(here).join(".git").exists() && git.is_ok_and(|git| git.status.success()) {
        let commit = commit.as_str().unwrap_or_default();
        let (name, rest) = commit.split_at_checked(12).unwrap_or_default();
        assert!(
            name.len() == 12 && name.chars().all(|c| c.is_ascii_hexdigit()),
            "{commit}"
        );
        assert!(["", "-dirty"].contains(&rest), "{commit}");
    }
}

#[test]
fn a_folder_that_somebody_changed_leads_nowhere_else() {
    let desk = Desk::new();
    desk.small(&["baseline", "--out", "desk/run"]);
    let whole = desk.manifest("desk/run");
    let with = |key: &str, value: serde_json::Value| {
        let mut manifest = whole.clone();
        *manifest.pointer_mut(key).unwrap() = value;
        desk.write("desk/run/manifest.json", manifest.to_string());
    };
    for name in ["../../escaped", "/tmp/escaped", ".."] {
        with("/name", name.into());
        desk.run(&["desk/run"])
            .assert_refused(2, &["manifest.json", name]);
    }
    desk.write("secret.csv", "10");
    for matrix in ["../../secret.csv", "/etc/passwd"] {
        with("/plan/network/latency/matrix", matrix.into());
        desk.run(&["desk/run"])
            .assert_refused(2, &["matrix.csv", matrix]);
    }
    with("/plan/network/latency/matrix", "matrix.csv".into());
    desk.shell("ln -s ../../secret.csv desk/run/matrix.csv")
        .assert_code(0);
    desk.run(&["desk/run"])
        .assert_refused(6, &["matrix.csv", "no ordinary file"]);
    desk.shell("rm desk/run/matrix.csv && mkfifo desk/run/matrix.csv")
        .assert_code(0);
    desk.run(&["desk/run"])
        .assert_refused(6, &["matrix.csv", "no ordinary file"]);
    desk.shell(
        "rm desk/run/matrix.csv && yes 1,1,1,1,1,1,1 | head -c 16777217 > desk/run/matrix.csv",
    )
    .assert_code(0);
    desk.run(&["desk/run"])
        .assert_refused(6, &["matrix.csv", "16 MiB"]);

    with("/plan/seed", u64::MAX.into());
    desk.run(&["desk/run", "--nodes", "100"])
        .assert_refused(2, &["seed"]);
    assert_eq!(
        fs::read_dir(desk.path(".")).unwrap().count(),
        2,
        "nothing but the desk and the secret"
    );
}

#[test]
fn a_folder_that_holds_something_else_is_left_as_it_is() {
    let desk = Desk::new();
    desk.write("thesis/chapter.txt", "precious");
    let run = desk.run(&[&["baseline", "--out", "thesis"], SMALL.as_slice()].concat());
    run.assert_refused(2, &["thesis", "--out"]);
    assert_eq!(files(&desk.path("thesis")), ["chapter.txt"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_known_before_the_run() {
    let desk = Desk::new();
    desk.write("file", "no directory");
    let run = desk.run(&["baseline", "--out", "file/run", "--for", "1000h"]);
    run.assert_refused(6, &["file/run"]);
}

#[test]
fn a_full_disk_is_named_with_the_file_that_did_not_fit() {
    let Some(file_system) = FileSystem::mount("size=48k") else {
        // Nobody may mount here: the test says nothing.
        return;
    };
    let desk = Desk::new();
    let out = file_system.path().join("run");
    let run = desk.run(
        &[
            &["baseline", "--out", out.to_str().unwrap()],
            SMALL.as_slice(),
        ]
        .concat(),
    );
    run.assert_refused(6, &["cannot write", "No space left"]);

    // What was found out is said, at least.
    let said = run.event("report");
    assert!(said["figures"]["success"].is_number(), "{said}");

    let message = run.event("error")["message"].as_str().unwrap();
    let manifest = fs::read_to_string(out.join("manifest.json")).unwrap();
    assert!(manifest.contains("\"begun\""), "{manifest}");
    for file in files(&out) {
        assert!(
            !message.contains(&format!("{file}:")),
            "{file} is there, and {message}"
        );
        assert!(!file.contains(".tmp"), "{file}");
    }
}
