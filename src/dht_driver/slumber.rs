use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// By so much more than the steady clock the clock on the wall has to go on: it is also put right now and then.
const NOTICEABLE: Duration = Duration::from_secs(30);

/// Notices that the machine slept: the steady clock of most systems stands still meanwhile, the clock on the wall does not.
#[derive(Debug)]
pub(super) struct Slumber {
    steady: Instant,
    wall: SystemTime,
}

impl Slumber {
    pub(super) fn watch() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// Whether the machine slept since this was asked last.
    pub(super) fn is_over(&mut self) -> bool {
        let before = std::mem::replace(self, Self::watch());
        self.slept_since(&before)
    }

    fn slept_since(&self, before: &Self) -> bool {
        let awake = self.steady.saturating_duration_since(before.steady);
        let passed = self.wall.duration_since(before.wall);
        passed.is_ok_and(|passed| passed > awake + NOTICEABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_on_the_wall_that_leaves_the_other_behind_tells_of_a_sleep() {
        let before = Slumber::watch();
        let after = |steady: u64, wall: u64| {
            let later = |seconds| Duration::from_secs(seconds);
            let after = Slumber {
                steady: before.steady + later(steady),
                wall: before.wall + later(wall),
            };
            (after.slept_since(&before), before.slept_since(&after))
        };
        assert_eq!(after(600, 600), (false, false));
        // Put right by some seconds.
        assert_eq!(after(600, 620), (false, false));
        assert_eq!(after(2, 8 * 3600), (true, false));
    }
}
