//! The few colours there are. They are dropped where the output is no terminal or `NO_COLOR` is set.

use std::fmt;

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;

pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const ACCENT: Style = AnsiColor::Cyan.on_default();

/// The colours of `--help`.
pub(crate) const HELP: Styles = Styles::styled()
    .header(STRONG)
    .usage(STRONG)
    .literal(ACCENT)
    .placeholder(FAINT)
    .error(BAD)
    .valid(GOOD)
    .invalid(AnsiColor::Yellow.on_default());

/// A value in a style.
pub(crate) fn paint<T: fmt::Display>(style: Style, value: T) -> impl fmt::Display {
    Painted { style, value }
}

struct Painted<T> {
    style: Style,
    value: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.style.render())?;
        self.value.fmt(f)?;
        write!(f, "{}", self.style.render_reset())
    }
}
