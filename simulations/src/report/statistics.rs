//! What many numbers say in a few: quantiles, means, and how far a mean can be trusted.

/// Numbers in order. Those that are none are left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Distribution(Vec<f64>);

impl FromIterator<f64> for Distribution {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values
            .into_iter()
            .filter(|value| value.is_finite())
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        Self(values)
    }
}

impl Distribution {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn first(&self) -> Option<f64> {
        self.0.first().copied()
    }

    pub(super) fn last(&self) -> Option<f64> {
        self.0.last().copied()
    }

    /// The smallest of the numbers that at least the share `q` of them does not exceed: always one that was measured.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let rank = (q * self.0.len() as f64).ceil() as usize;
        let index = rank.max(1).min(self.0.len()).checked_sub(1)?;
        Some(self.0[index])
    }

    pub(super) fn mean(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.iter().sum::<f64>() / self.0.len() as f64)
    }

    /// Points of the empirical distribution function, `(value, share of numbers not above it)`, from the smallest number and zero on, few
    /// enough to be drawn: every two-hundredth of the numbers, and more finely where few are left.
    pub(super) fn cumulative(&self) -> Vec<(f64, f64)> {
        let fine = [0.996, 0.997, 0.998, 0.999, 0.9995, 0.9999, 1.0];
        let shares = (1..200).map(|step| f64::from(step) / 200.0).chain(fine);
        let mut points: Vec<(f64, f64)> =
            self.first().map(|first| (first, 0.0)).into_iter().collect();
        for share in shares {
            let Some(value) = self.quantile(share) else {
                break;
            };
            match points.last_mut() {
                Some(last) if last.1 > 0.0 && last.0 >= value => last.1 = share,
                _ => points.push((value, share)),
            }
        }
        points
    }

    /// The distribution function of a quantity that takes few values: a point for each of them, exact.
    pub(super) fn steps(&self) -> Vec<(f64, f64)> {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (index, &value) in self.0.iter().enumerate() {
            let share = (index + 1) as f64 / self.0.len() as f64;
            match points.last_mut() {
                Some(last) if last.0 >= value => last.1 = share,
                _ => points.push((value, share)),
            }
        }
        points
    }
}

/// The mean of repeated measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    pub(super) count: usize,
    pub(super) mean: f64,
    pub(super) least: f64,
    pub(super) most: f64,
    /// Half the width of the interval that holds the true mean with 95 % confidence; unknown from one measurement.
    pub(super) margin: Option<f64>,
}

impl Estimate {
    /// `None` of no numbers.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Distribution = values.into_iter().collect();
        let (count, mean) = (values.len(), values.mean()?);
        let margin = (count > 1).then(|| {
            let squares: f64 = values.0.iter().map(|value| (value - mean).powi(2)).sum();
            let deviation = (squares / (count - 1) as f64).sqrt();
            student_t(count - 1) * deviation / (count as f64).sqrt()
        });
        Some(Self {
            count,
            mean,
            least: values.first()?,
            most: values.last()?,
            margin,
        })
    }
}

/// The 97.5 % quantile of Student's t: two-sided 95 %. Cornish and Fisher's expansion beyond the table, right to four digits.
fn student_t(degrees: usize) -> f64 {
    const TABLE: [f64; 20] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
        2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    ];
    const Z: f64 = 1.959_964;
    if let Some(&t) = TABLE.get(degrees.saturating_sub(1)) {
        return t;
    }
    let freedom = degrees as f64;
    let first = (Z.powi(3) + Z) / 4.0;
    let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
    Z + first / freedom + second / freedom.powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Distribution {
        values.iter().copied().collect()
    }

    #[test]
    fn quantiles_are_measured_values() {
        let ten = of(&[9.0, 1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0, 10.0]);
        assert_eq!(ten.quantile(0.0), Some(1.0));
        assert_eq!(ten.quantile(0.5), Some(5.0));
        assert_eq!(ten.quantile(0.51), Some(6.0));
        assert_eq!(ten.quantile(0.99), Some(10.0));
        assert_eq!(of(&[3.0]).quantile(0.5), Some(3.0));
        assert_eq!(of(&[]).quantile(0.5), None);
        assert_eq!(of(&[]).mean(), None);
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        assert_eq!(of(&[f64::NAN, 2.0, f64::INFINITY, 4.0]).mean(), Some(3.0));
    }

    #[test]
    fn distribution_function_rises_to_one() {
        let many: Distribution = (0..100_000).map(|n| f64::from(n % 977)).collect();
        let points = many.cumulative();
        assert!(points.len() <= 208);
        assert!(
            points
                .windows(2)
                .all(|w| w[0].0 <= w[1].0 && w[0].1 < w[1].1)
        );
        assert_eq!(points.first(), Some(&(0.0, 0.0)));
        assert_eq!(points.last(), Some(&(976.0, 1.0)));
        assert_eq!(of(&[7.0]).cumulative(), [(7.0, 0.0), (7.0, 1.0)]);
        assert_eq!(of(&[]).cumulative(), []);
        assert_eq!(
            of(&[1.0, 2.0, 2.0, 3.0]).steps(),
            [(1.0, 0.25), (2.0, 0.75), (3.0, 1.0)]
        );
    }

    #[test]
    fn margin_by_hand() {
        // Mean 5, deviation sqrt(20 / 3) = 2.582, t(3) = 3.182: 3.182 * 2.582 / 2 = 4.108.
        let estimate = Estimate::of([2.0, 4.0, 6.0, 8.0]).unwrap();
        assert_eq!((estimate.count, estimate.mean), (4, 5.0));
        assert!((estimate.margin.unwrap() - 4.108).abs() < 0.001);
        assert_eq!(Estimate::of([7.0]).unwrap().margin, None);
        assert_eq!(Estimate::of([]), None);
    }

    #[test]
    fn students_t_as_tables_have_it() {
        for (degrees, t) in [
            (1, 12.706),
            (10, 2.228),
            (20, 2.086),
            (21, 2.080),
            (40, 2.021),
            (120, 1.980),
        ] {
            assert!((student_t(degrees) - t).abs() < 0.001, "{degrees}");
        }
        assert!((student_t(1_000_000) - 1.960).abs() < 0.001);
    }
}
