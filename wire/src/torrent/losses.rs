//! Pieces that we had and have no more. BEP 54.

use super::uploading::refuse_all_of;
use super::{Context, Torrent};
use crate::connection::Connection;
use crate::{CloseReason, Event, Link, Message};

impl Torrent {
    /// A piece is not there any more. BEP 54, "sender operation".
    pub(super) fn piece_lost(&mut self, context: &mut Context<'_>, piece: u32, fetch_again: bool) {
        let was_super_seeding = self.is_super_seeding(context);
        let Some(picker) = &mut self.picker else {
            return;
        };
        let (was_full, was_finished) = (picker.have().is_full(), picker.is_finished());
        if !picker.lost(piece, fetch_again, context.rng) {
            return;
        }
        let is_missing = picker.is_missing(piece);
        self.part_from_unaware(context, piece);
        for (&link, connection) in &mut self.connections {
            let was_told = if was_super_seeding {
                connection.is_offered(piece)
            } else {
                connection.told_pieces
            };
            if was_told {
                retract(context, link, connection, piece);
            }
            refuse_all_of(context, link, connection, piece);
            if is_missing && connection.has(piece) {
                connection.wanted += 1;
                connection.searched = None;
            }
        }
        if was_super_seeding && is_missing {
            // Whoever fetches something has nothing to hide.
            self.tell_pieces(context);
        } else if was_super_seeding {
            self.review_all_offers(context);
        } else if was_full && !is_missing {
            // Our pieces do not tell any more that we fetch nothing.
            self.tell_upload_only(context);
        }
        if was_finished && is_missing {
            self.wants_more(context);
        }
        self.express_interest(context);
        self.dial(context);
        self.stirred |= is_missing;
    }

    /// Ends the connections of those who wait for the piece and could not be told that it is gone: they would wait for ever, and see what is left when they come back.
    fn part_from_unaware(&mut self, context: &mut Context<'_>, piece: u32) {
        let unaware: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| {
                let mut uploads = connection.uploads.iter();
                !connection.hears_of_losses() && uploads.any(|block| block.piece == piece)
            })
            .map(|(&link, _)| link)
            .collect();
        for link in unaware {
            self.close(context, link, &CloseReason::PieceGone { piece });
        }
    }

    /// A piece is there again.
    pub(super) fn piece_found(&mut self, context: &mut Context<'_>, piece: u32) {
        let Some(picker) = &mut self.picker else {
            return;
        };
        let was_missing = picker.is_missing(piece);
        if !picker.found(piece) {
            return;
        }
        if was_missing || !self.is_super_seeding(context) {
            self.piece_arrived(context, piece, was_missing);
        } else {
            context.out.event(Event::PieceCompleted { piece });
            self.review_all_offers(context);
        }
    }
}

/// Those are told who know the message. Others find out when they ask, by a reject or by the end of the connection.
fn retract(context: &mut Context<'_>, link: Link, connection: &mut Connection, piece: u32) {
    if let Some(id) = connection.dont_have_id {
        let payload = &piece.to_be_bytes();
        context.send(link, connection, Message::Extended { id, payload });
    }
}
