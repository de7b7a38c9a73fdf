//! Standard output. Nothing else in the program writes there, so that nothing passes for written that is not.
#![expect(clippy::disallowed_methods, reason = "this is where it is written to")]

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use super::failure::Failure;

/// Writes until a write fails, and keeps why.
#[derive(Debug, Default)]
pub(crate) struct StandardOutput {
    failure: OnceLock<Arc<io::Error>>,
    failed: Notify,
}

impl StandardOutput {
    /// Writes text, without its colours where nobody sees them.
    pub(crate) fn text(&self, text: impl Display) {
        self.check(|| {
            let mut stdout = anstream::stdout().lock();
            write!(stdout, "{text}")?;
            stdout.flush()
        });
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        self.check(|| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes)?;
            stdout.flush()
        });
    }

    fn check(&self, write: impl FnOnce() -> io::Result<()>) {
        if self.failure.get().is_some() {
            return;
        }
        if let Err(error) = write()
            && self.failure.set(Arc::new(error)).is_ok()
        {
            self.failed.notify_one();
        }
    }

    /// Returns when a write has failed: what is still to come would be told to nobody. For one who waits.
    pub(crate) async fn failed(&self) {
        self.failed.notified().await;
    }

    /// How it went. A reader that has seen enough (`head`, a pager) is no failure.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        match self.failure.get() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::Output(Arc::clone(error)))
            }
            _ => Ok(()),
        }
    }
}

/// For bytes that come bit by bit beside other work. Whoever takes it looks after what fails.
pub(crate) fn stream() -> tokio::io::Stdout {
    tokio::io::stdout()
}

/// Refuses bytes that would be in the way of `--json`, or fill a terminal. `example` shows where they could go.
pub(crate) fn takes_bytes(is_json: bool, example: &str) -> Result<(), Failure> {
    if is_json {
        return Err(Failure::Usage(
            "-o - and --json both want standard output; give one of them up".to_owned(),
        ));
    }
    if io::stdout().is_terminal() {
        return Err(Failure::Usage(format!(
            "-o - writes to standard output, which is a terminal; send it elsewhere, as in `{example}`"
        )));
    }
    Ok(())
}
