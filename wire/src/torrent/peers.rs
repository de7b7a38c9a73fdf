//! Connections come and go.

use std::net::SocketAddr;

use super::metadata_exchange::METADATA_ID;
use super::receiving::DONT_HAVE_ID;
use super::{Context, Torrent};
use crate::connection::Connection;
use crate::culprit::Culprit;
use crate::{
    Bitfield, CloseReason, Direction, Event, ExtensionHandshake, ExtensionIds, Handshake, Link,
    Message, Source,
};

/// Connections to one host of the public network; several of its users may share it.
const MAX_OF_ONE_HOST: usize = 4;

impl Torrent {
    pub(super) fn candidates(
        &mut self,
        context: &mut Context<'_>,
        addresses: &[SocketAddr],
        source: Source,
    ) {
        for &address in addresses {
            self.peers
                .add(context.now, address, source, context.config.max_known_peers);
        }
        self.dial(context);
    }

    pub(super) fn connect_failed(&mut self, context: &mut Context<'_>, address: SocketAddr) {
        self.peers.failed(context.now, address);
        self.dial(context);
    }

    /// Dials as many addresses as the limits allow, whether we fetch or serve: who sits behind a NAT reaches others only by this.
    pub(super) fn dial(&mut self, context: &mut Context<'_>) {
        while self.may_dial(context)
            && let Some(address) = self.peers.dial(context.now)
        {
            context.out.connect(address);
        }
        if self.may_dial(context)
            && let Some(next) = self.peers.next_dial()
        {
            self.wake_by(next);
        }
        if let Some(expiry) = self.peers.next_expiry() {
            self.wake_by(expiry);
        }
    }

    pub(super) fn may_dial(&self, context: &Context<'_>) -> bool {
        !self.is_checking()
            && self.peers.dialling() < context.config.max_dials
            && self.connections.len() + self.peers.dialling() < context.config.max_connections
    }

    pub(super) fn connected(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        address: SocketAddr,
        direction: Direction,
        handshake: &Handshake,
    ) {
        self.disconnected(context, link);
        if direction == Direction::Outgoing {
            self.peers.connected(address);
        }
        let dialled = match self.admit(context, address, direction, handshake) {
            Ok(dialled) => dialled,
            Err(reason) => {
                if direction == Direction::Outgoing && !self.is_connected_at(address) {
                    self.turned_away(address, &reason);
                    self.peers.disconnected(context.now, address, false);
                }
                context.out.close(link, &reason);
                self.dial(context);
                return;
            }
        };
        let pieces = self.info.as_ref().map(|info| info.geometry().pieces());
        let mut connection = Connection::new(context.now, address, direction, handshake, pieces);
        connection.dialled = connection.dialled.or(dialled);
        if let (Some(picker), Some(bitfield)) = (&mut self.picker, connection.bitfield()) {
            connection.counted_as_seed = picker.peer_joined(bitfield);
        }
        self.greet(context, link, &mut connection);
        self.connections.insert(link, connection);
        self.offer(context, link);
        context.out.event(Event::PeerConnected { link, address });
        let first = context.config.keep_alive.min(context.config.idle_timeout);
        self.wake_link_by(link, context.now + first);
    }

    /// Forgets a connection that is gone.
    pub(super) fn disconnected(&mut self, context: &mut Context<'_>, link: Link) {
        let Some(mut connection) = self.connections.remove(&link) else {
            return;
        };
        self.timers.forget(link);
        if let Some(picker) = &mut self.picker {
            for block in connection.requests.withdraw_all_but(0) {
                picker.release(block, context.rng);
            }
            if let Some(bitfield) = connection.bitfield() {
                picker.peer_left(bitfield, connection.counted_as_seed);
            }
        }
        self.disown(context, link, connection.address);
        // An incoming connection says nothing about a dial to the address that it came from.
        if let Some(address) = connection.dialled {
            let useful = connection.downloaded.total > 0 || connection.uploaded.total > 0;
            self.peers.disconnected(context.now, address, useful);
        }
        self.stirred = true;
        self.fill_slots(context);
        self.dial(context);
    }

    /// Ends a connection.
    pub(super) fn close(&mut self, context: &mut Context<'_>, link: Link, reason: &CloseReason) {
        let Some(connection) = self.connections.get(&link) else {
            return;
        };
        if let Some(address) = connection.dialled {
            self.turned_away(address, reason);
        }
        context.out.close(link, reason);
        self.disconnected(context, link);
    }

    /// Ends all connections to a peer, and takes no other.
    pub(super) fn ban(
        &mut self,
        context: &mut Context<'_>,
        address: SocketAddr,
        reason: &CloseReason,
    ) {
        if self.peers.is_banned(address) {
            // Further pieces of the same liar's come to light.
            return;
        }
        self.peers.ban(address);
        context.out.event(Event::PeerBanned {
            address,
            reason: reason.clone(),
        });
        let banned: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| self.peers.is_banned(connection.address))
            .map(|(&link, _)| link)
            .collect();
        for link in banned {
            self.close(context, link, reason);
        }
    }

    /// Ends the connections of which neither side has any use.
    pub(super) fn close_useless(&mut self, context: &mut Context<'_>) {
        let useless: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| self.is_useless(connection))
            .map(|(&link, _)| link)
            .collect();
        for link in useless {
            self.close(context, link, &CloseReason::NothingToExchange);
        }
    }

    pub(super) fn close_if_useless(&mut self, link: Link) -> Result<(), CloseReason> {
        match self.connections.get(&link) {
            Some(connection) if self.is_useless(connection) => Err(CloseReason::NothingToExchange),
            _ => Ok(()),
        }
    }

    /// Both sides have everything, or say so.
    fn is_useless(&self, connection: &Connection) -> bool {
        self.is_finished() && (connection.is_seed() || connection.upload_only)
    }

    /// A peer that we dialled is not dialled again, unless it was only the moment that was wrong.
    fn turned_away(&mut self, address: SocketAddr, reason: &CloseReason) {
        match reason {
            CloseReason::TooManyConnections
            | CloseReason::TooMuchNews
            | CloseReason::PieceGone { .. }
            | CloseReason::Duplicate
            | CloseReason::Silent { .. }
            | CloseReason::UnrequestedBlocks => {}
            CloseReason::NothingToExchange => self.peers.rest(address),
            _ => self.peers.avoid(address),
        }
    }

    /// Whether the connection may stay. A connection that has to make room for it is closed. Returns where that one was dialled, if it led to the same
    /// peer.
    fn admit(
        &mut self,
        context: &mut Context<'_>,
        address: SocketAddr,
        direction: Direction,
        handshake: &Handshake,
    ) -> Result<Option<SocketAddr>, CloseReason> {
        if handshake.peer_id == self.peer_id {
            return Err(CloseReason::Ourselves);
        }
        if self.peers.is_banned(address) {
            return Err(CloseReason::Banned);
        }
        let dialled = self.settle_duplicate(context, address, direction, handshake)?;
        let culprit = Culprit::at(address);
        let same_host = self
            .connections
            .values()
            .filter(|connection| Culprit::at(connection.address) == culprit)
            .count();
        if same_host >= MAX_OF_ONE_HOST {
            return Err(CloseReason::TooManyConnections);
        }
        self.make_room(context, address, direction)?;
        Ok(dialled)
    }

    /// Of two connections to one peer, of which each side has dialled one, both sides keep the one that the greater peer id has dialled, whichever
    /// came first. Of two that were dialled by the same side the older one stays.
    fn settle_duplicate(
        &mut self,
        context: &mut Context<'_>,
        address: SocketAddr,
        direction: Direction,
        handshake: &Handshake,
    ) -> Result<Option<SocketAddr>, CloseReason> {
        let keeps_new = self.keeps(direction, handshake);
        let same = self.connections.iter_mut().find(|(_, connection)| {
            // Anybody can take on a name, and so it takes the same host as well.
            connection.peer_id == handshake.peer_id && connection.address.ip() == address.ip()
        });
        let Some((&older, connection)) = same else {
            return Ok(None);
        };
        if connection.direction == direction || !keeps_new {
            if direction == Direction::Outgoing && connection.dialled.is_none() {
                // We know now where it listens, and that there is nobody else.
                connection.dialled = Some(address);
            }
            return Err(CloseReason::Duplicate);
        }
        let dialled = connection.dialled.take();
        self.close(context, older, &CloseReason::Duplicate);
        Ok(dialled)
    }

    /// Whether a connection stands that was dialled at this address, or replaces one that was.
    fn is_connected_at(&self, address: SocketAddr) -> bool {
        self.connections
            .values()
            .any(|connection| connection.dialled == Some(address))
    }

    /// Whether of two connections, of which each side has dialled one, the one of this direction stays.
    fn keeps(&self, direction: Direction, handshake: &Handshake) -> bool {
        let ours_is_greater = self.peer_id.as_bytes() > handshake.peer_id.as_bytes();
        ours_is_greater == (direction == Direction::Outgoing)
    }

    /// What is said first on every connection: the handshake of BEP 10, the DHT's port (BEP 5), and our pieces if we know them.
    fn greet(&self, context: &mut Context<'_>, link: Link, connection: &mut Connection) {
        if connection.speaks_extension() {
            let payload = self.extension_handshake(context, connection).encode();
            context.send(
                link,
                connection,
                Message::Extended {
                    id: 0,
                    payload: &payload,
                },
            );
        }
        if !self.is_checking() {
            self.state_pieces(context, link, connection);
        }
        if let Some(port) = context.config.dht_port.filter(|_| connection.speaks_dht()) {
            context.send(link, connection, Message::Port(port));
        }
    }

    /// What we have. BEP 3 and BEP 6: "immediately after the handshake", and so before everything that depends on it.
    pub(super) fn state_pieces(
        &self,
        context: &mut Context<'_>,
        link: Link,
        connection: &mut Connection,
    ) {
        connection.told_pieces = true;
        let nothing = Bitfield::new(0);
        let shown = self.have().filter(|_| !self.is_super_seeding(context));
        let have = shown.unwrap_or(&nothing);
        if connection.speaks_fast() && !have.is_empty() && have.is_full() {
            context.send(link, connection, Message::HaveAll);
        } else if !have.is_empty() {
            context.send(link, connection, Message::Bitfield(have.as_bytes()));
        } else if connection.speaks_fast() {
            context.send(link, connection, Message::HaveNone);
        }
    }

    /// What we say of ourselves. BEP 10, "handshake message".
    pub(super) fn extension_handshake(
        &self,
        context: &Context<'_>,
        connection: &Connection,
    ) -> ExtensionHandshake {
        let is_open = !self.is_super_seeding(context);
        let fetches_nothing = self.is_finished() && is_open;
        ExtensionHandshake {
            ids: ExtensionIds {
                ut_metadata: Some(METADATA_ID),
                ut_pex: None,
                lt_donthave: Some(DONT_HAVE_ID),
            },
            metadata_size: self.info.as_ref().map(|info| info.raw().len() as u32),
            request_queue: Some(context.config.max_queued_uploads as u32),
            client: Some(context.config.client.clone()),
            listen_port: context.config.listen_port,
            your_ip: Some(connection.address.ip()),
            upload_only: (self.selection.told_upload_only || fetches_nothing)
                .then_some(fetches_nothing),
        }
    }
}
