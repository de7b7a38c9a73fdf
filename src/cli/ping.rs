//! `trackless ping`: is a DHT node there?

use std::time::{Duration, Instant};

use clap::Args;
use tokio::time::timeout;
use trackless::{Node, Pong};
use wire::HostPort;

use super::failure::Failure;
use super::interrupt::Interrupt;
use super::network::{self, ListenArgument};
use super::output::{Output, field, printable};
use super::report::Report;
use super::timeout::Timeout;
use super::units;

/// Ask one address whether a DHT node is there.
///
/// Prints its id, its client and version if it says, and the round trip. Nobody else is asked anything.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless ping 127.0.0.1:7001
  trackless ping router.bittorrent.com:6881 --timeout 5
  trackless ping 127.0.0.1:7001 --json --listen 127.0.0.1:0

Exit code 5: nobody answered. 1: somebody did, with an error.")]
pub(crate) struct Arguments {
    /// Whom to ask.
    #[arg(value_name = "HOST:PORT")]
    host: HostPort,
    /// How long to wait for the answer; ten seconds at most.
    #[arg(
        long,
        value_name = "SECS",
        env = "TRACKLESS_TIMEOUT",
        hide_env_values = true,
        default_value = "5",
        allow_negative_numbers = true
    )]
    timeout: Timeout,
    #[command(flatten)]
    listen: ListenArgument,
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    let node = arguments.listen.start_alone(output).await?;
    let result = interrupt.or(ask(&node, arguments, output)).await.flatten();
    node.shutdown().await;
    result
}

async fn ask(node: &Node, arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let patience = arguments.timeout.limit().unwrap_or(Duration::MAX);
    let start = Instant::now();
    let resolved = timeout(patience, network::resolve(&arguments.host)).await;
    let addresses = resolved.map_err(|_| trackless::Error::Resolve {
        host: arguments.host.to_string(),
        source: std::io::ErrorKind::TimedOut.into(),
    })??;
    let patience = patience.saturating_sub(start.elapsed());
    // One that we have a socket for, if there is any.
    let local = node.local_addresses();
    let reachable = |address: &&std::net::SocketAddr| {
        local.iter().any(|own| own.is_ipv4() == address.is_ipv4())
    };
    let address = addresses.iter().find(reachable).or(addresses.first());
    let &address =
        address.ok_or_else(|| Failure::Usage(format!("{} has no address", arguments.host)))?;
    let pong = node.ping(address, patience).await;
    let pong = pong.map_err(|error| match error {
        trackless::Error::NoNodeAnswered { after, .. } => Failure::NoPong {
            host: arguments.host.to_string(),
            after,
        },
        error => error.into(),
    })?;
    tell(&pong, output);
    Ok(())
}

fn tell(pong: &Pong, output: &Output) {
    let client = pong.version.and_then(client);
    let version = pong.version.map(version);
    output.event(&Report::Pong {
        node: pong.node,
        node_id: hex::encode(pong.id),
        version: version.clone(),
        client,
        milliseconds: pong.round_trip.as_secs_f64() * 1000.0,
    });
    output.result(field("address", pong.node));
    output.result(field("node id", hex::encode(pong.id)));
    let says = match (client, version) {
        (Some(client), Some(version)) => format!("{client} ({version})"),
        (None, Some(version)) => version,
        (_, None) => "not said".to_owned(),
    };
    output.result(field("client", says));
    output.result(field(
        "answered",
        format_args!("after {}", units::time(pong.round_trip)),
    ));
}

/// The letters as they are, if they are letters, and the rest in hex: the clients do not agree on how to write a version.
fn version(bytes: [u8; 4]) -> String {
    let [first, second, major, minor] = bytes;
    if [first, second].iter().all(u8::is_ascii_alphanumeric) {
        let letters = [first, second].map(char::from).iter().collect::<String>();
        format!("{} {}", printable(&letters), hex::encode([major, minor]))
    } else {
        hex::encode(bytes)
    }
}

/// Whose letters these are. BEP 20, and what the clients themselves say.
fn client([first, second, ..]: [u8; 4]) -> Option<&'static str> {
    match &[first, second] {
        b"LT" => Some("libtorrent"),
        b"TL" => Some("trackless"),
        b"UT" => Some("µTorrent"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_no_text_cannot_drive_the_terminal() {
        assert_eq!(version(*b"LT\x02\x01"), "LT 0201");
        assert_eq!(version(*b"\x1b[2J"), "1b5b324a");
        assert_eq!(client(*b"LT\x02\x01"), Some("libtorrent"));
        assert_eq!(client(*b"??\x02\x01"), None);
    }
}
