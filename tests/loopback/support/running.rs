//! A process, and what it says.

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use serde_json::Value;

use super::PATIENCE;

/// A running process of the program. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    coming: Receiver<Value>,
    said: Vec<Value>,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

/// A process that has ended by itself.
pub(crate) struct Ended {
    /// The exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) events: Vec<Value>,
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (sender, coming) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line)
                    .unwrap_or_else(|_| panic!("standard output has {line:?}, which is no event"));
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            // What there is when the process is killed is enough.
            for line in stderr.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                text = text + &line + "\n";
                let _ = sender.send(line);
            }
            text
        });
        Self {
            child,
            coming,
            said: Vec::new(),
            lines,
            stderr: Some(stderr),
        }
    }

    /// The first event of this name, said already or to come.
    pub(crate) fn wait_for(&mut self, name: &str) -> Value {
        self.wait_until(name, |event| event["event"] == name)
    }

    /// The first event that is as wanted, said already or to come.
    pub(crate) fn wait_until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(event) = self.said.iter().find(|event| wanted(event)) {
            return event.clone();
        }
        let deadline = Instant::now() + PATIENCE;
        while let Some(event) = self.next(what, deadline) {
            if wanted(&event) {
                return event;
            }
        }
        self.give_up(&format!("ended before it said {what}"))
    }

    /// Waits until the next line with these words is on standard error.
    pub(crate) fn wait_for_line(&mut self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(words) => return,
                Ok(_) => {}
                Err(_) => self.give_up(&format!("did not say {words:?}")),
            }
        }
    }

    /// The address on which it listens, by TCP and UDP.
    pub(crate) fn address(&mut self) -> String {
        text(&self.wait_for("listening")["addr"])
    }

    /// The info-hash of what it seeds, once it does.
    pub(crate) fn seeding(&mut self) -> String {
        text(&self.wait_for("seeding")["info_hash"])
    }

    /// Sends a signal: INT is what Ctrl-C sends.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended by itself, or by a signal that was sent.
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        while self.next("that it ends", deadline).is_some() {}
        let code = self.child.wait().unwrap().code();
        Ended {
            code,
            events: std::mem::take(&mut self.said),
            stderr: self.stderr.take().unwrap().join().unwrap(),
        }
    }

    /// Whether it has not ended.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn next(&mut self, what: &str, deadline: Instant) -> Option<Value> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.coming.recv_timeout(left) {
            Ok(event) => {
                self.said.push(event.clone());
                Some(event)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.give_up(&format!("was waited for in vain: {what}"))
            }
        }
    }

    fn give_up(&mut self, why: &str) -> ! {
        let _ = self.child.kill();
        let stderr = self.stderr.take().map(|stderr| stderr.join().unwrap());
        panic!(
            "the process {why}\nevents:\n{}standard error:\n{}",
            lines(&self.said),
            stderr.unwrap_or_default()
        );
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
        let mut named = self.events.iter().filter(|event| event["event"] == name);
        match (named.next(), named.next()) {
            (Some(event), None) => event,
            _ => panic!("not one event {name:?}\n{self}"),
        }
    }

    /// Bytes of payload that came over the network.
    pub(crate) fn downloaded(&self) -> u64 {
        let last = |event: &&Value| event["event"] == "progress";
        let figures = self.events.iter().rev().find(last);
        figures.map_or(0, |figures| figures["downloaded"].as_u64().unwrap())
    }

    pub(crate) fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{self}");
    }

    /// It ended with this exit code, and a sentence that has all these words: for the user and for programs.
    pub(crate) fn assert_refused(&self, code: i32, words: &[&str]) {
        self.assert_code(code);
        let error = self.event("error");
        assert_eq!(error["code"], code, "{self}");
        assert_eq!(self.events.last(), Some(error), "{self}");
        let message = text(&error["message"]);
        assert!(self.stderr.contains(&message), "{self}");
        for word in words {
            assert!(message.contains(word), "{word:?} is not in {message:?}");
        }
        // A panic has its own exit code, but one in a thread may be survived unnoticed.
        assert!(!self.stderr.contains("panicked"), "{self}");
    }

    /// It ended well, with all content verified.
    pub(crate) fn assert_done(&self) {
        self.assert_code(0);
        self.event("done");
        assert!(!self.stderr.contains("panicked"), "{self}");
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "exit code: {:?}\nevents:\n{}",
            self.code,
            lines(&self.events)
        )?;
        write!(f, "standard error:\n{}", self.stderr)
    }
}

fn lines(events: &[Value]) -> String {
    events.iter().fold(String::new(), |mut lines, event| {
        let _ = writeln!(lines, "  {event}");
        lines
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
