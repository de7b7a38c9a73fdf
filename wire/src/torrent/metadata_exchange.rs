//! The info dictionary, from peers and to peers. BEP 9.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{Context, Torrent};
use crate::connection::Pieces;
use crate::{
    CloseReason, Event, Info, Link, METADATA_PIECE_LENGTH, Message, MetadataMessage,
    MetadataProgress, metadata_piece,
};

/// What we call messages of the exchange.
pub(super) const METADATA_ID: u8 = 1;
/// Peers asked for one piece at once.
const MAX_ASKED: usize = 2;

impl Torrent {
    /// Asks a peer for metadata, if it has any and we lack it: first for what nobody is being asked for.
    pub(super) fn request_metadata(&mut self, context: &mut Context<'_>, link: Link) {
        let Some(assembly) = &self.metadata else {
            return;
        };
        let mut asked = BTreeMap::new();
        for connection in self.connections.values() {
            for piece in connection.metadata.freshly_asked(context.now) {
                *asked.entry(piece).or_insert(0) += 1;
            }
        }
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        let (Some(id), Some(size)) = (connection.metadata.id, connection.metadata.size) else {
            return;
        };
        let Ok(missing) = assembly.missing(connection.address, size) else {
            return;
        };
        let peers = |piece: &u32| asked.get(piece).copied().unwrap_or(0);
        let mut wanted: Vec<_> = missing
            .filter(|&piece| !connection.metadata.is_asked(piece) && peers(&piece) < MAX_ASKED)
            .collect();
        wanted.sort_by_key(peers);
        wanted.truncate(connection.metadata.room(context.now));
        for &piece in &wanted {
            connection.metadata.ask(context.now, piece);
            let payload = MetadataMessage::Request { piece }.encode();
            context.send(
                link,
                connection,
                Message::Extended {
                    id,
                    payload: &payload,
                },
            );
        }
        if let Some(at) = connection.metadata.expire(context.now) {
            self.wake_by(at);
        }
    }

    pub(super) fn metadata_message(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        payload: &[u8],
    ) -> Result<(), CloseReason> {
        match MetadataMessage::decode(payload)? {
            Some(MetadataMessage::Request { piece }) => {
                self.serve_metadata(context, link, piece)?;
            }
            Some(MetadataMessage::Data {
                piece,
                total_size,
                data,
            }) => {
                self.metadata_received(context, link, piece, total_size, data)?;
            }
            Some(MetadataMessage::Reject { piece }) => {
                if let Some(connection) = self.connections.get_mut(&link)
                    && connection.metadata.answered(piece)
                {
                    connection.metadata.pause(context.now);
                    self.request_metadata_of_all(context);
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Asks every peer for metadata that it can be asked for, if we lack it.
    pub(super) fn request_metadata_of_all(&mut self, context: &mut Context<'_>) {
        if self.metadata.is_none() {
            return;
        }
        let links: Vec<_> = self.connections.keys().copied().collect();
        for link in links {
            self.request_metadata(context, link);
        }
    }

    fn metadata_received(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        piece: u32,
        size: u32,
        data: &[u8],
    ) -> Result<(), CloseReason> {
        let (Some(assembly), Some(connection)) =
            (&mut self.metadata, self.connections.get_mut(&link))
        else {
            return Ok(());
        };
        if !connection.metadata.answered(piece) {
            return Ok(());
        }
        match assembly.add(connection.address, size, piece, data)? {
            MetadataProgress::Incomplete => self.request_metadata(context, link),
            MetadataProgress::Complete(bytes) => self.metadata_complete(context, bytes),
            MetadataProgress::Mismatch { contributors } => {
                if let [liar] = contributors[..] {
                    self.ban(context, liar, &CloseReason::BadMetadata);
                }
                self.request_metadata_of_all(context);
            }
        }
        Ok(())
    }

    fn metadata_complete(&mut self, context: &mut Context<'_>, bytes: Bytes) {
        self.metadata = None;
        let info = match Info::from_bytes(bytes) {
            Ok(info) => Arc::new(info),
            Err(error) => {
                context.out.event(Event::MetadataUnusable {
                    reason: error.to_string(),
                });
                return;
            }
        };
        self.info = Some(Arc::clone(&info));
        self.settle_claims(context, info.geometry().pieces());
        self.offer_metadata(context);
        context.out.event(Event::Metadata(info));
    }

    /// What peers said they have can be understood now.
    fn settle_claims(&mut self, context: &mut Context<'_>, pieces: u32) {
        let mut contradicted = Vec::new();
        for (&link, connection) in &mut self.connections {
            let Pieces::Claimed(claims) = &mut connection.pieces else {
                continue;
            };
            match std::mem::take(claims).settle(pieces) {
                Ok(bitfield) => connection.pieces = Pieces::Known(bitfield),
                Err(reason) => contradicted.push((link, reason)),
            }
        }
        for (link, reason) in contradicted {
            self.close(context, link, &reason);
        }
    }

    /// Peers that lack the metadata too can have it from us from now on.
    fn offer_metadata(&mut self, context: &mut Context<'_>) {
        let links: Vec<_> = self.connections.keys().copied().collect();
        for link in links {
            let Some(mut connection) = self.connections.remove(&link) else {
                continue;
            };
            if connection.metadata.id.is_some() && connection.metadata.size.is_none() {
                let payload = self.extension_handshake(context, &connection).encode();
                context.send(
                    link,
                    &mut connection,
                    Message::Extended {
                        id: 0,
                        payload: &payload,
                    },
                );
            }
            self.connections.insert(link, connection);
        }
    }

    fn serve_metadata(
        &mut self,
        context: &mut Context<'_>,
        link: Link,
        piece: u32,
    ) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(&link) else {
            return Ok(());
        };
        let Some(id) = connection.metadata.id else {
            return Ok(());
        };
        let size = self.info.as_ref().map_or(0, |info| info.raw().len() as u32);
        let pieces = size.div_ceil(METADATA_PIECE_LENGTH);
        if connection.metadata.serve(pieces)? && piece < pieces {
            connection.metadata.queue(piece);
            self.send_metadata(context, link);
        } else {
            let payload = &MetadataMessage::Reject { piece }.encode();
            context.send(link, connection, Message::Extended { id, payload });
        }
        Ok(())
    }

    /// Sends a peer the pieces of the metadata whose turn it is.
    pub(super) fn send_metadata(&mut self, context: &mut Context<'_>, link: Link) {
        let (Some(connection), Some(info)) = (self.connections.get_mut(&link), &self.info) else {
            return;
        };
        let Some(id) = connection.metadata.id else {
            return;
        };
        for piece in connection.metadata.next_batch(context.now) {
            let Some(data) = metadata_piece(info.raw(), piece) else {
                continue;
            };
            let payload = &MetadataMessage::Data {
                piece,
                total_size: info.raw().len() as u32,
                data,
            }
            .encode();
            context.send(link, connection, Message::Extended { id, payload });
        }
        if let Some(at) = connection.metadata.batch_due() {
            self.wake_link_by(link, at);
        }
    }
}
