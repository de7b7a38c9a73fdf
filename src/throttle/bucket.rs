//! Bytes at a steady rate.

use std::num::NonZeroU64;
use std::time::Duration;

/// What is saved up while nobody needs anything: what comes in within this time. It also makes up for a timer that is late.
pub(super) const BURST: Duration = Duration::from_millis(100);

/// A leaky bucket, by the generic cell rate algorithm: all that it remembers is when it has recovered from what was taken, so that nothing is rounded and
/// nothing has to be counted while nothing happens. Whoever finds it recovered may take more than there is; the next one waits for longer.
#[derive(Debug, Clone, Default)]
pub(super) struct Bucket {
    rate: Option<NonZeroU64>,
    recovered: Duration,
}

impl Bucket {
    /// Bytes a second; `None` without limit.
    pub(super) fn rate(&self) -> Option<NonZeroU64> {
        self.rate
    }

    /// What was taken at the old rate is made up for at the new one.
    pub(super) fn set_rate(&mut self, now: Duration, rate: Option<NonZeroU64>) {
        let debt = self.rate.map_or(0.0, |rate| {
            self.recovered.saturating_sub(now).as_secs_f64() * rate.get() as f64
        });
        self.rate = rate;
        self.recovered = now + self.price(debt as u64);
    }

    /// When something may be taken.
    pub(super) fn ready(&self) -> Duration {
        self.rate.map_or(Duration::ZERO, |_| self.recovered)
    }

    pub(super) fn take(&mut self, now: Duration, bytes: u64) {
        let oldest = now.saturating_sub(BURST);
        self.recovered = self.recovered.max(oldest) + self.price(bytes);
    }

    /// What was taken and not used.
    pub(super) fn give_back(&mut self, bytes: u64) {
        self.recovered = self.recovered.saturating_sub(self.price(bytes));
    }

    /// The time in which so many bytes come in.
    fn price(&self, bytes: u64) -> Duration {
        let Some(rate) = self.rate else {
            return Duration::ZERO;
        };
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(rate.get());
        Duration::from_nanos(
            nanoseconds
                .try_into()
                .unwrap_or(u64::MAX / 4)
                .min(u64::MAX / 4),
        )
    }
}
