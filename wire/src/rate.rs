//! How many bytes a second went by of late.

use std::time::Duration;

const SLOTS: usize = 20;

/// For those who watch.
pub(crate) const RECENT: Duration = Duration::from_secs(5);
/// For those who decide. BEP 3, "choking and optimistic unchoking", speaks of a rolling average over 20 seconds.
pub(crate) const ROLLING: Duration = Duration::from_secs(SLOTS as u64);

/// The bytes of each of the last twenty seconds. It needs no timer: old seconds are forgotten when it is asked or added to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rate {
    slots: [u32; SLOTS],
    /// The second of the newest slot.
    newest: u64,
    first: Option<Duration>,
}

impl Rate {
    pub(crate) fn add(&mut self, now: Duration, bytes: u32) {
        self.first.get_or_insert(now);
        let second = now.as_secs();
        for passed in (self.newest + 1..=second).rev().take(SLOTS) {
            *self.slot(passed) = 0;
        }
        self.newest = self.newest.max(second);
        let slot = self.slot(self.newest);
        *slot = slot.saturating_add(bytes);
    }

    /// Bytes a second over the last `window`, at most [`ROLLING`], or since the first byte if that is more recent.
    pub(crate) fn per_second(&self, now: Duration, window: Duration) -> u64 {
        let Some(first) = self.first else { return 0 };
        let seconds = window.as_secs().clamp(1, SLOTS as u64);
        let oldest = (now.as_secs() + 1).saturating_sub(seconds);
        let bytes: u64 = (oldest..=self.newest)
            .rev()
            .take(SLOTS)
            .map(|second| u64::from(self.slots[(second % SLOTS as u64) as usize]))
            .sum();
        let span = now.saturating_sub(Duration::from_secs(oldest).max(first));
        (bytes as f64 / span.as_secs_f64().max(0.5)) as u64
    }

    fn slot(&mut self, second: u64) -> &mut u32 {
        &mut self.slots[(second % SLOTS as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_measured_and_silence_forgotten() {
        let mut rate = Rate::default();
        for tick in 0..1000 {
            rate.add(Duration::from_millis(100 * tick), 10_000);
        }
        for window in [RECENT, ROLLING] {
            let measured = rate.per_second(Duration::from_millis(99_900), window);
            assert!(
                (95_000..=105_000).contains(&measured),
                "{measured} is not about 100,000"
            );
        }
        assert_eq!(rate.per_second(Duration::from_secs(106), RECENT), 0);
        assert!(rate.per_second(Duration::from_secs(106), ROLLING) > 50_000);
        assert_eq!(rate.per_second(Duration::from_secs(130), ROLLING), 0);
    }

    #[test]
    fn a_young_stream_is_not_divided_by_the_whole_window() {
        let mut rate = Rate::default();
        rate.add(Duration::from_secs(100), 500_000);
        rate.add(Duration::from_secs(101), 500_000);
        assert_eq!(rate.per_second(Duration::from_secs(101), RECENT), 1_000_000);
    }

    #[test]
    fn old_seconds_do_not_come_back_after_a_pause() {
        let mut rate = Rate::default();
        rate.add(Duration::from_secs(1), 1_000_000);
        rate.add(Duration::from_secs(1_000_001), 500);
        assert!(rate.per_second(Duration::from_secs(1_000_002), ROLLING) <= 500);
    }
}
