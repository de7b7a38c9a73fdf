use std::time::Duration;

use rand::{Rng, RngExt};

use crate::id::Id;

/// As many info-hashes as fit a response that names nodes of one family.
const SIZE: usize = 40;

/// Some of the info-hashes that peers are kept for, drawn once and told to everybody who asks for a while. BEP 51, "Sampling RPC": so
/// that asking more often tells nobody more.
pub(super) struct InfoHashSample {
    info_hashes: Vec<Id>,
    until: Duration,
}

impl InfoHashSample {
    /// Draws from all there are, each subset as likely as any other, and so is each order.
    pub(super) fn draw(all: impl Iterator<Item = Id>, until: Duration, rng: &mut impl Rng) -> Self {
        let mut info_hashes = Vec::new();
        for (place, info_hash) in all.enumerate() {
            // The next one joins as the last of a random order; who stands behind the end then is out.
            let joins = rng.random_range(0..=place);
            if let Some(other) = info_hashes.get_mut(joins) {
                let other = std::mem::replace(other, info_hash);
                if info_hashes.len() < SIZE {
                    info_hashes.push(other);
                }
            } else if info_hashes.len() < SIZE {
                info_hashes.push(info_hash);
            }
        }
        Self { info_hashes, until }
    }

    pub(super) fn holds(&self, now: Duration) -> bool {
        now < self.until
    }

    /// A random subset of it, always the same.
    pub(super) fn first(&self, count: usize) -> &[Id] {
        let count = count.min(self.info_hashes.len());
        self.info_hashes.get(..count).unwrap_or_default()
    }
}
