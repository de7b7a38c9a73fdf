//! How long a packet takes to leave.

use std::time::Duration;

use super::{Micros, micros};

/// The way out of a node: one packet after the other, at its pace, whomever it is for. What it is busy with is one number,
/// which whoever owns the node keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uplink {
    /// 0: without a limit.
    bytes_per_second: u64,
    /// A packet that would have to wait for longer is dropped.
    queue: Micros,
}

impl Uplink {
    pub(super) fn new(bytes_per_second: u64, queue: Duration) -> Self {
        Self {
            bytes_per_second,
            queue: micros(queue),
        }
    }

    /// After how long the last byte of a packet has left that is sent now; `free_at` is when the one before has. `None`: it
    /// would have to wait for too long, and is dropped.
    #[inline]
    pub(super) fn leave(self, now: Micros, bytes: u32, free_at: &mut Micros) -> Option<Micros> {
        if self.bytes_per_second == 0 {
            return Some(0);
        }
        let begin = now.max(*free_at);
        if begin - now > self.queue {
            return None;
        }
        *free_at = begin + (u64::from(bytes) * 1_000_000).div_ceil(self.bytes_per_second);
        Some(*free_at - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_one_after_the_other_at_the_pace_of_the_line() {
        let uplink = Uplink::new(10_000, Duration::from_millis(500));
        let mut free_at = 0;
        assert_eq!(uplink.leave(1_000, 100, &mut free_at), Some(10_000));
        assert_eq!(uplink.leave(1_000, 100, &mut free_at), Some(20_000));
        assert_eq!(uplink.leave(6_000, 50, &mut free_at), Some(20_000));
        // The line has been idle for long.
        assert_eq!(uplink.leave(9_000_000, 50, &mut free_at), Some(5_000));
    }

    #[test]
    fn a_flood_is_dropped_beyond_the_queue_and_the_line_stays_full() {
        let uplink = Uplink::new(100_000, Duration::from_millis(50));
        let (mut free_at, mut left, mut dropped) = (0, 0, 0);
        // 100 bytes each 0.5 ms are twice of what the line carries.
        for number in 0..20_000 {
            match uplink.leave(number * 500, 100, &mut free_at) {
                Some(delay) => {
                    assert!(delay <= 51_000, "{delay}");
                    left += 1;
                }
                None => dropped += 1,
            }
        }
        assert!(
            (10_000..10_060).contains(&left),
            "{left} left, {dropped} dropped"
        );
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let uplink = Uplink::new(0, Duration::ZERO);
        let mut free_at = 0;
        assert!((0..100).all(|_| uplink.leave(7, 1_500, &mut free_at) == Some(0)));
        assert_eq!(free_at, 0);
    }
}
