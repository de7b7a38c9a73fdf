//! Whose connection makes room for another.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Context, Torrent};
use crate::connection::Connection;
use crate::{CloseReason, Config, Direction, Host, Link, peer_priority};

/// A connection over which no block went for this long makes room for another if there is none.
const IDLE: Duration = Duration::from_secs(60);

impl Torrent {
    /// Sees to a place for a new connection: at the cost of a host that has more of them, else of an idle one.
    pub(super) fn make_room(
        &mut self,
        context: &mut Context<'_>,
        address: SocketAddr,
        direction: Direction,
    ) -> Result<(), CloseReason> {
        let most = context.config.max_connections;
        let incoming = self
            .connections
            .values()
            .filter(|connection| connection.direction == Direction::Incoming)
            .count();
        // Whoever fetches keeps places for those whom it dials: the others may all be idlers.
        let is_crowded =
            direction == Direction::Incoming && !self.is_finished() && incoming >= most.div_ceil(2);
        if self.connections.len() < most && !is_crowded {
            return Ok(());
        }
        let least = self
            .least_of_the_greediest(address, direction)
            .or_else(|| self.least_of_the_idle(context, address, direction))
            .ok_or(CloseReason::TooManyConnections)?;
        self.close(context, least, &CloseReason::TooManyConnections);
        Ok(())
    }

    /// Of the host that has most connections, if these are more than the newcomer's would be with the new one: one in which nobody is interested, or
    /// over which no block went for the longest.
    fn least_of_the_greediest(&self, newcomer: SocketAddr, direction: Direction) -> Option<Link> {
        let mut hosts: BTreeMap<Host, usize> = BTreeMap::new();
        for connection in self.connections.values() {
            if connection.direction == direction {
                *hosts.entry(Host::of(connection.address.ip())).or_default() += 1;
            }
        }
        let own = hosts.get(&Host::of(newcomer.ip())).copied().unwrap_or(0);
        let (&greediest, &count) = hosts.iter().max_by_key(|&(_, &count)| count)?;
        if count <= own + 1 {
            return None;
        }
        self.connections
            .iter()
            .filter(|(_, connection)| {
                connection.direction == direction && Host::of(connection.address.ip()) == greediest
            })
            .min_by_key(|(_, connection)| (is_wanted(connection), connection.last_exchange))
            .map(|(&link, _)| link)
    }

    /// Of those that have exchanged nothing for long, one in which nobody is interested, else the one of the lowest priority (BEP 40), if the new one's
    /// is higher; while our own address is unknown, the one that has been idle for the longest.
    fn least_of_the_idle(
        &self,
        context: &Context<'_>,
        newcomer: SocketAddr,
        direction: Direction,
    ) -> Option<Link> {
        let priority = |address| priority(context.config, address);
        let (&least, connection) = self
            .connections
            .iter()
            .filter(|(_, connection)| {
                connection.direction == direction && context.now >= connection.last_exchange + IDLE
            })
            .min_by_key(|(_, connection)| {
                let priority = priority(connection.address);
                (is_wanted(connection), priority, connection.last_exchange)
            })?;
        let rank = priority(connection.address);
        let is_dearer = is_wanted(connection) && rank.is_some() && rank >= priority(newcomer);
        (!is_dearer).then_some(least)
    }
}

fn is_wanted(connection: &Connection) -> bool {
    connection.ours.interested || connection.theirs.interested
}

/// How much a peer and we are meant to be connected. `None` while we do not know how it sees us. BEP 40.
fn priority(config: &Config, peer: SocketAddr) -> Option<u32> {
    let ours = config
        .external
        .iter()
        .find(|ip| ip.is_ipv4() == peer.is_ipv4())?;
    let port = config.listen_port.unwrap_or_default();
    Some(peer_priority(SocketAddr::new(*ours, port), peer))
}
