//! A place for the processes of one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::{Ended, Running, Sample};

/// A directory of the test's own, in which its processes run.
pub(crate) struct Desk {
    directory: TempDir,
    states: AtomicUsize,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            states: AtomicUsize::new(0),
        }
    }

    /// What a process on this desk calls `name`.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, and the directories that it needs.
    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The program with these arguments: on any free port of loopback, with nobody to start from and a state directory of
    /// its own, unless they say otherwise.
    pub(crate) fn trackless(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trackless"));
        command.args(arguments);
        self.at_home(command)
    }

    /// The same, after the shell has done something to itself.
    pub(crate) fn trackless_after(&self, preparation: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("{preparation}; exec \"$0\" \"$@\""))
            .arg(env!("CARGO_BIN_EXE_trackless"))
            .args(arguments);
        self.at_home(command)
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.trackless(arguments))
    }

    /// Starts it and waits for its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }

    /// Fetches what a torrent file, info-hash or link names from this peer, into `out`, with these flags besides.
    pub(crate) fn get(&self, what: &str, peer: &str, more: &[&str]) -> Ended {
        self.run(&[&["get", what, "--peer", peer, "-o", "out"][..], more].concat())
    }

    /// Makes the torrent of a file or directory of this desk, with pieces of 16 KiB, as NAME.torrent.
    pub(crate) fn torrent(&self, content: &str) -> Sample {
        self.torrent_with(content, &[])
    }

    pub(crate) fn torrent_with(&self, content: &str, more: &[&str]) -> Sample {
        let name = Path::new(content).file_name().unwrap().to_str().unwrap();
        let file = format!("{name}.torrent");
        let mut arguments = vec!["create", content, "-o", &file, "--piece-length", "16K"];
        arguments.extend(more);
        self.run(&arguments).assert_code(0);
        Sample::read(&self.path(file), &self.path(content))
    }

    fn at_home(&self, mut command: Command) -> Command {
        let state = self.states.fetch_add(1, Ordering::Relaxed);
        command
            .current_dir(self.directory.path())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.directory.path())
            .env("TMPDIR", self.directory.path())
            .env("TRACKLESS_JSON", "1")
            .env("TRACKLESS_LISTEN", "127.0.0.1:0")
            .env("TRACKLESS_BOOTSTRAP", "none")
            .env("TRACKLESS_STATE_DIR", self.path(format!("state-{state}")));
        command
    }
}
