//! How many requests to keep in flight to one peer.
//!
//! The measure is the path's bandwidth times its delay: enough requests that the peer never waits for the next one, and few enough that no
//! seconds of data queue up behind them. The bandwidth is the highest of the recent delivery rates, the delay the shortest time that a
//! request took of late, and on top comes a fifth of a second of slack, so that a window that is too small grows by itself.

use std::time::Duration;

use crate::BLOCK_LENGTH;

/// Requests in flight to a peer nothing is known of.
const START: u32 = 16;
/// Requests in flight to the slowest peer that delivers.
const FLOOR: u32 = 4;
/// How long a block may wait in the sender's queue.
const SLACK: Duration = Duration::from_millis(200);
const SHORTEST_SAMPLE: Duration = Duration::from_millis(100);
/// After this long the shortest delay is measured afresh: the path may have changed.
const DELAY_LIFETIME: Duration = Duration::from_secs(20);
const SAMPLES: usize = 8;
/// How long a peer that has not delivered yet may take for its first block.
const FIRST_ANSWER: Duration = Duration::from_secs(6);
/// How long the way to a peer may stand still, beside what is usual for it: TCP repeats what was lost within that time.
const STANDSTILL: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// One more in flight for each block that comes: the window doubles every round trip until a queue builds up.
    SlowStart,
    Steady,
    /// The window is let run down to the floor, so that the delay is seen without a queue.
    Probe {
        since: Duration,
    },
    /// The peer let a request time out.
    Snubbed,
}

/// The window of one peer.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    phase: Phase,
    window: u32,
    delay: Option<Duration>,
    delay_measured: Duration,
    /// What a request takes, and by how much that differs from time to time. RFC 6298, section 2.
    usual: Duration,
    variation: Duration,
    sample: Option<Sample>,
    /// Bytes a second, the newest [`SAMPLES`], as a ring.
    rates: [u64; SAMPLES],
    sampled: usize,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    since: Duration,
    bytes: u64,
}

impl Pipeline {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::SlowStart,
            window: START,
            delay: None,
            delay_measured: Duration::ZERO,
            usual: Duration::ZERO,
            variation: Duration::ZERO,
            sample: None,
            rates: [0; SAMPLES],
            sampled: 0,
        }
    }

    /// Requests to have in flight now, at most `limit`.
    pub(crate) fn target(&self, limit: u32) -> u32 {
        let window = match self.phase {
            Phase::SlowStart | Phase::Steady => self.window,
            Phase::Probe { .. } => self.window.min(FLOOR),
            Phase::Snubbed => 1,
        };
        window.min(limit)
    }

    /// The peer has nothing to do until the next request: time from here on is not its slowness.
    pub(crate) fn idle(&mut self) {
        self.sample = None;
    }

    /// A block of `length` bytes came that was requested at `sent`.
    pub(crate) fn delivered(&mut self, now: Duration, sent: Duration, length: u32, limit: u32) {
        let delay = now.saturating_sub(sent);
        self.measure_usual(delay);
        self.measure_delay(now, sent, delay);
        let shortest = self.delay.unwrap_or(delay);
        let sampled = self.measure_rate(now, length, shortest);
        match self.phase {
            Phase::Snubbed => {
                self.phase = Phase::SlowStart;
                self.window = FLOOR;
            }
            Phase::SlowStart if delay > shortest + SLACK => {
                self.phase = Phase::Steady;
                self.resize(shortest);
            }
            Phase::SlowStart if self.window >= limit => {
                if sampled {
                    self.phase = Phase::Steady;
                }
            }
            Phase::SlowStart => self.window += 1,
            Phase::Steady if now.saturating_sub(self.delay_measured) > DELAY_LIFETIME => {
                self.phase = Phase::Probe { since: now };
            }
            Phase::Steady if sampled => self.resize(shortest),
            Phase::Steady | Phase::Probe { .. } => {}
        }
    }

    /// A request timed out: one at a time until the peer delivers again.
    pub(crate) fn snub(&mut self) {
        self.phase = Phase::Snubbed;
        self.idle();
    }

    pub(crate) fn is_snubbed(&self) -> bool {
        self.phase == Phase::Snubbed
    }

    /// How long the peer may send nothing while requests are in flight: by its pace, and at most `longest`, which is what one that was snubbed
    /// has for the request that it has kept.
    pub(crate) fn patience(&self, longest: Duration) -> Duration {
        let patience = match (self.phase, self.delay) {
            (Phase::Snubbed, _) => longest,
            (_, None) => FIRST_ANSWER,
            (_, Some(_)) => self.usual + self.variation * 4 + STANDSTILL,
        };
        patience.min(longest)
    }

    fn measure_usual(&mut self, delay: Duration) {
        if self.delay.is_none() {
            (self.usual, self.variation) = (delay, delay / 2);
        } else {
            self.variation = (self.variation * 3 + self.usual.abs_diff(delay)) / 4;
            self.usual = (self.usual * 7 + delay) / 8;
        }
    }

    fn measure_delay(&mut self, now: Duration, sent: Duration, delay: Duration) {
        let unqueued = matches!(self.phase, Phase::Probe { since } if sent > since);
        if unqueued {
            self.phase = Phase::Steady;
        }
        if unqueued || self.delay.is_none_or(|shortest| delay <= shortest) {
            self.delay = Some(delay);
            self.delay_measured = now;
        }
    }

    /// Returns whether a sample was completed.
    fn measure_rate(&mut self, now: Duration, length: u32, shortest: Duration) -> bool {
        let Some(sample) = &mut self.sample else {
            // What came before the first block's arrival is delay, not rate.
            self.sample = Some(Sample {
                since: now,
                bytes: 0,
            });
            return false;
        };
        sample.bytes += u64::from(length);
        let span = now.saturating_sub(sample.since);
        if span < SHORTEST_SAMPLE.max(shortest) {
            return false;
        }
        self.rates[self.sampled % SAMPLES] = (sample.bytes as f64 / span.as_secs_f64()) as u64;
        self.sampled = self.sampled.wrapping_add(1);
        *sample = Sample {
            since: now,
            bytes: 0,
        };
        true
    }

    fn resize(&mut self, shortest: Duration) {
        let rate = self.rates.iter().max().copied().unwrap_or(0);
        if rate == 0 {
            self.window = FLOOR;
            return;
        }
        let bytes = rate as f64 * (shortest + SLACK).as_secs_f64();
        let blocks = (bytes / f64::from(BLOCK_LENGTH)).ceil();
        self.window = (blocks as u32).max(FLOOR);
    }
}

#[cfg(test)]
mod tests;
