use std::time::Duration;

/// The time below which no distribution of so many bytes can be: Kumar and Ross, "Peer-Assisted File Distribution: The Minimum
/// Distribution Time" (2006), `max(F/u_s, F/d_min, N·F/(u_s + Σu))`.
///
/// Rates are in bytes a second; `slowest_down` is none if no leecher has a limit. Without anybody who sends there is no end, that is [`Duration::MAX`].
pub(super) fn distribution_bound(
    bytes: u64,
    seeds_up: u64,
    leechers_up: &[u64],
    slowest_down: Option<u64>,
) -> Duration {
    if leechers_up.is_empty() {
        return Duration::ZERO;
    }
    let all_up = leechers_up
        .iter()
        .fold(u128::from(seeds_up), |sum, &up| sum + u128::from(up));
    let copies = leechers_up.len() as u128;
    let from_seeds = time(bytes.into(), seeds_up.into());
    let from_all = time(copies * u128::from(bytes), all_up);
    let to_slowest = slowest_down.map_or(Duration::ZERO, |down| time(bytes.into(), down.into()));
    from_seeds.max(from_all).max(to_slowest)
}

fn time(bytes: u128, bytes_per_second: u128) -> Duration {
    (bytes * 1_000_000_000)
        .checked_div(bytes_per_second)
        .and_then(|nanos| u64::try_from(nanos).ok())
        .map_or(Duration::MAX, Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_slow_seed_has_to_send_everything_once() {
        // 1000 bytes at 10 a second; the leechers could spread them in 10 × 1000 / (10 + 10 × 100) < 10 s.
        let bound = distribution_bound(1000, 10, &[100; 10], Some(1000));
        assert_eq!(bound, seconds(100));
    }

    #[test]
    fn a_slow_leecher_has_to_receive_everything() {
        let bound = distribution_bound(1000, 1000, &[100; 10], Some(5));
        assert_eq!(bound, seconds(200));
    }

    #[test]
    fn all_together_have_to_send_a_copy_for_each() {
        // 10 × 1000 bytes at 100 + 10 × 10 a second.
        let bound = distribution_bound(1000, 100, &[10; 10], None);
        assert_eq!(bound, seconds(50));
        // Freeloaders give nothing: 10 × 1000 at 100 + 5 × 20.
        let half = [20, 0, 20, 0, 20, 0, 20, 0, 20, 0];
        assert_eq!(distribution_bound(1000, 100, &half, None), seconds(50));
    }

    #[test]
    fn fractions_of_seconds_count() {
        let crowd = vec![1_000_000; 1000];
        let bound = distribution_bound(64 << 20, 4_000_000, &crowd, Some(10_000_000));
        // 1000 × 67,108,864 / 1,004,000,000
        assert_eq!(bound, Duration::from_nanos(66_841_498_007));
    }

    #[test]
    fn nobody_waits_for_nothing_and_forever_for_a_seed_that_does_not_send() {
        assert_eq!(distribution_bound(1000, 0, &[], None), Duration::ZERO);
        assert_eq!(distribution_bound(1000, 0, &[100], None), Duration::MAX);
    }
}
