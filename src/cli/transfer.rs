//! How fast the commands that move content may do so, and with how many peers.

use std::num::NonZeroU64;
use std::str::FromStr;

use clap::Args;
use clap::builder::RangedI64ValueParser;
use trackless::{Builder, Limits, raise_descriptor_limit};

use super::units;

/// What the transfer of content may take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Transfer")]
pub(crate) struct TransferArguments {
    /// Send no faster than this, to all peers of all torrents together: bytes a second, such as 500K or 2M; 0 for no limit.
    #[arg(
        long,
        value_name = "RATE",
        env = "TRACKLESS_UP",
        hide_env_values = true,
        default_value = "0",
        hide_default_value = true
    )]
    up: Rate,
    /// Fetch no faster than this, from all peers of all torrents together.
    #[arg(
        long,
        value_name = "RATE",
        env = "TRACKLESS_DOWN",
        hide_env_values = true,
        default_value = "0",
        hide_default_value = true
    )]
    down: Rate,
    /// Connections to peers at once, of all torrents together. [default: 2000, or half of what the system lets the
    /// program have open]
    #[arg(long, value_name = "N", env = "TRACKLESS_CONNECTIONS", hide_env_values = true, value_parser = count())]
    connections: Option<u32>,
    /// Connections of one torrent. [default: 100]
    #[arg(long, value_name = "N", env = "TRACKLESS_TORRENT_CONNECTIONS", hide_env_values = true, value_parser = count())]
    torrent_connections: Option<u32>,
}

fn count() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=1_000_000)
}

impl TransferArguments {
    /// The node as it is to be, within these limits.
    pub(crate) fn limit(&self, builder: Builder) -> Builder {
        raise_descriptor_limit();
        let mut builder = builder.limits(Limits {
            up: self.up.0,
            down: self.down.0,
        });
        if let Some(most) = self.connections {
            builder = builder.connections(most as usize);
        }
        if let Some(most) = self.torrent_connections {
            builder = builder.torrent_connections(most as usize);
        }
        builder
    }
}

/// Bytes a second, or no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate(Option<NonZeroU64>);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Rate(None));
        }
        let bytes = units::parse_size(text).map_err(|_| {
            "write bytes a second, with K, M or G behind them if you like, or 0 for no limit: 500K, 2M"
                .to_owned()
        })?;
        Ok(Rate(NonZeroU64::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_size_a_second_and_0_is_no_limit() {
        let rate = |text: &str| text.parse::<Rate>().map(|rate| rate.0.map(NonZeroU64::get));
        assert_eq!(rate("500K"), Ok(Some(512_000)));
        assert_eq!(rate("2M"), Ok(Some(2 << 20)));
        assert_eq!(rate("0"), Ok(None));
        assert_eq!(rate("none"), Ok(None));
        assert!(rate("fast").unwrap_err().contains("500K"));
    }
}
