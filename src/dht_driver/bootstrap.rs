//! Resolving the names of bootstrap hosts, for as long as it takes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::{Command, Entrance};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Hands the hosts' addresses to the driver as they resolve. Ends with it.
pub(super) fn spawn(
    hosts: Vec<String>,
    commands: &mpsc::WeakSender<Command>,
    entrance: &watch::Sender<Entrance>,
) {
    let (addresses, names): (Vec<_>, Vec<_>) = hosts
        .into_iter()
        .partition(|host| host.parse::<SocketAddr>().is_ok());
    let addresses: Vec<SocketAddr> = addresses
        .iter()
        .filter_map(|host| host.parse().ok())
        .collect();
    if !addresses.is_empty()
        && let Some(commands) = commands.upgrade()
    {
        let _ = commands.try_send(Command::Bootstrap(addresses));
    }
    for name in names {
        tokio::spawn(resolve(name, commands.clone(), entrance.clone()));
    }
}

async fn resolve(
    host: String,
    commands: mpsc::WeakSender<Command>,
    entrance: watch::Sender<Entrance>,
) {
    let mut pause = FIRST_PAUSE;
    let mut failed = false;
    loop {
        let resolved = tokio::net::lookup_host(&host).await;
        let Some(commands) = commands.upgrade() else {
            return;
        };
        match resolved {
            Ok(addresses) => {
                entrance.send_modify(|entrance| entrance.unresolved -= usize::from(failed));
                let _ = commands.send(Command::Bootstrap(addresses.collect())).await;
                return;
            }
            Err(error) => {
                tracing::info!(%host, %error, "a bootstrap host does not resolve; trying again");
                entrance.send_modify(|entrance| {
                    entrance.unresolved += usize::from(!failed);
                    entrance.failure = Some((host.clone(), Arc::new(error)));
                });
                failed = true;
            }
        }
        drop(commands);
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
