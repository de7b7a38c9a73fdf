//! How fast payload may go, in all and for each torrent: one throttle a direction.
//!
//! Nobody who is without limit takes a lock or sets a timer here.

mod bucket;
mod shaper;

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use shaper::{LaneId, Shaper};

/// Payload that is worth a call to the system and a packet or two.
const SMALLEST_SENT: u64 = 4 << 10;

/// How fast payload may go: the blocks of pieces, with the 13 bytes before each in what is sent. Other messages are few, and never wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes a second that are sent; `None` without limit.
    pub up: Option<NonZeroU64>,
    /// Bytes a second that are fetched; `None` without limit.
    pub down: Option<NonZeroU64>,
}

/// Both directions of a node. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Throttles {
    up: Throttle,
    down: Throttle,
}

impl Throttles {
    /// Sent is what there is, requested are blocks.
    pub(crate) fn start(limits: Limits) -> Self {
        Throttles {
            up: Throttle::start(SMALLEST_SENT, limits.up),
            down: Throttle::start(u64::from(wire::BLOCK_LENGTH), limits.down),
        }
    }

    pub(crate) fn set(&self, limits: Limits) {
        self.up.set_rate(limits.up);
        self.down.set_rate(limits.down);
    }

    /// A torrent's part of them.
    pub(crate) fn lanes(&self) -> Lanes {
        Lanes {
            up: self.up.lane(),
            down: self.down.lane(),
        }
    }
}

/// One torrent's part of both directions. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Lanes {
    pub(crate) up: Lane,
    pub(crate) down: Lane,
}

impl Lanes {
    pub(crate) fn set(&self, limits: Limits) {
        self.up.set_rate(limits.up);
        self.down.set_rate(limits.down);
    }
}

/// One direction of a node. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Throttle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    epoch: Instant,
    state: Mutex<State>,
    /// The timer has something to look at: an earlier time, or its end.
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    shaper: Shaper<Claim>,
    /// Whom to tell that they are limited, or not any more.
    lanes: Vec<(LaneId, watch::Sender<bool>)>,
    /// What the timer is set to.
    alarm: Option<Duration>,
}

/// What somebody was granted and has not used.
#[derive(Debug, Clone, Default)]
struct Claim(Arc<Granted>);

#[derive(Debug, Default)]
struct Granted {
    bytes: AtomicU64,
    arrived: Notify,
}

impl PartialEq for Claim {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Throttle {
    /// Without limit; no portion that is handed out is smaller than `smallest_portion`. Runs a timer in the current tokio runtime.
    fn start(smallest_portion: u64, rate: Option<NonZeroU64>) -> Self {
        let state = State {
            shaper: Shaper::new(smallest_portion),
            lanes: Vec::new(),
            alarm: None,
        };
        let throttle = Throttle(Arc::new(Shared {
            epoch: Instant::now(),
            state: Mutex::new(state),
            changed: Arc::default(),
        }));
        throttle.set_rate(rate);
        let changed = Arc::clone(&throttle.0.changed);
        tokio::spawn(keep_time(Arc::downgrade(&throttle.0), changed));
        throttle
    }

    /// Bytes a second for all torrents together; `None` without limit.
    fn set_rate(&self, rate: Option<NonZeroU64>) {
        self.change(|shaper, now| shaper.set_rate(now, rate));
    }

    /// A torrent's part of it.
    fn lane(&self) -> Lane {
        let mut state = self.0.state();
        let id = state.shaper.open();
        let (tell, limited) = watch::channel(state.shaper.rate(id).is_some());
        state.lanes.push((id, tell));
        Lane(Arc::new(Part {
            throttle: self.clone(),
            id,
            limited,
        }))
    }

    fn change(&self, change: impl FnOnce(&mut Shaper<Claim>, Duration)) {
        let mut state = self.0.state();
        let State { shaper, lanes, .. } = &mut *state;
        change(shaper, self.0.epoch.elapsed());
        for (id, tell) in lanes {
            let limited = shaper.rate(*id).is_some();
            tell.send_if_modified(|was| std::mem::replace(was, limited) != limited);
        }
        self.0.grant(state);
    }
}

impl Shared {
    /// Hands out what may be handed out now, and has the timer look when there will be more.
    fn grant(&self, mut state: MutexGuard<'_, State>) {
        let next = state.grant(self.epoch.elapsed());
        let is_sooner = next.is_some_and(|next| state.alarm.is_none_or(|alarm| next < alarm));
        if is_sooner {
            state.alarm = next;
            self.changed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn grant(&mut self, now: Duration) -> Option<Duration> {
        self.shaper.grant(now, |claim, bytes| {
            claim.0.bytes.fetch_add(bytes, Ordering::Relaxed);
            claim.0.arrived.notify_one();
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

/// The timer: it sleeps while nobody waits, and ends with the throttle.
async fn keep_time(throttle: Weak<Shared>, changed: Arc<Notify>) {
    loop {
        let alarm = {
            let Some(shared) = throttle.upgrade() else {
                return;
            };
            let mut state = shared.state();
            state.alarm = state.grant(shared.epoch.elapsed());
            state.alarm.map(|alarm| shared.epoch + alarm)
        };
        tokio::select! {
            () = changed.notified() => {}
            () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {}
        }
    }
}

/// One torrent's part of a throttle, which may have a limit of its own. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Lane(Arc<Part>);

#[derive(Debug)]
struct Part {
    throttle: Throttle,
    id: LaneId,
    limited: watch::Receiver<bool>,
}

impl Lane {
    /// Bytes a second for this torrent; `None` for no limit but the one of all.
    fn set_rate(&self, rate: Option<NonZeroU64>) {
        let id = self.0.id;
        let throttle = &self.0.throttle;
        throttle.change(|shaper, now| shaper.set_lane_rate(now, id, rate));
    }

    /// Whether anybody has to ask.
    fn is_limited(&self) -> bool {
        *self.0.limited.borrow()
    }

    /// Bytes a second that it may have, if nobody else wants any.
    pub(crate) fn rate(&self) -> Option<NonZeroU64> {
        let Part { throttle, id, .. } = &*self.0;
        throttle.0.state().shaper.rate(*id)
    }

    /// Whether anybody has to ask, to be told when it changes.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.0.limited.clone()
    }

    /// What one connection, or whoever else moves bytes, may move.
    pub(crate) fn purse(&self) -> Purse {
        Purse {
            lane: self.clone(),
            claim: Claim::default(),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut state = self.throttle.0.state();
        state.shaper.close(self.id);
        state.lanes.retain(|(id, _)| *id != self.id);
    }
}

/// What somebody may move. What is left in it goes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Purse {
    lane: Lane,
    claim: Claim,
}

impl Purse {
    /// How many of so many bytes may be moved now: all of them where nothing is limited. If none may, they are asked for with those `behind` them, and
    /// [`Purse::filled`] tells when to look again. Whoever asked for little at a time would get less than those who are many.
    pub(crate) fn afford(&self, bytes: u64, behind: impl FnOnce() -> u64) -> u64 {
        if !self.lane.is_limited() {
            return bytes;
        }
        if self.left() == 0 {
            self.ask(bytes + behind());
        }
        self.left().min(bytes)
    }

    /// There is nothing to move: what is left is for others.
    pub(crate) fn give_back(&self) {
        if self.left() > 0 {
            self.leave();
        }
    }

    /// Whether anything has to be asked for.
    pub(crate) fn is_limited(&self) -> bool {
        self.lane.is_limited()
    }

    /// Asks for so many bytes, whatever there is.
    pub(crate) fn ask(&self, bytes: u64) {
        let Part { throttle, id, .. } = &*self.lane.0;
        let mut state = throttle.0.state();
        state.shaper.want(*id, self.claim.clone(), bytes);
        throttle.0.grant(state);
    }

    /// So many bytes were moved.
    pub(crate) fn spend(&self, bytes: u64) {
        let spent = |left: u64| Some(left.saturating_sub(bytes));
        let _ = self
            .claim
            .0
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent);
    }

    /// Takes out what is there.
    pub(crate) fn take(&self) -> u64 {
        self.claim.0.bytes.swap(0, Ordering::Relaxed)
    }

    /// Waits until something was put in since the last wait.
    pub(crate) async fn filled(&self) {
        self.claim.0.arrived.notified().await;
    }

    /// Wants nothing, and leaves nothing unused.
    fn leave(&self) {
        let unused = self.take();
        let Part { throttle, id, .. } = &*self.lane.0;
        let mut state = throttle.0.state();
        state.shaper.leave(*id, &self.claim, unused);
        throttle.0.grant(state);
    }

    fn left(&self) -> u64 {
        self.claim.0.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Purse {
    fn drop(&mut self) {
        self.leave();
    }
}
