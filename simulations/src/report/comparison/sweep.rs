//! Which parameter is varied, over which values, and what comes of each.

use std::collections::{BTreeMap, BTreeSet};

use super::super::axis::Axis;
use super::super::figures::Figure;
use super::super::manifest::Manifest;
use super::super::statistics::Estimate;
use super::super::text::Quantity;
use super::experiment::Experiments;
use super::series_name;
use crate::plan::units;

/// Finished runs, laid out along the parameter that has most values.
pub(super) struct Sweep<'a> {
    runs: Vec<&'a Manifest>,
    /// What they are repeats of.
    experiments: Experiments,
    /// What is along the axis.
    key: Option<&'a str>,
    /// What else varies.
    others: Vec<&'a str>,
    /// The values of the key in rising order, each with its place along the axis.
    values: Vec<(f64, &'a str)>,
}

/// Estimates of one figure: for each setting of what else varies, one for each value of the key, by its number.
pub(super) struct Estimates {
    pub(super) series: Vec<(String, Vec<(usize, Estimate)>)>,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(runs: &'a [Manifest]) -> Self {
        let runs: Vec<&Manifest> = runs.iter().filter(|run| run.is_finished).collect();
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (key, value) in runs.iter().flat_map(|run| &run.assignment) {
            values.entry(key).or_default().insert(value);
        }
        values.retain(|_, values| values.len() > 1);
        // The first of those with most values.
        let key = values
            .iter()
            .rev()
            .max_by_key(|(_, values)| values.len())
            .map(|(&key, _)| key);
        let others = values
            .keys()
            .copied()
            .filter(|&other| Some(other) != key)
            .collect();
        let values = key.map_or_else(Vec::new, |key| placed(&values[key]));
        Self {
            experiments: Experiments::of(&runs),
            runs,
            key,
            others,
            values,
        }
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.key
    }

    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let ticks = self.values.iter();
        ticks
            .map(|&(place, name)| (place, name.to_owned()))
            .collect()
    }

    /// Where a value lies along the axis.
    pub(super) fn place(&self, value: usize) -> f64 {
        self.values.get(value).map_or(0.0, |value| value.0)
    }

    /// How a value is written.
    pub(super) fn name(&self, value: usize) -> &str {
        self.values.get(value).map_or("all", |value| value.1)
    }

    /// Of all runs in which the figure was measured.
    pub(super) fn estimates(&self, figure: &Figure) -> Estimates {
        let mut measured: BTreeMap<String, BTreeMap<usize, Vec<f64>>> = BTreeMap::new();
        for run in &self.runs {
            let (Some(place), Some(figure)) = (self.value_of(run), run.figures.get(figure.key))
            else {
                continue;
            };
            let parts = [
                self.experiments.name(run),
                series_name(&run.assignment, &self.others),
            ];
            let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            let series = parts.join(", ");
            let values = measured.entry(series).or_default();
            values.entry(place).or_default().push(figure);
        }
        let estimated = |values: BTreeMap<usize, Vec<f64>>| {
            let values = values.into_iter();
            values
                .filter_map(|(value, measured)| Some((value, Estimate::of(measured)?)))
                .collect()
        };
        Estimates {
            series: measured
                .into_iter()
                .map(|(name, values)| (name, estimated(values)))
                .collect(),
        }
    }

    /// The number of the value that a run has; all have the same if nothing varies, and one that does not say what it has, none.
    fn value_of(&self, run: &Manifest) -> Option<usize> {
        let Some(key) = self.key else {
            return Some(0);
        };
        let set = run.assignment.get(key)?;
        self.values.iter().position(|value| value.1 == set)
    }
}

impl Estimates {
    fn all(&self) -> impl Iterator<Item = &Estimate> {
        self.series
            .iter()
            .flat_map(|(_, points)| points)
            .map(|point| &point.1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// What all runs have in common.
    pub(super) fn only_value(&self) -> Option<f64> {
        let first = self.all().next()?.least;
        self.all()
            .all(|estimate| estimate.least >= first && estimate.most <= first)
            .then_some(first)
    }

    /// Around all means and their intervals; from zero if that is not far.
    pub(super) fn axis(&self, quantity: Quantity) -> Axis {
        let ends = || {
            self.all()
                .map(|estimate| (estimate.mean, estimate.margin.unwrap_or(0.0)))
        };
        let low = ends()
            .map(|(mean, margin)| mean - margin)
            .fold(f64::INFINITY, f64::min);
        let high = ends()
            .map(|(mean, margin)| mean + margin)
            .fold(f64::NEG_INFINITY, f64::max);
        match quantity {
            Quantity::Share if high > 0.5 => Axis::share("", low),
            _ if low > high * 0.6 => Axis::linear("", quantity, low, high),
            _ => Axis::linear("", quantity, 0.0, high),
        }
    }
}

/// Values with their places: those of numbers and quantities are what they are, others stand in a row.
fn placed<'a>(values: &BTreeSet<&'a str>) -> Vec<(f64, &'a str)> {
    let numbers: Option<Vec<f64>> = values.iter().map(|value| number(value)).collect();
    let mut placed: Vec<(f64, &str)> = match numbers {
        Some(numbers) => numbers.into_iter().zip(values.iter().copied()).collect(),
        None => (1..).map(f64::from).zip(values.iter().copied()).collect(),
    };
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    placed
}

fn number(text: &str) -> Option<f64> {
    let plain = text.parse().ok();
    let time = || units::Time::parse(text).map(|time| time.as_secs_f64());
    let size = || units::Size::parse(text).map(|bytes| bytes as f64);
    let rate = || units::Rate::parse(text).map(|bytes| bytes as f64);
    plain
        .or_else(time)
        .or_else(size)
        .or_else(rate)
        .filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(values: &[&'static str]) -> Vec<&'static str> {
        let placed = placed(&values.iter().copied().collect());
        placed.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn quantities_are_in_their_order() {
        assert_eq!(names(&["10", "9", "1e3"]), ["9", "10", "1e3"]);
        assert_eq!(names(&["1h", "90s", "5m"]), ["90s", "5m", "1h"]);
        assert_eq!(names(&["1 MB/s", "30 kB/s"]), ["30 kB/s", "1 MB/s"]);
        assert_eq!(names(&["wide", "narrow"]), ["narrow", "wide"]);
    }
}
