//! What the node logs, on standard error, above the progress bar.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::output::Output;

/// Logs from now on: warnings, and with each `-v` one level more of the node's own doings.
pub(crate) fn start(verbose: u8, quiet: bool, output: &Output) {
    let level = match verbose {
        0 if quiet => "error",
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("warn,trackless={level}")))
        .with_writer(AboveBars(output.clone()))
        .with_ansi(anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never)
        .init();
}

struct AboveBars(Output);

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            output: &self.0,
            text: Vec::new(),
        }
    }
}

/// One event; it is written when it is whole.
struct Line<'a> {
    output: &'a Output,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.output
            .warning(String::from_utf8_lossy(&self.text).trim_end());
    }
}
