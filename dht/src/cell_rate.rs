//! The generic cell rate algorithm: so much a time, and so much at once.

use std::time::Duration;

/// What is allowed. What was spent is one number, kept by whoever spends: the time, in nanoseconds, at which all of it is paid off.
#[derive(Clone, Copy)]
pub(crate) struct CellRate {
    nanos_per_unit: u64,
    tolerance: u64,
}

impl CellRate {
    /// One unit in each `interval` in the long run, and as many at once as come together in `burst`.
    pub(crate) fn new(interval: Duration, burst: Duration) -> Self {
        Self {
            nanos_per_unit: nanos(interval),
            tolerance: nanos(burst),
        }
    }

    /// Whether something may pass.
    pub(crate) fn admits(&self, paid_off: u64, now: u64) -> bool {
        self.opens(paid_off) <= now
    }

    /// From when on something may pass.
    pub(crate) fn opens(&self, paid_off: u64) -> u64 {
        paid_off.saturating_sub(self.tolerance)
    }

    /// So many units more are spent.
    pub(crate) fn spend(&self, paid_off: u64, units: u64, now: u64) -> u64 {
        let price = units.saturating_mul(self.nanos_per_unit);
        paid_off.max(now).saturating_add(price)
    }

    /// One unit more is spent, by somebody who does not wait: what others have to wait for it never adds up to more than one unit's time.
    pub(crate) fn spend_capped(&self, paid_off: u64, now: u64) -> u64 {
        let most = self.spend(now.saturating_add(self.tolerance), 1, now);
        self.spend(paid_off, 1, now).min(most)
    }
}

/// Nanoseconds of the driver's clock; they last for 584 years.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Counts by hash, in two rows of cells: who shares a cell in one row with a flood hardly does so in the other.
pub(crate) struct Meter<const CELLS: usize> {
    /// What was spent of each cell.
    rows: [Box<[u64]>; 2],
    rate: CellRate,
}

impl<const CELLS: usize> Meter<CELLS> {
    pub(crate) fn new(units_a_second: u32, burst_seconds: u32) -> Self {
        let row = || vec![0; CELLS].into_boxed_slice();
        let second = Duration::from_secs(1);
        Self {
            rows: [row(), row()],
            rate: CellRate::new(
                second / units_a_second.max(1),
                Duration::from_secs(u64::from(burst_seconds)),
            ),
        }
    }

    pub(crate) fn admit(&mut self, hash: u64, units: u64, now: u64) -> bool {
        let [first, second] = &mut self.rows;
        let cells = first
            .get_mut(hash as usize % CELLS)
            .zip(second.get_mut((hash >> 32) as usize % CELLS));
        let Some((first, second)) = cells else {
            return false;
        };
        let paid_off = (*first).min(*second);
        if !self.rate.admits(paid_off, now) {
            return false;
        }
        let paid_off = self.rate.spend(paid_off, units, now);
        *first = (*first).max(paid_off);
        *second = (*second).max(paid_off);
        true
    }
}
