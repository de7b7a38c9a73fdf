//! Virtual time: it stands still while something happens, and jumps to the next thing to happen.

use std::collections::BTreeMap;
use std::time::Duration;

/// What is to happen, by time; at one time, in the order in which it was scheduled.
pub(crate) struct Scheduler<T> {
    now: Duration,
    agenda: BTreeMap<(Duration, u64), T>,
    scheduled: u64,
}

impl<T> Default for Scheduler<T> {
    fn default() -> Self {
        Self {
            now: Duration::ZERO,
            agenda: BTreeMap::new(),
            scheduled: 0,
        }
    }
}

impl<T> Scheduler<T> {
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn schedule(&mut self, at: Duration, happening: T) {
        self.scheduled += 1;
        self.agenda
            .insert((at.max(self.now), self.scheduled), happening);
    }

    /// When something happens next.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.agenda.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Goes to what happens next. When nothing more does until `end`, goes to `end`.
    pub(crate) fn advance(&mut self, end: Duration) -> Option<T> {
        if self.next_at().is_none_or(|at| at > end) {
            self.now = self.now.max(end);
            return None;
        }
        let ((at, _), happening) = self.agenda.pop_first()?;
        self.now = at;
        Some(happening)
    }

    /// All that is to happen.
    pub(crate) fn agenda(&self) -> impl Iterator<Item = &T> {
        self.agenda.values()
    }
}

/// The timer of a state machine that names another deadline after every input. Most deadlines move away before they come,
/// so an alarm is scheduled only if none rings early enough already.
#[derive(Default)]
pub(crate) struct Alarm {
    deadline: Option<Duration>,
    scheduled: Option<Duration>,
}

impl Alarm {
    /// Changes the deadline. Returns when the alarm has to be scheduled for, if it has to be.
    pub(crate) fn set(&mut self, deadline: Option<Duration>) -> Option<Duration> {
        self.deadline = deadline;
        let is_late = |at: &Duration| self.scheduled.is_none_or(|scheduled| *at < scheduled);
        let at = deadline.filter(is_late)?;
        self.scheduled = Some(at);
        Some(at)
    }

    /// The alarm rings. Whether the deadline has come; otherwise when to ring again, if that is not arranged for.
    pub(crate) fn ring(&mut self, now: Duration) -> Result<(), Option<Duration>> {
        self.scheduled = self.scheduled.filter(|&at| at > now);
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            Ok(())
        } else {
            Err(self.set(self.deadline))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_due_at_once_happens_in_the_order_of_scheduling() {
        let mut scheduler = Scheduler::default();
        scheduler.schedule(at(2), "second");
        scheduler.schedule(at(1), "first");
        scheduler.schedule(at(2), "third");
        let mut seen = Vec::new();
        while let Some(happening) = scheduler.advance(at(9)) {
            seen.push((scheduler.now(), happening));
        }
        assert_eq!(
            seen,
            [(at(1), "first"), (at(2), "second"), (at(2), "third")]
        );
        assert_eq!(scheduler.now(), at(9));
    }

    #[test]
    fn an_alarm_rings_by_its_last_deadline_however_often_that_moved() {
        let mut alarm = Alarm::default();
        assert_eq!(alarm.set(Some(at(5))), Some(at(5)));
        assert_eq!(alarm.set(Some(at(3))), Some(at(3)));
        assert_eq!(alarm.set(Some(at(4))), None);
        assert_eq!(alarm.ring(at(3)), Err(Some(at(4))));
        assert_eq!(alarm.ring(at(4)), Ok(()));
        assert_eq!(alarm.set(Some(at(7))), Some(at(7)));
        // The first one of all is still about, and disturbs nobody.
        assert_eq!(alarm.ring(at(5)), Err(None));
        assert_eq!(alarm.ring(at(7)), Ok(()));
    }
}
