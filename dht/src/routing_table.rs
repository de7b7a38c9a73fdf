use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use arrayvec::ArrayVec;

use crate::address::{Endpoint, same_host, same_network};
use crate::config::Config;
use crate::id::Id;
use crate::message::NodeInfo;

/// Buckets of a table. The last one holds all ids that share more bits with ours; ten million nodes fill 21.
const BUCKETS: usize = 40;

/// The contacts of one family. BEP 5, "Routing Table".
///
/// Bucket *i* holds the contacts whose ids share exactly *i* leading bits with ours: the buckets that BEP 5 arrives at by splitting.
/// All contacts stand in one array, bucket after bucket, which grows by what it needs: a million nodes must fit one machine.
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
    /// The last answer or query, in seconds of the driver's clock.
    seen: u32,
}

impl<A> Contact<A> {
    pub(crate) fn seen(&self) -> Duration {
        Duration::from_secs(self.seen.into())
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

    pub(crate) fn len(&self) -> usize {
        self.contacts.len()
    }

    pub(crate) fn contacts(&self) -> &[Contact<A>] {
        &self.contacts
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
        let bucket = self.bucket_of(id);
        *id != self.own && self.range(bucket).len() < config.bucket_size(bucket)
    }

    pub(crate) fn get(&self, id: &Id) -> Option<&Contact<A>> {
        self.contacts
            .get(self.range(self.bucket_of(id)))?
            .iter()
            .find(|contact| contact.node.id == *id)
    }

    /// Notes a sign of life of a contact. Whether it is one.
    pub(crate) fn touch(&mut self, node: &NodeInfo<A>, now: Duration) -> bool {
        let range = self.range(self.bucket_of(&node.id));
        let contact = self
            .contacts
            .get_mut(range)
            .and_then(|bucket| bucket.iter_mut().find(|contact| contact.node == *node));
        let known = contact.is_some();
        if let Some(contact) = contact {
            contact.seen = now.as_secs() as u32;
        }
        known
    }

    /// Enters a node that has just answered us from this address.
    pub(crate) fn insert(
        &mut self,
        node: NodeInfo<A>,
        now: Duration,
        config: &Config,
    ) -> Insertion {
        if node.id == self.own {
            return Insertion::Refused;
        }
        let fresh = Contact {
            node,
            failures: 0,
            seen: now.as_secs() as u32,
        };
        let bucket = self.bucket_of(&node.id);
        let range = self.range(bucket);
        if let Some(contact) = self
            .contacts
            .get_mut(range)
            .and_then(|bucket| bucket.iter_mut().find(|contact| contact.node.id == node.id))
        {
            // The address of a contact that lives cannot be taken from it by somebody who claims its id.
            if contact.node.address != node.address && contact.failures == 0 {
                return Insertion::Refused;
            }
            *contact = fresh;
            return Insertion::Known;
        }
        let address = node.address.into();
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
        // In a deep bucket one network may not hold two places.
        let deep = bucket >= config.first_buckets.len();
        let crowded = |contact: &Contact<A>| same_network(&contact.node.address.into(), &address);
        let range = self.range(bucket);
        if deep
            && self
                .contacts
                .get(range.clone())
                .is_some_and(|bucket| bucket.iter().any(crowded))
        {
            return Insertion::Refused;
        }
        if range.len() < config.bucket_size(bucket) {
            self.put(bucket, fresh);
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
        let range = self.range(bucket);
        let Some(contact) = self
            .contacts
            .get_mut(range)
            .and_then(|bucket| bucket.iter_mut().find(|contact| contact.node == *node))
        else {
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
            self.insert(spare.node, spare.seen(), config);
        }
        true
    }

    /// Removes a contact that turned out to be somebody else.
    pub(crate) fn remove(&mut self, id: &Id) {
        let bucket = self.bucket_of(id);
        let range = self.range(bucket);
        let position = self
            .contacts
            .get(range.clone())
            .and_then(|bucket| bucket.iter().position(|contact| contact.node.id == *id));
        if let (Some(position), Some(size)) = (position, self.sizes.get_mut(bucket)) {
            self.contacts.remove(range.start + position);
            *size -= 1;
        }
    }

    /// The `N` contacts nearest to `target` that are wanted, nearest first. Those that failed last time are left out: BEP 5, "`find_node`".
    pub(crate) fn closest<const N: usize>(
        &self,
        target: &Id,
        wanted: impl Fn(&NodeInfo<A>) -> bool,
    ) -> ArrayVec<NodeInfo<A>, N> {
        // The first word of a distance nearly always tells which is nearer, and that most of a wide bucket is too far.
        let mut nearest = ArrayVec::<(u64, &NodeInfo<A>), N>::new();
        let mut limit = u64::MAX;
        let mut consider = |range: Range<usize>| {
            for contact in self.contacts.get(range).unwrap_or_default() {
                let node = &contact.node;
                let leading = node.id.leading_distance(target);
                if leading > limit || contact.failures > 0 {
                    continue;
                }
                let place = nearest.partition_point(|(other, nearer)| {
                    let order = other.cmp(&leading);
                    order
                        .then_with(|| nearer.id.distance(target).cmp(&node.id.distance(target)))
                        .is_lt()
                });
                if place == N || !wanted(node) {
                    continue;
                }
                if nearest.is_full() {
                    nearest.pop();
                }
                nearest.insert(place, (leading, node));
                if let (true, Some((farthest, _))) = (nearest.is_full(), nearest.last()) {
                    limit = *farthest;
                }
            }
            nearest.is_full()
        };
        // The target's own bucket is nearer to it than all deeper ones, these are nearer than the one before it, and so on up to the root.
        let bucket = self.bucket_of(target);
        let mut range = self.range(bucket);
        let mut done = consider(range.clone()) || consider(range.end..self.contacts.len());
        for &size in self.sizes.get(..bucket).unwrap_or_default().iter().rev() {
            if done {
                break;
            }
            range = range.start - usize::from(size)..range.start;
            done = consider(range.clone());
        }
        nearest.into_iter().map(|(_, node)| *node).collect()
    }

    /// Changes our id. Contacts that find no place under the new one are let go.
    pub(crate) fn set_own_id(&mut self, own: Id, config: &Config) {
        let before = std::mem::replace(self, Self::new(own));
        for contact in before.contacts.into_iter().chain(before.spares) {
            self.insert(contact.node, contact.seen(), config);
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

    fn put(&mut self, bucket: usize, contact: Contact<A>) {
        let end = self.range(bucket).end;
        if let Some(size) = self.sizes.get_mut(bucket) {
            *size += 1;
            self.contacts.reserve_exact(1);
            self.contacts.insert(end, contact);
        }
    }

    fn keep_spare(&mut self, contact: Contact<A>, config: &Config) {
        self.spares
            .retain(|spare| !same_host(&spare.node.address.into(), &contact.node.address.into()));
        if self.spares.len() >= config.spares && !self.spares.is_empty() {
            self.spares.remove(0);
        }
        if self.spares.len() < config.spares {
            self.spares.reserve_exact(1);
            self.spares.push(contact);
        }
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
