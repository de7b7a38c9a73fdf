use std::hash::{Hash, Hasher};

use crate::bloom_filter::BloomFilter;

/// How many have a torrent, as a node that peers announce to counts them. BEP 33, "New `GET_PEERS` semantics".
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scrape {
    /// `BFsd`: those that have all of it.
    pub seeds: BloomFilter,
    /// `BFpe`: the others.
    pub peers: BloomFilter,
}

/// What `get_peers` asks for beside peers and nodes. BEP 33, "New `GET_PEERS` semantics".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wishes {
    /// `noseed`: seeds are of no use to the asker.
    pub no_seeds: Flag,
    /// `scrape`: the filters of [`Scrape`].
    pub scrape: Flag,
}

impl Wishes {
    /// Nothing beside them.
    pub const NONE: Self = Self {
        no_seeds: Flag(false),
        scrape: Flag(false),
    };
}

/// A yes that few messages say. Where it is not said it leaves no trace in a hash, as with [`Rare`](super::Rare).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flag(pub bool);

impl Hash for Flag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.0 {
            state.write_u8(1);
        }
    }
}
