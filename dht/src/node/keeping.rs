//! What is stored here for others, kept between two runs.

use std::time::Duration;

use rand::Rng;

use super::{Context, Node};
use crate::event::Outbox;
use crate::item_store::ItemStore;
use crate::peer_store::PeerStore;
use crate::stored::{StoredItem, StoredPeer};

impl Node {
    /// The peers that were announced to this node and are not forgotten yet, for [`Input::RestoreStored`](crate::Input::RestoreStored). The torrents
    /// that were announced longest ago come first, and are the first that a restored node forgets.
    pub fn stored_peers(&self, now: Duration) -> impl Iterator<Item = StoredPeer> + '_ {
        let peers = self.peers.iter();
        peers.flat_map(move |peers| peers.stored(now))
    }

    /// The items that were put to this node and are not forgotten yet, for [`Input::RestoreStored`](crate::Input::RestoreStored). BEP 44.
    pub fn stored_items(&self, now: Duration) -> impl Iterator<Item = StoredItem> + '_ {
        let items = self.items.iter();
        items.flat_map(move |items| items.stored(now))
    }

    pub(super) fn restore_stored<R: Rng, O: Outbox>(
        &mut self,
        peers: &[StoredPeer],
        items: &[StoredItem],
        context: &mut Context<'_, R, O>,
    ) {
        let (now, config) = (context.now, context.config);
        for peer in peers {
            let store = || Box::new(PeerStore::new(context.rng));
            self.peers
                .get_or_insert_with(store)
                .restore(peer, now, config);
        }
        for item in items {
            let store = || Box::new(ItemStore::new(context.rng));
            self.items
                .get_or_insert_with(store)
                .restore(item, now, config);
        }
    }
}
