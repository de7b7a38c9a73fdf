//! Names beside their lines, where they cover nothing.

use super::drawing::text_width;

const HEIGHT: f64 = 16.0;
/// From a line to its name.
const GAP: f64 = 6.0;

/// Where a name stands: its left end and its base line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    pub(super) x: f64,
    pub(super) y: f64,
}

#[derive(Clone, Copy, Debug)]
struct Area {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Area {
    fn holds(&self, (x, y): (f64, f64)) -> bool {
        x >= self.left && x <= self.right && y >= self.top && y <= self.bottom
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

/// A spot for the name of each line: beside a point of its own, clear of all lines, of what else is drawn, and of the other names,
/// where that can be had. Lines are the corners of polygons within a frame `(left, top, right, bottom)`.
pub(super) fn spots(
    lines: &[(&str, &[(f64, f64)])],
    beside: &[[(f64, f64); 2]],
    frame: (f64, f64, f64, f64),
) -> Vec<Spot> {
    let frame = Area {
        left: frame.0,
        top: frame.1,
        right: frame.2,
        bottom: frame.3,
    };
    let dense: Vec<Vec<(f64, f64)>> = lines.iter().map(|(_, line)| densely(line)).collect();
    let beside: Vec<Vec<(f64, f64)>> = beside.iter().map(|line| densely(line)).collect();
    let mut taken: Vec<Area> = Vec::new();
    let mut spots = Vec::new();
    for (own, (name, _)) in lines.iter().enumerate() {
        // Names are bold.
        let width = text_width(name) * 1.15;
        let mut best = Area {
            left: frame.left,
            top: frame.top,
            right: frame.left + width,
            bottom: frame.top + HEIGHT,
        };
        let mut least = f64::INFINITY;
        for &(x, y) in dense[own].iter().step_by(3) {
            for (left, top) in [
                (x + GAP, y - HEIGHT / 2.0),
                (x - width / 2.0, y - HEIGHT - GAP),
                (x - width / 2.0, y + GAP),
                (x + GAP, y + GAP),
                (x - width - GAP, y - HEIGHT - GAP),
                (x - width - GAP, y - HEIGHT / 2.0),
                (x - width - GAP, y + GAP),
            ] {
                let area = Area {
                    left,
                    top,
                    right: left + width,
                    bottom: top + HEIGHT,
                };
                if left < frame.left
                    || area.right > frame.right
                    || top < frame.top
                    || area.bottom > frame.bottom
                {
                    continue;
                }
                let names = taken.iter().filter(|other| area.overlaps(other)).count();
                let wide = Area {
                    left: area.left - 3.0,
                    right: area.right + 3.0,
                    ..area
                };
                let covered: usize = dense
                    .iter()
                    .chain(&beside)
                    .map(|line| line.iter().filter(|&&point| wide.holds(point)).count())
                    .sum();
                // A name is nearest to its line; another line that is clearly nearer would claim it.
                let centre = (
                    f64::midpoint(area.left, area.right),
                    f64::midpoint(area.top, area.bottom),
                );
                let far = distance(&dense[own], centre);
                let rivals = dense
                    .iter()
                    .enumerate()
                    .filter(|&(line, points)| line != own && distance(points, centre) < far - 3.0)
                    .count();
                // Rather to the right, where lines have come apart.
                let cost = names as f64 * 1_000.0
                    + covered as f64 * 20.0
                    + rivals as f64 * 60.0
                    + (frame.right - area.right) / (frame.right - frame.left);
                if cost < least {
                    (least, best) = (cost, area);
                }
            }
        }
        taken.push(best);
        spots.push(Spot {
            x: best.left,
            y: best.bottom - 4.0,
        });
    }
    spots
}

/// From a point to the nearest point of a line.
fn distance(line: &[(f64, f64)], from: (f64, f64)) -> f64 {
    let squares = line
        .iter()
        .step_by(2)
        .map(|point| (point.0 - from.0).powi(2) + (point.1 - from.1).powi(2));
    squares.fold(f64::INFINITY, f64::min).sqrt()
}

/// The same line with a point every four units.
fn densely(line: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = line.iter().take(1).copied().collect();
    let mut skipped = 0.0;
    for pair in line.windows(2) {
        let (dx, dy) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
        skipped += dx.hypot(dy);
        let count = (skipped / 4.0) as u32;
        for step in 1..=count {
            let part = f64::from(step) / f64::from(count);
            points.push((pair[0].0 + dx * part, pair[0].1 + dy * part));
        }
        if count > 0 {
            skipped = 0.0;
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cover_neither_each_other_nor_a_line() {
        let flat: Vec<(f64, f64)> = (0..=40).map(|x| (f64::from(x) * 10.0, 50.0)).collect();
        let near: Vec<(f64, f64)> = flat.iter().map(|&(x, y)| (x, y + 8.0)).collect();
        let spots = spots(
            &[("first", &flat), ("second", &near)],
            &[],
            (0.0, 0.0, 400.0, 200.0),
        );
        for (spot, above) in spots.iter().zip([true, false]) {
            assert_eq!(spot.y < 50.0, above, "{spots:?}");
            assert!(spot.y < 48.0 || spot.y - 12.0 > 58.0, "{spots:?}");
        }
    }

    #[test]
    fn a_line_without_points_has_a_name_within_the_frame() {
        let spots = spots(&[("nothing", &[])], &[], (10.0, 20.0, 400.0, 200.0));
        assert_eq!(spots, [Spot { x: 10.0, y: 32.0 }]);
    }
}
