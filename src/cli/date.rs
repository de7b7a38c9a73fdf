//! Dates as people write them, and as torrent files keep them: seconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

/// Reads `now`, seconds since 1970, `2026-01-31`, `2026-01-31 12:00:00` or `2026-01-31T12:00:00Z`, all in UTC.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let midnight = format!("{text} 00:00:00");
    let time = match text {
        "now" => Some(SystemTime::now()),
        _ => [text, &midnight]
            .iter()
            .find_map(|text| humantime::parse_rfc3339_weak(text).ok()),
    };
    time.and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map(|since| since.as_secs() as i64)
        .ok_or_else(|| {
            "a date is `now`, a number of seconds since 1970, or one such as 2026-01-31 or '2026-01-31 12:00:00'"
                .to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_utc() {
        assert_eq!(parse("1700000000"), Ok(1_700_000_000));
        for text in ["2023-11-14 22:13:20", "2023-11-14T22:13:20Z"] {
            assert_eq!(parse(text), Ok(1_700_000_000), "{text}");
        }
        assert_eq!(parse("1970-01-02"), Ok(86_400));
        assert!(parse("now").unwrap() > 1_700_000_000);
        for wrong in ["", "yesterday", "2023-13-01"] {
            assert!(parse(wrong).unwrap_err().contains("2026-01-31"), "{wrong}");
        }
    }
}
