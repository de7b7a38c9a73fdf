//! How long each phase of a download took.

use std::collections::BTreeMap;
use std::time::Duration;

use trackless::Phase;

use super::style::{FAINT, paint};
use super::units;

/// A phase shorter than this is left out of the table.
const NOTICEABLE: Duration = Duration::from_millis(1);

/// Phases in the order they were entered, each with the time since the start of the command.
#[derive(Debug, Clone, Default)]
pub(crate) struct PhaseTimes {
    entered: Vec<(Phase, Duration)>,
}

impl PhaseTimes {
    pub(crate) fn enter(&mut self, phase: Phase, after: Duration) {
        self.entered.push((phase, after));
    }

    pub(crate) fn current(&self) -> Option<Phase> {
        self.entered.last().map(|&(phase, _)| phase)
    }

    /// Each phase once, with all the time spent in it until `now`; seeding, which has no end, is left out.
    pub(crate) fn spent(&self, now: Duration) -> Vec<(Phase, Duration)> {
        let ends = self
            .entered
            .iter()
            .skip(1)
            .map(|&(_, entered)| entered)
            .chain([now]);
        let mut spent: Vec<(Phase, Duration)> = Vec::new();
        for (&(phase, entered), end) in self.entered.iter().zip(ends) {
            let time = end.saturating_sub(entered);
            match spent.iter_mut().find(|(known, _)| *known == phase) {
                Some((_, total)) => *total += time,
                None if phase == Phase::Seed => {}
                None => spent.push((phase, time)),
            }
        }
        spent
    }

    /// For the `done` event.
    pub(crate) fn seconds(&self, now: Duration) -> BTreeMap<&'static str, f64> {
        self.spent(now)
            .into_iter()
            .map(|(phase, time)| (phase.name(), time.as_secs_f64()))
            .collect()
    }

    /// The table for people, a line a phase that took long enough to speak of.
    pub(crate) fn table(&self, now: Duration) -> Vec<String> {
        let line = |name: &str, time| {
            format!(
                "  {}  {:>12}",
                paint(FAINT, format_args!("{name:<10}")),
                units::time(time)
            )
        };
        let mut lines: Vec<String> = self
            .spent(now)
            .into_iter()
            .filter(|&(_, time)| time >= NOTICEABLE)
            .map(|(phase, time)| line(phase.name(), time))
            .collect();
        lines.push(line("total", now));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_phase_entered_twice_is_counted_once_with_both_times() {
        let mut times = PhaseTimes::default();
        for (phase, at) in [
            (Phase::Lookup, 1),
            (Phase::Connect, 3),
            (Phase::Lookup, 4),
            (Phase::Seed, 9),
        ] {
            times.enter(phase, seconds(at));
        }
        assert_eq!(
            times.spent(seconds(100)),
            [(Phase::Lookup, seconds(7)), (Phase::Connect, seconds(1))]
        );
        assert_eq!(times.current(), Some(Phase::Seed));
    }

    #[test]
    fn the_phase_under_way_counts_until_now() {
        let mut times = PhaseTimes::default();
        times.enter(Phase::Metadata, seconds(2));
        assert_eq!(times.spent(seconds(5)), [(Phase::Metadata, seconds(3))]);
        assert_eq!(
            times.seconds(seconds(5)),
            BTreeMap::from([("metadata", 3.0)])
        );
    }

    #[test]
    fn the_table_has_the_phases_that_took_time_and_ends_with_the_total() {
        let mut times = PhaseTimes::default();
        times.enter(Phase::Bootstrap, Duration::ZERO);
        times.enter(Phase::Lookup, Duration::from_millis(250));
        times.enter(Phase::Connect, Duration::from_micros(250_999));
        times.enter(Phase::Metadata, Duration::from_micros(250_999));
        let table: Vec<String> = times
            .table(seconds(2))
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect();
        assert_eq!(
            table,
            [
                "  bootstrap       250.0 ms",
                "  metadata         1.749 s",
                "  total            2.000 s"
            ]
        );
    }
}
