use std::net::SocketAddr;
use std::time::Duration;

use super::Contact;
use crate::address::{Endpoint, same_host};
use crate::config::Config;
use crate::id::Id;
use crate::message::NodeInfo;

/// Verified nodes for which their bucket had no room, the one that answered last at the end.
pub(super) struct Spares<A>(Vec<Spare<A>>);

#[derive(Clone, Copy)]
pub(super) struct Spare<A> {
    pub(super) contact: Contact<A>,
    pub(super) round_trip: RoundTrip,
}

/// The round trip of a node, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoundTrip(u16);

impl RoundTrip {
    pub(super) const UNKNOWN: Self = Self(u16::MAX);

    pub(super) fn of(round_trip: Duration) -> Self {
        Self(u16::try_from(round_trip.as_millis()).unwrap_or(u16::MAX))
    }

    /// Twice as fast, and by so much that nobody is preferred for the weather of a moment.
    fn is_clearly_faster(self, other: Self) -> bool {
        u32::from(self.0) * 2 <= other.0.into() && u32::from(self.0) + 50 <= other.0.into()
    }
}

impl<A: Endpoint> Spares<A> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Spare<A>> {
        self.0.iter()
    }

    /// Keeps a node; the one that answered longest ago makes room.
    pub(super) fn keep(&mut self, spare: Spare<A>, config: &Config) {
        if self.0.len() >= config.spares && !self.0.is_empty() {
            self.0.remove(0);
        }
        if self.0.len() < config.spares {
            self.0.reserve_exact(1);
            self.0.push(spare);
        }
    }

    pub(super) fn forget(&mut self, node: &NodeInfo<A>) {
        self.0.retain(|spare| spare.contact.node != *node);
    }

    pub(super) fn forget_host(&mut self, address: &SocketAddr) {
        self.0
            .retain(|spare| !same_host(&spare.contact.node.address.into(), address));
    }

    /// Takes the one that a bucket misses most: of those that may stand in it, one from where it has the fewest `neighbours`, so that its contacts
    /// spread; of several, the one that answered last, unless another one is clearly faster.
    pub(super) fn take(
        &mut self,
        fits: impl Fn(&Id) -> bool,
        neighbours: impl Fn(&Id) -> usize,
    ) -> Option<Spare<A>> {
        let mut best: Option<(usize, usize, RoundTrip)> = None;
        for (place, spare) in self.0.iter().enumerate() {
            let (id, round_trip) = (&spare.contact.node.id, spare.round_trip);
            if !fits(id) {
                continue;
            }
            let crowd = neighbours(id);
            let is_better = best.is_none_or(|(_, fewest, fastest)| {
                crowd < fewest || crowd == fewest && !fastest.is_clearly_faster(round_trip)
            });
            if is_better {
                best = Some((place, crowd, round_trip));
            }
        }
        best.map(|(place, ..)| self.0.remove(place))
    }
}
