//! Where the threads of a world wait for one another, a few hundred times a simulated second.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Looks at the counter before the processor is given to somebody else: a slot takes microseconds to milliseconds.
const PATIENCE: u32 = 2_000;

/// A barrier that spins. `std::sync::Barrier` sleeps, which takes longer than a slot of a small world.
pub(super) struct Barrier {
    members: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
}

impl Barrier {
    pub(super) fn new(members: usize) -> Self {
        Self {
            members,
            arrived: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
        }
    }

    /// Returns when all members have called it. What they wrote before is seen by all after.
    pub(super) fn wait(&self) {
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.members {
            self.arrived.store(0, Ordering::Release);
            self.round.store(round.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut looks = 0;
        while self.round.load(Ordering::Acquire) == round {
            looks += 1;
            if looks < PATIENCE {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}
