//! Tells the program which commit it is made of, for the manifests of simulations.
//!
//! Outside of a checkout it knows nothing, and says nothing; whoever builds from an archive can set `TRACKLESS_COMMIT`.

use std::path::Path;
use std::process::Command;

/// What the program is made of.
const SOURCES: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "bencode/src",
    "build.rs",
    "dht/src",
    "simulations/plans",
    "simulations/src",
    "src",
    "wire/src",
];

fn main() {
    for path in SOURCES {
        println!("cargo::rerun-if-changed={path}");
    }
    if !is_checkout() {
        return;
    }
    // Where a commit leaves a trace, in a worktree too. A missing file would count as changed every time.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    let traces = ["HEAD", "logs/HEAD", "packed-refs"].map(str::to_owned);
    for trace in traces.into_iter().chain(branch) {
        let path = git(&["rev-parse", "--git-path", &trace]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        let changes = git(&[&["diff", "--name-only", "HEAD", "--"], SOURCES.as_slice()].concat());
        let suffix = changes.map_or("", |_| "-dirty");
        println!("cargo::rustc-env=TRACKLESS_COMMIT={commit}{suffix}");
    }
}

/// Whether the commits around this folder are its own, and not those of something that it was copied into.
fn is_checkout() -> bool {
    let top = git(&["rev-parse", "--show-toplevel"]).map(|top| Path::new(&top).canonicalize());
    let here = Path::new(".").canonicalize();
    matches!((top, here), (Some(Ok(top)), Ok(here)) if top == here)
}

/// What git says; `None` if it says nothing, or is not there.
fn git(arguments: &[&str]) -> Option<String> {
    let said = Command::new("git")
        .arg("--no-optional-locks")
        .args(arguments)
        .output()
        .ok()
        .filter(|said| said.status.success())?;
    let text = String::from_utf8(said.stdout).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
