//! How many bytes a second went by of late.

use std::time::Duration;

const SLOT: Duration = Duration::from_millis(500);
const SLOTS: usize = 10;

/// A sliding mean over five seconds in slots of half a second. It needs no timer: old slots are forgotten when it is asked or added to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rate {
    slots: [u64; SLOTS],
    newest: u64,
    first: Option<Duration>,
}

impl Rate {
    pub(crate) fn add(&mut self, now: Duration, bytes: u64) {
        self.first.get_or_insert(now);
        self.advance(now);
        let slot = &mut self.slots[(self.newest % SLOTS as u64) as usize];
        *slot = slot.saturating_add(bytes);
    }

    /// Bytes a second over the last five seconds, or since the first byte if that is more recent.
    pub(crate) fn per_second(&self, now: Duration) -> u64 {
        let mut current = self.clone();
        current.advance(now);
        let Some(first) = self.first else { return 0 };
        let bytes = current
            .slots
            .iter()
            .fold(0u64, |sum, slot| sum.saturating_add(*slot));
        let begun = Duration::from_millis((now.as_millis() % SLOT.as_millis()) as u64);
        let window = SLOT * (SLOTS as u32 - 1) + begun;
        let span = window.min(now.saturating_sub(first)).max(SLOT);
        (bytes as f64 / span.as_secs_f64()) as u64
    }

    fn advance(&mut self, now: Duration) {
        let slot = slot_at(now);
        let steps = slot.saturating_sub(self.newest).min(SLOTS as u64);
        for step in 0..steps {
            self.slots[((slot - step) % SLOTS as u64) as usize] = 0;
        }
        self.newest = self.newest.max(slot);
    }
}

fn slot_at(now: Duration) -> u64 {
    (now.as_millis() / SLOT.as_millis()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_measured_and_silence_forgotten() {
        let mut rate = Rate::default();
        for tick in 0..100 {
            rate.add(Duration::from_millis(100 * tick), 10_000);
        }
        let at_ten = rate.per_second(Duration::from_secs(10));
        assert!(
            (90_000..=110_000).contains(&at_ten),
            "{at_ten} is not about 100,000"
        );
        assert_eq!(rate.per_second(Duration::from_secs(16)), 0);
    }

    #[test]
    fn a_young_stream_is_not_divided_by_the_whole_window() {
        let mut rate = Rate::default();
        rate.add(Duration::from_secs(100), 500_000);
        rate.add(Duration::from_secs(101), 500_000);
        assert_eq!(rate.per_second(Duration::from_secs(101)), 1_000_000);
    }
}
