use std::time::Duration;

use crate::id::Id;

/// What a node says of the torrents that it keeps peers of. BEP 51, "message format".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sample {
    /// `samples`: some of their info-hashes, or all.
    pub info_hashes: Vec<Id>,
    /// `num`: how many there are; at least those of the sample.
    pub total: u64,
    /// `interval`: for so many seconds the sample stays the same, and nobody should ask for it again. At most [`Sample::MAX_INTERVAL`].
    pub interval: u16,
}

impl Sample {
    /// The longest `interval`, in seconds. BEP 51, "Sampling RPC".
    pub const MAX_INTERVAL: u16 = 21_600;

    /// How long it stays the same.
    pub const fn lifetime(&self) -> Duration {
        Duration::from_secs(self.interval as u64)
    }
}
