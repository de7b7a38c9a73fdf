//! Showing pieces one at a time, so that a seed with a narrow way out sends each of them about once. BEP 16.

use std::time::Duration;

use rand::RngExt;

use super::{Context, Torrent};
use crate::connection::Connection;
use crate::{Link, Message};

/// A peer that has fetched its piece gets another one after this time, though the piece was seen nowhere else: it may be unable to reach anybody.
const PATIENCE: Duration = Duration::from_secs(60);

/// A piece that a peer was shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    piece: u32,
    /// When the peer said that it has it.
    fetched: Option<Duration>,
}

impl Torrent {
    /// Whether we pretend to have no more than what each peer was shown.
    pub(super) fn is_super_seeding(&self, context: &Context<'_>) -> bool {
        context.config.super_seeding && self.is_finished()
    }

    /// Shows a peer a piece that it lacks: one that few have, and that was shown to few.
    pub(super) fn offer(&mut self, context: &mut Context<'_>, link: Link) {
        if !self.is_super_seeding(context) {
            return;
        }
        let (Some(picker), Some(connection)) = (&self.picker, self.connections.get(&link)) else {
            return;
        };
        let pieces = picker.have().len();
        let mut copies: Vec<u32> = (0..pieces).map(|piece| picker.copies(piece)).collect();
        let offers = self.connections.values().filter_map(|other| {
            let offer = other.offer?;
            offer.fetched.is_none().then_some(offer.piece)
        });
        for piece in offers {
            if let Some(copies) = copies.get_mut(piece as usize) {
                *copies += 1;
            }
        }
        let start = context.rng.random_range(0..pieces.max(1));
        let rarest = (start..pieces)
            .chain(0..start)
            .filter(|&piece| picker.have().get(piece) && !connection.has(piece))
            .min_by_key(|&piece| copies.get(piece as usize).copied());
        let (Some(piece), Some(connection)) = (rarest, self.connections.get_mut(&link)) else {
            return;
        };
        connection.offer = Some(Offer {
            piece,
            fetched: None,
        });
        context.send(link, connection, Message::Have(piece));
    }

    /// Shows a peer another piece, if it has done what it could with the last one.
    pub(super) fn review_offer(&mut self, context: &mut Context<'_>, link: Link) {
        let is_alone = self.connections.len() == 1;
        let (Some(picker), Some(connection)) = (&self.picker, self.connections.get_mut(&link))
        else {
            return;
        };
        let offer = connection.offer;
        let Some(offer) = offer.filter(|offer| connection.has(offer.piece)) else {
            return;
        };
        let fetched = offer.fetched.unwrap_or(context.now);
        let is_elsewhere = picker.copies(offer.piece) > 1;
        if is_elsewhere || is_alone || context.now >= fetched + PATIENCE {
            self.offer(context, link);
        } else if offer.fetched.is_none() {
            connection.offer = Some(Offer {
                fetched: Some(fetched),
                ..offer
            });
            self.wake_link_by(link, fetched + PATIENCE);
        }
    }

    /// A piece was lost or found: whoever is shown nothing that is there, or has done what it could with that, is shown something else.
    pub(super) fn review_all_offers(&mut self, context: &mut Context<'_>) {
        let Some(picker) = &self.picker else {
            return;
        };
        let have = picker.have();
        let has_one = |connection: &Connection| {
            let offer = connection.offer;
            offer.is_some_and(|offer| have.get(offer.piece) || connection.has(offer.piece))
        };
        let links: Vec<_> = self
            .connections
            .iter()
            .map(|(&link, connection)| (link, has_one(connection)))
            .collect();
        for (link, has_one) in links {
            if has_one {
                self.review_offer(context, link);
            } else {
                self.offer(context, link);
            }
        }
    }

    /// A peer has one more piece: whoever was shown it has passed it on.
    pub(super) fn review_offers_of(&mut self, context: &mut Context<'_>, piece: u32) {
        if !self.is_super_seeding(context) {
            return;
        }
        let links: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.is_offered(piece))
            .map(|(&link, _)| link)
            .collect();
        for link in links {
            self.review_offer(context, link);
        }
    }
}

impl Connection {
    /// Whether this is the piece that it was shown last.
    pub(super) fn is_offered(&self, piece: u32) -> bool {
        self.offer.is_some_and(|offer| offer.piece == piece)
    }
}
