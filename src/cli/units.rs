//! Bytes, rates and times as people read them, and sizes as people write them.

use std::time::Duration;

const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];

/// `0 B`, `1023 B`, `1.0 KiB`, `64.0 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 KiB would be shown as 1024.0 KiB.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `64.0 MiB/s`.
pub(crate) fn rate(bytes_a_second: u64) -> String {
    format!("{}/s", bytes(bytes_a_second))
}

/// Bytes a second over a time; a time too short to measure counts as a millisecond.
pub(crate) fn average(count: u64, time: Duration) -> u64 {
    (count as f64 / time.as_secs_f64().max(0.001)) as u64
}

/// `0.4 ms`, `20.0 ms`, `1.234 s`, `59.9 s`, `3 min 05 s`, `2 h 03 min`; cut, not rounded.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => {
            let tenths = time.subsec_micros() / 100;
            format!("{}.{} ms", tenths / 10, tenths % 10)
        }
        1..10 => format!("{seconds}.{:03} s", time.subsec_millis()),
        10..60 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A time that was waited, as people set it: `0.5 s`, `10 s`.
pub(crate) fn patience(time: Duration) -> String {
    format!("{} s", (time.as_secs_f64() * 10.0).round() / 10.0)
}

/// `1 peer`, `2 peers`.
pub(crate) fn count(number: usize, one: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {one}s")
    }
}

/// An estimate without the digits that say nothing: `57`, `123`, `1230`, `12300000`.
pub(crate) fn rounded(number: u64) -> u64 {
    let digits = number.checked_ilog10().unwrap_or(0);
    let unit = 10_u64.pow(digits.saturating_sub(2));
    number.saturating_add(unit / 2) / unit * unit
}

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a number of bytes, or one with K, M or G behind it: 262144, 256K, 1M")]
pub(crate) struct SizeError;

/// Reads `262144`, `256K`, `256KiB`, `1M`: powers of 1024.
pub(crate) fn parse_size(text: &str) -> Result<u64, SizeError> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| SizeError)?;
    let power = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        _ => return Err(SizeError),
    };
    number.checked_mul(1024_u64.pow(power)).ok_or(SizeError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_one_decimal_and_never_show_1024_of_a_unit() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(bytes(64 << 20), "64.0 MiB");
        assert_eq!(bytes(u64::MAX), "16384.0 PiB");
        assert_eq!(rate(1 << 30), "1.0 GiB/s");
    }

    #[test]
    fn times_get_coarser_as_they_grow() {
        assert_eq!(time(Duration::from_micros(450)), "0.4 ms");
        assert_eq!(time(Duration::from_millis(20)), "20.0 ms");
        assert_eq!(time(Duration::from_micros(999_999)), "999.9 ms");
        assert_eq!(time(Duration::from_millis(1234)), "1.234 s");
        assert_eq!(time(Duration::from_millis(59_999)), "59.9 s");
        assert_eq!(time(Duration::from_secs(185)), "3 min 05 s");
        assert_eq!(
            time(Duration::from_secs(2 * 3600 + 3 * 60 + 59)),
            "2 h 03 min"
        );
    }

    #[test]
    fn what_was_waited_is_told_to_a_tenth_of_a_second() {
        assert_eq!(patience(Duration::from_millis(500)), "0.5 s");
        assert_eq!(patience(Duration::from_millis(10_004)), "10 s");
    }

    #[test]
    fn a_rate_over_no_time_is_finite() {
        assert_eq!(average(1000, Duration::ZERO), 1_000_000);
        assert_eq!(average(1000, Duration::from_secs(2)), 500);
    }

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        assert_eq!(parse_size("262144"), Ok(262_144));
        assert_eq!(parse_size("256K"), Ok(262_144));
        assert_eq!(parse_size("256 KiB"), Ok(262_144));
        assert_eq!(parse_size("1m"), Ok(1 << 20));
        for wrong in [
            "",
            "K",
            "-1",
            "1.5M",
            "1T",
            "99999999999999999999",
            "99999999999999G",
        ] {
            assert_eq!(parse_size(wrong), Err(SizeError), "{wrong:?}");
        }
    }

    #[test]
    fn an_estimate_has_three_digits() {
        for (number, shown) in [
            (0, 0),
            (57, 57),
            (123, 123),
            (1234, 1230),
            (9996, 10_000),
            (12_345_678, 12_300_000),
        ] {
            assert_eq!(rounded(number), shown);
        }
    }

    #[test]
    fn one_of_a_thing_is_singular() {
        assert_eq!(count(1, "peer"), "1 peer");
        assert_eq!(count(0, "peer"), "0 peers");
    }
}
