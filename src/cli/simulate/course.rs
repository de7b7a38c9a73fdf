//! The course of one run: step by step, with a line that says how far it is.

use std::fmt::Display;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use simulations::{Breach, Experiment, Findings, Progress};

use super::super::report::Report;
use super::super::status_line::StatusLine;
use super::super::units;
use super::Operator;

/// Between two events that say how far a run is.
const EVENT_INTERVAL: Duration = Duration::from_secs(1);

/// A run that is over, in one way or another.
pub(super) struct Course {
    pub(super) findings: Findings,
    pub(super) end: End,
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum End {
    /// All that was planned.
    Over,
    /// Somebody had seen enough.
    Stopped,
    /// Something that must always hold did not.
    Broken(Breach),
}

/// Runs an experiment until it is over, broken, or not wanted any more. `seen` looks at it after each simulated second,
/// and may have seen enough.
pub(super) fn run(
    mut experiment: Experiment,
    operator: &Operator,
    label: &'static str,
    mut seen: impl FnMut(&mut Experiment, Duration) -> ControlFlow<()>,
) -> Course {
    let gauge = Gauge::new(operator, label);
    let mut said = gauge.start;
    let end = loop {
        let progress = match experiment.advance() {
            Ok(progress) => progress,
            Err(breach) => break End::Broken(breach),
        };
        gauge.show(&progress);
        if said.elapsed() >= EVENT_INTERVAL {
            said = Instant::now();
            operator.output.event(&gauge.event(&progress));
        }
        let enough = seen(&mut experiment, progress.now).is_break();
        if progress.is_over {
            break End::Over;
        }
        if enough || operator.stop.is_asked() {
            break End::Stopped;
        }
    };
    Course {
        findings: experiment.findings(),
        end,
    }
}

/// For those who only want to know how it ends.
pub(super) fn to_the_end(_: &mut Experiment, _: Duration) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// How far a run is, and how fast it goes, for who watches it.
struct Gauge {
    status: StatusLine,
    start: Instant,
}

impl Gauge {
    fn new(operator: &Operator, label: &'static str) -> Self {
        let status = StatusLine::new(&operator.output);
        status.label(label);
        Self {
            status,
            start: Instant::now(),
        }
    }

    fn show(&self, progress: &Progress) {
        let (now, end) = (progress.now.as_millis(), progress.end.as_millis());
        self.status.show(now as u64, end as u64, || {
            format!(
                "{} of {}, {} online, {}, {} left",
                whole_seconds(progress.now),
                whole_seconds(progress.end),
                progress.online,
                events_a_second(units::average(progress.events, self.start.elapsed())),
                whole_seconds(self.left(progress)),
            )
        });
    }

    fn event(&self, progress: &Progress) -> Report<'static> {
        Report::SimulationProgress {
            simulated: progress.now.as_secs_f64(),
            end: progress.end.as_secs_f64(),
            online: progress.online,
            events: progress.events,
            events_per_second: units::average(progress.events, self.start.elapsed()),
            seconds_left: self.left(progress).as_secs_f64(),
        }
    }

    /// The rest at the pace of the whole.
    fn left(&self, progress: &Progress) -> Duration {
        let rest = progress.end.saturating_sub(progress.now).as_secs_f64();
        let done = progress.now.as_secs_f64().max(0.001);
        Duration::try_from_secs_f64(self.start.elapsed().as_secs_f64() * rest / done)
            .unwrap_or_default()
    }
}

/// `12m 5s`, as times are written in plans.
fn whole_seconds(time: Duration) -> impl Display {
    humantime::format_duration(Duration::from_secs(time.as_secs()))
}

/// `2.31 M events/s`.
fn events_a_second(events: u64) -> String {
    match events {
        0..1_000 => format!("{events} events/s"),
        1_000..1_000_000 => format!("{} k events/s", events / 1_000),
        _ => format!("{:.2} M events/s", events as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_events_are_told_in_millions() {
        assert_eq!(events_a_second(999), "999 events/s");
        assert_eq!(events_a_second(12_345), "12 k events/s");
        assert_eq!(events_a_second(2_314_000), "2.31 M events/s");
    }
}
