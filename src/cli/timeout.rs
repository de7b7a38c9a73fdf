//! `--timeout` and its relatives: how long a command waits.

use std::str::FromStr;
use std::time::Duration;

/// Seconds, with decimals if need be; 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeout(Option<Duration>);

impl Timeout {
    /// `None` to wait for ever.
    pub(crate) fn limit(self) -> Option<Duration> {
        self.0
    }
}

#[derive(Debug, thiserror::Error)]
#[error("write seconds, such as 30 or 0.5, or 0 to wait for ever")]
pub(crate) struct TimeoutError;

impl FromStr for Timeout {
    type Err = TimeoutError;

    fn from_str(text: &str) -> Result<Self, TimeoutError> {
        let seconds: f64 = text.parse().map_err(|_| TimeoutError)?;
        let limit = Duration::try_from_secs_f64(seconds).map_err(|_| TimeoutError)?;
        Ok(Self(Some(limit).filter(|limit| !limit.is_zero())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> Option<Duration> {
        text.parse::<Timeout>().unwrap().limit()
    }

    #[test]
    fn a_timeout_is_seconds_with_decimals_and_zero_is_never() {
        assert_eq!(limit("30"), Some(Duration::from_secs(30)));
        assert_eq!(limit("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(limit("0"), None);
        for wrong in ["-1", "soon", "NaN", "1e300"] {
            assert!(wrong.parse::<Timeout>().is_err(), "{wrong}");
        }
    }
}
