//! How many connected peers have each piece, kept in order of rarity.

use rand::{Rng, RngExt, seq::SliceRandom};

use crate::Bitfield;

const ABSENT: u32 = u32::MAX;

/// A count for each piece, and the pieces of the *pool* (wanted and not begun) in buckets of equal count, rarest first.
///
/// A piece moves to the neighbouring bucket by one swap, so a `have` costs the same in a torrent of ten pieces and of a million.
/// Peers that have everything make no difference between pieces, so they are only counted.
#[derive(Debug)]
pub(crate) struct Availability {
    counts: Vec<u16>,
    /// The pool, by count; the order within a count is random.
    order: Vec<u32>,
    /// Where a piece stands in `order`, or [`ABSENT`].
    places: Vec<u32>,
    /// `ends[c]` is where the bucket of the pieces with count `c` ends in `order`. Never shorter than the highest count requires.
    ends: Vec<u32>,
    seeds: u16,
}

impl Availability {
    /// A pool of all pieces that are not in `have`.
    pub(crate) fn new(have: &Bitfield, rng: &mut dyn Rng) -> Self {
        let mut order: Vec<u32> = (0..have.len()).filter(|&piece| !have.get(piece)).collect();
        order.shuffle(rng);
        let mut places = vec![ABSENT; have.len() as usize];
        for (place, &piece) in (0u32..).zip(&order) {
            places[piece as usize] = place;
        }
        Self {
            counts: vec![0; have.len() as usize],
            ends: vec![order.len() as u32],
            order,
            places,
            seeds: 0,
        }
    }

    /// Peers that have the piece, those with everything included.
    #[cfg(test)]
    pub(crate) fn count(&self, piece: u32) -> u32 {
        u32::from(self.counts[piece as usize]) + u32::from(self.seeds)
    }

    pub(crate) fn add_seed(&mut self) {
        self.seeds = self.seeds.saturating_add(1);
    }

    pub(crate) fn remove_seed(&mut self) {
        self.seeds = self.seeds.saturating_sub(1);
    }

    /// One more peer has the piece.
    pub(crate) fn increment(&mut self, piece: u32) {
        let count = self.counts[piece as usize];
        if count == u16::MAX {
            return;
        }
        self.counts[piece as usize] = count + 1;
        self.grow_to(count + 1);
        if self.is_pooled(piece) {
            let end = &mut self.ends[usize::from(count)];
            *end -= 1;
            let last = *end;
            self.swap(self.places[piece as usize], last);
        }
    }

    /// One peer fewer has the piece.
    pub(crate) fn decrement(&mut self, piece: u32) {
        let count = self.counts[piece as usize];
        if count == 0 {
            return;
        }
        self.counts[piece as usize] = count - 1;
        if self.is_pooled(piece) {
            let end = &mut self.ends[usize::from(count) - 1];
            let first = *end;
            *end += 1;
            self.swap(self.places[piece as usize], first);
        }
    }

    pub(crate) fn is_pooled(&self, piece: u32) -> bool {
        self.places[piece as usize] != ABSENT
    }

    /// Takes a piece out of the pool: it was begun.
    pub(crate) fn take(&mut self, piece: u32) {
        if !self.is_pooled(piece) {
            return;
        }
        for count in usize::from(self.counts[piece as usize])..self.ends.len() {
            self.ends[count] -= 1;
            let last = self.ends[count];
            self.swap(self.places[piece as usize], last);
        }
        self.order.pop();
        self.places[piece as usize] = ABSENT;
    }

    /// Puts a piece back: it is wanted again from the start.
    pub(crate) fn put_back(&mut self, piece: u32, rng: &mut dyn Rng) {
        if self.is_pooled(piece) {
            return;
        }
        let count = usize::from(self.counts[piece as usize]);
        self.places[piece as usize] = self.order.len() as u32;
        self.order.push(piece);
        for bucket in (count..self.ends.len()).rev() {
            let end = self.ends[bucket];
            self.swap(self.places[piece as usize], end);
            self.ends[bucket] += 1;
        }
        let start = if count == 0 { 0 } else { self.ends[count - 1] };
        let place = rng.random_range(start..self.ends[count]);
        self.swap(self.places[piece as usize], place);
    }

    /// The part of the pool that somebody connected has, rarest first.
    pub(crate) fn available(&self) -> &[u32] {
        let first = if self.seeds > 0 {
            0
        } else {
            self.ends.first().map_or(0, |&end| end as usize)
        };
        self.order.get(first..).unwrap_or_default()
    }

    /// The rarest piece of the pool that `pieces` has.
    pub(crate) fn rarest(&self, pieces: &Bitfield) -> Option<u32> {
        if u64::from(pieces.count_ones()) * 64 < u64::from(pieces.len()) {
            // A peer with little: looking through what it has is shorter than looking through what we want.
            return pieces
                .iter_ones()
                .filter(|&piece| self.is_pooled(piece))
                .min_by_key(|&piece| self.places[piece as usize]);
        }
        self.available()
            .iter()
            .copied()
            .find(|&piece| pieces.get(piece))
    }

    /// A random piece of the pool that `pieces` has.
    pub(crate) fn any(&self, pieces: &Bitfield, rng: &mut dyn Rng) -> Option<u32> {
        let available = self.available();
        if available.is_empty() {
            return None;
        }
        let (before, after) = available.split_at(rng.random_range(0..available.len()));
        after
            .iter()
            .chain(before)
            .copied()
            .find(|&piece| pieces.get(piece))
    }

    fn grow_to(&mut self, count: u16) {
        while self.ends.len() <= usize::from(count) {
            self.ends.push(self.order.len() as u32);
        }
    }

    fn swap(&mut self, one: u32, other: u32) {
        self.order.swap(one as usize, other as usize);
        self.places[self.order[one as usize] as usize] = one;
        self.places[self.order[other as usize] as usize] = other;
    }

    #[cfg(test)]
    pub(crate) fn assert_consistent(&self) {
        assert!(self.ends.is_sorted(), "bucket ends {:?}", self.ends);
        assert_eq!(
            *self.ends.last().expect("one bucket at least") as usize,
            self.order.len()
        );
        for (place, &piece) in self.order.iter().enumerate() {
            assert_eq!(self.places[piece as usize] as usize, place);
            let count = usize::from(self.counts[piece as usize]);
            let start = if count == 0 {
                0
            } else {
                self.ends[count - 1] as usize
            };
            assert!(
                (start..self.ends[count] as usize).contains(&place),
                "piece {piece} is in the wrong bucket"
            );
        }
        assert_eq!(
            self.places.iter().filter(|&&place| place != ABSENT).count(),
            self.order.len()
        );
    }
}
