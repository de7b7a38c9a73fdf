//! Numbers as lengths, each beside its name.

use std::fmt::Write;

use super::drawing::{Drawing, WIDTH, place, text_width};
use super::text::Escaped;

const ROW: f64 = 24.0;
const THICKNESS: f64 = 14.0;

/// One bar.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) name: String,
    /// Not negative.
    pub(super) value: f64,
    /// What stands at its end.
    pub(super) says: String,
}

/// Bars from one line on. They share a scale, from 0 to `full`.
#[derive(Clone, Debug)]
pub(super) struct Bars {
    pub(super) rows: Vec<Bar>,
    /// What the whole width stands for.
    pub(super) full: f64,
    /// The whole width is shown behind each bar: the bars are shares of it.
    pub(super) has_track: bool,
    /// Number of the colour.
    pub(super) colour: usize,
}

impl Bars {
    /// As long as the longest of them.
    pub(super) fn new(bars: Vec<Bar>) -> Self {
        let full = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        Self {
            rows: bars,
            full,
            has_track: false,
            colour: 0,
        }
    }

    /// Shares of one.
    pub(super) fn shares(bars: Vec<Bar>) -> Self {
        Self {
            rows: bars,
            full: 1.0,
            has_track: true,
            colour: 0,
        }
    }

    /// The picture, which shows `label`.
    pub(super) fn draw(&self, label: &str) -> Drawing {
        let widest = |text: fn(&Bar) -> &str| {
            let widths = self.rows.iter().map(|bar| text_width(text(bar)));
            widths.fold(0.0, f64::max)
        };
        let left = (widest(|bar| &bar.name) + 12.0).min(WIDTH * 0.45);
        let full = (WIDTH - left - widest(|bar| &bar.says) - 14.0).max(40.0);
        let mut body = String::new();
        for (index, bar) in self.rows.iter().enumerate() {
            let middle = ROW * (index as f64 + 0.5);
            let top = place(middle - THICKNESS / 2.0);
            let share = if self.full > 0.0 {
                (bar.value / self.full).clamp(0.0, 1.0)
            } else {
                0.0
            };
            // What happened at all can be seen.
            let least = if bar.value > 0.0 { 1.5 } else { 0.0 };
            let width = (share * full).max(least);
            if self.has_track {
                let _ = write!(
                    body,
                    "<rect class=\"track\" x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{THICKNESS}\" rx=\"2\"/>",
                    place(left),
                    place(full)
                );
            }
            let end = left + if self.has_track { full } else { width };
            let _ = write!(
                body,
                "<text class=\"ink\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
                 <rect class=\"f{}\" x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{THICKNESS}\" rx=\"2\"/>\
                 <text class=\"muted\" x=\"{}\" y=\"{}\">{}</text>",
                place(left - 10.0),
                place(middle + 4.5),
                Escaped(&bar.name),
                self.colour,
                place(left),
                place(width),
                place(end + 8.0),
                place(middle + 4.5),
                Escaped(&bar.says)
            );
        }
        Drawing {
            height: ROW * self.rows.len() as f64,
            label: label.to_owned(),
            body,
        }
    }
}
