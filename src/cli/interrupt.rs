//! Ctrl-C and its relatives. The first asks the command to save and end, the second ends the program at once.

use std::{io, process};

use tokio::sync::watch;

use super::exit_code::ExitCode;
use super::failure::Failure;

/// What the system asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A person pressed Ctrl-C.
    Interrupt,
    /// A service manager wants the program to end.
    Terminate,
}

impl Signal {
    /// The end of a command that has no end of its own: for a service manager that is a good end.
    pub(crate) fn end_of_service(self) -> Result<(), Failure> {
        match self {
            Signal::Interrupt => Err(Failure::Interrupted("")),
            Signal::Terminate => Ok(()),
        }
    }
}

/// Waits for the first signal, any number of times.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    first: watch::Receiver<Option<Signal>>,
}

impl Interrupt {
    /// Takes the signals over from the system. Runs in the current tokio runtime.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let mut signals = Signals::open().map_err(Failure::Runtime)?;
        let (sender, first) = watch::channel(None);
        tokio::spawn(async move {
            sender.send_replace(Some(signals.next().await));
            signals.next().await;
            process::exit(ExitCode::Interrupted as i32);
        });
        Ok(Self { first })
    }

    /// Returns once a signal has come; at once when it came before.
    pub(crate) async fn received(&mut self) -> Signal {
        match self
            .first
            .wait_for(Option::is_some)
            .await
            .map(|signal| *signal)
        {
            Ok(Some(signal)) => signal,
            // The listening task is gone with the runtime: nothing will come.
            _ => std::future::pending().await,
        }
    }

    /// The work's result, unless a signal comes first.
    pub(crate) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            result = work => Ok(result),
            _ = self.received() => Err(Failure::Interrupted("")),
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn open() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn open() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
