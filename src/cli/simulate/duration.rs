//! Times as people write them on the command line, and as the tables of a run have them.

use std::time::Duration;

/// `90s`, `12min`, `1h 30min`, and `312.25s` or `312.25` as the tables have it.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let seconds = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .or_else(|| humantime::parse_duration(text).ok())
        .ok_or_else(|| "write a time: 90s, 12min, 312.25s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_tables_and_people_write_them() {
        assert_eq!(parse("312.25"), Ok(Duration::from_millis(312_250)));
        assert_eq!(parse("312.25s"), Ok(Duration::from_millis(312_250)));
        assert_eq!(parse("12min"), Ok(Duration::from_secs(720)));
        assert_eq!(parse("1h 30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "soon", "-1s", "nan"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
