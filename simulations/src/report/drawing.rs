//! A finished picture, to be set into a page or to stand alone.

use super::palette;
use super::text::Escaped;

/// The width of every drawing. Narrow, so that its text can still be read when a phone shrinks it.
pub(super) const WIDTH: f64 = 480.0;

/// SVG elements with their size.
#[derive(Clone, Debug)]
pub(super) struct Drawing {
    pub(super) height: f64,
    /// What it shows, for those who do not see it.
    pub(super) label: String,
    pub(super) body: String,
}

impl Drawing {
    /// For a page that has the style.
    pub(super) fn inline(&self) -> String {
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">{}</svg>",
            self.height,
            Escaped(&self.label),
            self.body
        )
    }

    /// A file of its own, with its title, its style and its ground.
    pub(super) fn standalone(&self, title: &str) -> String {
        const MARGIN: f64 = 16.0;
        const HEADING: f64 = 30.0;
        let (width, height) = (WIDTH + 2.0 * MARGIN, self.height + HEADING + 2.0 * MARGIN);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\" aria-label=\"{label}\">\n<style>{style}</style>\n\
             <rect class=\"ground\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\
             <text class=\"ink heading\" x=\"{MARGIN}\" y=\"{heading}\">{title}</text>\
             <g transform=\"translate({MARGIN} {top})\">{body}</g>\n</svg>\n",
            label = Escaped(&self.label),
            style = palette::drawing_style(),
            heading = MARGIN + 14.0,
            title = Escaped(title),
            top = MARGIN + HEADING,
            body = self.body,
        )
    }
}

/// A place in a drawing: a tenth of a unit is finer than any screen.
pub(super) fn place(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0")
        .map_or_else(|| text.clone(), str::to_owned)
}

/// About how wide a text of the drawing's font is.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * 7.3
}
