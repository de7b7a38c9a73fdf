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

mod contact;
mod spares;

pub(crate) use contact::{Contact, Standing};
use spares::{RoundTrip, Spare, Spares};

/// Buckets of a table. The last one holds all ids that share more bits with ours; ten million nodes fill 21.
const BUCKETS: usize = 32;

/// The contacts of one family. BEP 5, "Routing Table".
///
/// Bucket *i* holds the contacts whose ids share exactly *i* leading bits with ours: the buckets that BEP 5 arrives at by splitting.
/// All contacts stand in one row, bucket after bucket and sorted by id in each. It grows by what it needs: a million nodes must fit one machine.
/// Only nodes that have answered us are put in.
pub(crate) struct RoutingTable<A> {
    own: Id,
    sizes: [u8; BUCKETS],
    nodes: Vec<NodeInfo<A>>,
    /// How each of them stands, in the same order.
    standings: Vec<Standing>,
    spares: Spares<A>,
}

/// How a node answered us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) at: Duration,
    pub(crate) round_trip: Duration,
    /// We asked it because it had asked us.
    pub(crate) is_visitor: bool,
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
            nodes: Vec::new(),
            standings: Vec::new(),
            spares: Spares::new(),
        }
    }

    /// The table of somebody whom these nodes have answered, at the times that stand with them. Their order does not matter: of those that
    /// cannot stand in one table by the rules of [`insert`](Self::insert), the ones heard of last do. Nobody becomes a spare.
    pub(crate) fn filled(
        own: Id,
        nodes: impl IntoIterator<Item = (NodeInfo<A>, Duration)>,
        config: &Config,
    ) -> Self {
        let table = Self::new(own);
        let mut offered: Vec<_> = nodes
            .into_iter()
            .filter(|(node, _)| node.id != own)
            .collect();
        offered.sort_unstable_by_key(|(node, seen)| (node.address, Reverse(*seen)));
        offered.dedup_by(|(other, _), (kept, _)| {
            same_host(&other.address.into(), &kept.address.into())
        });
        let bucket_of = |(node, _): &(NodeInfo<A>, Duration)| table.bucket_of(&node.id);
        offered.sort_unstable_by_key(|offer| (bucket_of(offer), Reverse(offer.1), offer.0.id));
        let mut sizes = [0; BUCKETS];
        let (mut nodes, mut standings) = (Vec::new(), Vec::new());
        let mut chosen: Vec<(NodeInfo<A>, Duration)> = Vec::new();
        for rivals in offered.chunk_by(|one, other| bucket_of(one) == bucket_of(other)) {
            let bucket = rivals.first().map_or(0, bucket_of);
            chosen.clear();
            for offer @ (node, _) in rivals {
                let mut taken = chosen.iter().map(|(taken, _)| taken);
                if taken.len() < config.bucket_size(bucket)
                    && !taken.clone().any(|taken| taken.id == node.id)
                    && !is_crowded(bucket, &mut taken, &node.address.into(), config)
                {
                    chosen.push(*offer);
                }
            }
            chosen.sort_unstable_by_key(|(node, _)| node.id);
            nodes.extend(chosen.iter().map(|(node, _)| *node));
            standings.extend(chosen.iter().map(|(_, seen)| Standing::fresh(*seen, false)));
            if let Some(size) = sizes.get_mut(bucket) {
                *size = chosen.len() as u8;
            }
        }
        nodes.shrink_to_fit();
        standings.shrink_to_fit();
        Self {
            sizes,
            nodes,
            standings,
            ..table
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn contacts(&self) -> impl Iterator<Item = Contact<A>> + '_ {
        self.stretch(0..self.len())
    }

    fn stretch(&self, places: Range<usize>) -> impl Iterator<Item = Contact<A>> + '_ {
        let nodes = self.nodes.get(places.clone()).unwrap_or_default();
        let standings = self.standings.get(places).unwrap_or_default();
        nodes
            .iter()
            .zip(standings)
            .map(|(&node, &standing)| Contact { node, standing })
    }

    fn contact(&self, place: usize) -> Option<Contact<A>> {
        let (&node, &standing) = (self.nodes.get(place)?, self.standings.get(place)?);
        Some(Contact { node, standing })
    }

    /// The contact that needs attention most: one that failed last time, else a visitor whose time has come, else the one whose time comes first.
    pub(crate) fn neediest(&self, now: Duration, config: &Config) -> Option<Contact<A>> {
        let need = Standing::need(now, config);
        let first = self.standings.iter().copied().map(&need).min()?;
        let place = self.standings.iter().position(|&it| need(it) == first)?;
        self.contact(place)
    }

    /// The contacts that were not heard of since then, those of the deepest bucket first.
    pub(crate) fn unheard(
        &self,
        since: Duration,
        now: Duration,
    ) -> impl Iterator<Item = NodeInfo<A>> + '_ {
        let seconds = now.as_secs().saturating_sub(since.as_secs());
        let is_unheard = move |standing: &Standing| standing.silence(now).as_secs() > seconds;
        let contacts = self.nodes.iter().zip(&self.standings).rev();
        contacts
            .filter(move |(_, standing)| is_unheard(standing))
            .map(|(node, _)| *node)
    }

    /// The buckets from the root to the deepest one that holds a contact.
    pub(crate) fn buckets(
        &self,
    ) -> impl Iterator<Item = impl Iterator<Item = Contact<A>> + '_> + '_ {
        (0..self.depth()).map(|bucket| self.stretch(self.range(bucket)))
    }

    /// One more than the number of the deepest bucket that holds a contact.
    pub(crate) fn depth(&self) -> usize {
        self.sizes
            .iter()
            .rposition(|&size| size > 0)
            .map_or(0, |deepest| deepest + 1)
    }

    /// Whether a node with another id than ours would find room.
    pub(crate) fn has_room(&self, id: &Id, config: &Config) -> bool {
        self.is_open(self.bucket_of(id), config)
    }

    /// Whether fewer than k contacts share more bits with us than this id does.
    pub(crate) fn is_neighbour(&self, id: &Id) -> bool {
        self.len() - self.range(self.bucket_of(id)).end < Config::K
    }

    /// How many nodes there are, judged from how densely those around us stand. `None` if too few are known to say.
    ///
    /// It takes the sixteen nearest or a few more. Of so many nearly all are known, and a few that were placed next to us change little.
    pub(crate) fn network_size(&self, config: &Config) -> Option<u64> {
        const ENOUGH: usize = 64;
        if self.len() < ENOUGH {
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

    pub(crate) fn get(&self, id: &Id) -> Option<Contact<A>> {
        self.contact(self.find(id).ok()?)
    }

    fn standing_mut(&mut self, node: &NodeInfo<A>) -> Option<&mut Standing> {
        let place = self.find(&node.id).ok()?;
        let is_there = self.nodes.get(place) == Some(node);
        self.standings.get_mut(place).filter(|_| is_there)
    }

    /// Notes a sign of life of a contact. Whether it is one.
    pub(crate) fn touch(&mut self, node: &NodeInfo<A>, now: Duration) -> bool {
        let standing = self.standing_mut(node);
        standing.map(|standing| standing.touch(now)).is_some()
    }

    /// Enters a node that has answered us from this address.
    pub(crate) fn insert(
        &mut self,
        node: NodeInfo<A>,
        answer: &Answer,
        config: &Config,
    ) -> Insertion {
        if let Some(standing) = self.standing_mut(&node) {
            standing.renew(answer.at, config);
            return Insertion::Known;
        }
        // Nobody on our own network is behind a NAT of it.
        let is_visitor = answer.is_visitor && is_public(node.address.into().ip());
        let standing = Standing::fresh(answer.at, is_visitor);
        let fresh = Spare {
            contact: Contact { node, standing },
            round_trip: RoundTrip::of(answer.round_trip),
        };
        self.enter(fresh, config)
    }

    fn enter(&mut self, fresh: Spare<A>, config: &Config) -> Insertion {
        let node = fresh.contact.node;
        if node.id == self.own {
            return Insertion::Refused;
        }
        if let Some(known) = self.get(&node.id) {
            // The address of a contact that lives cannot be taken from it by somebody who claims its id.
            if known.node.address == node.address || known.standing.failures() == 0 {
                return Insertion::Refused;
            }
            // One that fails has moved; where it is now, somebody else may stand in the table already.
            self.remove(&node.id);
        }
        let address = node.address.into();
        // Whoever answered from there before is nobody now, and may not come back in its place later.
        self.spares.forget_host(&address);
        let is_rival = |rival: &NodeInfo<A>| same_host(&rival.address.into(), &address);
        if let Some(place) = self.nodes.iter().position(is_rival)
            && let Some(rival) = self.contact(place)
        {
            // A node that restarted with another id replaces what it was; a second node of the same IP waits for the first to fail.
            if rival.node.address != node.address && rival.standing.failures() == 0 {
                return Insertion::Refused;
            }
            self.remove(&rival.node.id);
        }
        let bucket = self.bucket_of(&node.id);
        let range = self.range(bucket);
        let rivals = self.nodes.get(range.clone()).unwrap_or_default();
        if is_crowded(bucket, rivals, &address, config) {
            return Insertion::Refused;
        }
        if range.len() < config.bucket_size(bucket) {
            self.put(fresh.contact);
            Insertion::Inserted
        } else {
            self.spares.keep(fresh, config);
            Insertion::Spare
        }
    }

    /// Notes that a contact did not answer. Whether it left the table by that; its place goes to a spare.
    pub(crate) fn fail(&mut self, node: &NodeInfo<A>, config: &Config) -> bool {
        self.spares.forget(node);
        let bucket = self.bucket_of(&node.id);
        let Some(standing) = self.standing_mut(node) else {
            return false;
        };
        standing.fail();
        if standing.failures() < config.max_failures.min(Standing::MAX_FAILURES) {
            return false;
        }
        self.remove(&node.id);
        if let Some(spare) = self.take_spare(bucket, config) {
            self.enter(spare, config);
        }
        true
    }

    /// The spare for a free place of a bucket. A part of a bucket is what one contact would have for itself if all were spread evenly.
    fn take_spare(&mut self, bucket: usize, config: &Config) -> Option<Spare<A>> {
        let bits = bucket as u32 + 1 + config.bucket_size(bucket).checked_ilog2().unwrap_or(0);
        let contacts = self.nodes.get(self.range(bucket)).unwrap_or_default();
        let own = self.own;
        let fits = |id: &Id| bucket_of(&own, id) == bucket;
        let in_part_of = |id: &Id| {
            let contacts = contacts.iter();
            contacts
                .filter(|contact| contact.id.shared_prefix(id) >= bits)
                .count()
        };
        self.spares.take(fits, in_part_of)
    }

    /// Removes a contact that turned out to be somebody else.
    pub(crate) fn remove(&mut self, id: &Id) {
        let (bucket, place) = (self.bucket_of(id), self.find(id));
        if let (Some(size), Ok(place)) = (self.sizes.get_mut(bucket), place) {
            self.nodes.remove(place);
            self.standings.remove(place);
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
            table: self,
            target,
            wanted,
            found: ArrayVec::<_, N>::new(),
        };
        // The target's own bucket is nearer to it than all deeper ones, these are nearer than the one before it, and so on up to the root.
        let bucket = self.bucket_of(target);
        let range = self.range(bucket);
        let mut done =
            nearest.walk(bucket, range.clone()) || nearest.consider(range.end..self.len());
        let mut end = range.start;
        for (bucket, &size) in self.sizes.iter().enumerate().take(bucket).rev() {
            if done {
                break;
            }
            let start = end - usize::from(size);
            done = nearest.walk(bucket, start..end);
            end = start;
        }
        nearest.found.into_iter().map(|(_, node)| *node).collect()
    }

    /// Begins to load what [`find`](Self::find) and [`closest`](Self::closest) will look at in the bucket of `target`. Ids are spread evenly, so that
    /// halving leads about to where the next bit of `target` says, and no load has to wait for another.
    pub(crate) fn prefetch(&self, target: &Id) {
        let bucket = self.bucket_of(target);
        let range = self.range(bucket);
        black_box(self.standings.get(range.start).copied());
        let mut rest = self.nodes.get(range).unwrap_or_default();
        let touch = |node: Option<&NodeInfo<A>>| black_box(node.map(|node| node.address));
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

    /// Begins to load what [`neediest`](Self::neediest) will go through.
    pub(crate) fn prefetch_standings(&self) {
        const LINE: usize = 64 / size_of::<Standing>();
        for standing in self.standings.iter().step_by(LINE) {
            black_box(*standing);
        }
    }

    /// Changes our id. Contacts that find no place under the new one are let go.
    pub(crate) fn set_own_id(&mut self, own: Id, config: &Config) {
        let before = std::mem::replace(self, Self::new(own));
        let contacts = before.contacts().map(|contact| Spare {
            contact,
            round_trip: RoundTrip::UNKNOWN,
        });
        for contact in contacts.chain(before.spares.iter().copied()) {
            self.enter(contact, config);
        }
    }

    fn bucket_of(&self, id: &Id) -> usize {
        bucket_of(&self.own, id)
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
        let bucket = self.nodes.get(range.clone()).unwrap_or_default();
        let place = bucket.binary_search_by(|node| node.id.cmp(id));
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
            self.nodes.reserve_exact(1);
            self.nodes.insert(place, contact.node);
            self.standings.reserve_exact(1);
            self.standings.insert(place, contact.standing);
        }
    }
}

fn bucket_of(own: &Id, id: &Id) -> usize {
    (own.shared_prefix(id) as usize).min(BUCKETS - 1)
}

/// In a deep bucket one network may not hold two places: whether one of these contacts holds that of a node at `address`.
fn is_crowded<'a, A: Endpoint + 'a>(
    bucket: usize,
    contacts: impl IntoIterator<Item = &'a NodeInfo<A>>,
    address: &SocketAddr,
    config: &Config,
) -> bool {
    let mut contacts = contacts.into_iter();
    bucket >= config.first_buckets.len()
        && contacts.any(|contact| same_network(&contact.address.into(), address))
}

/// The `N` nearest of the contacts that were looked at, nearest first.
struct Nearest<'a, A, const N: usize, F> {
    table: &'a RoutingTable<A>,
    target: &'a Id,
    wanted: F,
    found: ArrayVec<(Distance, &'a NodeInfo<A>), N>,
}

impl<A, const N: usize, F: Fn(&NodeInfo<A>) -> bool> Nearest<'_, A, N, F> {
    /// Looks at the contacts of a bucket, a few at a time and each lot nearer to the target than the next, until there are enough.
    /// A bucket is sorted: those that share one more bit with the target are one half of it. Whether there were enough.
    fn walk(&mut self, bucket: usize, range: Range<usize>) -> bool {
        const LOT: usize = 4;
        let mut halves = ArrayVec::<(Range<usize>, u32), { Id::BITS as usize + 2 }>::new();
        halves.push((range, bucket as u32));
        while let Some((half, bit)) = halves.pop() {
            if half.len() <= LOT || bit >= Id::BITS {
                if self.consider(half) {
                    return true;
                }
            } else {
                let nodes = self.table.nodes.get(half.clone()).unwrap_or_default();
                let middle = half.start + nodes.partition_point(|node| !node.id.bit(bit));
                let (zeros, ones) = (half.start..middle, middle..half.end);
                let (near, far) = if self.target.bit(bit) {
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

    /// Takes those of a stretch that are nearer than what was found. Whether there are `N` now.
    fn consider(&mut self, stretch: Range<usize>) -> bool {
        let nodes = self.table.nodes.get(stretch.clone()).unwrap_or_default();
        let standings = self.table.standings.get(stretch).unwrap_or_default();
        for (node, standing) in nodes.iter().zip(standings) {
            let distance = node.id.distance(self.target);
            let place = self.found.partition_point(|(nearer, _)| *nearer < distance);
            if place < N && standing.failures() == 0 && (self.wanted)(node) {
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
        let contact = |contact: Contact<A>| ContactView {
            node: contact.node.widen(),
            silent_for: contact.standing.silence(now),
            failures: contact.standing.failures(),
        };
        let buckets = self.buckets().enumerate();
        let buckets = buckets.map(|(shared_bits, bucket)| BucketView {
            shared_bits,
            capacity: config.bucket_size(shared_bits),
            contacts: bucket.map(contact).collect(),
        });
        buckets.collect()
    }
}

#[cfg(test)]
mod tests;
