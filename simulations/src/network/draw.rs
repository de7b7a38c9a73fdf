//! Chance without a generator: what is drawn follows from what it is drawn for.

/// Odd and without pattern, so that neighbouring numbers lie far apart.
const STEP: u64 = 0xa076_1d64_78bd_642f;
const OTHER: u64 = 0xe703_7ed1_a0b4_28db;

/// The `number`-th draw of a seed, uniform over all 64 bits. A draw is as good a seed as any.
#[inline]
pub(super) const fn draw(seed: u64, number: u64) -> u64 {
    let place = seed.wrapping_add(number.wrapping_mul(STEP));
    let once = place as u128 * (place ^ OTHER) as u128;
    let twice = (once as u64 ^ STEP) as u128 * ((once >> 64) as u64 ^ OTHER) as u128;
    twice as u64 ^ (twice >> 64) as u64
}

/// A draw, brought below a bound; 0 if the bound is.
#[inline]
pub(super) const fn below(draw: u64, bound: u64) -> u64 {
    ((draw as u128 * bound as u128) >> 64) as u64
}

/// How often something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share(u64);

impl Share {
    /// A share of all cases. Below 0 means never, above 1 always.
    pub(super) fn new(share: f64) -> Self {
        const ALL: f64 = 18_446_744_073_709_551_616.0;
        Self((share * ALL) as u64)
    }

    /// Whether it can happen at all.
    #[inline]
    pub(super) const fn is_some(self) -> bool {
        self.0 > 0
    }

    /// Whether it happens in a case of this draw.
    #[inline]
    pub(super) const fn holds(self, draw: u64) -> bool {
        draw < self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chi-squared statistic of counts that should all be alike.
    fn chi_squared(counts: &[u32]) -> f64 {
        let expected = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
        let deviation = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
        counts.iter().map(deviation).sum()
    }

    /// 256 cells: the statistic has mean 255 and deviation 22.6.
    const CELLS: usize = 256;
    const EXTREME: f64 = 255.0 + 5.0 * 22.6;

    #[test]
    fn draws_are_uniform_in_every_byte() {
        for seed in [0, 1, u64::MAX, 0x1234_5678] {
            for byte in 0..8 {
                let mut counts = [0; CELLS];
                for number in 0..100_000 {
                    counts[(draw(seed, number) >> (byte * 8)) as usize & 0xff] += 1;
                }
                let found = chi_squared(&counts);
                assert!(found < EXTREME, "seed {seed}, byte {byte}: {found}");
            }
        }
    }

    #[test]
    fn neighbours_tell_nothing_of_one_another() {
        // Next numbers, next seeds, next pairs in either half, and the draws of draws.
        type Pair = fn(u64) -> (u64, u64);
        let pairs: [Pair; 5] = [
            |number| (draw(7, number), draw(7, number + 1)),
            |number| (draw(number, 7), draw(number + 1, 7)),
            |number| (draw(7, number << 32), draw(7, (number + 1) << 32)),
            |number| (draw(7, number << 32 | 1), draw(7, 1 << 32 | number)),
            |number| (draw(draw(7, number), 0), draw(draw(7, number), 1)),
        ];
        for (which, pair) in pairs.iter().enumerate() {
            for shift in [0, 28, 60] {
                let mut counts = [0; CELLS];
                for number in 2..100_002 {
                    let (one, other) = pair(number);
                    let (one, other) = ((one >> shift) & 15, (other >> shift) & 15);
                    counts[(one * 16 + other) as usize] += 1;
                }
                let found = chi_squared(&counts);
                assert!(found < EXTREME, "pair {which}, shift {shift}: {found}");
            }
        }
    }

    #[test]
    fn every_bit_of_the_number_turns_half_of_the_draw() {
        for bit in 0..64 {
            let turned =
                |number: u64| (draw(9, number) ^ draw(9, number ^ (1 << bit))).count_ones();
            let all: u32 = (0..1_000).map(turned).sum();
            assert!(
                (31_000..33_000).contains(&all),
                "bit {bit}: {all} of 64,000"
            );
        }
    }

    #[test]
    fn shares_hold_as_often_as_they_say() {
        assert!(!Share::new(0.0).is_some() && !Share::new(-1.0).is_some());
        assert!(!Share::new(0.0).holds(0) && !Share::new(f64::NAN).holds(0));
        assert!(Share::new(1.0).holds(u64::MAX - 1) && Share::new(2.0).holds(u64::MAX - 1));
        let quarter = Share::new(0.25);
        let count = (0..100_000)
            .filter(|number| quarter.holds(draw(3, *number)))
            .count();
        // Four deviations of the binomial.
        assert!(count.abs_diff(25_000) < 548, "{count}");
    }

    #[test]
    fn a_bound_is_never_reached() {
        assert_eq!(below(u64::MAX, 0), 0);
        assert_eq!(below(u64::MAX, 7), 6);
        assert_eq!(below(0, 7), 0);
    }
}
