//! `trackless node`: a DHT node and nothing else.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use clap::Args;
use trackless::Node;

use super::failure::Failure;
use super::flag;
use super::interrupt::Interrupt;
use super::network::{self, NetworkArguments, Role};
use super::output::{Output, field};
use super::report::Report;
use super::silence;
use super::status_line::StatusLine;
use super::units;

/// Time between two looks at the figures, and between two `dht` events.
const TICK: Duration = Duration::from_secs(1);
const TICKS_BETWEEN_EVENTS: u32 = 10;

/// Run a DHT node until Ctrl-C.
///
/// It answers others, and others can start from it: this is all that a network of your own needs. It fetches and serves
/// no files; `get` and `seed` run a node of their own.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless node                                            (take part in the public network)
  trackless node --listen 127.0.0.1:7001                    (the first node of a network on this machine)
  trackless node --listen 127.0.0.1:0 --bootstrap 127.0.0.1:7001   (another one, on any free port)
  trackless node --listen 0.0.0.0:6881 --bootstrap none     (the first node of a network in this house)")]
pub(crate) struct Arguments {
    /// Keep what others announced and put here in the state directory, for the rest of its life: it survives a restart.
    #[arg(long, env = "TRACKLESS_KEEP_STORED", hide_env_values = true, value_parser = flag::parse)]
    keep_stored: bool,
    #[command(flatten)]
    network: NetworkArguments,
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    let mut builder = arguments.network.builder(&[], Role::Participant);
    if arguments.keep_stored {
        if arguments.network.state_dir().is_none() {
            return Err(Failure::Usage(
                "--keep-stored has nowhere to keep it: name a --state-dir, as there is none by itself with --listen on loopback".to_owned(),
            ));
        }
        builder = builder.keep_stored();
    }
    let node = network::start(builder, output).await?;
    for (id, addresses) in node.ids() {
        for address in addresses {
            output.result(field("listening", address));
        }
        output.result(field("node id", hex::encode(id)));
    }
    let signal = tokio::select! {
        signal = interrupt.received() => signal,
        never = report_figures(&node, output) => match never {},
        never = silence::watch(&node, arguments.network.is_asking(), output) => match never {},
    };
    node.shutdown().await;
    signal.end_of_service()
}

/// Tells how the node is doing, for ever.
async fn report_figures(node: &Node, output: &Output) -> Infallible {
    let start = Instant::now();
    let status = StatusLine::new(output);
    status.label("node");
    let mut ticks = tokio::time::interval(TICK);
    let mut bootstrapped = false;
    let mut until_event = 0;
    loop {
        ticks.tick().await;
        let dht = node.dht_statistics();
        let nodes = dht.nodes_v4 + dht.nodes_v6;
        status.show(0, 0, || {
            format!(
                "{} in the table, {} answered, {} stored",
                units::count(nodes, "node"),
                queries(dht.queries_answered),
                units::count(dht.peers_stored, "peer")
            )
        });
        if nodes > 0 && !bootstrapped {
            bootstrapped = true;
            output.event(&Report::Bootstrapped {
                nodes,
                seconds: start.elapsed().as_secs_f64(),
            });
        }
        if until_event == 0 {
            until_event = TICKS_BETWEEN_EVENTS;
            output.event(&Report::Dht {
                nodes_v4: dht.nodes_v4,
                nodes_v6: dht.nodes_v6,
                queries_answered: dht.queries_answered,
                peers_stored: dht.peers_stored,
            });
        }
        until_event -= 1;
    }
}

fn queries(number: u64) -> String {
    if number == 1 {
        "1 query".to_owned()
    } else {
        format!("{number} queries")
    }
}
