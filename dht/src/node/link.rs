//! The way out of each family: whether anybody is heard, and what is done when it is open again. BEP 32 keeps two DHTs apart, and either link may be down
//! while the other is up.

use std::time::Duration;

use arrayvec::ArrayVec;
use rand::Rng;

use super::{Context, Node};
use crate::address::Family;
use crate::config::Config;
use crate::event::Outbox;
use crate::message::NodeInfo;
use crate::per_family::PerFamily;

/// Contacts that are asked at once when the way out has changed or is open again.
const AT_ONCE: usize = 8;
/// The pause between so many and the next.
pub(super) const REVIEW_PAUSE: Duration = Duration::from_millis(250);
/// Nobody was heard for so long: what is known of others may be out of date.
const LONG_SILENCE: Duration = Duration::from_secs(60);
/// No driver is so late with a deadline: it slept, and we with it.
pub(super) const SLEEP: Duration = Duration::from_secs(30);

/// The links of both families.
#[derive(Default)]
pub(super) struct Links(PerFamily<Link>);

#[derive(Default)]
struct Link {
    /// Queries sent since somebody was heard that nobody answered.
    silence: u32,
    /// When somebody answered last.
    heard: Duration,
    review: Review,
}

/// Whether all contacts are to be asked whether they are still there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Review {
    #[default]
    None,
    /// When somebody answers.
    Due,
    /// Those that were not heard of since then.
    Since(Duration),
}

impl Links {
    /// While nobody at all answers it is our link that is down, and the table is kept as it was.
    pub(super) fn is_down(&self, family: Family, config: &Config) -> bool {
        self.0[family].silence >= config.frozen_after
    }

    /// Somebody answered. Whether that ends a time in which the network may have become another one.
    pub(super) fn answered(&mut self, family: Family, now: Duration) -> bool {
        let link = &mut self.0[family];
        (link.silence, link.heard) = (0, now);
        let is_back = link.review == Review::Due;
        if is_back {
            link.review = Review::Since(now);
        }
        is_back
    }

    /// Nobody answered a query that was sent then. Whether that says anything about whom it was sent to.
    pub(super) fn timed_out(
        &mut self,
        family: Family,
        sent: Duration,
        now: Duration,
        config: &Config,
    ) -> bool {
        let link = &mut self.0[family];
        // Somebody was heard later: it is not the link.
        if sent > link.heard {
            link.silence = link.silence.saturating_add(1);
        }
        if link.silence < config.frozen_after {
            return !matches!(link.review, Review::Since(since) if sent < since);
        }
        if now.saturating_sub(link.heard) >= LONG_SILENCE {
            link.review = Review::Due;
        }
        false
    }

    /// The way out is another one: until somebody answers, silence is no news.
    fn doubt(&mut self, family: Family, config: &Config) {
        let link = &mut self.0[family];
        link.silence = link.silence.max(config.frozen_after);
        link.review = Review::Due;
    }

    /// Since when contacts have to have been heard of, while that is being looked after.
    fn reviewing(&self, family: Family) -> Option<Duration> {
        match self.0[family].review {
            Review::Since(since) => Some(since),
            Review::None | Review::Due => None,
        }
    }
}

impl Node {
    /// We stand elsewhere in the network, or slept: it may be another one. The contacts nearest to us are asked at once, and with the first answer all.
    pub(super) fn doubt_links<R: Rng, O: Outbox>(&mut self, context: &mut Context<'_, R, O>) {
        self.bootstrap.start_over(context.now, context.config);
        for family in Family::ALL {
            self.links.doubt(family, context.config);
            for node in self.tables.closest::<AT_ONCE>(family, &self.id()) {
                if !self.transactions.is_asking(&node.address) {
                    self.ask_contact(&node, context);
                }
            }
        }
    }

    /// Whether a family is out of reach while the other one is not: then nothing waits for its answers.
    pub(super) fn is_hidden(&self, family: Family, config: &Config) -> bool {
        let is_down = |family| self.links.is_down(family, config);
        let is_up = |family| !is_down(family) && self.tables.len(family) > 0;
        is_down(family) && Family::ALL.into_iter().any(is_up)
    }

    /// Somebody was heard in this family.
    pub(super) fn hear<R: Rng, O: Outbox>(
        &mut self,
        family: Family,
        context: &mut Context<'_, R, O>,
    ) {
        if self.links.answered(family, context.now) {
            // Those nearest to us matter most, to us and to others; then all the others.
            self.find_neighbours(family, context);
            self.resume_review(context);
        }
    }

    /// Contacts that are to be asked whether they are still there do not wait for the steady pace.
    pub(super) fn resume_review<R: Rng, O: Outbox>(&mut self, context: &Context<'_, R, O>) {
        let mut families = Family::ALL.into_iter();
        if families.any(|family| self.links.reviewing(family).is_some()) {
            self.maintenance.act_by(context.now + REVIEW_PAUSE);
        }
    }

    /// Asks some more of the contacts that were not heard of since the link was down. Whether any are left.
    pub(super) fn review<R: Rng, O: Outbox>(
        &mut self,
        family: Family,
        context: &mut Context<'_, R, O>,
    ) -> bool {
        let is_down = self.links.is_down(family, context.config);
        let Some(since) = self.links.reviewing(family).filter(|_| !is_down) else {
            return false;
        };
        let is_over = !self.ask_unheard(family, since, context);
        if is_over {
            self.links.0[family].review = Review::None;
        }
        !is_over
    }

    /// Asks the nearest of those that were not heard of since then. Whether there were any, those included that are being asked.
    fn ask_unheard<R: Rng, O: Outbox>(
        &mut self,
        family: Family,
        since: Duration,
        context: &mut Context<'_, R, O>,
    ) -> bool {
        let mut unheard = self.tables.unheard(family, since, context.now).peekable();
        let is_any = unheard.peek().is_some();
        let free = unheard.filter(|node| !self.transactions.is_asking(&node.address));
        let chosen: ArrayVec<NodeInfo, AT_ONCE> = free.take(AT_ONCE).collect();
        for node in chosen {
            self.ask_contact(&node, context);
        }
        is_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    #[test]
    fn a_link_that_is_down_says_nothing_about_the_other_one() {
        let config = Config::default();
        let mut links = Links::default();
        for _ in 0..config.frozen_after {
            links.timed_out(Family::V6, at(100), at(110), &config);
        }
        assert!(links.is_down(Family::V6, &config) && !links.is_down(Family::V4, &config));
        assert!(links.timed_out(Family::V4, at(100), at(110), &config));
        assert!(!links.answered(Family::V4, at(110)));
        assert!(links.is_down(Family::V6, &config));
        assert!(links.answered(Family::V6, at(120)));
        assert!(!links.is_down(Family::V6, &config));
    }

    #[test]
    fn some_who_are_silent_at_once_are_no_reason_to_ask_everybody() {
        let config = Config::default();
        let mut links = Links::default();
        links.answered(Family::V4, at(100));
        for _ in 0..config.frozen_after {
            links.timed_out(Family::V4, at(101), at(111), &config);
        }
        assert!(links.is_down(Family::V4, &config));
        assert!(!links.answered(Family::V4, at(112)));
        assert_eq!(links.reviewing(Family::V4), None);
    }

    #[test]
    fn those_who_were_asked_before_somebody_was_heard_are_dead_however_many_they_are() {
        let config = Config::default();
        let mut links = Links::default();
        links.answered(Family::V4, at(100));
        let is_blamed = |_| links.timed_out(Family::V4, at(100), at(110), &config);
        assert!((0..100).all(is_blamed));
    }

    #[test]
    fn nobody_is_blamed_for_what_was_sent_through_a_link_that_was_down() {
        let config = Config::default();
        let mut links = Links::default();
        links.doubt(Family::V4, &config);
        assert!(!links.timed_out(Family::V4, at(95), at(105), &config));
        assert!(links.answered(Family::V4, at(106)));
        assert_eq!(links.reviewing(Family::V4), Some(at(106)));
        assert!(!links.timed_out(Family::V4, at(97), at(107), &config));
        assert!(links.timed_out(Family::V4, at(107), at(117), &config));
    }
}
