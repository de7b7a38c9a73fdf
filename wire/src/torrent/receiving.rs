//! Messages, sorted to those who deal with them.

use std::net::SocketAddr;

use super::metadata_exchange::METADATA_ID;
use super::{Context, Torrent};
use crate::connection::Statement;
use crate::{CloseReason, Event, ExtensionError, ExtensionHandshake, Link, Message};

/// What we call messages of BEP 54.
pub(super) const DONT_HAVE_ID: u8 = 3;

impl Torrent {
    pub(super) fn received(&mut self, context: &mut Context<'_>, link: Link, message: Message<'_>) {
        if let Err(reason) = self.dispatch(context, link, message) {
            self.close(context, link, &reason);
        }
    }

    fn dispatch(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        message: Message<'_>,
    ) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(&link) else {
            return Ok(());
        };
        connection.last_received = context.now;
        connection.admit(&message)?;
        match message {
            Message::Choke => self.choked(context, link),
            Message::Unchoke => self.unchoked(context, link),
            Message::Interested => self.peer_interested(context, link),
            Message::NotInterested => self.peer_not_interested(context, link),
            Message::Have(piece) => self.peer_has(context, link, piece)?,
            Message::Bitfield(bits) => self.peer_states(context, link, Statement::Bits(bits))?,
            Message::HaveAll => self.peer_states(context, link, Statement::All)?,
            Message::HaveNone => self.peer_states(context, link, Statement::None)?,
            Message::AllowedFast(piece) => self.peer_allows(context, link, piece)?,
            Message::Reject(block) => self.request_rejected(context, link, block)?,
            Message::Request(block) => self.requested(context, link, block)?,
            Message::Cancel(block) => self.request_cancelled(context, link, block),
            Message::Port(port) if port != 0 && connection.dht_port.is_none() => {
                connection.dht_port = Some(port);
                let address = SocketAddr::new(connection.address.ip(), port);
                context.out.event(Event::DhtNode { address });
            }
            Message::Extended {
                id: ExtensionHandshake::ID,
                payload,
            } => self.extension_handshaken(context, link, payload)?,
            Message::Extended {
                id: METADATA_ID,
                payload,
            } => self.metadata_message(context, link, payload)?,
            Message::Extended {
                id: DONT_HAVE_ID,
                payload,
            } => {
                let piece = payload
                    .first_chunk()
                    .ok_or(ExtensionError::Field("index"))?;
                self.peer_lost(context, link, u32::from_be_bytes(*piece))?;
            }
            // A block's payload comes as an input of its own.
            Message::KeepAlive
            | Message::Suggest(_)
            | Message::Port(_)
            | Message::Piece { .. }
            | Message::Extended { .. }
            | Message::Unknown { .. } => {}
        }
        Ok(())
    }

    /// BEP 10, "handshake message": it may come again, and what is absent stays as it was.
    fn extension_handshaken(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        payload: &[u8],
    ) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(&link) else {
            return Ok(());
        };
        let handshake = ExtensionHandshake::decode(payload)?;
        connection.metadata.shaken(&handshake);
        let dont_have_id = handshake.ids.lt_donthave.or(connection.dont_have_id);
        connection.dont_have_id = dont_have_id.filter(|&id| id != 0);
        if let Some(requests) = handshake.request_queue {
            connection.set_request_queue(requests);
        }
        if let Some(upload_only) = handshake.upload_only {
            connection.upload_only = upload_only;
        }
        connection.client = handshake.client.or(connection.client.take());
        self.request_metadata(context, link);
        self.close_if_useless(link)
    }
}
