//! What is to happen, by time: a wheel of slots, a coarser one for what is farther off, and a list for the rest.

use std::collections::BTreeMap;

use crate::Micros;

/// Slots of the fine wheel: one turn of it is one step of the coarse one.
const SLOTS: u64 = 512;
/// Steps of the coarse wheel.
const STEPS: u64 = 1024;
/// Items of a chunk.
const CHUNK: usize = 128;

/// Something that happens at a time.
pub(crate) trait Timed {
    fn at(&self) -> Micros;
}

/// A two-level timing wheel. What is put in comes out slot by slot, in no order within a slot.
///
/// Putting in and taking out take constant time, however much there is.
pub(crate) struct TimingWheel<T> {
    /// How long a slot is.
    slot: Micros,
    /// The slot that is taken out next.
    current: u64,
    fine: Vec<Vec<T>>,
    coarse: Vec<Step<T>>,
    /// By the turn of the coarse wheel's step.
    far: BTreeMap<u64, Step<T>>,
    /// Emptied vectors of the fine wheel, to be filled again: a slot needs one only while something waits in it.
    spare: Vec<Vec<T>>,
    /// Emptied chunks of the coarse one.
    spare_chunks: Vec<Vec<T>>,
}

/// What a step of the coarse wheel holds: chunks, all but the last one full.
///
/// A step holds thousands of times as much when it is about to come as when it is far off. Were it one vector, the memory that it
/// grew to would go round with the wheel, mostly empty; a chunk serves any step.
struct Step<T>(Vec<Vec<T>>);

impl<T> Step<T> {
    fn push(&mut self, item: T, spare: &mut Vec<Vec<T>>) {
        match self.0.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(item),
            _ => {
                let mut chunk = spare.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK));
                chunk.push(item);
                self.0.push(chunk);
            }
        }
    }
}

impl<T> Default for Step<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Timed> TimingWheel<T> {
    /// An empty wheel at time 0. `slot` is not 0.
    pub(crate) fn new(slot: Micros) -> Self {
        Self {
            slot,
            current: 0,
            fine: (0..SLOTS).map(|_| Vec::new()).collect(),
            coarse: (0..STEPS).map(|_| Step::default()).collect(),
            far: BTreeMap::new(),
            spare: Vec::new(),
            spare_chunks: Vec::new(),
        }
    }

    /// When the slot that is taken out next begins.
    pub(crate) fn begins(&self) -> Micros {
        self.current * self.slot
    }

    /// Puts something in. What is late happens in the next slot that is taken out.
    pub(crate) fn insert(&mut self, item: T) {
        let slot = (item.at() / self.slot).max(self.current);
        let (step, current) = (slot / SLOTS, self.current / SLOTS);
        if step == current {
            let place = &mut self.fine[(slot % SLOTS) as usize];
            if place.capacity() == 0 {
                *place = self.spare.pop().unwrap_or_default();
            }
            place.push(item);
        } else {
            let place = if step - current < STEPS {
                &mut self.coarse[(step % STEPS) as usize]
            } else {
                self.far.entry(step).or_default()
            };
            place.push(item, &mut self.spare_chunks);
        }
    }

    /// Takes out the next slot. Give the vector back with [`recycle`](Self::recycle).
    pub(crate) fn take(&mut self) -> Vec<T> {
        let items = std::mem::take(&mut self.fine[(self.current % SLOTS) as usize]);
        self.current += 1;
        if self.current.is_multiple_of(SLOTS) {
            self.turn();
        }
        items
    }

    pub(crate) fn recycle(&mut self, mut emptied: Vec<T>) {
        emptied.clear();
        if emptied.capacity() > 0 {
            self.spare.push(emptied);
        }
    }

    /// Distributes the next step of the coarse wheel over the fine one.
    fn turn(&mut self) {
        let step = self.current / SLOTS;
        let items = std::mem::take(&mut self.coarse[(step % STEPS) as usize]);
        self.empty(items);
        // This place of the coarse wheel now stands for a step one turn later.
        if let Some(items) = self.far.remove(&(step + STEPS - 1)) {
            self.empty(items);
        }
    }

    /// Puts in anew what a step held.
    fn empty(&mut self, items: Step<T>) {
        for mut chunk in items.0 {
            for item in chunk.drain(..) {
                self.insert(item);
            }
            self.spare_chunks.push(chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Timed for Micros {
        fn at(&self) -> Micros {
            *self
        }
    }

    proptest! {
        #[test]
        fn everything_comes_out_in_its_slot(
            slot in 1u64..50,
            times in prop::collection::vec(0u64..3_000_000, 1..200),
            moves in prop::collection::vec(0u64..2_000_000, 0..50),
        ) {
            let mut wheel = TimingWheel::new(slot);
            let mut waiting = times.len();
            for &at in &times {
                wheel.insert(at);
            }
            let mut moves = moves.into_iter();
            while waiting > 0 {
                let begins = wheel.begins();
                let items = wheel.take();
                for at in &items {
                    prop_assert!((begins..begins + slot).contains(at), "{at} came out at {begins}");
                    waiting -= 1;
                    // Something that happens leads to something that happens later.
                    if let Some(after) = moves.next() {
                        wheel.insert(at + slot + after);
                        waiting += 1;
                    }
                }
                wheel.recycle(items);
            }
        }
    }

    #[test]
    fn what_is_late_happens_next() {
        let mut wheel = TimingWheel::new(10);
        wheel.recycle(Vec::new());
        for _ in 0..5 {
            assert!(wheel.take().is_empty());
        }
        wheel.insert(7);
        assert_eq!(wheel.take(), [7]);
    }
}
