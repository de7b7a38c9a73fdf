//! What a parameter is measured in, and whether a value is such a thing.

use std::fmt;

use toml::Value;

use super::PlanError;
use super::error::nearest;
use super::units::{Rate, Size, Time};

/// What a parameter is measured in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Any text.
    Text,
    /// `true` or `false`.
    Switch,
    /// A whole number from 0.
    Count {
        /// The largest one.
        max: u64,
    },
    /// A whole number from 0 each, in a list.
    Counts,
    /// A number, with or without a fraction.
    Number,
    /// A number from 0 to 1.
    Share,
    /// `"80ms"`, `"1h 30min"`.
    Duration,
    /// `"64 MiB"`, `"1 GB"`.
    Size,
    /// `"1 MB/s"`, `"8 Mbit/s"`.
    Rate,
    /// One of these words.
    Choice(Vec<String>),
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Switch => "switch",
            Self::Count { .. } => "count",
            Self::Counts => "list of counts",
            Self::Number => "number",
            Self::Share => "share",
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Rate => "rate",
            Self::Choice(words) => return f.write_str(&words.join(" | ")),
        })
    }
}

impl Quantity {
    /// The value that a text stands for on a command line, where nobody wants to write quotes.
    pub(super) fn read(&self, text: &str) -> Value {
        let value = text.parse::<Value>();
        let is_word = matches!(
            self,
            Self::Text | Self::Duration | Self::Size | Self::Rate | Self::Choice(_)
        );
        match value {
            Ok(value) if !is_word || value.is_str() => value,
            _ => Value::String(text.to_owned()),
        }
    }

    /// Whether `value` is such a quantity; if not, what is wrong with it as the value of `key`.
    pub(super) fn check(&self, key: &str, value: &Value) -> Result<(), PlanError> {
        let text = value.as_str();
        let fits = match self {
            Self::Text => text.is_some(),
            Self::Switch => value.is_bool(),
            Self::Count { max } => is_count(value, *max),
            Self::Counts => value
                .as_array()
                .is_some_and(|list| list.iter().all(|item| is_count(item, u16::MAX.into()))),
            Self::Number => number(value).is_some_and(f64::is_finite),
            Self::Share => number(value).is_some_and(|share| (0.0..=1.0).contains(&share)),
            Self::Duration => text.and_then(Time::parse).is_some(),
            Self::Size => text.and_then(Size::parse).is_some(),
            Self::Rate => text.and_then(Rate::parse).is_some(),
            Self::Choice(words) => {
                text.is_some_and(|text| words.iter().any(|word| word.as_str() == text))
            }
        };
        if fits {
            return Ok(());
        }
        let (what, advice) = self.expected(value);
        Err(PlanError::value(key, format!("{value} is {what}"), advice))
    }

    fn expected(&self, given: &Value) -> (&'static str, String) {
        let (what, advice) = match self {
            Self::Text => ("not a text", "give it in quotes"),
            Self::Switch => ("neither yes nor no", "give true or false"),
            Self::Count { max } if *max <= u32::MAX.into() => {
                let advice = format!("give a whole number from 0 to {max}");
                return ("not a count", advice);
            }
            Self::Count { .. } => ("not a count", "give a whole number from 0"),
            Self::Counts => ("not a list of counts", "give one such as [0, 1]"),
            Self::Number => ("not a number", "give one such as 0.6"),
            Self::Share => ("not a share", "give a number from 0 to 1"),
            Self::Duration => ("not a duration", r#"give one such as "80ms" or "1h 30min""#),
            Self::Size => ("not a size", r#"give one such as "64 MiB" or "1 GB""#),
            Self::Rate => ("not a rate", r#"give one such as "1 MB/s" or "8 Mbit/s""#),
            Self::Choice(words) => {
                let given = given.as_str().unwrap_or_default();
                let advice = match nearest(given, words.iter().map(String::as_str)) {
                    Some(nearest) => format!("did you mean {nearest}?"),
                    None => format!("give one of {}", words.join(", ")),
                };
                return ("no choice here", advice);
            }
        };
        (what, advice.to_owned())
    }
}

fn is_count(value: &Value, max: u64) -> bool {
    value
        .as_integer()
        .is_some_and(|count| u64::try_from(count).is_ok_and(|count| count <= max))
}

/// TOML tells `1` from `1.0`; people do not.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}
