use std::collections::VecDeque;

use super::*;

/// A link of so many bytes a second and so much latency there and back, which serves requests in order.
struct Path {
    bytes_per_second: f64,
    round_trip: Duration,
}

/// Keeps the window full for `lasting`, and returns the pipeline and the longest time that a block waited in the last quarter.
fn run(path: &Path, lasting: Duration, limit: u32) -> (Pipeline, Duration, u64) {
    let mut pipeline = Pipeline::new();
    let mut in_flight: VecDeque<(Duration, Duration)> = VecDeque::new();
    let mut free_at = Duration::ZERO;
    let (mut now, mut longest, mut bytes) = (Duration::ZERO, Duration::ZERO, 0);
    let block = Duration::from_secs_f64(f64::from(BLOCK_LENGTH) / path.bytes_per_second);
    while now < lasting {
        while in_flight.len() < pipeline.target(limit) as usize {
            free_at = free_at.max(now + path.round_trip) + block;
            in_flight.push_back((now, free_at));
        }
        let (sent, arrived) = in_flight.pop_front().expect("a window is never empty");
        now = arrived;
        bytes += u64::from(BLOCK_LENGTH);
        if now > lasting * 3 / 4 {
            longest = longest.max(now.saturating_sub(sent));
        }
        pipeline.delivered(now, sent, BLOCK_LENGTH, limit);
    }
    (pipeline, longest, bytes)
}

#[test]
fn fills_a_fast_link_within_a_few_round_trips() {
    let path = Path {
        bytes_per_second: 1e9,
        round_trip: Duration::from_micros(200),
    };
    let (pipeline, _, _) = run(&path, Duration::from_millis(20), 512);
    assert_eq!(pipeline.target(512), 512);
    let (pipeline, _, bytes) = run(&path, Duration::from_secs(45), 512);
    assert_eq!(pipeline.target(512), 512);
    assert!(
        bytes as f64 > 0.98 * 45e9,
        "the link stood idle: {bytes} bytes in 45 s"
    );
}

#[test]
fn fills_a_long_fat_link() {
    let path = Path {
        bytes_per_second: 12.5e6,
        round_trip: Duration::from_millis(200),
    };
    let (_, waited, bytes) = run(&path, Duration::from_secs(60), 512);
    assert!(
        bytes as f64 > 0.95 * 60.0 * 12.5e6,
        "{bytes} bytes in a minute"
    );
    assert!(
        waited < Duration::from_millis(700),
        "blocks waited {waited:?} on a path of 200 ms"
    );
}

#[test]
fn keeps_a_short_queue_on_a_slow_link() {
    let path = Path {
        bytes_per_second: 100e3,
        round_trip: Duration::from_millis(50),
    };
    let (_, waited, bytes) = run(&path, Duration::from_secs(120), 512);
    assert!(waited < Duration::from_secs(1), "blocks waited {waited:?}");
    assert!(
        bytes as f64 > 0.95 * 120.0 * 100e3,
        "{bytes} bytes in two minutes"
    );
}

#[test]
fn never_passes_the_limit_of_the_peer() {
    let path = Path {
        bytes_per_second: 1e9,
        round_trip: Duration::from_millis(1),
    };
    let (pipeline, _, _) = run(&path, Duration::from_secs(1), 250);
    assert_eq!(pipeline.target(250), 250);
}

#[test]
fn a_snubbed_peer_gets_one_request_until_it_delivers() {
    let mut pipeline = Pipeline::new();
    pipeline.snub();
    assert_eq!(pipeline.target(512), 1);
    pipeline.delivered(
        Duration::from_secs(30),
        Duration::from_secs(29),
        BLOCK_LENGTH,
        512,
    );
    assert!(!pipeline.is_snubbed());
    assert_eq!(pipeline.target(512), FLOOR);
}

#[test]
fn patience_follows_the_pace_of_the_peer() {
    let longest = Duration::from_secs(20);
    let unknown = Pipeline::new();
    assert_eq!(unknown.patience(longest), FIRST_ANSWER);
    let path = |bytes_per_second| Path {
        bytes_per_second,
        round_trip: Duration::from_millis(20),
    };
    let minute = Duration::from_secs(60);
    let (fast, ..) = run(&path(10e6), minute, 512);
    let (slow, waited, _) = run(&path(10e3), minute, 512);
    assert!(fast.patience(longest) < STANDSTILL * 2);
    assert!(
        slow.patience(longest) > waited,
        "{waited:?} is usual for it"
    );
    let mut snubbed = fast;
    snubbed.snub();
    assert_eq!(snubbed.patience(longest), longest);
}
