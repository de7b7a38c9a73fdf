//! What a routing table looks like at any time, and what may become of one.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use dht::{BucketView, Config, ContactView, Id, NodeInfo};

use super::Fault;

const IN_PLACE: &str = "every contact stands in the bucket of its id";
const COMPLETE: &str = "the buckets are complete and disjoint";
const CAPACITY: &str = "no bucket holds more than it may";
const SELF: &str = "a node is no contact of itself";
const DUPLICATE: &str = "no id and no IP stands twice in a table";
const NETWORK: &str = "no network stands twice in a deep bucket";
const EVICTED: &str = "no contact that lives makes room for a newcomer";
const VERIFIED: &str = "only who answered enters the table";

/// The last bucket of a table holds all that share more bits.
const LAST: usize = 31;

/// Checks a table as it stands.
pub(super) fn check(own: Id, view: &[BucketView], config: &Config) -> Result<(), Fault> {
    let (mut ids, mut ips) = (BTreeSet::new(), BTreeSet::new());
    for (place, bucket) in view.iter().enumerate() {
        if bucket.shared_bits != place {
            return Err((
                COMPLETE,
                format!(
                    "bucket {place} is that of {} shared bits",
                    bucket.shared_bits
                ),
            ));
        }
        if bucket.contacts.len() > config.bucket_size(place) {
            return Err((
                CAPACITY,
                format!("bucket {place} holds {}", bucket.contacts.len()),
            ));
        }
        let mut networks = BTreeSet::new();
        for ContactView { node, .. } in &bucket.contacts {
            if node.id == own {
                return Err((SELF, format!("{} is in bucket {place}", node.address)));
            }
            let shared = own.shared_prefix(&node.id) as usize;
            if shared.min(LAST) != place {
                return Err((
                    IN_PLACE,
                    format!(
                        "{}, of {shared} shared bits, is in bucket {place}",
                        node.address
                    ),
                ));
            }
            if !ids.insert(node.id) || !ips.insert(node.address.ip()) {
                return Err((
                    DUPLICATE,
                    format!(
                        "{} with the id {} is not the only one",
                        node.address, node.id
                    ),
                ));
            }
            let is_deep = place >= config.first_buckets.len();
            if is_deep && !networks.insert(network(node.address)) {
                return Err((
                    NETWORK,
                    format!("{} is not the only one in bucket {place}", node.address),
                ));
            }
        }
    }
    Ok(())
}

/// The /24, in a world of IPv4.
fn network(address: SocketAddr) -> Option<[u8; 3]> {
    match address {
        SocketAddr::V4(address) => address.ip().octets().first_chunk().copied(),
        SocketAddr::V6(_) => None,
    }
}

/// A table as it was, and who may be in it.
#[derive(Default)]
pub(super) struct Table {
    own: Option<Id>,
    contacts: Vec<Contact>,
    /// Everybody who ever answered; compared with the world they are few.
    verified: BTreeSet<(Id, SocketAddr)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Contact {
    id: Id,
    address: SocketAddr,
    failures: u8,
}

fn contacts(view: &[BucketView]) -> impl Iterator<Item = Contact> + '_ {
    let contacts = view.iter().flat_map(|bucket| &bucket.contacts);
    contacts.map(|contact| Contact {
        id: contact.node.id,
        address: contact.node.address,
        failures: contact.failures,
    })
}

impl Table {
    /// Takes the table that a node begins with as it is.
    pub(super) fn begin(&mut self, own: Id, view: &[BucketView]) {
        self.own = Some(own);
        self.contacts = contacts(view).collect();
        self.contacts.sort_unstable();
        self.verified = self
            .contacts
            .iter()
            .map(|contact| (contact.id, contact.address))
            .collect();
    }

    /// Whether it may be what it was, at a glance.
    pub(super) fn looks_like(&self, own: Id, contacts: usize) -> bool {
        self.own == Some(own) && self.contacts.len() == contacts
    }

    /// Takes note of somebody who answered. Whether the table may have changed by that; `is_contact` tells whether he is in it now.
    pub(super) fn hear(&mut self, answer: NodeInfo, is_contact: impl FnOnce() -> bool) -> bool {
        self.verified.insert((answer.id, answer.address));
        let key = |contact: &Contact| (contact.id, contact.address);
        let place = self
            .contacts
            .binary_search_by_key(&(answer.id, answer.address), key);
        match place.ok().and_then(|place| self.contacts.get(place)) {
            Some(contact) => contact.failures > 0,
            None => is_contact(),
        }
    }

    /// Takes note of what became of it by one input: the answer of somebody, and the time-outs of others.
    pub(super) fn change(
        &mut self,
        own: Id,
        view: &[BucketView],
        answer: Option<NodeInfo>,
        silent: &[SocketAddr],
        config: &Config,
    ) -> Result<(), Fault> {
        let mut after: Vec<_> = contacts(view).collect();
        after.sort_unstable();
        let is_in = |table: &[Contact], wanted: &Contact| {
            let key = |contact: &Contact| (contact.id, contact.address);
            table.binary_search_by_key(&key(wanted), key).is_ok()
        };
        if let Some(newcomer) = after
            .iter()
            .find(|contact| !self.verified.contains(&(contact.id, contact.address)))
        {
            return Err((
                VERIFIED,
                format!("{} with the id {} never did", newcomer.address, newcomer.id),
            ));
        }
        let is_lawful = |gone: &Contact| {
            let failures = silent
                .iter()
                .filter(|address| **address == gone.address)
                .count()
                + usize::from(gone.failures);
            let is_replaced = answer.is_some_and(|answer| {
                let is_there_again = answer.address == gone.address && answer.id != gone.id;
                let is_elsewhere = answer.id == gone.id || answer.address.ip() == gone.address.ip();
                is_there_again || is_elsewhere && gone.failures > 0
            });
            failures >= usize::from(config.max_failures) || is_replaced
        };
        let gone = self
            .contacts
            .iter()
            .find(|contact| !is_in(&after, contact) && !is_lawful(contact));
        // Under another id of our own some find no place.
        if let Some(gone) = gone.filter(|_| self.own == Some(own)) {
            return Err((
                EVICTED,
                format!(
                    "{} with the id {} is gone after {} time-outs",
                    gone.address, gone.id, gone.failures
                ),
            ));
        }
        self.own = Some(own);
        self.contacts = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const OWN: Id = Id::new([0; 20]);

    /// An id that shares so many bits with ours, and no more.
    fn id(shared: usize, number: u8) -> Id {
        let mut bytes = [number; 20];
        bytes[..8].fill(0);
        bytes[shared / 8] |= 0x80 >> (shared % 8);
        Id::new(bytes)
    }

    fn address(network: u8, host: u8) -> SocketAddr {
        SocketAddr::from(([20, 0, network, host], 6881))
    }

    fn contact(id: Id, address: SocketAddr, failures: u8) -> ContactView {
        ContactView {
            node: NodeInfo { id, address },
            silent_for: Duration::ZERO,
            failures,
        }
    }

    fn view(buckets: &[&[ContactView]]) -> Vec<BucketView> {
        let bucket = |(shared_bits, contacts): (usize, &&[ContactView])| BucketView {
            shared_bits,
            capacity: 8,
            contacts: contacts.to_vec(),
        };
        buckets.iter().enumerate().map(bucket).collect()
    }

    fn narrow() -> Config {
        Config {
            first_buckets: &[],
            ..Config::default()
        }
    }

    fn fault(buckets: &[&[ContactView]]) -> &'static str {
        check(OWN, &view(buckets), &narrow()).unwrap_err().0
    }

    #[test]
    fn tables_as_they_may_not_look_are_noticed() {
        let (a, b) = (
            contact(id(0, 1), address(1, 1), 0),
            contact(id(1, 1), address(2, 1), 0),
        );
        assert_eq!(check(OWN, &view(&[&[a], &[b]]), &narrow()), Ok(()));
        assert_eq!(fault(&[&[a, b]]), IN_PLACE);
        assert_eq!(fault(&[&[contact(OWN, address(1, 1), 0)]]), SELF);
        assert_eq!(
            fault(&[&[a], &[contact(id(1, 1), address(1, 1), 0)]]),
            DUPLICATE
        );
        assert_eq!(
            fault(&[&[a, contact(a.node.id, address(3, 1), 0)]]),
            DUPLICATE
        );
        assert_eq!(fault(&[&[a, contact(id(0, 2), address(1, 2), 0)]]), NETWORK);
        let many: Vec<_> = (1..10)
            .map(|number| contact(id(0, number), address(number, 1), 0))
            .collect();
        assert_eq!(fault(&[&many]), CAPACITY);
        let mut gap = view(&[&[a], &[b]]);
        gap.remove(0);
        assert_eq!(check(OWN, &gap, &narrow()).unwrap_err().0, COMPLETE);
    }

    #[test]
    fn a_contact_that_makes_room_for_a_newcomer_is_noticed() {
        let (old, new) = (
            contact(id(0, 1), address(1, 1), 0),
            contact(id(0, 2), address(2, 1), 0),
        );
        let failed = ContactView { failures: 1, ..old };
        let change = |before: ContactView, answer: NodeInfo, silent: &[SocketAddr]| {
            let mut table = Table::default();
            table.begin(OWN, &view(&[&[before]]));
            assert!(table.hear(answer, || true));
            table.change(OWN, &view(&[&[new]]), Some(answer), silent, &narrow())
        };
        assert_eq!(change(old, new.node, &[]).unwrap_err().0, EVICTED);
        assert_eq!(change(failed, new.node, &[]).unwrap_err().0, EVICTED);
        assert_eq!(
            change(old, new.node, &[old.node.address]).unwrap_err().0,
            EVICTED
        );
        assert_eq!(change(failed, new.node, &[old.node.address]), Ok(()));
    }

    #[test]
    fn a_contact_that_came_back_as_somebody_else_gives_way() {
        let old = contact(id(0, 1), address(1, 1), 0);
        let other = contact(id(0, 2), address(1, 1), 0);
        let mut table = Table::default();
        table.begin(OWN, &view(&[&[old]]));
        assert!(table.hear(other.node, || true));
        assert_eq!(
            table.change(OWN, &view(&[&[other]]), Some(other.node), &[], &narrow()),
            Ok(())
        );
        // Another port of its IP is somebody else, who has to wait until it fails.
        let mut rival = contact(id(0, 3), address(1, 1), 0);
        rival.node.address.set_port(1);
        assert!(
            !table.hear(other.node, || false),
            "nothing new of one in the table"
        );
        assert!(table.hear(rival.node, || true));
        let taken = table.change(OWN, &view(&[&[rival]]), Some(rival.node), &[], &narrow());
        assert_eq!(taken.unwrap_err().0, EVICTED);
    }

    #[test]
    fn a_contact_that_never_answered_is_noticed() {
        let (known, stranger) = (
            contact(id(0, 1), address(1, 1), 0),
            contact(id(0, 2), address(2, 1), 0),
        );
        let mut table = Table::default();
        table.begin(OWN, &view(&[&[known]]));
        let both = view(&[&[known, stranger]]);
        assert_eq!(
            table
                .change(OWN, &both, None, &[], &narrow())
                .unwrap_err()
                .0,
            VERIFIED
        );
    }
}
