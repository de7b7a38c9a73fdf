use super::State;

/// So many dead nodes may anybody have named: a third of those whom honest nodes know do not answer.
const EXCUSED: usize = 4;

/// What came of those whom one node named.
pub(super) struct Credit {
    living: usize,
    dead: usize,
}

impl Credit {
    /// Of the states of those whom it named.
    pub(super) fn of(named: impl Iterator<Item = State>) -> Self {
        let mut credit = Self { living: 0, dead: 0 };
        for state in named {
            match state {
                State::Answered => credit.living += 1,
                State::Late | State::Failed => credit.dead += 1,
                State::Fresh | State::Asked | State::Stalled => {}
            }
        }
        credit
    }

    /// Whether nearly all of them are dead.
    pub(super) fn is_lost(&self) -> bool {
        self.dead > EXCUSED && self.dead > 2 * self.living
    }
}
