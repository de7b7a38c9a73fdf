use std::cmp::Reverse;
use std::hint::black_box;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use arrayvec::ArrayVec;

use crate::address::{Endpoint, is_public, same_host, same_network};
use crate::config::Config;
use crate::id::{Distance, Id};
use crate::message::NodeInfo;

/// Buckets of a table. The last one holds all ids that share more bits with ours; ten million nodes fill 21.
const BUCKETS: usize = 32;

/// The contacts of one family. BEP 5, "Routing Table".
///
/// Bucket *i* holds the contacts whose ids share exactly *i* leading bits with ours: the buckets that BEP 5 arrives at by splitting.
/// All contacts stand in one array, bucket after bucket and sorted by id in each. It grows by what it needs: a million nodes must fit one machine.
/// Only nodes that have answered us are put in.
pub(crate) struct RoutingTable<A> {
    own: Id,
    sizes: [u8; BUCKETS],
    contacts: Vec<Contact<A>>,
    /// Verified nodes for which their bucket had no room, oldest first.
    spares: Vec<Contact<A>>,
}

/// A node that has answered us. 32 bytes for IPv4.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contact<A> {
    pub(crate) node: NodeInfo<A>,
    /// Time-outs in a row.
    pub(crate) failures: u8,
    /// It came to us by itself, and has not shown yet that others can come to it.
    pub(crate) is_visitor: bool,
    /// The last answer or query, in seconds of the driver's clock.
    seen: u32,
}

impl<A> Contact<A> {
    pub(crate) fn seen(&self) -> Duration {
        Duration::from_secs(self.seen.into())
    }

    /// When it is to be asked for a sign of life.
    pub(crate) fn due(&self, config: &Config) -> Duration {
        let silence = if self.is_visitor {
            config.visitor_after
        } else {
            config.questionable_after
        };
        self.seen() + silence
    }
}

/// What became of a node that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insertion {
    /// It was there.
    Known,
    /// It is there now.
    Inserted,
    /// Its bucket is full of living nodes.
    Spare,
    /// Its address or id is used by another contact.
    Refused,
}

impl<A: Endpoint> RoutingTable<A> {
    pub(crate) const fn new(own: Id) -> Self {
        Self {
            own,
            sizes: [0; BUCKETS],
            contacts: Vec::new(),
            spares: Vec::new(),
        }
    }

    /// The table of somebody whom these nodes have answered, at the times that stand with them. Their order does not matter: of those that
    /// cannot stand in one table by the rules of [`insert`](Self::insert), the ones heard of last do. Nobody becomes a spare.
    pub(crate) fn filled(
        own: Id,
        nodes: impl IntoIterator<Item = (NodeInfo<A>, Duration)>,
        config: &Config,
    ) -> Self {
        let mut table = Self::new(own);
        let contacts = nodes.into_iter().map(|(node, seen)| Contact {
            node,
            failures: 0,
            is_visitor: false,
            seen: seen.as_secs() as u32,
        });
        let mut offered: Vec<_> = contacts.filter(|contact| contact.node.id != own).collect();
        offered.sort_unstable_by_key(|contact| (contact.node.address, Reverse(contact.seen)));
        offered.dedup_by(|other, kept| {
            same_host(&other.node.address.into(), &kept.node.address.into())
        });
        let bucket_of = |contact: &Contact<A>| table.bucket_of(&contact.node.id);
        offered.sort_unstable_by_key(|contact| {
            (bucket_of(contact), Reverse(contact.seen), contact.node.id)
        });
        let (mut sizes, mut contacts) = ([0; BUCKETS], Vec::with_capacity(offered.len()));
        let mut chosen: Vec<Contact<A>> = Vec::new();
        for rivals in offered.chunk_by(|one, other| bucket_of(one) == bucket_of(other)) {
            let bucket = rivals.first().map_or(0, bucket_of);
            chosen.clear();
            for contact in rivals {
                if chosen.len() < config.bucket_size(bucket)
                    && !chosen.iter().any(|other| other.node.id == contact.node.id)
                    && !is_crowded(bucket, &chosen, &contact.node.address.into(), config)
                {
                    chosen.push(*contact);
                }
            }
            chosen.sort_unstable_by_key(|contact| contact.node.id);
            contacts.extend_from_slice(&chosen);
            if let Some(size) = sizes.get_mut(bucket) {
                *size = chosen.len() as u8;
            }
        }
        contacts.shrink_to_fit();
        (table.sizes, table.contacts) = (sizes, contacts);
        table
    }

    pub(crate) fn len(&self) -> usize {
        self.contacts.len()
    }

    pub(crate) fn contacts(&self) -> &[Contact<A>] {
        &self.contacts
    }

    /// The contact that needs attention most: one that failed last time, else a visitor whose time has come, else the one whose time comes first.
    pub(crate) fn neediest(&self, now: Duration, config: &Config) -> Option<&Contact<A>> {
        let seconds = |time: Duration| time.as_secs() as u32;
        let (now, visitor_after, questionable_after) = (
            seconds(now),
            seconds(config.visitor_after),
            seconds(config.questionable_after),
        );
        // One number a contact, its place in the lowest bits, since this looks at all of them: urgency, time, place.
        let need = |(place, contact): (usize, &Contact<A>)| {
            let silence = if contact.is_visitor {
                visitor_after
            } else {
                questionable_after
            };
            let due = contact.seen.saturating_add(silence);
            let urgency = if contact.failures > 0 {
                0
            } else if contact.is_visitor && due <= now {
                1
            } else {
                2
            };
            (urgency << 48) | (u64::from(due) << 16) | place as u64
        };
        let first = self.contacts.iter().enumerate().map(need).min()?;
        self.contacts.get(usize::from(first as u16))
    }

    /// The buckets from the root to the deepest one that holds a contact.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = &[Contact<A>]> + '_ {
        (0..self.depth()).map(|bucket| self.contacts.get(self.range(bucket)).unwrap_or_default())
    }

    /// One more than the number of the deepest bucket that holds a contact.
    pub(crate) fn depth(&self) -> usize {
        self.sizes
            .iter()
            .rposition(|&size| size > 0)
            .map_or(0, |deepest| deepest + 1)
    }

    /// Whether a node would find room, by its id alone.
    pub(crate) fn has_room(&self, id: &Id, config: &Config) -> bool {
        *id != self.own && self.is_open(self.bucket_of(id), config)
    }

    /// Whether fewer than k contacts share more bits with us than this id does.
    pub(crate) fn is_neighbour(&self, id: &Id) -> bool {
        self.contacts.len() - self.range(self.bucket_of(id)).end < Config::K
    }

    /// How many nodes there are, judged from how densely those around us stand. `None` if too few are known to say.
    ///
    /// It takes the sixteen nearest or a few more. Of so many nearly all are known, and a few that were placed next to us change little.
    pub(crate) fn network_size(&self, config: &Config) -> Option<u64> {
        const ENOUGH: usize = 64;
        if self.contacts.len() < ENOUGH {
            return None;
        }
        let sizes = self.sizes.iter().enumerate().rev();
        let counts = sizes.scan(0, |count, (bucket, &size)| {
            let size = u64::from(size);
            // Who finds no room is not seen: as many as in all deeper buckets are to be expected in one.
            let is_full = !self.is_open(bucket, config);
            *count += if is_full { size.max(*count) } else { size };
            Some((*count, bucket))
        });
        let mut counts = counts.skip_while(|(count, _)| *count < 2 * Config::K as u64);
        counts.next().map(|(count, bucket)| count << bucket)
    }

    /// Whether a bucket holds fewer contacts than it may.
    pub(crate) fn is_open(&self, bucket: usize, config: &Config) -> bool {
        let size = self.sizes.get(bucket).map_or(0, |&size| usize::from(size));
        size < config.bucket_size(bucket)
    }

    pub(crate) fn get(&self, id: &Id) -> Option<&Contact<A>> {
        self.contacts.get(self.find(id).ok()?)
    }

    fn get_mut(&mut self, node: &NodeInfo<A>) -> Option<&mut Contact<A>> {
        let place = self.find(&node.id).ok()?;
        let contact = self.contacts.get_mut(place)?;
        (contact.node == *node).then_some(contact)
    }

    /// Notes a sign of life of a contact. Whether it is one.
    pub(crate) fn touch(&mut self, node: &NodeInfo<A>, now: Duration) -> bool {
        let Some(contact) = self.get_mut(node) else {
            return false;
        };
        contact.seen = now.as_secs() as u32;
        true
    }

    /// Enters a node that has just answered us from this address; a visitor if we asked it because it had asked us.
    pub(crate) fn insert(
        &mut self,
        node: NodeInfo<A>,
        now: Duration,
        is_visitor: bool,
        config: &Config,
    ) -> Insertion {
        let contact = Contact {
            node,
            failures: 0,
            // Nobody on our own network is behind a NAT of it.
            is_visitor: is_visitor && is_public(node.address.into().ip()),
            seen: now.as_secs() as u32,
        };
        self.enter(contact, config)
    }

    fn enter(&mut self, mut fresh: Contact<A>, config: &Config) -> Insertion {
        let node = fresh.node;
        if node.id == self.own {
            return Insertion::Refused;
        }
        let known = self.find(&node.id).ok();
        if let Some(contact) = known.and_then(|place| self.contacts.get_mut(place)) {
            if contact.node.address == node.address {
                // It answered after so long a silence that any hole in a NAT is closed: so it can be reached unasked.
                fresh.is_visitor = contact.is_visitor && fresh.seen() < contact.due(config);
                *contact = fresh;
                return Insertion::Known;
            }
            // The address of a contact that lives cannot be taken from it by somebody who claims its id.
            if contact.failures == 0 {
                return Insertion::Refused;
            }
            // One that fails has moved; where it is now, somebody else may stand in the table already.
            self.remove(&node.id);
        }
        let address = node.address.into();
        // Whoever answered from there before is nobody now, and may not come back in its place later.
        self.spares
            .retain(|spare| !same_host(&spare.node.address.into(), &address));
        if let Some(rival) = self
            .contacts
            .iter()
            .find(|contact| same_host(&contact.node.address.into(), &address))
        {
            // A node that restarted with another id replaces what it was; a second node of the same IP waits for the first to fail.
            if rival.node.address != node.address && rival.failures == 0 {
                return Insertion::Refused;
            }
            let rival = rival.node.id;
            self.remove(&rival);
        }
        let bucket = self.bucket_of(&node.id);
        let range = self.range(bucket);
        let rivals = self.contacts.get(range.clone()).unwrap_or_default();
        if is_crowded(bucket, rivals, &address, config) {
            return Insertion::Refused;
        }
        if range.len() < config.bucket_size(bucket) {
            self.put(fresh);
            Insertion::Inserted
        } else {
            self.keep_spare(fresh, config);
            Insertion::Spare
        }
    }

    /// Notes that a contact did not answer. Whether it left the table by that; its place goes to a spare.
    pub(crate) fn fail(&mut self, node: &NodeInfo<A>, config: &Config) -> bool {
        self.spares.retain(|spare| spare.node != *node);
        let bucket = self.bucket_of(&node.id);
        let Some(contact) = self.get_mut(node) else {
            return false;
        };
        contact.failures = contact.failures.saturating_add(1);
        if contact.failures < config.max_failures {
            return false;
        }
        self.remove(&node.id);
        if let Some(position) = self
            .spares
            .iter()
            .rposition(|spare| self.bucket_of(&spare.node.id) == bucket)
        {
            let spare = self.spares.remove(position);
            self.enter(spare, config);
        }
        true
    }

    /// Removes a contact that turned out to be somebody else.
    pub(crate) fn remove(&mut self, id: &Id) {
        let (bucket, place) = (self.bucket_of(id), self.find(id));
        if let (Some(size), Ok(place)) = (self.sizes.get_mut(bucket), place) {
            self.contacts.remove(place);
            *size -= 1;
        }
    }

    /// The `N` contacts nearest to `target` that are wanted, nearest first. Those that failed last time are left out: BEP 5, "`find_node`".
    pub(crate) fn closest<'a, const N: usize>(
        &'a self,
        target: &'a Id,
        wanted: impl Fn(&NodeInfo<A>) -> bool,
    ) -> ArrayVec<NodeInfo<A>, N> {
        let mut nearest = Nearest {
            target,
            wanted,
            found: ArrayVec::<_, N>::new(),
        };
        // The target's own bucket is nearer to it than all deeper ones, these are nearer than the one before it, and so on up to the root.
        let bucket = self.bucket_of(target);
        let range = self.range(bucket);
        let deeper = self.contacts.get(range.end..).unwrap_or_default();
        let mut done = self.walk(bucket, range.clone(), &mut nearest) || nearest.consider(deeper);
        let mut end = range.start;
        for (bucket, &size) in self.sizes.iter().enumerate().take(bucket).rev() {
            if done {
                break;
            }
            let start = end - usize::from(size);
            done = self.walk(bucket, start..end, &mut nearest);
            end = start;
        }
        nearest.found.into_iter().map(|(_, node)| *node).collect()
    }

    /// Shows the contacts of a bucket to `nearest`, a few at a time and each lot nearer to its target than the next, until it has enough.
    /// A bucket is sorted: those that share one more bit with the target are one half of it. Whether there were enough.
    fn walk<'a, const N: usize>(
        &'a self,
        bucket: usize,
        range: Range<usize>,
        nearest: &mut Nearest<'a, A, N, impl Fn(&NodeInfo<A>) -> bool>,
    ) -> bool {
        const LOT: usize = 4;
        let mut halves = ArrayVec::<(&[Contact<A>], u32), { Id::BITS as usize + 2 }>::new();
        halves.push((self.contacts.get(range).unwrap_or_default(), bucket as u32));
        while let Some((half, bit)) = halves.pop() {
            if half.len() <= LOT || bit >= Id::BITS {
                if nearest.consider(half) {
                    return true;
                }
            } else {
                let (zeros, ones) =
                    half.split_at(half.partition_point(|contact| !contact.node.id.bit(bit)));
                let (near, far) = if nearest.target.bit(bit) {
                    (ones, zeros)
                } else {
                    (zeros, ones)
                };
                halves.push((far, bit + 1));
                halves.push((near, bit + 1));
            }
        }
        false
    }

    /// Begins to load what [`find`](Self::find) and [`walk`](Self::walk) will look at in the bucket of `target`. Ids are spread evenly, so that
    /// halving leads about to where the next bit of `target` says, and no load has to wait for another.
    pub(crate) fn prefetch(&self, target: &Id) {
        let bucket = self.bucket_of(target);
        let mut rest = self.contacts.get(self.range(bucket)).unwrap_or_default();
        let touch = |contact: Option<&Contact<A>>| black_box(contact.map(|contact| contact.seen));
        for bit in bucket as u32 + 1.. {
            let (lower, upper) = rest.split_at(rest.len() / 2);
            touch(upper.first());
            if rest.len() <= 8 {
                touch(lower.first());
                touch(lower.get(lower.len() / 2));
                touch(upper.get(upper.len() / 2));
                break;
            }
            rest = if target.bit(bit) { upper } else { lower };
        }
    }

    /// Changes our id. Contacts that find no place under the new one are let go.
    pub(crate) fn set_own_id(&mut self, own: Id, config: &Config) {
        let before = std::mem::replace(self, Self::new(own));
        for contact in before.contacts.into_iter().chain(before.spares) {
            self.enter(contact, config);
        }
    }

    fn bucket_of(&self, id: &Id) -> usize {
        (self.own.shared_prefix(id) as usize).min(BUCKETS - 1)
    }

    fn range(&self, bucket: usize) -> Range<usize> {
        let start = self
            .sizes
            .iter()
            .take(bucket)
            .map(|&size| usize::from(size))
            .sum();
        start..start + self.sizes.get(bucket).map_or(0, |&size| usize::from(size))
    }

    /// The place of a contact, or the one where it belongs.
    fn find(&self, id: &Id) -> Result<usize, usize> {
        let range = self.range(self.bucket_of(id));
        let bucket = self.contacts.get(range.clone()).unwrap_or_default();
        let place = bucket.binary_search_by(|contact| contact.node.id.cmp(id));
        place
            .map(|place| range.start + place)
            .map_err(|place| range.start + place)
    }

    fn put(&mut self, contact: Contact<A>) {
        let (bucket, place) = (
            self.bucket_of(&contact.node.id),
            self.find(&contact.node.id),
        );
        if let (Some(size), Err(place)) = (self.sizes.get_mut(bucket), place) {
            *size += 1;
            self.contacts.reserve_exact(1);
            self.contacts.insert(place, contact);
        }
    }

    fn keep_spare(&mut self, contact: Contact<A>, config: &Config) {
        if self.spares.len() >= config.spares && !self.spares.is_empty() {
            self.spares.remove(0);
        }
        if self.spares.len() < config.spares {
            self.spares.reserve_exact(1);
            self.spares.push(contact);
        }
    }
}

/// In a deep bucket one network may not hold two places: whether one of these contacts holds that of a node at `address`.
fn is_crowded<A: Endpoint>(
    bucket: usize,
    contacts: &[Contact<A>],
    address: &SocketAddr,
    config: &Config,
) -> bool {
    let crowds = |contact: &Contact<A>| same_network(&contact.node.address.into(), address);
    bucket >= config.first_buckets.len() && contacts.iter().any(crowds)
}

/// The `N` nearest of the contacts that were shown, nearest first.
struct Nearest<'a, A, const N: usize, F> {
    target: &'a Id,
    wanted: F,
    found: ArrayVec<(Distance, &'a NodeInfo<A>), N>,
}

impl<'a, A, const N: usize, F: Fn(&NodeInfo<A>) -> bool> Nearest<'a, A, N, F> {
    /// Takes those that are nearer than what was found. Whether there are `N` now.
    fn consider(&mut self, contacts: &'a [Contact<A>]) -> bool {
        for Contact { node, failures, .. } in contacts {
            let distance = node.id.distance(self.target);
            let place = self.found.partition_point(|(nearer, _)| *nearer < distance);
            if place < N && *failures == 0 && (self.wanted)(node) {
                if self.found.is_full() {
                    self.found.pop();
                }
                self.found.insert(place, (distance, node));
            }
        }
        self.found.is_full()
    }
}

/// One bucket, for people to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketView {
    /// Leading bits that its ids share with ours.
    pub shared_bits: usize,
    /// How many contacts it may hold.
    pub capacity: usize,
    /// Who is in it.
    pub contacts: Vec<ContactView>,
}

/// One contact, for people to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactView {
    /// Who and where.
    pub node: NodeInfo<SocketAddr>,
    /// Time since its last answer or query, in whole seconds.
    pub silent_for: Duration,
    /// Time-outs in a row.
    pub failures: u8,
}

impl<A: Endpoint> RoutingTable<A> {
    pub(crate) fn view(&self, now: Duration, config: &Config) -> Vec<BucketView> {
        let contact = |contact: &Contact<A>| ContactView {
            node: contact.node.widen(),
            silent_for: now.saturating_sub(contact.seen()),
            failures: contact.failures,
        };
        let bucket = |(shared_bits, bucket): (usize, &[Contact<A>])| BucketView {
            shared_bits,
            capacity: config.bucket_size(shared_bits),
            contacts: bucket.iter().map(contact).collect(),
        };
        self.buckets().enumerate().map(bucket).collect()
    }
}

#[cfg(test)]
mod tests;
