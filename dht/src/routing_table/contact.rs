use std::time::Duration;

use crate::config::Config;
use crate::message::NodeInfo;

/// A node that has answered us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contact<A> {
    pub(crate) node: NodeInfo<A>,
    pub(crate) standing: Standing,
}

/// What a contact has shown of itself, in one word: maintenance goes through those of all contacts, several at a time.
///
/// From the lowest bit: 28 of the second in which it answered or asked last, which tell silences of eight years apart; whether it is a visitor;
/// and how many time-outs there were in a row since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing(u32);

/// How urgently a contact is to be asked for a sign of life: the smaller, the sooner. Seconds from now, less a bonus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need(i32);

impl Standing {
    const SECONDS: u32 = (1 << 28) - 1;
    const VISITOR: u32 = 1 << 28;
    const FAILURE: u32 = 1 << 29;
    /// More time-outs in a row are not counted.
    pub(crate) const MAX_FAILURES: u8 = 7;

    /// That of a node which has just shown itself.
    pub(super) fn fresh(now: Duration, is_visitor: bool) -> Self {
        let visitor = if is_visitor { Self::VISITOR } else { 0 };
        Self(now.as_secs() as u32 & Self::SECONDS | visitor)
    }

    /// Time-outs in a row.
    pub(crate) const fn failures(self) -> u8 {
        (self.0 / Self::FAILURE) as u8
    }

    /// It came to us by itself, and has not shown yet that others can come to it.
    pub(crate) const fn is_visitor(self) -> bool {
        self.0 & Self::VISITOR != 0
    }

    /// Whole seconds since it answered or asked last.
    pub(crate) fn silence(self, now: Duration) -> Duration {
        let seconds = (now.as_secs() as u32).wrapping_sub(self.0) & Self::SECONDS;
        Duration::from_secs(seconds.into())
    }

    /// When it is to be asked for a sign of life: in a second that begins, at the latest the one that has begun now.
    pub(crate) fn due(self, now: Duration, config: &Config) -> Duration {
        let patience = if self.is_visitor() {
            config.visitor_after
        } else {
            config.questionable_after
        };
        let rest = patience.saturating_sub(self.silence(now));
        Duration::from_secs(now.as_secs()) + rest
    }

    /// What [`Need`] a contact has. One that failed last time comes first, then a visitor whose time has come, then whoever's time comes first.
    ///
    /// On numbers of one size, so that the compiler takes several contacts at once.
    pub(super) fn need(now: Duration, config: &Config) -> impl Fn(Self) -> Need {
        const BONUS: i32 = 1 << 29;
        let now = now.as_secs() as u32;
        let seconds = |time: Duration| time.as_secs().min(Self::SECONDS.into()) as i32;
        let (questionable_after, visitor_after) = (
            seconds(config.questionable_after),
            seconds(config.visitor_after),
        );
        move |Self(word)| {
            let silence = (now.wrapping_sub(word) & Self::SECONDS) as i32;
            let is_visitor = word & Self::VISITOR != 0;
            let rest = if is_visitor {
                visitor_after - silence
            } else {
                questionable_after - silence
            };
            let bonus = if word >= Self::FAILURE {
                2 * BONUS
            } else if is_visitor && rest <= 0 {
                BONUS
            } else {
                0
            };
            Need(rest - bonus)
        }
    }

    pub(super) fn touch(&mut self, now: Duration) {
        self.0 = self.0 & !Self::SECONDS | now.as_secs() as u32 & Self::SECONDS;
    }

    pub(super) fn fail(&mut self) {
        if self.failures() < Self::MAX_FAILURES {
            self.0 += Self::FAILURE;
        }
    }

    /// It answers again. After so long a silence that any hole in a NAT is closed it has shown that it can be reached unasked.
    pub(super) fn renew(&mut self, now: Duration, config: &Config) {
        *self = Self::fresh(now, self.is_visitor() && self.due(now, config) > now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_word_keeps_what_it_is_told(seen in 0u64..1 << 32, silence in 0u64..1 << 28, is_visitor: bool, failures in 0u8..12) {
            let (seen, silence) = (Duration::from_secs(seen), Duration::from_secs(silence));
            let mut standing = Standing::fresh(seen, is_visitor);
            for _ in 0..failures {
                standing.fail();
            }
            prop_assert_eq!(standing.silence(seen + silence), silence);
            standing.touch(seen + silence);
            prop_assert_eq!(standing.silence(seen + silence), Duration::ZERO);
            prop_assert_eq!((standing.is_visitor(), standing.failures()), (is_visitor, failures.min(7)));
        }
    }
}
