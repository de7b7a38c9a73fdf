//! A place for the simulations of one test, and what they say.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A world that is over in a moment.
pub(crate) const SMALL: [&str; 5] = ["--nodes", "200", "--for", "1min", "--set=settle=1min"];

/// A directory of the test's own, in which its simulations run.
pub(crate) struct Desk(TempDir);

/// A simulation that goes on. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

/// A simulation that has ended.
pub(crate) struct Ended {
    /// The exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) events: Vec<Value>,
    pub(crate) stderr: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: impl AsRef<Path>) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The manifest of the run in this folder.
    pub(crate) fn manifest(&self, folder: &str) -> Value {
        serde_json::from_str(&self.read(Path::new(folder).join("manifest.json"))).unwrap()
    }

    /// `trackless simulate` with these arguments, its events on standard output.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trackless"));
        command
            .arg("simulate")
            .args(arguments)
            .env("TRACKLESS_JSON", "1");
        self.at_home(command)
    }

    /// A line for the shell, in which `$TRACKLESS` is the program.
    pub(crate) fn shell(&self, line: &str) -> Ended {
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", line])
            .env("TRACKLESS", env!("CARGO_BIN_EXE_trackless"));
        Running::start(self.at_home(command)).end()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    /// Waits for its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }

    /// Runs a small world, and waits for its good end.
    pub(crate) fn small(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(&[arguments, SMALL.as_slice()].concat());
        ended.assert_code(0);
        ended
    }

    fn at_home(&self, mut command: Command) -> Command {
        let variables = std::env::vars_os().map(|(name, _)| name);
        let ours = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("TRACKLESS_");
        for variable in variables.filter(ours) {
            command.env_remove(variable);
        }
        command
            .current_dir(self.0.path())
            .env("TMPDIR", self.0.path())
            // Tests run side by side already.
            .env("TRACKLESS_THREADS", "1");
        command
    }
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next event of this name.
    pub(crate) fn wait_for(&mut self, name: &str) -> Value {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            let event = event(&line);
            if event["event"] == name {
                return event;
            }
            line.clear();
        }
        panic!("it ended before it said {name}");
    }

    /// Sends a signal: INT is what Ctrl-C sends.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended. What it writes to standard error fits into a pipe.
    pub(crate) fn end(mut self) -> Ended {
        let lines = self.lines.by_ref().lines().map(Result::unwrap);
        let events = lines.map(|line| event(&line)).collect();
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).unwrap();
        let code = self.child.wait().unwrap().code();
        assert!(!stderr.contains("panicked"), "{stderr}");
        Ended {
            code,
            events,
            stderr,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The only event of this name.
    pub(crate) fn event(&self, name: &str) -> &Value {
        match self.all(name).as_slice() {
            [event] => event,
            _ => panic!("not one event {name:?}\n{self}"),
        }
    }

    /// All events of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&Value> {
        let named = |event: &&Value| event["event"] == name;
        self.events.iter().filter(named).collect()
    }

    pub(crate) fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{self}");
    }

    /// It ended with this exit code, and a sentence that has all these words: for the user and for programs.
    pub(crate) fn assert_refused(&self, code: i32, words: &[&str]) {
        self.assert_code(code);
        let error = self.event("error");
        assert_eq!(error["code"], code, "{self}");
        let message = error["message"].as_str().unwrap();
        assert!(self.stderr.contains(message), "{self}");
        for word in words {
            assert!(message.contains(word), "{word:?} is not in {message:?}");
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code: {:?}\nevents:", self.code)?;
        for event in &self.events {
            writeln!(f, "  {event}")?;
        }
        write!(f, "standard error:\n{}", self.stderr)
    }
}

fn event(line: &str) -> Value {
    serde_json::from_str(line)
        .unwrap_or_else(|_| panic!("standard output has {line:?}, which is no event"))
}
