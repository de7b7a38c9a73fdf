use std::time::Duration;

/// One way between a peer and the network, which takes one thing after the other at its pace.
pub(super) struct Line {
    bytes_per_second: u64,
    free_at: Duration,
}

impl Line {
    /// A line of that many bytes a second; 0: without a limit.
    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second,
            free_at: Duration::ZERO,
        }
    }

    /// When all is through that it was given.
    pub(super) fn free_at(&self) -> Duration {
        self.free_at
    }

    /// Gives it so many bytes. Returns when it begins with them.
    pub(super) fn occupy(&mut self, now: Duration, bytes: u64) -> Duration {
        let begin = now.max(self.free_at);
        let nanos = (bytes * 1_000_000_000).checked_div(self.bytes_per_second);
        self.free_at = begin + Duration::from_nanos(nanos.unwrap_or(0));
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_as_long_as_its_bytes_need_and_does_not_save_up() {
        let second = Duration::from_secs(1);
        let mut line = Line::new(1000);
        assert_eq!(line.occupy(second, 500), second);
        assert_eq!(line.occupy(second, 1500), second * 3 / 2);
        assert_eq!(line.free_at(), second * 3);
        assert_eq!(line.occupy(second * 9, 1000), second * 9);
        assert_eq!(line.free_at(), second * 10);
    }

    #[test]
    fn a_line_without_a_limit_takes_no_time() {
        let mut line = Line::new(0);
        assert_eq!(line.occupy(Duration::ZERO, 1 << 30), Duration::ZERO);
        assert_eq!(line.free_at(), Duration::ZERO);
    }
}
