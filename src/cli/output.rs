//! Where words go: results and JSON events to standard output, everything else to standard error.

use std::fmt::Display;
use std::io::{self, Write};

use indicatif::MultiProgress;

use super::exit_code::ExitCode;
use super::failure::Failure;
use super::report::Report;
use super::style::{BAD, FAINT, paint};

/// The two streams of a command, and what the user wants on them. Clones share the progress bars.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    bars: MultiProgress,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self {
            json,
            quiet,
            bars: MultiProgress::new(),
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

    /// The last words of a command that failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        let code = ExitCode::from(failure);
        // Names in it may be from the network.
        let sentence = printable(&failure.sentence());
        self.error_event(code, &sentence);
        if code == ExitCode::Interrupted {
            self.note(paint(FAINT, sentence));
        } else {
            self.warning(format_args!("{} {sentence}", paint(BAD, "error:")));
        }
    }

    /// The event before a non-zero exit.
    pub(crate) fn error_event(&self, code: ExitCode, message: &str) {
        self.event(&Report::Error {
            code: code as u8,
            message,
        });
    }

    fn line(&self, line: &dyn Display) {
        let written = self.bars.suspend(|| {
            let mut stdout = anstream::stdout().lock();
            writeln!(stdout, "{line}").and_then(|()| stdout.flush())
        });
        if written.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            // The reader (`head`, a pager) has seen enough.
            std::process::exit(ExitCode::Done as i32);
        }
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
