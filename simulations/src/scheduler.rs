//! Virtual time: it stands still while something happens, and jumps to the next thing to happen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

/// A slot of the calendar is 2^19 ns, about half a millisecond.
const SLOT_BITS: u32 = 19;
/// Slots ahead that have a place of their own: about two seconds.
const SLOTS: u64 = 4096;

/// What is to happen, by time; at one time, in the order in which it was scheduled.
///
/// A calendar queue: only what happens in the slot at hand is kept in order, so that it makes no difference how much happens later.
/// It ends after 2^64 ns, 584 years.
pub(crate) struct Scheduler<T> {
    now: Duration,
    scheduled: u64,
    /// The slot at hand: the first in which anything happens.
    slot: u64,
    /// What happens in it or before it; empty only if nothing happens any more.
    at_hand: BinaryHeap<Reverse<Entry<T>>>,
    /// The [`SLOTS`] slots after it, in a ring.
    ring: Vec<Vec<Entry<T>>>,
    /// A bit for each place of the ring: whether there is anything.
    occupied: Vec<u64>,
    /// All later slots.
    distant: BTreeMap<u64, Vec<Entry<T>>>,
    /// Vectors without content, kept for their memory.
    spares: Vec<Vec<Entry<T>>>,
}

struct Entry<T> {
    at: u64,
    order: u64,
    what: T,
}

impl<T> Entry<T> {
    fn key(&self) -> (u64, u64) {
        (self.at, self.order)
    }

    fn slot(&self) -> u64 {
        self.at >> SLOT_BITS
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> Default for Scheduler<T> {
    fn default() -> Self {
        Self {
            now: Duration::ZERO,
            scheduled: 0,
            slot: 0,
            at_hand: BinaryHeap::new(),
            ring: (0..SLOTS).map(|_| Vec::new()).collect(),
            occupied: vec![0; SLOTS as usize / 64],
            distant: BTreeMap::new(),
            spares: Vec::new(),
        }
    }
}

impl<T> Scheduler<T> {
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn schedule(&mut self, at: Duration, what: T) {
        self.scheduled += 1;
        let entry = Entry {
            at: at.max(self.now).as_nanos() as u64,
            order: self.scheduled,
            what,
        };
        if entry.slot() <= self.slot {
            self.at_hand.push(Reverse(entry));
        } else {
            self.put(entry);
            if self.at_hand.is_empty() {
                self.turn();
            }
        }
    }

    /// When something happens next.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        let Reverse(first) = self.at_hand.peek()?;
        Some(Duration::from_nanos(first.at))
    }

    /// Goes to what happens next. When nothing more does until `end`, goes to `end`.
    pub(crate) fn advance(&mut self, end: Duration) -> Option<T> {
        if self.next_at().is_none_or(|at| at > end) {
            self.now = self.now.max(end);
            return None;
        }
        let Reverse(first) = self.at_hand.pop()?;
        if self.at_hand.is_empty() {
            self.turn();
        }
        self.now = Duration::from_nanos(first.at);
        Some(first.what)
    }

    /// Puts down what happens after the slot at hand.
    fn put(&mut self, entry: Entry<T>) {
        let slot = entry.slot();
        if slot > self.slot + SLOTS {
            self.distant.entry(slot).or_default().push(entry);
            return;
        }
        let place = (slot % SLOTS) as usize;
        self.occupied[place / 64] |= 1 << (place % 64);
        let entries = &mut self.ring[place];
        if entries.capacity() == 0 {
            *entries = self.spares.pop().unwrap_or_default();
        }
        entries.push(entry);
    }

    /// Goes on to the next slot in which something happens, if there is one.
    fn turn(&mut self) {
        let Some(slot) = self.next_slot() else {
            return;
        };
        self.slot = slot;
        let place = (slot % SLOTS) as usize;
        self.occupied[place / 64] &= !(1 << (place % 64));
        let mut entries = std::mem::take(&mut self.ring[place]);
        self.at_hand.extend(entries.drain(..).map(Reverse));
        if entries.capacity() > 0 {
            self.spares.push(entries);
        }
        while let Some(first) = self.distant.first_entry()
            && *first.key() <= slot + SLOTS
        {
            for entry in first.remove() {
                if entry.slot() == slot {
                    self.at_hand.push(Reverse(entry));
                } else {
                    self.put(entry);
                }
            }
        }
    }

    /// The first slot after the one at hand in which something happens.
    fn next_slot(&self) -> Option<u64> {
        let words = self.occupied.len();
        let first = self.slot + 1;
        let place = (first % SLOTS) as usize;
        let near = (0..=words).find_map(|step| {
            let word = (place / 64 + step) % words;
            let before = if step == 0 { place % 64 } else { 0 };
            let bits = self.occupied[word] >> before << before;
            (bits != 0).then(|| {
                let found = (word * 64) as u64 + u64::from(bits.trailing_zeros());
                first + (found + SLOTS - first % SLOTS) % SLOTS
            })
        });
        near.or_else(|| self.distant.keys().next().copied())
    }
}

/// The timer of a state machine that names another deadline after every input. Most deadlines move away before they come,
/// so an alarm is scheduled only if none rings early enough already.
#[derive(Default)]
pub(crate) struct Alarm {
    deadline: Option<Duration>,
    scheduled: Option<Duration>,
}

impl Alarm {
    /// Changes the deadline. Returns when the alarm has to be scheduled for, if it has to be.
    pub(crate) fn set(&mut self, deadline: Option<Duration>) -> Option<Duration> {
        self.deadline = deadline;
        let is_late = |at: &Duration| self.scheduled.is_none_or(|scheduled| *at < scheduled);
        let at = deadline.filter(is_late)?;
        self.scheduled = Some(at);
        Some(at)
    }

    /// The alarm rings. Whether the deadline has come; otherwise when to ring again, if that is not arranged for.
    pub(crate) fn ring(&mut self, now: Duration) -> Result<(), Option<Duration>> {
        self.scheduled = self.scheduled.filter(|&at| at > now);
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            Ok(())
        } else {
            Err(self.set(self.deadline))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::btree_map::OccupiedEntry;

    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoroshiro64StarStar;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_due_at_once_happens_in_the_order_of_scheduling() {
        let mut scheduler = Scheduler::default();
        scheduler.schedule(at(2), "second");
        scheduler.schedule(at(1), "first");
        scheduler.schedule(at(2), "third");
        let mut seen = Vec::new();
        while let Some(happening) = scheduler.advance(at(9)) {
            seen.push((scheduler.now(), happening));
        }
        assert_eq!(
            seen,
            [(at(1), "first"), (at(2), "second"), (at(2), "third")]
        );
        assert_eq!(scheduler.now(), at(9));
    }

    #[test]
    fn the_calendar_does_what_a_sorted_list_would() {
        let mut rng = Xoroshiro64StarStar::seed_from_u64(1);
        let mut scheduler = Scheduler::default();
        let mut list = BTreeMap::new();
        for number in 0..20_000_u64 {
            // From nanoseconds to a minute ahead, and many at one time.
            let bits = rng.random_range(1..36);
            let ahead = rng.random_range(0..1_u64 << bits);
            let at = scheduler.now() + Duration::from_nanos(ahead >> 4 << 4);
            scheduler.schedule(at, number);
            list.insert((at, number), number);
            while rng.random_bool(0.5) {
                assert_eq!(
                    scheduler.next_at(),
                    list.first_key_value().map(|(&(at, _), _)| at)
                );
                let end = scheduler.now() + Duration::from_millis(rng.random_range(0..3000));
                let expected = list.first_entry().filter(|first| first.key().0 <= end);
                let happened = scheduler.advance(end);
                assert_eq!(happened, expected.map(OccupiedEntry::remove));
                if happened.is_none() {
                    assert_eq!(scheduler.now(), end);
                }
            }
        }
        assert!(list.len() < 1000, "most of it has happened");
        let rest = std::iter::from_fn(|| scheduler.advance(Duration::from_secs(1_000_000)));
        assert_eq!(rest.count(), list.len());
    }

    #[test]
    fn an_alarm_rings_by_its_last_deadline_however_often_that_moved() {
        let mut alarm = Alarm::default();
        assert_eq!(alarm.set(Some(at(5))), Some(at(5)));
        assert_eq!(alarm.set(Some(at(3))), Some(at(3)));
        assert_eq!(alarm.set(Some(at(4))), None);
        assert_eq!(alarm.ring(at(3)), Err(Some(at(4))));
        assert_eq!(alarm.ring(at(4)), Ok(()));
        assert_eq!(alarm.set(Some(at(7))), Some(at(7)));
        // The first one of all is still about, and disturbs nobody.
        assert_eq!(alarm.ring(at(5)), Err(None));
        assert_eq!(alarm.ring(at(7)), Ok(()));
    }
}
