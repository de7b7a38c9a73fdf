use rand::{Rng, RngExt};

use crate::SwarmPlan;

/// How a peer behaves, apart from what its engine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Honest,
    /// The payload that it sends is wrong.
    Liar,
    /// It promises as others do and serves nobody: the blocks that it should send never leave.
    Freeloader,
}

/// What a peer brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// It has everything; otherwise it has nothing and knows only the info-hash.
    pub is_seed: bool,
    /// How it behaves.
    pub manner: Manner,
    /// Bytes a second that it can send, to all together; 0: without a limit.
    pub up: u64,
    /// Bytes a second that it can receive, from all together; 0: without a limit.
    pub down: u64,
    /// Others can dial it: it is behind no NAT.
    pub accepts: bool,
    /// It goes as soon as it has fetched everything.
    pub leaves: bool,
}

impl Role {
    /// A seed that anybody can dial.
    pub const fn seed(up: u64) -> Self {
        Self {
            is_seed: true,
            manner: Manner::Honest,
            up,
            down: 0,
            accepts: true,
            leaves: false,
        }
    }

    /// An honest leecher that anybody can dial and that stays.
    pub const fn leecher(up: u64, down: u64) -> Self {
        Self {
            is_seed: false,
            down,
            ..Self::seed(up)
        }
    }

    /// One leecher of a plan, its vices drawn by their shares.
    pub fn drawn(plan: &SwarmPlan, rng: &mut impl Rng) -> Self {
        let is_liar = rng.random_bool(plan.liars);
        let is_freeloader = rng.random_bool(plan.freeloaders);
        Self {
            manner: match (is_liar, is_freeloader) {
                (true, _) => Manner::Liar,
                (false, true) => Manner::Freeloader,
                (false, false) => Manner::Honest,
            },
            leaves: rng.random_bool(plan.leave),
            ..Self::leecher(plan.up, plan.down)
        }
    }
}
