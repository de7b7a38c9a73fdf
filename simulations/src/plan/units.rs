//! Quantities as people write them: `"80ms"`, `"1 MB/s"`, `"64 MiB"`, and shares from 0 to 1.
//!
//! Each type stands behind the `serde(with = …)` of the fields that hold such a quantity; the fields themselves are plain numbers.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration in whole microseconds: `"80ms"`, `"1h 30min"`.
pub(crate) struct Time;

/// A number of bytes: `"64 MiB"`, `"1 GB"`.
pub(crate) struct Size;

/// Bytes a second: `"1 MB/s"`, `"8 Mbit/s"`.
pub(crate) struct Rate;

/// A number from 0 to 1.
pub(crate) struct Share;

/// Bytes of each unit. Those that are written come first: where two fit equally well, the earlier one is taken.
const SIZES: [(&str, u64); 10] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
    ("KB", 1_000),
];

/// Bits of each unit of a rate that is given in bits.
const BITS: [(&str, u64); 5] = [
    ("Gbit", 1_000_000_000),
    ("Mbit", 1_000_000),
    ("kbit", 1_000),
    ("Kbit", 1_000),
    ("bit", 1),
];

impl Time {
    pub(crate) fn parse(text: &str) -> Option<Duration> {
        let time = match text.trim() {
            "0" => Duration::ZERO,
            text => humantime::parse_duration(text).ok()?,
        };
        (time.subsec_nanos() % 1_000 == 0).then_some(time)
    }

    pub(crate) fn format(time: Duration) -> String {
        humantime::format_duration(time).to_string()
    }

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Self::format(*time))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no duration"))
    }
}

impl Size {
    pub(crate) fn parse(text: &str) -> Option<u64> {
        let (number, unit) = split(text);
        let &(_, bytes) = SIZES.iter().find(|(name, _)| *name == unit)?;
        times(number, bytes, 1)
    }

    /// With the unit that needs the smallest whole number.
    pub(crate) fn format(bytes: u64) -> String {
        let (number, unit) = SIZES
            .iter()
            .filter(|(_, size)| bytes != 0 && bytes.is_multiple_of(*size))
            .map(|(unit, size)| (bytes / size, *unit))
            .min_by_key(|(number, _)| *number)
            .unwrap_or((bytes, "B"));
        format!("{number} {unit}")
    }

    pub(crate) fn serialize<S: Serializer>(
        bytes: &(impl Copy + Into<u64>),
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Self::format((*bytes).into()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no size"))
    }
}

impl Rate {
    pub(crate) fn parse(text: &str) -> Option<u64> {
        let amount = text.trim().strip_suffix("/s")?;
        let (number, unit) = split(amount);
        match BITS.iter().find(|(name, _)| *name == unit) {
            Some(&(_, bits)) => times(number, bits, 8),
            None => Size::parse(amount),
        }
    }

    pub(crate) fn format(bytes: u64) -> String {
        Size::format(bytes) + "/s"
    }

    pub(crate) fn serialize<S: Serializer>(
        bytes: &(impl Copy + Into<u64>),
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Self::format((*bytes).into()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no rate"))
    }
}

impl Share {
    pub(crate) fn serialize<S: Serializer>(
        share: &impl Serialize,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        share.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        let share = f64::deserialize(from)?;
        (0.0..=1.0)
            .contains(&share)
            .then_some(share)
            .ok_or_else(|| D::Error::custom("no share"))
    }
}

/// `"1.5 MB"` is `1.5` and `MB`.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// `number · factor / divisor`, of a decimal number. `None` unless that is a whole number.
fn times(number: &str, factor: u64, divisor: u128) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let divisor = divisor.checked_mul(10_u128.checked_pow(fraction.len().try_into().ok()?)?)?;
    let product = digits.checked_mul(factor.into())?;
    product
        .is_multiple_of(divisor)
        .then(|| (product / divisor).try_into().ok())?
}

/// How the type calls itself in the schema of a plan, which is where the keys and their units are taken from.
macro_rules! schema {
    ($type:ty, $json:literal, $format:literal) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $format.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": $json, "format": $format })
            }
        }
    };
}

schema!(Time, "string", "duration");
schema!(Size, "string", "size");
schema!(Rate, "string", "rate");
schema!(Share, "number", "share");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_read_as_people_write_them() {
        assert_eq!(Time::parse("80ms"), Some(Duration::from_millis(80)));
        assert_eq!(Time::parse("1h 30min"), Some(Duration::from_secs(5_400)));
        assert_eq!(Time::parse("0"), Some(Duration::ZERO));
        assert_eq!(Size::parse("64 MiB"), Some(64 << 20));
        assert_eq!(Size::parse("1GB"), Some(1_000_000_000));
        assert_eq!(Size::parse("1.5 kB"), Some(1_500));
        assert_eq!(Rate::parse("1 MB/s"), Some(1_000_000));
        assert_eq!(Rate::parse("8 Mbit/s"), Some(1_000_000));
        assert_eq!(Rate::parse("0 B/s"), Some(0));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "80", "ms", "-1s", "1 fortnight", "500ns"] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
        for text in [
            "",
            "64",
            "MiB",
            "1.5 B",
            "1. kB",
            ".5 kB",
            "1.2.3 MB",
            "1 mb",
            "-1 B",
            "99999999 TiB",
        ] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
        for text in ["", "1 MB", "1 bit/s", "12 B/min", "1 Mb/s"] {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
    }

    #[test]
    fn quantities_are_written_so_that_they_can_be_read() {
        assert_eq!(Size::format(67_108_864), "64 MiB");
        assert_eq!(Size::format(4_000_000), "4 MB");
        assert_eq!(Size::format(1_024_000), "1000 KiB");
        assert_eq!(Size::format(1_234_567), "1234567 B");
        assert_eq!(Rate::format(125_000), "125 kB/s");
        assert_eq!(Rate::format(0), "0 B/s");
        assert_eq!(Time::format(Duration::from_secs(5_400)), "1h 30m");
        assert_eq!(Time::format(Duration::ZERO), "0s");
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_as_it_was(bytes: u64, unit in 0..SIZES.len(), micros in 0..u64::MAX / 1_000) {
            let round = (bytes % 10_000).checked_mul(SIZES[unit].1).unwrap_or(bytes);
            for bytes in [bytes, round] {
                prop_assert_eq!(Size::parse(&Size::format(bytes)), Some(bytes));
                prop_assert_eq!(Rate::parse(&Rate::format(bytes)), Some(bytes));
            }
            let time = Duration::from_micros(micros);
            prop_assert_eq!(Time::parse(&Time::format(time)), Some(time));
        }

        #[test]
        fn nothing_that_people_write_breaks_the_reader(text in "[0-9.]{0,30} ?[A-Za-z/]{0,6}") {
            let _ = (Time::parse(&text), Size::parse(&text), Rate::parse(&text));
        }
    }
}
