//! Numbers as people read them, and text that is safe in a page.

use std::fmt;
use std::time::Duration;

/// Text in which nothing is markup, in a page or an attribute.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // XML has no way to say the others.
                '\n' | '\t' => write!(f, "{character}")?,
                control if control.is_control() => f.write_str("\u{fffd}")?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

/// Sentences in which a number and its unit stay on one line.
pub(super) fn prose(sentences: &str) -> String {
    const UNITS: [&str; 14] = [
        "%", "×", "ms", "s", "min", "h", "B", "KB", "MB", "GB", "TB", "k", "M", "G",
    ];
    let mut text = String::with_capacity(sentences.len());
    for word in sentences.split_inclusive(' ') {
        let unit = word
            .trim_end_matches(|end: char| end == ' ' || end.is_ascii_punctuation() && end != '%');
        if UNITS.contains(&unit) && text.trim_end().ends_with(|end: char| end.is_ascii_digit()) {
            text.truncate(text.trim_end().len());
            text.push('\u{a0}');
        }
        text.push_str(word);
    }
    text
}

/// What a number counts, which says how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// 1,234,567.
    Count,
    /// A share of one: 99.3 %.
    Share,
    /// 140 ms, 1.4 s.
    Milliseconds,
    /// 40 s, 12 min, 3 h.
    Seconds,
    /// 12 KB, 1.4 MB.
    Bytes,
    /// A number with what it needs behind the point: 3.14.
    Number,
    /// 3.6 times.
    Times,
}

impl Quantity {
    /// In full, for tables and sentences.
    pub(super) fn exact(self, value: f64) -> String {
        match self {
            Self::Count => grouped(value),
            Self::Share => share(value),
            Self::Milliseconds => milliseconds(value),
            Self::Seconds => seconds(value),
            Self::Bytes => bytes(value),
            Self::Number => number(value),
            Self::Times => format!("{} ×", number(value)),
        }
    }

    /// In few letters, for axes and bars.
    pub(super) fn short(self, value: f64) -> String {
        match self {
            Self::Count => scaled(value, 1_000.0, ["", " k", " M", " G", " T"]),
            _ => self.exact(value),
        }
    }
}

/// A dash where nothing was measured.
pub(super) fn maybe(value: Option<f64>, quantity: Quantity) -> String {
    value.map_or_else(|| "–".to_owned(), |value| quantity.exact(value))
}

/// `"1,234,567"`.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value <= -0.5 { "−" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits, or all that stand before the point.
pub(super) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 999.5 {
        return grouped(value);
    }
    let digits = match magnitude {
        m if m >= 99.95 => 0,
        m if m >= 9.995 => 1,
        m if m >= 0.095 => 2,
        _ => 4,
    };
    let text = format!("{value:.digits$}").replace('-', "−");
    trimmed(&text)
}

/// Without zeros behind the point that say nothing.
fn trimmed(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

/// A share never rounds to all or nothing unless it is.
fn share(value: f64) -> String {
    let percent = value * 100.0;
    let text = match percent {
        p if p > 99.0 && p < 100.0 => trimmed(&format!("{:.2}", (p * 100.0).floor() / 100.0)),
        p if p > 0.0 && p < 0.005 => return "< 0.01 %".to_owned(),
        p if p < 0.095 => trimmed(&format!("{p:.2}")),
        p if p < 9.995 => number(p),
        p => trimmed(&format!("{p:.1}")),
    };
    format!("{text} %")
}

fn milliseconds(value: f64) -> String {
    if value >= 9_999.5 {
        seconds(value / 1_000.0)
    } else if value >= 999.5 {
        format!("{} s", number(value / 1_000.0))
    } else {
        format!("{} ms", number(value))
    }
}

fn seconds(value: f64) -> String {
    match value {
        v if v >= 3_600.0 * 3.0 => format!("{} h", number(v / 3_600.0)),
        v if v >= 120.0 => format!("{} min", number(v / 60.0)),
        v => format!("{} s", number(v)),
    }
}

fn bytes(value: f64) -> String {
    scaled(value, 1_000.0, [" B", " KB", " MB", " GB", " TB"])
}

fn scaled(value: f64, step: f64, units: [&str; 5]) -> String {
    let mut scaled = value;
    let mut unit = 0;
    while scaled.abs() >= step * 0.9995 && unit + 1 < units.len() {
        scaled /= step;
        unit += 1;
    }
    format!("{}{}", number(scaled), units[unit])
}

/// A length of time in the words of a plan: `"30m"`, `"1h 5m"`; parts of a second are left out above a minute.
pub(super) fn span(time: Duration) -> String {
    let time = if time >= Duration::from_secs(60) {
        Duration::from_secs(time.as_secs())
    } else {
        Duration::from_millis(time.as_millis() as u64)
    };
    humantime::format_duration(time).to_string()
}

/// `"1 lookup"`, `"2 lookups"`.
pub(super) fn plural(count: u64, one: &str, many: &str) -> String {
    let noun = if count == 1 { one } else { many };
    format!("{} {noun}", grouped(count as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(
            Escaped("<a href=\"x\">'&'\u{0}</a>").to_string(),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;\u{fffd}&lt;/a&gt;"
        );
    }

    #[test]
    fn quantities_read_well() {
        let cases = [
            (Quantity::Count, 1_234_567.0, "1,234,567"),
            (Quantity::Count, 12.0, "12"),
            (Quantity::Share, 1.0, "100 %"),
            (Quantity::Share, 0.999_96, "99.99 %"),
            (Quantity::Share, 0.5, "50 %"),
            (Quantity::Share, 0.123_4, "12.3 %"),
            (Quantity::Share, 0.000_01, "< 0.01 %"),
            (Quantity::Share, 0.000_498, "0.05 %"),
            (Quantity::Share, 0.0, "0 %"),
            (Quantity::Milliseconds, 132.4, "132 ms"),
            (Quantity::Milliseconds, 1_500.0, "1.5 s"),
            (Quantity::Seconds, 61.0, "61 s"),
            (Quantity::Seconds, 600.0, "10 min"),
            (Quantity::Bytes, 5_500.0, "5.5 KB"),
            (Quantity::Number, 3.104, "3.1"),
            (Quantity::Number, 100.0, "100"),
            (Quantity::Times, 3.6, "3.6 ×"),
        ];
        for (quantity, value, text) in cases {
            assert_eq!(quantity.exact(value), text);
        }
        assert_eq!(Quantity::Count.short(12_300_000.0), "12.3 M");
        assert_eq!(Quantity::Count.short(999_900.0), "1 M");
    }

    #[test]
    fn numbers_keep_their_units() {
        assert_eq!(
            prose("After 12 ms, 95.8 % of 3 nodes and 4 s. Is 5 × 6 so?"),
            "After 12\u{a0}ms, 95.8\u{a0}% of 3 nodes and 4\u{a0}s. Is 5\u{a0}× 6 so?"
        );
    }

    #[test]
    fn spans_are_those_of_plans() {
        assert_eq!(span(Duration::from_millis(1_800_250)), "30m");
        assert_eq!(span(Duration::from_millis(250)), "250ms");
    }
}
