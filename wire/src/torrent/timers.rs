//! When each connection is to be looked after, so that nobody looks at those of which nothing is due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::Link;

/// One time a link, the earliest that was asked for.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Duration, Link)>,
    by_link: BTreeMap<Link, Duration>,
}

impl Timers {
    /// The link is to be looked after at `at`, or before.
    pub(super) fn wake_by(&mut self, link: Link, at: Duration) {
        let earlier = self.by_link.get(&link).is_some_and(|&set| set <= at);
        if !earlier {
            self.forget(link);
            self.by_link.insert(link, at);
            self.by_time.insert((at, link));
        }
    }

    pub(super) fn forget(&mut self, link: Link) {
        if let Some(at) = self.by_link.remove(&link) {
            self.by_time.remove(&(at, link));
        }
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.by_time.first().map(|&(at, _)| at)
    }

    /// Takes out the links whose time has come.
    pub(super) fn take_due(&mut self, now: Duration) -> Vec<Link> {
        let mut due = Vec::new();
        while let Some(&(at, link)) = self.by_time.first()
            && at <= now
        {
            self.forget(link);
            due.push(link);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn only_those_of_whom_something_is_due_are_taken() {
        let mut timers = Timers::default();
        for link in 0..100 {
            timers.wake_by(Link(link), seconds(u64::from(link)));
        }
        assert_eq!(timers.take_due(seconds(1)), [Link(0), Link(1)]);
        assert_eq!(timers.take_due(seconds(1)), []);
        assert_eq!(timers.next(), Some(seconds(2)));
    }

    #[test]
    fn the_earliest_time_that_was_asked_for_holds() {
        let mut timers = Timers::default();
        timers.wake_by(Link(1), seconds(5));
        timers.wake_by(Link(1), seconds(9));
        assert_eq!(timers.next(), Some(seconds(5)));
        timers.wake_by(Link(1), seconds(3));
        assert_eq!(timers.take_due(seconds(9)), [Link(1)]);
        assert_eq!(timers.next(), None);
        timers.wake_by(Link(1), seconds(7));
        timers.forget(Link(1));
        assert_eq!(timers.take_due(seconds(9)), []);
    }
}
