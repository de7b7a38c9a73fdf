//! The line that says what is going on: a bar or a spinner on a terminal, a plain line a second elsewhere.

use std::io::{self, IsTerminal};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;

/// Time between two plain lines that say the same thing with other figures.
const PLAIN_INTERVAL: Duration = Duration::from_secs(1);

const BAR: &str = "{spinner:.cyan} {prefix:<10} {wide_bar:.cyan/dim} {msg}";
const SPINNER: &str = "{spinner:.cyan} {prefix:<10} {elapsed:.dim}  {msg}";

/// Shown on standard error until it is dropped.
#[derive(Debug)]
pub(crate) struct StatusLine {
    output: Output,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Hidden,
    Bar(ProgressBar),
    Plain(Mutex<Plain>),
}

#[derive(Debug)]
struct Plain {
    label: &'static str,
    since: Instant,
    /// When a line was written, and what it said: nothing is said twice.
    last: Option<(Instant, String)>,
}

impl Plain {
    fn new(label: &'static str) -> Self {
        Self {
            label,
            since: Instant::now(),
            last: None,
        }
    }

    /// Whether a line would say too little: soon after the last one, or of work that may be over in a moment.
    fn is_early(&self, now: Instant) -> bool {
        let last = self
            .last
            .as_ref()
            .map_or(self.since, |(written, _)| *written);
        now.saturating_duration_since(last) < PLAIN_INTERVAL
    }
}

impl StatusLine {
    pub(crate) fn new(output: &Output) -> Self {
        let shape = if output.is_quiet() {
            Shape::Hidden
        } else if io::stderr().is_terminal() {
            Shape::Bar(output.bars().add(ProgressBar::no_length()))
        } else {
            Shape::Plain(Mutex::new(Plain::new("")))
        };
        let line = Self {
            output: output.clone(),
            shape,
        };
        line.label("");
        line
    }

    /// Says what is being done from now on, in a word.
    pub(crate) fn label(&self, label: &'static str) {
        match &self.shape {
            Shape::Hidden => {}
            Shape::Bar(bar) => {
                bar.reset();
                bar.set_style(spinner());
                bar.set_prefix(label);
                bar.set_message("");
            }
            Shape::Plain(plain) => {
                if let Ok(mut plain) = plain.lock() {
                    *plain = Plain::new(label);
                }
            }
        }
    }

    /// Shows nothing until there is something else to do.
    pub(crate) fn clear(&self) {
        if let Shape::Bar(bar) = &self.shape {
            bar.finish_and_clear();
        }
    }

    /// Shows figures; a `total` of 0 means that the end is not known. Cheap enough to be called often.
    pub(crate) fn show(&self, done: u64, total: u64, figures: impl FnOnce() -> String) {
        // In one text, since what stands apart is not drawn at once.
        let figures = || format!("{}{}", percent(done, total), figures());
        match &self.shape {
            Shape::Hidden => {}
            Shape::Bar(bar) => {
                if total > 0 && bar.length() != Some(total) {
                    bar.set_style(filling());
                    bar.set_length(total);
                }
                bar.set_position(done);
                bar.set_message(figures());
                bar.tick();
            }
            Shape::Plain(plain) => {
                let Ok(mut plain) = plain.lock() else { return };
                let now = Instant::now();
                if plain.is_early(now) {
                    return;
                }
                let line = format!("{:<10}  {}", plain.label, figures());
                if plain.last.as_ref().is_none_or(|(_, said)| *said != line) {
                    self.output.note(line.trim_end());
                }
                plain.last = Some((now, line));
            }
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        if let Shape::Bar(bar) = &self.shape {
            bar.finish_and_clear();
            self.output.bars().remove(bar);
        }
    }
}

/// How much is done, rounded down: all is all. Nothing where the end is not known.
fn percent(done: u64, total: u64) -> String {
    let percent = u128::from(done) * 100;
    let percent = percent.checked_div(total.into());
    percent
        .map(|percent| format!("{percent:>3}%  "))
        .unwrap_or_default()
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template(SPINNER)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

fn filling() -> ProgressStyle {
    ProgressStyle::with_template(BAR)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━─")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_in_a_moment_is_not_worth_a_plain_line() {
        let mut plain = Plain::new("lookup");
        let start = plain.since;
        assert!(plain.is_early(start + PLAIN_INTERVAL / 2));
        assert!(!plain.is_early(start + PLAIN_INTERVAL));
        plain.last = Some((start + PLAIN_INTERVAL, String::new()));
        assert!(plain.is_early(start + PLAIN_INTERVAL * 3 / 2));
        assert!(!plain.is_early(start + PLAIN_INTERVAL * 2));
    }

    #[test]
    fn a_hundred_percent_is_all_of_it() {
        assert_eq!(percent(999, 1000), " 99%  ");
        assert_eq!(percent(u64::MAX, u64::MAX), "100%  ");
        assert_eq!(percent(0, 0), "");
    }

    #[test]
    fn the_templates_are_understood() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
        assert!(ProgressStyle::with_template(SPINNER).is_ok());
    }
}
