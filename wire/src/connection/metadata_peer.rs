use std::collections::VecDeque;
use std::time::Duration;

use crate::{CloseReason, ExtensionHandshake};

/// Requests for metadata in flight to one peer.
const MAX_ASKED: usize = 4;
/// A request that is this old may be sent to somebody else too.
pub(crate) const STALE: Duration = Duration::from_secs(3);
/// How long a peer is left alone that rejects a request or does not answer it.
pub(crate) const PAUSE: Duration = Duration::from_secs(20);
/// How often the whole metadata is served to one peer, and some requests on top for small ones.
const SERVINGS: u32 = 3;
const EXTRA_SERVINGS: u32 = 16;
/// Pieces sent to one peer at a time, and how long until the next ones: 5 MB a second.
const BATCH: usize = 16;
const BATCH_INTERVAL: Duration = Duration::from_millis(50);
/// Requests refused before the peer counts as hostile.
const MAX_REFUSALS: u32 = 1000;

/// The metadata exchange with one peer. BEP 9.
#[derive(Debug, Default)]
pub(crate) struct MetadataPeer {
    /// What it calls messages of the exchange, if it takes them.
    pub(crate) id: Option<u8>,
    /// Bytes of the metadata, if it has them.
    pub(crate) size: Option<u32>,
    asked: Vec<(u32, Duration)>,
    paused_until: Duration,
    served: u32,
    /// Requests that wait for their answer.
    queued: VecDeque<u32>,
    /// Pieces that may be sent before `batch_over`.
    batch: usize,
    batch_over: Duration,
}

impl MetadataPeer {
    /// Takes over what an extension handshake says; 0 for an id means that the extension is off. BEP 10.
    pub(crate) fn shaken(&mut self, handshake: &ExtensionHandshake) {
        self.id = handshake.ids.ut_metadata.or(self.id).filter(|&id| id != 0);
        self.size = handshake.metadata_size.or(self.size);
    }

    /// How many more requests the peer may be sent.
    pub(crate) fn room(&self, now: Duration) -> usize {
        if now < self.paused_until {
            0
        } else {
            MAX_ASKED.saturating_sub(self.asked.len())
        }
    }

    pub(crate) fn ask(&mut self, now: Duration, piece: u32) {
        self.asked.push((piece, now));
    }

    pub(crate) fn is_asked(&self, piece: u32) -> bool {
        self.asked.iter().any(|&(asked, _)| asked == piece)
    }

    /// The pieces that were asked for recently enough that nobody else needs to be.
    pub(crate) fn freshly_asked(&self, now: Duration) -> impl Iterator<Item = u32> + '_ {
        self.asked
            .iter()
            .filter(move |(_, at)| now < *at + STALE)
            .map(|&(piece, _)| piece)
    }

    /// The peer answered. Returns whether it was asked.
    pub(crate) fn answered(&mut self, piece: u32) -> bool {
        let before = self.asked.len();
        self.asked.retain(|&(asked, _)| asked != piece);
        self.asked.len() < before
    }

    /// Asks nothing of the peer for a while.
    pub(crate) fn pause(&mut self, now: Duration) {
        self.asked.clear();
        self.paused_until = now + PAUSE;
    }

    /// Pauses if a request was not answered in time. Returns when to look again.
    pub(crate) fn expire(&mut self, now: Duration) -> Option<Duration> {
        let oldest = self.asked.iter().map(|&(_, at)| at).min();
        if oldest.is_some_and(|at| now >= at + PAUSE) {
            self.pause(now);
        }
        let stale = oldest.map(|at| {
            if now < at + STALE {
                at + STALE
            } else {
                at + PAUSE
            }
        });
        stale
            .into_iter()
            .chain((self.size.is_some()).then_some(self.paused_until))
            .filter(|&at| at > now)
            .min()
    }

    /// The peer asks for one of `pieces` pieces. Returns whether it gets it. BEP 9, "reject", allows for such a limit.
    pub(crate) fn serve(&mut self, pieces: u32) -> Result<bool, CloseReason> {
        let most = pieces
            .saturating_mul(SERVINGS)
            .saturating_add(EXTRA_SERVINGS);
        self.served = self.served.saturating_add(1);
        if self.served > most.saturating_add(MAX_REFUSALS) {
            return Err(CloseReason::MetadataFlood);
        }
        Ok(self.served <= most)
    }

    /// The piece is sent when its turn comes.
    pub(crate) fn queue(&mut self, piece: u32) {
        self.queued.push_back(piece);
    }

    /// The pieces whose turn it is: a few at a time, so that they do not all lie in memory for a peer that does not read.
    pub(crate) fn next_batch(&mut self, now: Duration) -> Vec<u32> {
        if now >= self.batch_over {
            self.batch = BATCH;
            self.batch_over = now + BATCH_INTERVAL;
        }
        let count = self.batch.min(self.queued.len());
        self.batch -= count;
        self.queued.drain(..count).collect()
    }

    /// When the next turn is, if something waits.
    pub(crate) fn batch_due(&self) -> Option<Duration> {
        (!self.queued.is_empty()).then_some(self.batch_over)
    }
}
