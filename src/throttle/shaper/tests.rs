use proptest::prelude::*;

use super::*;

const SMALLEST: u64 = 4 << 10;

fn rate(bytes: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(bytes)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Somebody who wants as much as he gets: his lane, and how much he asks for at once.
#[derive(Debug, Clone, Copy)]
struct Greedy {
    lane: LaneId,
    portion: u64,
}

/// Lanes and greedy ones in virtual time.
struct Course {
    shaper: Shaper<usize>,
    now: Duration,
    greedy: Vec<Greedy>,
    /// What each was granted in all.
    granted: Vec<u64>,
    /// When, and how much.
    log: Vec<(Duration, u64)>,
    /// Nobody asks again before the next time that somebody can get something.
    lazy: bool,
}

impl Course {
    fn new(all: Option<NonZeroU64>) -> Self {
        let mut shaper = Shaper::new(SMALLEST);
        shaper.set_rate(Duration::ZERO, all);
        Course {
            shaper,
            now: seconds(1000),
            greedy: Vec::new(),
            granted: Vec::new(),
            log: Vec::new(),
            lazy: false,
        }
    }

    fn lane(&mut self, own: Option<NonZeroU64>) -> LaneId {
        let lane = self.shaper.open();
        self.shaper.set_lane_rate(self.now, lane, own);
        lane
    }

    fn join(&mut self, lane: LaneId, portion: u64) -> usize {
        self.greedy.push(Greedy { lane, portion });
        self.granted.push(0);
        self.greedy.len() - 1
    }

    /// Everybody takes what he can get for so long; the timer is late by `late` each time.
    fn run_for(&mut self, time: Duration, late: Duration) {
        let end = self.now + time;
        let mut idle: Vec<_> = (0..self.greedy.len()).collect();
        while self.now < end {
            for who in idle.drain(..) {
                let Greedy { lane, portion } = self.greedy[who];
                self.shaper.want(lane, who, portion);
            }
            let next = self.shaper.grant(self.now, |&who, bytes| {
                self.granted[who] += bytes;
                self.log.push((self.now, bytes));
                idle.push(who);
            });
            let Some(next) = next.filter(|_| idle.is_empty() || self.lazy) else {
                assert!(
                    !idle.is_empty(),
                    "nobody waits, and nobody has got anything"
                );
                continue;
            };
            assert!(next > self.now, "the timer is set to the past");
            self.now = next + late;
        }
    }

    fn total(&self) -> u64 {
        self.granted.iter().sum()
    }
}

/// The most that went within any time of this length.
fn most_within(log: &[(Duration, u64)], time: Duration) -> u64 {
    let (mut sum, mut most, mut first) = (0, 0, 0);
    for &(at, bytes) in log {
        sum += bytes;
        while log[first].0 + time < at {
            sum -= log[first].1;
            first += 1;
        }
        most = most.max(sum);
    }
    most
}

#[test]
fn without_a_limit_everybody_gets_what_he_wants_at_once() {
    let mut course = Course::new(None);
    let lane = course.lane(None);
    assert_eq!(course.shaper.rate(lane), None);
    course.shaper.want(lane, 0, u64::MAX);
    let mut granted = 0;
    let next = course.shaper.grant(course.now, |_, bytes| granted += bytes);
    assert_eq!((granted, next), (u64::MAX, None));
}

#[test]
fn a_rate_is_kept_within_a_hundredth_over_ten_seconds() {
    for bytes in [1 << 10, 50_000, 2 << 20, 100 << 20, 10 << 30] {
        let mut course = Course::new(rate(bytes));
        let lane = course.lane(None);
        course.join(lane, 512 << 10);
        // Not counting what was saved up before.
        course.run_for(seconds(1), Duration::ZERO);
        let before = course.total();
        let time = seconds(10).max(Duration::from_secs_f64(2e6 / bytes as f64));
        course.run_for(time, Duration::ZERO);
        let got = (course.total() - before) as f64 / (time.as_secs_f64() * bytes as f64);
        assert!((0.99..=1.01).contains(&got), "{got} times {bytes} a second");
    }
}

#[test]
fn a_timer_that_is_late_costs_nothing() {
    let mut course = Course::new(rate(2 << 20));
    let lane = course.lane(None);
    course.join(lane, 512 << 10);
    course.run_for(seconds(10), Duration::from_millis(30));
    let got = course.total() as f64 / f64::from(20 << 20);
    assert!((0.98..=1.02).contains(&got), "{got} times the rate");
}

#[test]
fn little_flows_smoothly() {
    let mut course = Course::new(rate(200_000));
    let lane = course.lane(None);
    for _ in 0..10 {
        course.join(lane, 512 << 10);
    }
    course.run_for(seconds(2), Duration::ZERO);
    let start = course.now;
    course.run_for(seconds(5), Duration::ZERO);
    let later: Vec<_> = course
        .log
        .iter()
        .copied()
        .filter(|&(at, _)| at >= start)
        .collect();
    assert!(later.iter().all(|&(_, bytes)| bytes <= SMALLEST));
    let most = most_within(&later, Duration::from_millis(200));
    assert!(most <= 50_000, "{most} bytes in a fifth of a second");
}

#[test]
fn torrents_share_the_rate_however_many_connections_each_has() {
    let mut course = Course::new(rate(1 << 20));
    let (crowded, lonely) = (course.lane(None), course.lane(None));
    for _ in 0..20 {
        course.join(crowded, 512 << 10);
    }
    let alone = course.join(lonely, 16 << 10);
    course.run_for(seconds(20), Duration::ZERO);
    let share = course.granted[alone] as f64 / course.total() as f64;
    assert!((0.48..=0.52).contains(&share), "{share} instead of a half");
    let of_crowd = &course.granted[..20];
    let (least, most) = (
        of_crowd.iter().min().unwrap(),
        of_crowd.iter().max().unwrap(),
    );
    assert!(most - least <= 4 * SMALLEST, "{of_crowd:?}");
}

#[test]
fn they_share_it_on_a_busy_machine_too() {
    let mut course = Course::new(rate(1 << 20));
    let (crowded, lonely) = (course.lane(None), course.lane(None));
    for _ in 0..20 {
        course.join(crowded, 512 << 10);
    }
    let alone = course.join(lonely, 512 << 10);
    course.lazy = true;
    course.run_for(seconds(20), Duration::from_millis(60));
    let share = course.granted[alone] as f64 / course.total() as f64;
    assert!((0.45..=0.55).contains(&share), "{share} instead of a half");
}

#[test]
fn what_one_torrent_may_not_take_is_for_the_others() {
    let mut course = Course::new(rate(1_000_000));
    let (slow, quick, other) = (
        course.lane(rate(100_000)),
        course.lane(None),
        course.lane(None),
    );
    let members = [slow, quick, other].map(|lane| course.join(lane, 512 << 10));
    course.run_for(seconds(20), Duration::ZERO);
    let [slow, quick, other] = members.map(|member| course.granted[member] as f64 / 20.0);
    assert!((95_000.0..105_000.0).contains(&slow), "{slow}");
    assert!((430_000.0..470_000.0).contains(&quick), "{quick}");
    assert!((430_000.0..470_000.0).contains(&other), "{other}");
}

#[test]
fn a_new_rate_holds_at_once() {
    let mut course = Course::new(rate(1_000));
    let lane = course.lane(None);
    course.join(lane, 512 << 10);
    course.run_for(seconds(10), Duration::ZERO);
    course.shaper.set_rate(course.now, rate(1 << 20));
    let before = course.total();
    course.run_for(seconds(10), Duration::ZERO);
    let got = (course.total() - before) as f64 / f64::from(10 << 20);
    assert!((0.95..=1.05).contains(&got), "{got} times the new rate");

    course.shaper.want(lane, 7, 1 << 30);
    course.shaper.set_rate(course.now, None);
    let mut granted = 0;
    let next = course.shaper.grant(course.now, |_, bytes| granted += bytes);
    assert!(granted > 0 && next.is_none(), "somebody waits for no limit");
}

#[test]
fn whoever_leaves_takes_nothing_with_him() {
    let mut course = Course::new(rate(100_000));
    let lane = course.lane(None);
    let now = course.now;
    course.shaper.want(lane, 1, 8 << 10);
    let mut granted = 0;
    let next = course.shaper.grant(now, |_, bytes| granted += bytes);
    assert_eq!((granted, next), (8 << 10, None));
    course.shaper.want(lane, 2, 4 << 10);
    assert_eq!(course.shaper.grant(now, |who, _| assert_eq!(*who, 2)), None);
    course.shaper.want(lane, 3, 100 << 10);
    let waiting = course.shaper.grant(now, |_, _| {}).expect("it is too much");
    course.shaper.leave(lane, &3, 0);
    assert_eq!(
        course.shaper.grant(waiting, |_, _| panic!("nobody waits")),
        None
    );
}

proptest! {
    /// Whatever lanes, rates and wants there are: in no time does more go than comes in within it and was saved up, of any lane and of all, and
    /// nothing that could go is held back.
    #[test]
    fn no_rate_is_exceeded_and_none_wasted(
        all in 1_000_u64..20_000_000,
        lanes in prop::collection::vec((prop::option::of(1_000_u64..10_000_000), 1_usize..5), 1..6),
        portion in 2_000_u64..1_000_000,
        late in 0_u64..50,
    ) {
        let mut course = Course::new(rate(all));
        let mut caps = Vec::new();
        for &(own, members) in &lanes {
            let lane = course.lane(own.and_then(rate));
            for _ in 0..members {
                course.join(lane, portion);
            }
            caps.push(own.unwrap_or(u64::MAX));
        }
        let time = seconds(3);
        course.run_for(time, Duration::from_millis(late));
        for window in [Duration::from_millis(50), seconds(1)] {
            let most = most_within(&course.log, window);
            let bound = worth(window + BURST, rate(all)) + LARGEST_PORTION + SMALLEST;
            prop_assert!(most <= bound, "{most} of {bound} within {window:?}");
        }
        let mut from = 0;
        for (&(own, members), lane) in lanes.iter().zip(0..) {
            let granted: u64 = course.granted[from..from + members].iter().sum();
            from += members;
            if let Some(own) = own {
                let bound = worth(time + seconds(1) + BURST, rate(own)) + LARGEST_PORTION;
                prop_assert!(granted <= bound, "lane {lane}: {granted} of {bound}");
            }
        }
        let possible = caps.iter().fold(0_u64, |sum, &cap| sum.saturating_add(cap)).min(all);
        // A lane of its own rate may have to wait a moment for its turn, and a late timer for a portion.
        let least = worth(time, rate(possible)) * 8 / 10;
        prop_assert!(course.total() + LARGEST_PORTION >= least, "{} of {least}", course.total());
    }
}
