//! One node with what a world keeps for it.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use dht::{Id, Limiter, Node, NodeInfo};

use crate::Micros;
use crate::attacker::Attacker;
use crate::invariant::Auditor;
use crate::network::{Generator, Nat};
use crate::watch::Onlooker;

/// No time at all.
const NEVER: Micros = Micros::MAX;

/// Somebody who is online or not. A world has a million of them, so what few have is in [`Extras`].
pub(super) struct Resident {
    /// `None` while it is offline.
    pub(super) node: Option<Box<Node>>,
    pub(super) rng: Generator,
    pub(super) alarm: Alarm,
    pub(super) line: Line,
    /// It knows that nobody reaches it. BEP 43.
    pub(super) is_read_only: bool,
    /// It stands still.
    pub(super) is_frozen: bool,
    pub(super) extras: Option<Box<Extras>>,
}

/// What it sends and receives by.
#[derive(Default)]
pub(super) struct Line {
    /// Packets sent so far, over all its lives.
    pub(super) sent: u32,
    pub(super) received: u32,
    /// When its way out is free again.
    pub(super) free_at: Micros,
}

/// What few residents have.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) nat: Option<Nat>,
    pub(super) limiter: Option<Box<Limiter>>,
    pub(super) enemy: Option<Enemy>,
    pub(super) auditor: Option<Box<Auditor>>,
    pub(super) onlooker: Option<Box<Onlooker>>,
    /// What it knew when it went.
    pub(super) memory: Option<Memory>,
}

/// What makes an enemy of a node, and its own chance.
pub(super) struct Enemy {
    pub(super) attacker: Box<Attacker>,
    pub(super) rng: Generator,
}

/// What a node keeps between two of its lives.
pub(super) struct Memory {
    pub(super) id: Id,
    pub(super) contacts: Box<[NodeInfo<SocketAddrV4>]>,
}

impl Memory {
    /// Contacts that are kept. Half of a million nodes that are offline remember some: this many are enough to come back by.
    const CONTACTS: usize = 64;

    pub(super) fn of(node: &Node) -> Self {
        let narrow = |contact: NodeInfo| match contact.address {
            SocketAddr::V4(address) => Some(NodeInfo {
                id: contact.id,
                address,
            }),
            SocketAddr::V6(_) => None,
        };
        Self {
            id: node.id(),
            contacts: node
                .contacts()
                .filter_map(narrow)
                .take(Self::CONTACTS)
                .collect(),
        }
    }
}

impl Resident {
    pub(super) fn new(rng: Generator) -> Self {
        Self {
            node: None,
            rng,
            alarm: Alarm::default(),
            line: Line::default(),
            is_read_only: false,
            is_frozen: false,
            extras: None,
        }
    }

    pub(super) fn extras_mut(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// The id that it insists on, if it has reasons.
    pub(super) fn chosen_id(&self) -> Option<Id> {
        self.extras.as_ref()?.enemy.as_ref()?.attacker.id()
    }

    /// Whether packets reach it.
    pub(super) fn is_awake(&self) -> bool {
        self.node.is_some() && !self.is_frozen
    }
}

/// The timer of a node that names another deadline after every input. Most deadlines move away before they come,
/// so an alarm is scheduled only if none rings early enough already.
pub(super) struct Alarm {
    deadline: Micros,
    /// When it rings next.
    scheduled: Micros,
    /// When it rings after that. A node waits for minutes, now and then interrupted by a query and its time-outs: without this the
    /// wheel would hold an alarm for each of the interruptions.
    later: Micros,
}

impl Default for Alarm {
    fn default() -> Self {
        Self {
            deadline: NEVER,
            scheduled: NEVER,
            later: NEVER,
        }
    }
}

impl Alarm {
    /// Changes the deadline. Returns when the alarm has to be scheduled for, if it has to be.
    pub(super) fn set(&mut self, deadline: Option<Duration>) -> Option<Micros> {
        // A deadline between two microseconds has come at the later one.
        self.deadline = deadline.map_or(NEVER, |deadline| {
            deadline.as_nanos().div_ceil(1000) as Micros
        });
        self.schedule()
    }

    /// The alarm rings. Whether the deadline has come; otherwise when to ring again, if that is not arranged for.
    pub(super) fn ring(&mut self, now: Micros) -> Result<(), Option<Micros>> {
        if self.scheduled <= now {
            self.scheduled = std::mem::replace(&mut self.later, NEVER);
        }
        if self.deadline <= now {
            Ok(())
        } else {
            Err(self.schedule())
        }
    }

    fn schedule(&mut self) -> Option<Micros> {
        (self.deadline < self.scheduled).then(|| {
            self.later = std::mem::replace(&mut self.scheduled, self.deadline);
            self.deadline
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_rings_by_its_last_deadline_however_often_that_moved() {
        let at = |micros| Some(Duration::from_micros(micros));
        let mut alarm = Alarm::default();
        assert_eq!(alarm.set(at(5)), Some(5));
        assert_eq!(alarm.set(at(3)), Some(3));
        assert_eq!(alarm.set(at(4)), None);
        assert_eq!(alarm.ring(3), Err(Some(4)));
        assert_eq!(alarm.ring(4), Ok(()));
        // The first one of all is still about, and rings again if it was too early.
        assert_eq!(alarm.set(at(7)), None);
        assert_eq!(alarm.ring(5), Err(Some(7)));
        assert_eq!(alarm.ring(7), Ok(()));
        assert_eq!(alarm.set(Some(Duration::from_nanos(7001))), Some(8));
    }

    #[test]
    fn a_wait_that_is_interrupted_again_and_again_is_scheduled_once() {
        let at = |micros| Some(Duration::from_micros(micros));
        let mut alarm = Alarm::default();
        assert_eq!(alarm.set(at(1_000)), Some(1_000));
        for now in (0..900).step_by(10) {
            assert_eq!(alarm.set(at(now + 5)), Some(now + 5));
            assert_eq!(alarm.ring(now + 5), Ok(()));
            assert_eq!(alarm.set(at(1_000)), None);
        }
        assert_eq!(alarm.ring(1_000), Ok(()));
    }

    #[test]
    fn a_resident_is_small_beside_its_node() {
        assert!(size_of::<Resident>() <= 80, "{}", size_of::<Resident>());
    }
}
