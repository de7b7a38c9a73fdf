//! Lines over two axes.

use std::fmt::Write;

use super::axis::Axis;
use super::drawing::{Drawing, WIDTH, place, text_width};
use super::label;
use super::palette::SERIES;
use super::text::Escaped;

const HEIGHT: f64 = 300.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 252.0;
const RIGHT: f64 = WIDTH - 14.0;

/// Lines, with what explains them.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// Stretches along x in which something was done to the world, with the name of it.
    pub(super) bands: Vec<(f64, f64, String)>,
    /// Values of x that matter, with their names.
    pub(super) rules: Vec<(f64, String)>,
    pub(super) lines: Vec<Line>,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    /// In the order of x.
    pub(super) points: Vec<(f64, f64)>,
    pub(super) shape: Shape,
    /// How far y may be off, point by point; empty: unknown.
    pub(super) margins: Vec<Option<f64>>,
}

/// How points become a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Straight from point to point.
    Straight,
    /// A distribution function: it keeps its height until the next point.
    Steps,
    /// Straight, with a mark at each point.
    Marked,
}

impl Line {
    pub(super) fn new(name: &str, shape: Shape, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.to_owned(),
            points,
            shape,
            margins: Vec::new(),
        }
    }
}

impl Plot {
    pub(super) fn new(x: Axis, y: Axis, lines: Vec<Line>) -> Self {
        Self {
            x,
            y,
            bands: Vec::new(),
            rules: Vec::new(),
            lines,
        }
    }

    /// How far marks are moved aside, so that those of other lines, and their margins, can be seen beside them.
    fn aside(&self, index: usize) -> f64 {
        match self.lines[index].shape {
            Shape::Marked => (index as f64 - (self.lines.len() - 1) as f64 / 2.0) * 6.0,
            Shape::Straight | Shape::Steps => 0.0,
        }
    }

    /// The picture, which shows `label`.
    pub(super) fn draw(&self, label: &str) -> Drawing {
        let frame = Frame::around(self);
        let mut body = String::new();
        frame.bands(&mut body);
        frame.grid(&mut body);
        frame.rules(&mut body);
        let lines = self.lines.iter().enumerate();
        let paths: Vec<Vec<(f64, f64)>> = lines
            .map(|(index, line)| frame.path(line, self.aside(index)))
            .collect();
        for (index, (line, path)) in self.lines.iter().zip(&paths).enumerate() {
            frame.line(&mut body, index % SERIES, line, path);
        }
        let whiskers = self
            .lines
            .iter()
            .zip(&paths)
            .flat_map(|(line, path)| frame.whiskers(line, path));
        let rules = self.rules.iter().map(|(value, _)| frame.x(*value));
        let beside: Vec<[(f64, f64); 2]> = rules
            .map(|x| [(x, TOP), (x, BOTTOM)])
            .chain(whiskers)
            .collect();
        let named: Vec<(&str, &[(f64, f64)])> = self
            .lines
            .iter()
            .zip(&paths)
            .map(|(line, path)| (line.name.as_str(), path.as_slice()))
            .collect();
        let spots = label::spots(
            &named,
            &beside,
            (frame.left + 4.0, TOP, RIGHT, BOTTOM - 3.0),
        );
        for (index, (line, spot)) in self.lines.iter().zip(spots).enumerate() {
            let _ = write!(
                body,
                "<text class=\"name f{}\" x=\"{}\" y=\"{}\">{}</text>",
                index % SERIES,
                place(spot.x),
                place(spot.y),
                Escaped(&line.name)
            );
        }
        Drawing {
            height: HEIGHT,
            label: label.to_owned(),
            body,
        }
    }
}

/// Where the plot's axes lie in the drawing.
struct Frame<'a> {
    plot: &'a Plot,
    left: f64,
}

impl<'a> Frame<'a> {
    fn around(plot: &'a Plot) -> Self {
        let widest = plot.y.ticks.iter().map(|(_, name)| text_width(name));
        Self {
            plot,
            left: widest.fold(14.0, f64::max) + 10.0,
        }
    }

    fn x(&self, value: f64) -> f64 {
        self.left + self.plot.x.place(value) * (RIGHT - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - self.plot.y.place(value) * (BOTTOM - TOP)
    }

    fn bands(&self, body: &mut String) {
        for (from, to, name) in &self.plot.bands {
            let (left, right) = (self.x(*from), self.x(*to));
            let width = (right - left).max(2.0);
            let _ = write!(
                body,
                "<rect class=\"band\" x=\"{}\" y=\"{TOP}\" width=\"{}\" height=\"{}\"><title>{title}</title></rect>",
                place(left),
                place(width),
                BOTTOM - TOP,
                title = Escaped(name),
            );
            let text = left.min(RIGHT - text_width(name)).max(self.left) + 4.0;
            let _ = write!(
                body,
                "<text class=\"muted\" x=\"{}\" y=\"{}\">{}</text>",
                place(text),
                BOTTOM - 8.0,
                Escaped(name)
            );
        }
    }

    fn grid(&self, body: &mut String) {
        for (value, name) in &self.plot.y.ticks {
            let y = self.y(*value);
            let _ = write!(
                body,
                "<path class=\"grid\" d=\"M{} {}H{RIGHT}\"/>\
                 <text class=\"muted\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                place(self.left),
                place(y),
                place(self.left - 8.0),
                place(y + 4.5),
                Escaped(name)
            );
        }
        let mut free = 0.0;
        for (value, name) in &self.plot.x.ticks {
            let (x, half) = (self.x(*value), text_width(name) / 2.0);
            let middle = x.min(WIDTH - half);
            let _ = write!(
                body,
                "<path class=\"grid\" d=\"M{} {BOTTOM}v5\"/>",
                place(x)
            );
            if middle - half >= free {
                free = middle + half + 4.0;
                let _ = write!(
                    body,
                    "<text class=\"muted\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                    place(middle),
                    BOTTOM + 20.0,
                    Escaped(name)
                );
            }
        }
        let _ = write!(
            body,
            "<text class=\"muted\" x=\"0\" y=\"13\">{}</text>\
             <text class=\"muted\" x=\"{RIGHT}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            Escaped(&self.plot.y.title),
            BOTTOM + 40.0,
            Escaped(&self.plot.x.title)
        );
    }

    fn rules(&self, body: &mut String) {
        for (value, name) in &self.plot.rules {
            let x = self.x(*value);
            let (text, anchor) = if x + text_width(name) + 6.0 < RIGHT {
                (x + 6.0, "start")
            } else {
                (x - 6.0, "end")
            };
            let _ = write!(
                body,
                "<path class=\"rule\" d=\"M{} {TOP}V{BOTTOM}\"/>\
                 <text class=\"muted\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                place(x),
                place(text),
                TOP - 4.0,
                Escaped(name)
            );
        }
    }

    /// The corners of a line: one a point, and more only if it has steps.
    fn path(&self, line: &Line, aside: f64) -> Vec<(f64, f64)> {
        let mut corners: Vec<(f64, f64)> = Vec::with_capacity(line.points.len() * 2);
        for &(x, y) in &line.points {
            let (x, y) = (self.x(x) + aside, self.y(y));
            if line.shape == Shape::Steps {
                let before = corners.last().map_or(BOTTOM, |corner| corner.1);
                corners.push((x, before));
            }
            corners.push((x, y));
        }
        corners
    }

    /// How far each point of a line may be off: from the upper end to the lower one.
    fn whiskers(&self, line: &Line, path: &[(f64, f64)]) -> Vec<[(f64, f64); 2]> {
        let points = line.points.iter().zip(path).zip(&line.margins);
        points
            .filter_map(|((&(_, y), &(x, _)), margin)| {
                let margin = (*margin)?;
                Some([(x, self.y(y + margin)), (x, self.y(y - margin))])
            })
            .collect()
    }

    fn line(&self, body: &mut String, colour: usize, line: &Line, path: &[(f64, f64)]) {
        let mut d = String::new();
        for (index, &(x, y)) in path.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            let _ = write!(d, "{command}{} {}", place(x), place(y));
        }
        if path.len() > 1 {
            let _ = write!(body, "<path class=\"line s{colour}\" d=\"{d}\"/>");
        }
        for whisker in self.whiskers(line, path) {
            let [(x, top), (_, bottom)] = whisker;
            let _ = write!(
                body,
                "<path class=\"whisker s{colour}\" d=\"M{x} {top}V{bottom}M{left} {top}h8M{left} {bottom}h8\"/>",
                x = place(x),
                top = place(top),
                bottom = place(bottom),
                left = place(x - 4.0),
            );
        }
        if line.shape == Shape::Marked || path.len() == 1 {
            for &(x, y) in path {
                let _ = write!(
                    body,
                    "<circle class=\"f{colour}\" cx=\"{}\" cy=\"{}\" r=\"3.5\"/>",
                    place(x),
                    place(y)
                );
            }
        }
    }
}
