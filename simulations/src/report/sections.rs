//! The parts of a report, a room each.

pub(super) mod attacks;
pub(super) mod course;
pub(super) mod load;
pub(super) mod lookups;
pub(super) mod swarm;
pub(super) mod tables;
pub(super) mod traffic;
