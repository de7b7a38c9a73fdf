//! Where words go: results and JSON events to standard output, everything else to standard error.

use std::fmt::Display;
use std::io::Write;
use std::sync::Arc;

use indicatif::MultiProgress;

use super::exit_code::ExitCode;
use super::failure::Failure;
use super::report::Report;
use super::standard_output::StandardOutput;
use super::style::{BAD, FAINT, paint};

/// The two streams of a command, and what the user wants on them. Clones share the progress bars.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    bars: MultiProgress,
    stdout: Arc<StandardOutput>,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self {
            json,
            quiet,
            bars: MultiProgress::new(),
            stdout: Arc::default(),
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Where progress bars are drawn.
    pub(crate) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// A line for programs, with `--json` only.
    pub(crate) fn event(&self, report: &Report<'_>) {
        if self.json {
            self.line(&report.to_json());
        }
    }

    /// A line for people on standard output: what the command was run for.
    pub(crate) fn result(&self, line: impl Display) {
        if !self.json {
            self.line(&line);
        }
    }

    /// A line for people on standard error: good to know.
    pub(crate) fn note(&self, line: impl Display) {
        if !self.quiet {
            self.warning(line);
        }
    }

    /// A line for people on standard error that `--quiet` does not silence.
    pub(crate) fn warning(&self, line: impl Display) {
        // A closed standard error is no reason to stop a download.
        self.bars
            .suspend(|| drop(writeln!(anstream::stderr(), "{line}")));
    }

    /// The last words of a command that failed, and the number for it.
    pub(crate) fn failure(&self, failure: &Failure) -> ExitCode {
        let code = ExitCode::from(failure);
        // Names in it may be from the network.
        let sentence = printable(&failure.sentence());
        self.error_event(code, &sentence);
        if code == ExitCode::Interrupted {
            self.note(paint(FAINT, sentence));
        } else {
            self.warning(format_args!("{} {sentence}", paint(BAD, "error:")));
        }
        code
    }

    /// The event before a non-zero exit.
    pub(crate) fn error_event(&self, code: ExitCode, message: &str) {
        self.event(&Report::Error {
            code: code as u8,
            message,
        });
    }

    fn line(&self, line: &dyn Display) {
        let line = format_args!("{line}\n");
        self.bars.suspend(|| self.stdout.text(line));
    }

    /// Text on standard output for whoever asked, with `--json` and without.
    pub(crate) fn text(&self, text: impl Display) {
        self.bars.suspend(|| self.stdout.text(text));
    }

    /// Bytes on standard output, as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        self.bars.suspend(|| self.stdout.bytes(bytes));
    }

    /// Returns when standard output takes nothing any more.
    pub(crate) async fn lost(&self) {
        self.stdout.failed().await;
    }

    /// Whether all that was to be on standard output is there, or was not wanted; to be asked at the end.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        self.stdout.finish()
    }
}

/// One row of a list of facts: a faint label in a column of its own, then the value.
pub(crate) fn field(label: &str, value: impl Display) -> String {
    format!("{}  {value}", paint(FAINT, format_args!("{label:<9}")))
}

/// A text from a file or the network without what would move the cursor or change the colours of a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_cannot_drive_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(printable("Ångström 夜景"), "Ångström 夜景");
    }

    #[test]
    fn values_of_fields_stand_in_one_column() {
        let column = |row: String| anstream::adapter::strip_str(&row).to_string().find("value");
        assert_eq!(
            column(field("name", "value")),
            column(field("info-hash", "value"))
        );
    }
}
