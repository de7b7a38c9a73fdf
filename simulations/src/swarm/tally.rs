use std::time::Duration;

use super::Role;

/// Progress is noted this often.
const PERIOD: Duration = Duration::from_secs(1);

/// What a swarm has come to so far.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) leechers: u32,
    /// When the first leecher came.
    start: Option<Duration>,
    /// When leechers had everything, counted from the start.
    pub(super) completions: Vec<Duration>,
    /// Pieces of all leechers together.
    pieces: u64,
    /// The same at the end of each period since the start.
    progress: Vec<u64>,
    /// When the period at hand ends.
    next: Option<Duration>,
    /// Bytes of payload that seeds sent.
    pub(super) seed_bytes: u64,
    /// Bytes of payload that leechers sent.
    pub(super) leecher_bytes: u64,
}

impl Tally {
    pub(super) fn came(&mut self, now: Duration, role: Role) {
        if !role.is_seed {
            self.start.get_or_insert(now);
            self.next.get_or_insert(now + PERIOD);
            self.leechers += 1;
        }
    }

    pub(super) fn has_piece(&mut self) {
        self.pieces += 1;
    }

    pub(super) fn has_all(&mut self, now: Duration, role: Role) {
        if let Some(start) = self.start.filter(|_| !role.is_seed) {
            self.completions.push(now.saturating_sub(start));
        }
    }

    pub(super) fn sent(&mut self, role: Role, bytes: u32) {
        if role.is_seed {
            self.seed_bytes += u64::from(bytes);
        } else {
            self.leecher_bytes += u64::from(bytes);
        }
    }

    /// It is so late now. Returns whether a period has ended.
    pub(super) fn advance(&mut self, now: Duration) -> bool {
        let periods = self.progress.len();
        while self.next.is_some_and(|next| next <= now) {
            self.progress.push(self.pieces);
            self.next = self.next.map(|next| next + PERIOD);
        }
        self.progress.len() > periods
    }

    /// The share of all pieces that all leechers together had, at times counted from the start.
    pub(super) fn progress(&self, pieces: u32) -> Vec<(Duration, f64)> {
        let all = f64::from(self.leechers) * f64::from(pieces);
        (1..)
            .zip(&self.progress)
            .map(|(period, &pieces)| (PERIOD * period, pieces as f64 / all))
            .collect()
    }
}
