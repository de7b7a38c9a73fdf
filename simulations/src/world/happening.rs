//! What can happen to a node, in the order in which it does.

use std::net::{SocketAddr, SocketAddrV4};

use dht::{LookupId, Message};

use super::Goal;
use crate::Micros;
use crate::timing_wheel::Timed;

/// Something that happens to one resident. 24 bytes: there is one for every timer of the world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happening {
    pub(super) at: Micros,
    /// What comes first of two that are due at once. It follows from what it is, not from who put it in, so that threads do not matter.
    rank: u64,
    /// Its place among the residents of the shard.
    pub(super) resident: u32,
    pub(super) kind: Kind,
}

/// A place in a slab, and in which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind(u32);

/// What it is, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Its deadline may have come.
    Alarm,
    /// The command at this place.
    Command(u32),
    /// The parcel at this place.
    Parcel(u32),
}

impl Kind {
    const COMMAND: u32 = 1 << 30;
    const PARCEL: u32 = 2 << 30;
    const PLACE: u32 = Self::COMMAND - 1;

    pub(super) fn what(self) -> What {
        match self.0 & !Self::PLACE {
            Self::COMMAND => What::Command(self.0 & Self::PLACE),
            Self::PARCEL => What::Parcel(self.0 & Self::PLACE),
            _ => What::Alarm,
        }
    }
}

impl Happening {
    pub(super) const fn alarm(at: Micros, resident: u32) -> Self {
        Self {
            at,
            rank: 0,
            resident,
            kind: Kind(0),
        }
    }

    /// `number` is that of the command among all commands.
    pub(super) const fn command(at: Micros, resident: u32, number: u64, place: u32) -> Self {
        Self {
            at,
            rank: 1 + number,
            resident,
            kind: Kind(Kind::COMMAND | place),
        }
    }

    pub(super) const fn parcel(at: Micros, resident: u32, rank: ParcelRank, place: u32) -> Self {
        Self {
            at,
            rank: rank.0,
            resident,
            kind: Kind(Kind::PARCEL | place),
        }
    }

    /// Orders happenings by time.
    pub(super) const fn key(&self) -> (Micros, u64) {
        (self.at, self.rank)
    }
}

impl Timed for Happening {
    fn at(&self) -> Micros {
        self.at
    }
}

/// The rank of a parcel: by its sender, then in the order in which they were sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParcelRank(u64);

impl ParcelRank {
    pub(super) const fn new(from: u32, sequence: u32, is_copy: bool) -> Self {
        Self(1 << 63 | (from as u64) << 33 | (sequence as u64) << 1 | is_copy as u64)
    }
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    /// The number of the one who sent it.
    pub(super) sender: u32,
    /// Where it seems to come from.
    pub(super) from: SocketAddrV4,
    /// Where it goes.
    pub(super) to: SocketAddrV4,
    pub(super) message: Message,
}

/// What a world is told to let happen to a node.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// It comes online, if it is not.
    Join(Origin),
    /// It goes and tells nobody.
    Leave {
        /// It will know its contacts when it comes back.
        keeps_table: bool,
    },
    /// It stands still as it is: hears nothing, says nothing.
    Freeze,
    /// It goes on where it stood.
    Thaw,
    /// It looks something up, if it is online.
    Begin {
        /// The name of the lookup.
        lookup: LookupId,
        /// What for.
        goal: Goal,
    },
    /// A message comes in that nobody of this world sent.
    Receive(Box<(SocketAddr, Message)>),
    /// It asks the bootstrap nodes, and will again.
    Enter,
    /// An enemy may act.
    Act,
}

/// What a node knows when it comes.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The addresses of others; if there are none, the bootstrap nodes.
    New(Vec<SocketAddr>),
    /// What it knew when it went, and the bootstrap nodes.
    Returned,
}
