//! How much a response of ours may say.
//!
//! One datagram has to pass any network in one piece, and whoever asks in another's name shall gain little by it: so nodes, peers, samples and filters
//! share 1,200 bytes, which with all headers are fewer than the 1,280 that IPv6 carries everywhere. A signed item alone may take more, and cannot be
//! cut: beside one the nodes give way until 1,400 are enough, which pass wherever packets are as long as Ethernet's, tunnels included.

use arrayvec::ArrayVec;

use crate::bloom_filter::BloomFilter;
use crate::item::Item;
use crate::message::{Holding, Response};

/// The longest response, in bytes.
const LONGEST: usize = 1200;
/// The longest one with an item.
const LONGEST_WITH_ITEM: usize = 1400;
/// What a response takes beside all that is counted below: ids, token, transaction, version, address, and their keys.
const ENVELOPE: usize = 120;
/// What stands around a list of peers, or around a sample: keys, and its numbers.
const FRAME: usize = 60;
/// `k`, `seq` and `sig` of a signed item.
const PROOF: usize = 137;
/// The key of a filter, and its length.
const FILTER_KEY: usize = 10;

/// The bytes that a response leaves for peers or info-hashes, beside its nodes and filters.
pub(super) fn room(response: &Response) -> usize {
    let filters = response.scrape.get();
    let filters = filters.map_or(0, |_| 2 * (BloomFilter::LENGTH + FILTER_KEY));
    LONGEST.saturating_sub(ENVELOPE + FRAME + nodes(response) + filters)
}

/// Lets a response name no more nodes than fit beside its item: the farthest of the family that has more go first.
pub(super) fn make_room_for_item(response: &mut Response) {
    let item = match response.item.get() {
        None => 0,
        Some(Holding::Item(Item::Immutable(value))) => value.as_bencode().len(),
        Some(Holding::Item(Item::Mutable(item))) => PROOF + item.value.as_bencode().len(),
        Some(Holding::Seq(_)) => PROOF,
    };
    while ENVELOPE + item + nodes(response) > LONGEST_WITH_ITEM {
        let v4 = response.nodes.as_ref().map_or(0, ArrayVec::len);
        let v6 = response.nodes6.as_ref().map_or(0, |nodes| nodes.len());
        let farthest = if v4 >= v6 {
            response.nodes.as_mut().and_then(ArrayVec::pop).map(drop)
        } else {
            response
                .nodes6
                .as_mut()
                .and_then(|nodes| nodes.pop())
                .map(drop)
        };
        if farthest.is_none() {
            break;
        }
    }
}

/// What `nodes` and `nodes6` take: `5:nodes208:` and 26 bytes each, `6:nodes6304:` and 38.
fn nodes(response: &Response) -> usize {
    let v4 = response.nodes.as_ref();
    let v6 = response.nodes6.as_ref();
    v4.map_or(0, |nodes| 11 + nodes.len() * 26) + v6.map_or(0, |nodes| 12 + nodes.len() * 38)
}
