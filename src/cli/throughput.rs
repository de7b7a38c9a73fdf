//! How far work has come, how fast it goes, and how long it will take still.

use std::time::{Duration, Instant};

use super::units;

/// Sooner a rate says nothing about the rest.
const MEASURABLE: Duration = Duration::from_millis(500);

/// Work that is measured in bytes, from its beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Throughput(Instant);

impl Throughput {
    /// The work begins now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// `1.2 GiB of 4.0 GiB  1.3 GiB/s  2 s left`.
    pub(crate) fn figures(self, done: u64, total: u64) -> String {
        figures(done, total, self.0.elapsed())
    }
}

fn figures(done: u64, total: u64, elapsed: Duration) -> String {
    let done_of_total = format!("{} of {}", units::bytes(done), units::bytes(total));
    if elapsed < MEASURABLE || done == 0 {
        return done_of_total;
    }
    let rate = units::average(done, elapsed);
    let left = total.saturating_sub(done).div_ceil(rate.max(1));
    let left = match left {
        0..60 => format!("{left} s"),
        _ => units::time(Duration::from_secs(left)),
    };
    format!("{done_of_total}  {}  {left} left", units::rate(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_says_how_far_how_fast_and_how_long_still() {
        let after = |seconds| figures(1 << 30, 4 << 30, Duration::from_secs(seconds));
        assert_eq!(after(1), "1.0 GiB of 4.0 GiB  1.0 GiB/s  3 s left");
        assert_eq!(
            after(100),
            "1.0 GiB of 4.0 GiB  10.2 MiB/s  5 min 01 s left"
        );
    }

    #[test]
    fn at_the_beginning_nothing_is_promised() {
        assert_eq!(figures(0, 2048, Duration::from_secs(9)), "0 B of 2.0 KiB");
        assert_eq!(
            figures(1024, 2048, Duration::from_millis(1)),
            "1.0 KiB of 2.0 KiB"
        );
    }
}
