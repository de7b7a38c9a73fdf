//! Who may move how many bytes when: in turn, a portion at a time.
//!
//! Like the cores it reads no clock and waits for nothing: time comes in, and the time of the next grant goes out.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU64;
use std::time::Duration;

use super::bucket::{BURST, Bucket};

/// A portion is what comes in within this time, between these bounds: small enough that what is limited to little flows smoothly, large enough that
/// what is limited to much is not handed out in crumbs.
const PORTION: Duration = Duration::from_millis(10);
const LARGEST_PORTION: u64 = 256 << 10;

/// The name of one torrent's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneId(u64);

/// Shares one rate among lanes, each of which may have a rate of its own: the lanes that wait take turns, and within a lane those who wait. So nobody
/// gets more than somebody else who wants as much and is not limited to less.
#[derive(Debug)]
pub(super) struct Shaper<P> {
    all: Bucket,
    smallest_portion: u64,
    lanes: BTreeMap<LaneId, Lane<P>>,
    /// The lanes in which somebody waits, the next one first.
    turns: VecDeque<LaneId>,
    opened: u64,
}

#[derive(Debug)]
struct Lane<P> {
    bucket: Bucket,
    waiting: VecDeque<Want<P>>,
}

#[derive(Debug)]
struct Want<P> {
    who: P,
    bytes: u64,
}

impl<P: Clone + PartialEq> Shaper<P> {
    /// Without limits. No portion is smaller than `smallest_portion`, unless less is wanted.
    pub(super) fn new(smallest_portion: u64) -> Self {
        Shaper {
            all: Bucket::default(),
            smallest_portion,
            lanes: BTreeMap::new(),
            turns: VecDeque::new(),
            opened: 0,
        }
    }

    pub(super) fn open(&mut self) -> LaneId {
        let id = LaneId(self.opened);
        self.opened += 1;
        let lane = Lane {
            bucket: Bucket::default(),
            waiting: VecDeque::new(),
        };
        self.lanes.insert(id, lane);
        id
    }

    pub(super) fn close(&mut self, id: LaneId) {
        self.lanes.remove(&id);
        self.turns.retain(|&other| other != id);
    }

    /// Bytes a second for all lanes together; `None` without limit.
    pub(super) fn set_rate(&mut self, now: Duration, rate: Option<NonZeroU64>) {
        self.all.set_rate(now, rate);
    }

    /// Bytes a second for one lane.
    pub(super) fn set_lane_rate(&mut self, now: Duration, id: LaneId, rate: Option<NonZeroU64>) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.bucket.set_rate(now, rate);
        }
    }

    /// Bytes a second that one lane may have; `None` without limit.
    pub(super) fn rate(&self, id: LaneId) -> Option<NonZeroU64> {
        match self.lanes.get(&id) {
            Some(lane) => lowest([&self.all, &lane.bucket]),
            None => self.all.rate(),
        }
    }

    /// Somebody wants so many bytes; [`Shaper::grant`] gives them, at once or by and by. Who waits already keeps his place, and whoever wants more than
    /// comes in within [`BURST`] has to ask again: by then he may want less.
    pub(super) fn want(&mut self, id: LaneId, who: P, bytes: u64) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let rate = lowest([&self.all, &lane.bucket]);
        let bytes = bytes.min(worth(BURST, rate).max(self.smallest_portion));
        if let Some(want) = lane.waiting.iter_mut().find(|want| want.who == who) {
            want.bytes = want.bytes.max(bytes);
            return;
        }
        if lane.waiting.is_empty() {
            self.turns.push_back(id);
        }
        lane.waiting.push_back(Want { who, bytes });
    }

    /// Somebody leaves; what he was granted and has not used is for others.
    pub(super) fn leave(&mut self, id: LaneId, who: &P, unused: u64) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        lane.waiting.retain(|want| want.who != *who);
        if lane.waiting.is_empty() {
            self.turns.retain(|&other| other != id);
        }
        lane.bucket.give_back(unused);
        self.all.give_back(unused);
    }

    /// Grants what may be granted at `now`. Returns when there will be more for those who still wait.
    pub(super) fn grant(&mut self, now: Duration, mut to: impl FnMut(&P, u64)) -> Option<Duration> {
        // Lanes in a row that have to wait for their own rate.
        let mut passed = 0;
        let mut soonest: Option<Duration> = None;
        while passed < self.turns.len() {
            if self.all.ready() > now {
                return Some(self.all.ready());
            }
            let id = self.turns.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&id) else {
                continue;
            };
            let ready = lane.bucket.ready();
            if ready > now {
                soonest = Some(soonest.map_or(ready, |soonest| soonest.min(ready)));
                passed += 1;
                self.turns.push_back(id);
                continue;
            }
            (passed, soonest) = (0, None);
            let rate = lowest([&self.all, &lane.bucket]);
            let portion = worth(PORTION, rate).min(LARGEST_PORTION);
            let portion = portion.max(self.smallest_portion);
            if let Some(Want { who, bytes }) = lane.waiting.pop_front() {
                let granted = if rate.is_some() {
                    bytes.min(portion)
                } else {
                    bytes
                };
                lane.bucket.take(now, granted);
                self.all.take(now, granted);
                to(&who, granted);
                let bytes = bytes - granted;
                if bytes > 0 {
                    lane.waiting.push_back(Want { who, bytes });
                }
            }
            if !lane.waiting.is_empty() {
                self.turns.push_back(id);
            }
        }
        soonest
    }
}

/// The rate that holds where both do.
fn lowest(buckets: [&Bucket; 2]) -> Option<NonZeroU64> {
    buckets.into_iter().filter_map(Bucket::rate).min()
}

/// What comes in within a time.
fn worth(time: Duration, rate: Option<NonZeroU64>) -> u64 {
    rate.map_or(u64::MAX, |rate| {
        let bytes = u128::from(rate.get()) * time.as_millis() / 1000;
        bytes.try_into().unwrap_or(u64::MAX)
    })
}
