//! An axis: where a value lies on it, and which values are named.

use super::text::Quantity;

/// Maps values to places from 0 to 1.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    /// Values that are named, with their names.
    pub(super) ticks: Vec<(f64, String)>,
    /// What is measured along it.
    pub(super) title: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
}

impl Axis {
    /// From `low`, or a little below, to `high`, or a little above, with round ticks.
    pub(super) fn linear(title: &str, quantity: Quantity, low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let step = round_step(quantity, (high - low) / 5.0);
        let (first, last) = ((low / step).floor(), (high / step - 1e-9).ceil());
        let ticks = (0..=(last - first) as u32)
            .map(|index| (first + f64::from(index)) * step)
            .map(|value| (value, quantity.short(value)))
            .collect();
        Self {
            scale: Scale::Linear,
            low: first * step,
            high: last * step,
            ticks,
            title: title.to_owned(),
        }
    }

    /// From 0 to 100 %, or from as high as values that are all high allow.
    pub(super) fn share(title: &str, lowest: f64) -> Self {
        let low = [0.99, 0.95, 0.9, 0.8, 0.7, 0.5, 0.0]
            .into_iter()
            .find(|&low| lowest >= low);
        Self::linear(title, Quantity::Share, low.unwrap_or(0.0), 1.0)
    }

    /// Time since something, in the unit that suits its length; it ends where the time does.
    pub(super) fn time(title: &str, low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let (unit, name) = match high - low {
            length if length > 3.0 * 3_600.0 => (3_600.0, "hours"),
            length if length > 180.0 => (60.0, "minutes"),
            _ => (1.0, "seconds"),
        };
        let step = round_time((high - low) / unit / 6.0) * unit;
        let first = (low / step - 1e-9).ceil();
        let count = ((high / step + 1e-9).floor() - first).max(0.0) as u32;
        let ticks = (0..=count)
            .map(|index| (first + f64::from(index)) * step)
            .map(|value| (value, Quantity::Number.short(value / unit)))
            .collect();
        Self {
            scale: Scale::Linear,
            low,
            high,
            ticks,
            title: format!("{title}, {name}"),
        }
    }

    /// Over positive values, from a round one to a round one; what is smaller lies at the lower end.
    pub(super) fn logarithmic(title: &str, quantity: Quantity, low: f64, high: f64) -> Self {
        let low = if low > 0.0 { low } else { 1.0 };
        let high = if high > low { high } else { low * 10.0 };
        let (low, high) = (round_down(low), round_up(high));
        let decades = (high / low).log10();
        let mantissas: &[f64] = match decades {
            d if d < 2.0 => &[1.0, 2.0, 5.0],
            d if d < 3.2 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let ticks = (first..=last)
            .flat_map(|decade| mantissas.iter().map(move |m| m * 10_f64.powi(decade)))
            .filter(|&value| value >= low * 0.999 && value <= high * 1.001)
            .map(|value| (value, quantity.short(value)))
            .collect();
        Self {
            scale: Scale::Logarithmic,
            low,
            high,
            ticks,
            title: title.to_owned(),
        }
    }

    /// With a tick at each of the values given, in rising order, and nowhere else; logarithmic where they span much.
    pub(super) fn at(title: &str, ticks: Vec<(f64, String)>) -> Self {
        let low = ticks.first().map_or(0.0, |tick| tick.0);
        let high = ticks.last().map_or(1.0, |tick| tick.0);
        let scale = if low > 0.0 && high / low >= 20.0 {
            Scale::Logarithmic
        } else {
            Scale::Linear
        };
        let (low, high) = match scale {
            _ if high <= low => (low - 1.0, high + 1.0),
            Scale::Linear => (low - (high - low) * 0.06, high + (high - low) * 0.06),
            Scale::Logarithmic => {
                let margin = (high / low).powf(0.06);
                (low / margin, high * margin)
            }
        };
        Self {
            scale,
            low,
            high,
            ticks,
            title: title.to_owned(),
        }
    }

    /// Where a value lies, from 0 to 1; at the nearer end if it lies beyond.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic if value <= 0.0 => 0.0,
            Scale::Logarithmic => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        place.clamp(0.0, 1.0)
    }
}

/// The round number at or above `rough` that steps of such a quantity have.
fn round_step(quantity: Quantity, rough: f64) -> f64 {
    let step = match quantity {
        Quantity::Seconds if rough > 60.0 => round_time(rough / 60.0) * 60.0,
        _ => nice(rough, &[1.0, 2.0, 2.5, 5.0, 10.0]),
    };
    if quantity == Quantity::Count {
        step.max(1.0).ceil()
    } else {
        step
    }
}

fn round_time(rough: f64) -> f64 {
    [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 240.0]
        .into_iter()
        .find(|&step| step >= rough)
        .unwrap_or_else(|| nice(rough, &[1.0, 2.0, 5.0, 10.0]))
}

/// The smallest of the mantissas, times a power of ten, that is not below `rough`.
fn nice(rough: f64, mantissas: &[f64]) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let mantissa = mantissas
        .iter()
        .find(|&&mantissa| mantissa * power >= rough * (1.0 - 1e-9));
    mantissa.unwrap_or(&10.0) * power
}

fn round_up(value: f64) -> f64 {
    nice(value, &[1.0, 2.0, 3.0, 5.0, 10.0])
}

fn round_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let mantissa = [5.0, 3.0, 2.0, 1.0]
        .into_iter()
        .find(|&mantissa| mantissa * power <= value * (1.0 + 1e-9));
    mantissa.unwrap_or(1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        let axis = Axis::linear("", Quantity::Count, 0.0, 9_321.0);
        assert_eq!(names(&axis), ["0", "2 k", "4 k", "6 k", "8 k", "10 k"]);
        let axis = Axis::logarithmic("", Quantity::Milliseconds, 37.0, 1_234.0);
        assert_eq!(
            names(&axis),
            ["50 ms", "100 ms", "200 ms", "500 ms", "1 s", "2 s"]
        );
        let axis = Axis::time("since the start", 0.0, 1_800.0);
        assert_eq!(names(&axis), ["0", "5", "10", "15", "20", "25", "30"]);
        assert_eq!(axis.title, "since the start, minutes");
        let axis = Axis::share("", 0.993);
        assert_eq!(names(&axis).last(), Some(&"100 %"));
        assert!(axis.place(0.99).abs() < 1e-9);
    }

    #[test]
    fn small_counts_have_whole_ticks() {
        let axis = Axis::linear("", Quantity::Count, 0.0, 2.0);
        assert_eq!(names(&axis), ["0", "1", "2"]);
    }

    #[test]
    fn every_value_has_a_place() {
        let axes = [
            Axis::linear("", Quantity::Count, 0.0, 0.0),
            Axis::logarithmic("", Quantity::Count, 0.0, 0.0),
            Axis::time("", 5.0, 5.0),
            Axis::at("", Vec::new()),
            Axis::at("", vec![(3.0, "3".to_owned())]),
            Axis::at("", vec![(1.0, "1".to_owned()), (100.0, "100".to_owned())]),
        ];
        for axis in axes {
            for value in [-1.0, 0.0, 1e-9, 1.0, 1e12] {
                assert!((0.0..=1.0).contains(&axis.place(value)), "{axis:?} {value}");
            }
        }
    }
}
