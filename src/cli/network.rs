//! What the commands that open a socket have in common: the flags, and how a node comes of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use trackless::{Builder, Node};
use wire::{HostPort, HostPortError};

use super::failure::Failure;
use super::flag;
use super::output::Output;
use super::report::Report;

/// Nodes that are always there, run by the makers of other clients: the way into the public network.
const PUBLIC: [&str; 3] = [
    "router.bittorrent.com:6881",
    "dht.transmissionbt.com:6881",
    "dht.libtorrent.org:25401",
];

/// Every address of a host.
pub(crate) async fn resolve(host: &HostPort) -> Result<Vec<SocketAddr>, trackless::Error> {
    match tokio::net::lookup_host((host.host.as_str(), host.port)).await {
        Ok(addresses) => Ok(addresses.collect()),
        Err(source) => Err(trackless::Error::Resolve {
            host: host.to_string(),
            source,
        }),
    }
}

/// Where the node listens.
#[derive(Debug, Args)]
#[command(next_help_heading = "Node")]
pub(crate) struct ListenArgument {
    /// Listen here: one port for UDP and TCP. Port 0 takes any free one; a port alone is that port of every IPv4
    /// address of this machine. Give it once for each address of a machine that has several: each is a DHT node with an
    /// id of its own. [default: 6881, or the next free port]
    #[arg(long, value_name = "[ADDR:]PORT", env = "TRACKLESS_LISTEN", hide_env_values = true, value_delimiter = ',', value_parser = parse_listen)]
    listen: Vec<SocketAddr>,
}

impl ListenArgument {
    /// Starts a node that nobody is told of and that knows nobody, and says where it listens.
    pub(crate) async fn start_alone(&self, output: &Output) -> Result<Node, Failure> {
        let mut builder = Node::builder().read_only();
        for &address in &self.listen {
            builder = builder.listen(address);
        }
        start(builder, output).await
    }
}

/// How the node is set up.
#[derive(Debug, Args)]
#[command(next_help_heading = "Node")]
pub(crate) struct NetworkArguments {
    #[command(flatten)]
    listen: ListenArgument,
    /// A DHT node to start from; give it once for each. Without it, and with --listen not on loopback, the
    /// well-known routers of the public network; `none` for nobody at all.
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "TRACKLESS_BOOTSTRAP",
        hide_env_values = true,
        value_delimiter = ','
    )]
    bootstrap: Vec<Bootstrap>,
    /// Keep the node's id, the nodes it knew and unfinished downloads' metadata here between runs. [default: the
    /// user's state directory, such as ~/.local/state/trackless; nothing is kept with --listen on loopback]
    #[arg(
        long,
        value_name = "DIR",
        env = "TRACKLESS_STATE_DIR",
        hide_env_values = true
    )]
    state_dir: Option<PathBuf>,
    /// Let lookups write to so many new addresses of the public network a second in the long run. More than the default may be more than the NAT of a small router bears.
    /// [default: 100]
    #[arg(long, value_name = "ADDRESSES", env = "TRACKLESS_PACE", hide_env_values = true, value_parser = clap::value_parser!(u16).range(20..))]
    pace: Option<u16>,
    /// Lift the limits per source address: for benchmarks and closed networks.
    #[arg(long, env = "TRACKLESS_NO_LIMITS", hide_env_values = true, value_parser = flag::parse)]
    no_limits: bool,
}

/// One value of `--bootstrap`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Bootstrap {
    None,
    Host(HostPort),
}

impl FromStr for Bootstrap {
    type Err = HostPortError;

    fn from_str(text: &str) -> Result<Self, HostPortError> {
        if text == "none" {
            Ok(Bootstrap::None)
        } else {
            text.parse().map(Bootstrap::Host)
        }
    }
}

/// Takes part in the DHT, or only asks it. BEP 43.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Participant,
    ReadOnly,
}

impl NetworkArguments {
    /// Starts the node and says where it listens. `more` are bootstrap hosts from elsewhere than the flags.
    pub(crate) async fn start(
        &self,
        more: &[HostPort],
        role: Role,
        output: &Output,
    ) -> Result<Node, Failure> {
        start(self.builder(more, role), output).await
    }

    /// The node as the flags want it.
    pub(crate) fn builder(&self, more: &[HostPort], role: Role) -> Builder {
        let mut builder = Node::builder();
        for host in self
            .hosts()
            .into_iter()
            .chain(more.iter().map(HostPort::to_string))
        {
            builder = builder.bootstrap(host);
        }
        for &address in &self.listen.listen {
            builder = builder.listen(address);
        }
        if let Some(path) = self.state_dir() {
            builder = builder.state_dir(path);
        }
        if let Some(pace) = self.pace.and_then(NonZeroU16::new) {
            builder = builder.pace(pace);
        }
        if self.no_limits {
            builder = builder.no_limits();
        }
        if role == Role::ReadOnly {
            builder = builder.read_only();
        }
        builder
    }

    /// Whether anybody is named to start from.
    pub(crate) fn is_asking(&self) -> bool {
        !self.hosts().is_empty()
    }

    /// Where the node's state is kept, if it is.
    pub(crate) fn state_dir(&self) -> Option<PathBuf> {
        self.state_dir.clone().or_else(|| self.default_state_dir())
    }

    /// The bootstrap hosts to ask.
    fn hosts(&self) -> Vec<String> {
        if self.bootstrap.is_empty() && !self.is_local() {
            return PUBLIC.map(str::to_owned).into();
        }
        let named = self
            .bootstrap
            .iter()
            .filter_map(|bootstrap| match bootstrap {
                Bootstrap::None => None,
                Bootstrap::Host(host) => Some(host.to_string()),
            });
        named.collect()
    }

    /// What was learned on loopback is of no use anywhere else, nor to another run.
    fn default_state_dir(&self) -> Option<PathBuf> {
        if self.is_local() {
            None
        } else {
            trackless::default_state_dir()
        }
    }

    /// Whether the node can be reached from this machine only.
    fn is_local(&self) -> bool {
        let listen = &self.listen.listen;
        !listen.is_empty() && listen.iter().all(|address| address.ip().is_loopback())
    }
}

/// Starts a node and says where it listens.
pub(crate) async fn start(builder: Builder, output: &Output) -> Result<Node, Failure> {
    let node = builder.start().await?;
    for (id, addresses) in node.ids() {
        if let Some(&addr) = addresses.first() {
            let node_id = hex::encode(id);
            output.event(&Report::Listening { addr, node_id });
        }
    }
    Ok(node)
}

/// What a command that opens a socket says first.
pub(crate) fn listening(node: &Node) -> Report<'static> {
    Report::Listening {
        addr: node.local_address(),
        node_id: hex::encode(node.id()),
    }
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
    }
    text.parse().map_err(|_| {
        "write an address of this machine and a port, or a port alone: 127.0.0.1:6881, [::1]:6881, 6881, 0 for any free port"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        network: NetworkArguments,
    }

    fn hosts(arguments: &[&str]) -> Vec<String> {
        let line = [&["trackless"], arguments].concat();
        Line::try_parse_from(line)
            .unwrap_or_else(|error| panic!("{error}"))
            .network
            .hosts()
    }

    #[test]
    fn the_public_network_is_asked_only_when_nothing_else_is_said() {
        assert_eq!(hosts(&[]), PUBLIC);
        assert_eq!(hosts(&["--listen", "0.0.0.0:0"]), PUBLIC);
        assert_eq!(hosts(&["--listen", "127.0.0.1:0"]), [""; 0]);
        assert_eq!(hosts(&["--listen", "[::1]:0"]), [""; 0]);
        assert_eq!(hosts(&["--bootstrap", "none"]), [""; 0]);
        assert_eq!(
            hosts(&["--bootstrap", "a:1", "--bootstrap", "b:2,c:3"]),
            ["a:1", "b:2", "c:3"]
        );
    }

    #[test]
    fn a_port_alone_is_open_to_everybody() {
        assert_eq!(parse_listen("7003"), Ok(([0, 0, 0, 0], 7003).into()));
        assert_eq!(parse_listen("[::1]:0").unwrap().port(), 0);
        assert!(parse_listen("70000").is_err());
        assert_eq!(hosts(&["--listen", "7003"]), PUBLIC);
    }

    #[test]
    fn an_address_without_a_port_is_refused() {
        assert!(parse_listen("127.0.0.1").is_err());
        assert!(
            parse_listen("localhost:6881")
                .unwrap_err()
                .contains("127.0.0.1:6881")
        );
        assert!(Line::try_parse_from(["trackless", "--bootstrap", "localhost"]).is_err());
    }
}
