//! Which pieces are there: they come, get lost and are found again.

use std::net::SocketAddr;

use rand::Rng;

use super::PiecePicker;
use crate::Priority;

impl PiecePicker {
    /// The piece passed its check. Returns who sent it, or nothing if it was not waiting for a verdict.
    pub(crate) fn verified(&mut self, piece: u32) -> Option<Vec<SocketAddr>> {
        let partial = self
            .partials
            .get(&piece)
            .filter(|partial| partial.is_complete())?;
        let contributors = partial.contributors().to_vec();
        self.partials.remove(&piece);
        let was_missing = self.is_missing(piece);
        self.have.set(piece);
        self.arrived(piece, was_missing);
        Some(contributors)
    }

    /// A piece that was there is not any more. Unless it is to be fetched again, it is wanted no more. Returns whether it was there.
    pub(crate) fn lost(&mut self, piece: u32, fetch_again: bool, rng: &mut dyn Rng) -> bool {
        if !self.have.clear(piece) {
            return false;
        }
        let length = u64::from(self.geometry.piece_length(piece));
        self.bytes_left += length;
        match (self.availability.priority(piece), fetch_again) {
            (Priority::Skip, _) => {}
            (_, true) => {
                self.missing += 1;
                self.bytes_missing += length;
            }
            (_, false) => {
                self.bytes_wanted -= length;
                self.availability.set_priority(piece, Priority::Skip, rng);
            }
        }
        self.availability.put_back(piece, rng);
        self.generation += 1;
        true
    }

    /// A piece is there that nobody has sent. Returns whether that is news; of a piece that is being fetched it is not believed.
    pub(crate) fn found(&mut self, piece: u32) -> bool {
        if self.partials.contains_key(&piece) {
            return false;
        }
        let was_missing = self.is_missing(piece);
        if !self.have.set(piece) {
            return false;
        }
        self.availability.take(piece);
        self.arrived(piece, was_missing);
        true
    }

    /// Enters in the books that a piece is there now.
    fn arrived(&mut self, piece: u32, was_missing: bool) {
        let length = u64::from(self.geometry.piece_length(piece));
        if was_missing {
            self.missing -= 1;
            self.bytes_missing -= length;
        }
        self.urgent.retain(|&urgent| urgent != piece);
        self.bytes_left = self.bytes_left.saturating_sub(length);
    }
}
