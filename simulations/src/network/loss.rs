//! Which packets get lost.

use super::draw::{Share, below, draw};
use super::{Micros, micros};
use crate::LossPlan;

/// What a packet's draws are for.
const ANYWHERE: u64 = 0x10;
const AT_SOURCE: u64 = 0x11;
const AT_DESTINATION: u64 = 0x12;

/// Loss anywhere at any time, and at nodes whose line is bad for a while.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    seed: u64,
    random: Share,
    /// The share of time in which a line is bad.
    bursts: Share,
    length: Micros,
    in_burst: Share,
}

impl Loss {
    pub(super) fn new(seed: u64, plan: &LossPlan) -> Self {
        let burst_loss = Share::new(plan.burst_loss);
        let bursts = if burst_loss.is_some() {
            plan.bursts
        } else {
            0.0
        };
        Self {
            seed,
            random: Share::new(plan.random),
            bursts: Share::new(bursts),
            length: micros(plan.burst_length).max(1),
            in_burst: burst_loss,
        }
    }

    /// Whether any packet can get lost.
    pub(super) fn is_some(&self) -> bool {
        self.random.is_some() || self.bursts.is_some()
    }

    /// Whether a packet gets lost; `packet` is the draw that stands for it.
    #[inline]
    pub(super) fn takes(&self, now: Micros, from: u32, to: u32, packet: u64) -> bool {
        (self.random.is_some() && self.random.holds(draw(packet, ANYWHERE)))
            || (self.bursts.is_some()
                && (self.bursts_take(now, from, draw(packet, AT_SOURCE))
                    || self.bursts_take(now, to, draw(packet, AT_DESTINATION))))
    }

    fn bursts_take(&self, now: Micros, node: u32, chance: u64) -> bool {
        self.in_burst.holds(chance) && self.is_bad(now, node)
    }

    /// Whether the line of a node is bad: time is cut into windows, at other moments for each node.
    fn is_bad(&self, now: Micros, node: u32) -> bool {
        let line = draw(self.seed, u64::from(node));
        let window = (now + below(line, self.length)) / self.length;
        self.bursts.holds(draw(line, window))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn loss(random: f64, bursts: f64, burst_loss: f64) -> Loss {
        let plan = LossPlan {
            random,
            bursts,
            burst_loss,
            burst_length: Duration::from_secs(5),
        };
        Loss::new(draw(1, 2), &plan)
    }

    fn lost(loss: &Loss, at: Micros, packets: u64) -> u64 {
        let is_lost = |number: &u64| {
            let (from, to) = (draw(4, *number) as u32, draw(5, *number) as u32);
            loss.takes(at, from, to, draw(6, *number))
        };
        (0..packets).filter(is_lost).count() as u64
    }

    #[test]
    fn packets_get_lost_at_the_planned_rate() {
        for rate in [0.001, 0.02, 0.5] {
            let found = lost(&loss(rate, 0.0, 0.8), 0, 1_000_000) as f64;
            let deviation = (1e6 * rate * (1.0 - rate)).sqrt();
            assert!(
                (found - 1e6 * rate).abs() < 4.0 * deviation,
                "{rate}: {found}"
            );
        }
        assert!(!loss(0.0, 0.0, 0.8).is_some() && !loss(0.0, 0.1, 0.0).is_some());
    }

    #[test]
    fn bad_lines_lose_what_they_send_and_what_they_should_receive() {
        // Either end is bad for a tenth of the time: 1 - (1 - 0.1 × 0.8)².
        let found = lost(&loss(0.0, 0.1, 0.8), 123_456, 1_000_000);
        assert!(found.abs_diff(153_600) < 1_500, "{found}");
    }

    #[test]
    fn a_line_is_bad_for_the_planned_share_of_time_and_for_one_length_at_a_time() {
        let loss = loss(0.0, 0.1, 1.0);
        let (mut bad, mut changes, mut was_bad) = (0, 0, false);
        for tick in 0..1_000_000 {
            let is_bad = loss.is_bad(tick * 50_000, 77);
            bad += u32::from(is_bad);
            changes += u32::from(is_bad && !was_bad);
            was_bad = is_bad;
        }
        // 10,000 windows of 100 ticks.
        assert!(bad.abs_diff(100_000) < 12_000, "{bad}");
        assert!(changes.abs_diff(900) < 120, "{changes}");
    }

    #[test]
    fn lines_turn_bad_at_moments_of_their_own() {
        let loss = loss(0.0, 0.5, 1.0);
        let turns = |node: u32| {
            let ticks = 1..100_000;
            let turn = ticks
                .map(|tick| tick * 1_000)
                .find(|at| loss.is_bad(*at, node) != loss.is_bad(*at - 1_000, node));
            turn.map(|at| at % 5_000_000)
        };
        let moments: std::collections::BTreeSet<_> = (0..100).map(turns).collect();
        assert!(moments.len() > 90, "{}", moments.len());
    }
}
