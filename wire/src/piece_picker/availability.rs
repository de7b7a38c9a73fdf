//! How many connected peers have each piece, kept in order of rarity.

use rand::{Rng, RngExt, seq::SliceRandom};

use crate::{Bitfield, Priority};

const ABSENT: u32 = u32::MAX;

/// The priorities of what is to be fetched, the most wanted first. Each has a pool of its own.
pub(crate) const LEVELS: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

/// A count for each piece, and the pieces of the *pools* (wanted and not begun), one a priority, in buckets of equal count, rarest first.
///
/// A piece moves to the neighbouring bucket by one swap, so a `have` costs the same in a torrent of ten pieces and of a million.
/// Peers that have everything make no difference between pieces, so they are only counted.
#[derive(Debug)]
pub(crate) struct Availability {
    counts: Vec<u16>,
    priorities: Vec<Priority>,
    /// Where a piece stands in the order of its pool, or [`ABSENT`].
    places: Vec<u32>,
    pools: [Pool; LEVELS.len()],
    seeds: u16,
}

#[derive(Debug, Default)]
struct Pool {
    /// By count; the order within a count is random.
    order: Vec<u32>,
    /// `ends[c]` is where the bucket of the pieces with count `c` ends in `order`. Never shorter than the highest count requires.
    ends: Vec<u32>,
    /// No piece before this one is in the pool.
    first: u32,
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
        let mut pools = LEVELS.map(|_| Pool::default());
        for pool in &mut pools {
            pool.ends = vec![0];
        }
        if let Some(pool) = level(Priority::Normal).and_then(|level| pools.get_mut(level)) {
            pool.ends = vec![order.len() as u32];
            pool.order = order;
        }
        Self {
            counts: vec![0; have.len() as usize],
            priorities: vec![Priority::Normal; have.len() as usize],
            places,
            pools,
            seeds: 0,
        }
    }

    /// Peers that have the piece, those with everything included.
    #[cfg(test)]
    pub(crate) fn count(&self, piece: u32) -> u32 {
        u32::from(self.counts[piece as usize]) + u32::from(self.seeds)
    }

    /// Peers that have the piece, those with everything not counted.
    pub(crate) fn copies(&self, piece: u32) -> u32 {
        self.counts
            .get(piece as usize)
            .copied()
            .map_or(0, u32::from)
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
        if let Some(pool) = self.pool_of(piece) {
            let pool = &mut self.pools[pool];
            pool.grow_to(count + 1);
            let end = &mut pool.ends[usize::from(count)];
            *end -= 1;
            let last = *end;
            let place = self.places[piece as usize];
            pool.swap(&mut self.places, place, last);
        }
    }

    /// One peer fewer has the piece.
    pub(crate) fn decrement(&mut self, piece: u32) {
        let count = self.counts[piece as usize];
        if count == 0 {
            return;
        }
        self.counts[piece as usize] = count - 1;
        if let Some(pool) = self.pool_of(piece) {
            let pool = &mut self.pools[pool];
            let end = &mut pool.ends[usize::from(count) - 1];
            let first = *end;
            *end += 1;
            let place = self.places[piece as usize];
            pool.swap(&mut self.places, place, first);
        }
    }

    pub(crate) fn is_pooled(&self, piece: u32) -> bool {
        self.places[piece as usize] != ABSENT
    }

    pub(crate) fn priority(&self, piece: u32) -> Priority {
        self.priorities[piece as usize]
    }

    /// Moves a piece to the pool of another priority, if it is in one.
    pub(crate) fn set_priority(&mut self, piece: u32, priority: Priority, rng: &mut dyn Rng) {
        let was_pooled = self.is_pooled(piece);
        self.take(piece);
        self.priorities[piece as usize] = priority;
        if was_pooled {
            self.put_back(piece, rng);
        }
    }

    /// Takes a piece out of its pool: it was begun.
    pub(crate) fn take(&mut self, piece: u32) {
        let Some(pool) = self.pool_of(piece) else {
            return;
        };
        let pool = &mut self.pools[pool];
        for count in usize::from(self.counts[piece as usize])..pool.ends.len() {
            pool.ends[count] -= 1;
            let last = pool.ends[count];
            let place = self.places[piece as usize];
            pool.swap(&mut self.places, place, last);
        }
        pool.order.pop();
        self.places[piece as usize] = ABSENT;
    }

    /// Puts a piece into the pool of its priority: it is wanted from the start, or not at all.
    pub(crate) fn put_back(&mut self, piece: u32, rng: &mut dyn Rng) {
        if self.is_pooled(piece) {
            return;
        }
        let Some(pool) = level(self.priority(piece)) else {
            return;
        };
        let pool = &mut self.pools[pool];
        let count = self.counts[piece as usize];
        pool.grow_to(count);
        let count = usize::from(count);
        self.places[piece as usize] = pool.order.len() as u32;
        pool.order.push(piece);
        for bucket in (count..pool.ends.len()).rev() {
            let end = pool.ends[bucket];
            let place = self.places[piece as usize];
            pool.swap(&mut self.places, place, end);
            pool.ends[bucket] += 1;
        }
        let start = if count == 0 { 0 } else { pool.ends[count - 1] };
        let drawn = rng.random_range(start..pool.ends[count]);
        let place = self.places[piece as usize];
        pool.swap(&mut self.places, place, drawn);
        pool.first = pool.first.min(piece);
    }

    /// Whether somebody connected has anything of the pools.
    pub(crate) fn has_available(&self) -> bool {
        (0..self.pools.len()).any(|level| !self.available(level).is_empty())
    }

    /// The part of a pool that somebody connected has, rarest first.
    fn available(&self, level: usize) -> &[u32] {
        let pool = &self.pools[level];
        let first = if self.seeds > 0 {
            0
        } else {
            pool.ends.first().map_or(0, |&end| end as usize)
        };
        pool.order.get(first..).unwrap_or_default()
    }

    /// The rarest piece of a pool that `pieces` has.
    pub(crate) fn rarest(&self, level: usize, pieces: &Bitfield) -> Option<u32> {
        if is_little(pieces) {
            return pieces
                .iter_ones()
                .filter(|&piece| self.pool_of(piece) == Some(level))
                .min_by_key(|&piece| self.places[piece as usize]);
        }
        self.available(level)
            .iter()
            .copied()
            .find(|&piece| pieces.get(piece))
    }

    /// A random piece of a pool that `pieces` has.
    pub(crate) fn any(&self, level: usize, pieces: &Bitfield, rng: &mut dyn Rng) -> Option<u32> {
        let available = self.available(level);
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

    /// The first piece of a pool that `pieces` has.
    pub(crate) fn first(&mut self, level: usize, pieces: &Bitfield) -> Option<u32> {
        if self.pools[level].order.is_empty() {
            return None;
        }
        if is_little(pieces) {
            return pieces
                .iter_ones()
                .find(|&piece| self.pool_of(piece) == Some(level));
        }
        // There is one, so this ends; and what it skips is not looked at again.
        while self.pool_of(self.pools[level].first) != Some(level) {
            self.pools[level].first += 1;
        }
        (self.pools[level].first..pieces.len())
            .find(|&piece| pieces.get(piece) && self.pool_of(piece) == Some(level))
    }

    fn pool_of(&self, piece: u32) -> Option<usize> {
        let is_pooled = self.places.get(piece as usize) != Some(&ABSENT);
        level(*self.priorities.get(piece as usize)?).filter(|_| is_pooled)
    }

    #[cfg(test)]
    pub(crate) fn assert_consistent(&self) {
        for (level, pool) in LEVELS.into_iter().zip(&self.pools) {
            assert!(pool.ends.is_sorted(), "bucket ends {:?}", pool.ends);
            assert_eq!(
                *pool.ends.last().expect("one bucket at least") as usize,
                pool.order.len()
            );
            for (place, &piece) in pool.order.iter().enumerate() {
                assert_eq!(self.places[piece as usize] as usize, place);
                assert_eq!(self.priority(piece), level);
                assert!(piece >= pool.first, "{piece} was passed over");
                let count = usize::from(self.counts[piece as usize]);
                let start = if count == 0 {
                    0
                } else {
                    pool.ends[count - 1] as usize
                };
                assert!(
                    (start..pool.ends[count] as usize).contains(&place),
                    "piece {piece} is in the wrong bucket"
                );
            }
        }
        assert_eq!(
            self.places.iter().filter(|&&place| place != ABSENT).count(),
            self.pools
                .iter()
                .map(|pool| pool.order.len())
                .sum::<usize>()
        );
    }
}

impl Pool {
    fn grow_to(&mut self, count: u16) {
        while self.ends.len() <= usize::from(count) {
            self.ends.push(self.order.len() as u32);
        }
    }

    fn swap(&mut self, places: &mut [u32], one: u32, other: u32) {
        self.order.swap(one as usize, other as usize);
        places[self.order[one as usize] as usize] = one;
        places[self.order[other as usize] as usize] = other;
    }
}

/// Which of [`LEVELS`] it is.
pub(crate) fn level(priority: Priority) -> Option<usize> {
    LEVELS.iter().position(|&level| level == priority)
}

/// Looking through what the peer has is shorter than looking through what we want.
fn is_little(pieces: &Bitfield) -> bool {
    u64::from(pieces.count_ones()) * 64 < u64::from(pieces.len())
}
