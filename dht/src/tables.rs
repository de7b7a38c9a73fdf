use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use arrayvec::ArrayVec;

use crate::address::{Endpoint, Family, may_name};
use crate::config::Config;
use crate::id::Id;
use crate::message::{NodeInfo, Nodes};
use crate::routing_table::{Answer, BucketView, Contact, Insertion, RoutingTable, Standing};

/// One routing table a family, under one id. BEP 32, "Operation".
pub(crate) struct Tables {
    own: Id,
    v4: RoutingTable<SocketAddrV4>,
    /// Made when the first IPv6 node answers: a family that is not used costs nothing.
    v6: Option<Box<RoutingTable<SocketAddrV6>>>,
}

/// A contact of either family, as maintenance sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContactState {
    pub(crate) node: NodeInfo,
    pub(crate) failures: u8,
}

impl<A: Endpoint> From<Contact<A>> for ContactState {
    fn from(contact: Contact<A>) -> Self {
        Self {
            node: contact.node.widen(),
            failures: contact.standing.failures(),
        }
    }
}

impl Tables {
    pub(crate) const fn new(own: Id) -> Self {
        Self {
            own,
            v4: RoutingTable::new(own),
            v6: None,
        }
    }

    /// The tables of somebody whom these nodes have answered, at the times that stand with them.
    pub(crate) fn filled(
        own: Id,
        nodes: impl IntoIterator<Item = (NodeInfo, Duration)>,
        config: &Config,
    ) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (NodeInfo { id, address }, seen) in nodes {
            match address {
                SocketAddr::V4(address) => v4.push((NodeInfo { id, address }, seen)),
                SocketAddr::V6(address) => v6.push((NodeInfo { id, address }, seen)),
            }
        }
        Self {
            own,
            v4: RoutingTable::filled(own, v4, config),
            v6: (!v6.is_empty()).then(|| Box::new(RoutingTable::filled(own, v6, config))),
        }
    }

    pub(crate) const fn own_id(&self) -> Id {
        self.own
    }

    pub(crate) fn set_own_id(&mut self, own: Id, config: &Config) {
        self.own = own;
        self.v4.set_own_id(own, config);
        if let Some(v6) = &mut self.v6 {
            v6.set_own_id(own, config);
        }
    }

    /// That of a family in which nobody has answered yet is empty.
    fn v6(&self) -> &RoutingTable<SocketAddrV6> {
        static EMPTY: RoutingTable<SocketAddrV6> = RoutingTable::new(Id::new([0; Id::LENGTH]));
        self.v6.as_deref().unwrap_or(&EMPTY)
    }

    pub(crate) fn len(&self, family: Family) -> usize {
        match family {
            Family::V4 => self.v4.len(),
            Family::V6 => self.v6().len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        Family::ALL.iter().all(|&family| self.len(family) == 0)
    }

    pub(crate) fn depth(&self, family: Family) -> usize {
        match family {
            Family::V4 => self.v4.depth(),
            Family::V6 => self.v6().depth(),
        }
    }

    /// Whether a node would find room, by its id alone.
    pub(crate) fn has_room(&self, node: &NodeInfo, config: &Config) -> bool {
        let is_open = match node.address {
            SocketAddr::V4(_) => self.v4.has_room(&node.id, config),
            SocketAddr::V6(_) => self.v6().has_room(&node.id, config),
        };
        is_open && node.id != self.own
    }

    /// Whether a node is nearer to us than our k nearest contacts are together: nobody else may know it.
    pub(crate) fn is_neighbour(&self, node: &NodeInfo) -> bool {
        match node.address {
            SocketAddr::V4(_) => self.v4.is_neighbour(&node.id),
            SocketAddr::V6(_) => self.v6().is_neighbour(&node.id),
        }
    }

    /// How many nodes the network of one family has, approximately; `None` if too few are known to say.
    pub(crate) fn network_size(&self, family: Family, config: &Config) -> Option<u64> {
        match family {
            Family::V4 => self.v4.network_size(config),
            Family::V6 => self.v6().network_size(config),
        }
    }

    /// Whether a bucket of one family holds fewer contacts than it may.
    pub(crate) fn is_open(&self, family: Family, bucket: usize, config: &Config) -> bool {
        match family {
            Family::V4 => self.v4.is_open(bucket, config),
            Family::V6 => self.v6().is_open(bucket, config),
        }
    }

    fn standing(&self, node: &NodeInfo) -> Option<Standing> {
        match node.address {
            SocketAddr::V4(_) => self.v4.get(&node.id).map(|contact| contact.standing),
            SocketAddr::V6(_) => self.v6().get(&node.id).map(|contact| contact.standing),
        }
    }

    /// Whether a contact has the id of a node.
    pub(crate) fn contains(&self, node: &NodeInfo) -> bool {
        self.standing(node).is_some()
    }

    /// Whether a node is a contact that has not shown yet that it can be reached unasked.
    pub(crate) fn is_visitor(&self, node: &NodeInfo) -> bool {
        self.standing(node).is_some_and(Standing::is_visitor)
    }

    /// Notes a sign of life of a contact. Whether it is one.
    pub(crate) fn touch(&mut self, node: &NodeInfo, now: Duration) -> bool {
        let id = node.id;
        match (node.address, &mut self.v6) {
            (SocketAddr::V4(address), _) => self.v4.touch(&NodeInfo { id, address }, now),
            (SocketAddr::V6(address), Some(v6)) => v6.touch(&NodeInfo { id, address }, now),
            (SocketAddr::V6(_), None) => false,
        }
    }

    /// Enters a node that has answered us from this address.
    pub(crate) fn insert(
        &mut self,
        node: &NodeInfo,
        answer: &Answer,
        config: &Config,
    ) -> Insertion {
        let id = node.id;
        match node.address {
            SocketAddr::V4(address) => self.v4.insert(NodeInfo { id, address }, answer, config),
            SocketAddr::V6(address) => {
                let table = self
                    .v6
                    .get_or_insert_with(|| Box::new(RoutingTable::new(self.own)));
                table.insert(NodeInfo { id, address }, answer, config)
            }
        }
    }

    /// Notes that a node did not answer.
    pub(crate) fn fail(&mut self, node: &NodeInfo, config: &Config) {
        let id = node.id;
        match (node.address, &mut self.v6) {
            (SocketAddr::V4(address), _) => self.v4.fail(&NodeInfo { id, address }, config),
            (SocketAddr::V6(address), Some(v6)) => v6.fail(&NodeInfo { id, address }, config),
            (SocketAddr::V6(_), None) => false,
        };
    }

    /// Begins to load the contacts near `target`: those of IPv4, which nearly all messages are about.
    pub(crate) fn prefetch(&self, target: &Id) {
        self.v4.prefetch(target);
    }

    /// Begins to load what maintenance goes through.
    pub(crate) fn prefetch_standings(&self) {
        self.v4.prefetch_standings();
    }

    /// The contacts nearest to a point, nearest first.
    pub(crate) fn closest<const N: usize>(
        &self,
        family: Family,
        target: &Id,
    ) -> ArrayVec<NodeInfo, N> {
        fn widen<A: Endpoint, const N: usize>(
            nearest: &ArrayVec<NodeInfo<A>, N>,
        ) -> ArrayVec<NodeInfo, N> {
            nearest.iter().map(NodeInfo::widen).collect()
        }
        match family {
            Family::V4 => widen(&self.v4.closest::<N>(target, |_| true)),
            Family::V6 => widen(&self.v6().closest::<N>(target, |_| true)),
        }
    }

    /// What `nodes` of a response to `asker` says: not himself, and nobody of a network that is nearer to us than he is.
    pub(crate) fn closest_v4(&self, target: &Id, asker: &NodeInfo) -> Nodes<SocketAddrV4> {
        self.v4.closest(target, |node| may_be_told(asker, node))
    }

    /// What `nodes6` of a response to `asker` says.
    pub(crate) fn closest_v6(&self, target: &Id, asker: &NodeInfo) -> Nodes<SocketAddrV6> {
        self.v6().closest(target, |node| may_be_told(asker, node))
    }

    /// The contact that needs attention most: one that failed last time, else the one silent for longest.
    /// With it comes the time when it is due.
    pub(crate) fn neediest(
        &self,
        family: Family,
        now: Duration,
        config: &Config,
    ) -> Option<(ContactState, Duration)> {
        match family {
            Family::V4 => {
                let contact = self.v4.neediest(now, config)?;
                Some((contact.into(), contact.standing.due(now, config)))
            }
            Family::V6 => {
                let contact = self.v6().neediest(now, config)?;
                Some((contact.into(), contact.standing.due(now, config)))
            }
        }
    }

    /// All contacts of one family.
    pub(crate) fn states(&self, family: Family) -> impl Iterator<Item = ContactState> + '_ {
        let (v4, v6) = self.of(family);
        let v4 = v4.into_iter().flat_map(RoutingTable::contacts);
        let v6 = v6.into_iter().flat_map(RoutingTable::contacts);
        v4.map(ContactState::from).chain(v6.map(ContactState::from))
    }

    /// The contacts that were not heard of since then, those nearest to us first.
    pub(crate) fn unheard(
        &self,
        family: Family,
        since: Duration,
        now: Duration,
    ) -> impl Iterator<Item = NodeInfo> + '_ {
        let (v4, v6) = self.of(family);
        let v4 = v4
            .into_iter()
            .flat_map(move |table| table.unheard(since, now));
        let v6 = v6
            .into_iter()
            .flat_map(move |table| table.unheard(since, now));
        v4.map(|node| node.widen())
            .chain(v6.map(|node| node.widen()))
    }

    /// The table of one family, in its place: so both come to one iterator.
    fn of(
        &self,
        family: Family,
    ) -> (
        Option<&RoutingTable<SocketAddrV4>>,
        Option<&RoutingTable<SocketAddrV6>>,
    ) {
        match family {
            Family::V4 => (Some(&self.v4), None),
            Family::V6 => (None, self.v6.as_deref()),
        }
    }

    pub(crate) fn view(&self, family: Family, now: Duration, config: &Config) -> Vec<BucketView> {
        match family {
            Family::V4 => self.v4.view(now, config),
            Family::V6 => self.v6().view(now, config),
        }
    }
}

fn may_be_told<A: Endpoint>(asker: &NodeInfo, node: &NodeInfo<A>) -> bool {
    node.id != asker.id && may_name(&asker.address, &node.address.into())
}
