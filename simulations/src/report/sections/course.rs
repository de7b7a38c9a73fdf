//! What changes while time passes.

use std::fmt::Write;

use std::time::Duration;

use super::super::axis::Axis;
use super::super::plot::{Line, Plot, Shape};
use super::super::section::{Exhibit, Section};
use super::super::table::Table;
use super::super::text::{Quantity, grouped, maybe};
use crate::{Findings, Plan, Sample};

const SINCE: &str = "since the measurement began";

pub(in super::super) fn success(findings: &Findings) -> Section {
    const TITLE: &str = "Whether lookups succeed";
    let share = |part: u32, all: u32| (all > 0).then(|| f64::from(part) / f64::from(all));
    let lookups = |sample: &Sample| share(sample.lookups_succeeded, sample.lookups);
    let recalls = |sample: &Sample| share(sample.recalls_succeeded, sample.recalls);
    let mut lines = vec![
        line(findings, "lookups", lookups),
        line(findings, "recalls", recalls),
    ];
    lines.retain(|line| !line.points.is_empty());
    let lowest = lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.1)
        .fold(1.0, f64::min);
    if lines.is_empty() {
        return Section::empty(TITLE, "No lookup was measured for a whole minute.");
    }
    let sum = |part: fn(&Sample) -> u32| findings.samples.iter().map(part).sum::<u32>();
    let succeeded = share(sum(|s| s.lookups_succeeded), sum(|s| s.lookups));
    let recalled = share(sum(|s| s.recalls_succeeded), sum(|s| s.recalls));
    let mut says = format!(
        "{} of all lookups succeeded, {} in the worst minute.",
        maybe(succeeded, Quantity::Share),
        maybe(lowest_of(findings, lookups), Quantity::Share)
    );
    if recalled.is_some() {
        let _ = write!(
            says,
            " {} of the recalls found what had been announced.",
            maybe(recalled, Quantity::Share)
        );
    }
    let mut table = Table::new(["minute", "lookups", "succeeded", "recalls", "succeeded"]);
    for sample in &findings.samples {
        table.row([
            minute(&findings.plan, sample),
            grouped(f64::from(sample.lookups)),
            maybe(lookups(sample), Quantity::Share),
            grouped(f64::from(sample.recalls)),
            maybe(recalls(sample), Quantity::Share),
        ]);
    }
    let plot = over_time(findings, Axis::share("share that succeeded", lowest), lines);
    let drawing = Some(plot.draw(&format!("Success over time. {says}")));
    Section::shown(
        TITLE,
        says,
        vec![Exhibit {
            name: "success",
            title: "Success over time".to_owned(),
            drawing,
            table,
        }],
    )
}

pub(in super::super) fn activity(findings: &Findings) -> Section {
    const TITLE: &str = "Who is there, and what they say";
    let online = |sample: &Sample| Some(f64::from(sample.online));
    let sent = |sample: &Sample| Some(sample.sent as f64 / 60.0);
    let delivered = |sample: &Sample| Some(sample.delivered as f64 / 60.0);
    let (Some(first), Some(last)) = (findings.samples.first(), findings.samples.last()) else {
        return Section::empty(TITLE, "Nothing was measured for a whole minute.");
    };
    let nodes: f64 = findings.samples.iter().map(|s| f64::from(s.online)).sum();
    let messages: f64 = findings.samples.iter().map(|s| s.sent as f64).sum();
    let bytes: f64 = findings.samples.iter().map(|s| s.bytes as f64).sum();
    let mut says = format!(
        "{} nodes were online at first, {} at the end.",
        grouped(f64::from(first.online)),
        grouped(f64::from(last.online))
    );
    if nodes > 0.0 {
        let _ = write!(
            says,
            " On average a node sent {} messages and {} a second.",
            Quantity::Number.exact(messages / nodes / 60.0),
            Quantity::Bytes.exact(bytes / nodes / 60.0)
        );
    }
    let mut presence = Table::new(["minute", "nodes online"]);
    let mut exchange = Table::new(["minute", "sent a second", "delivered", "bytes sent"]);
    for sample in &findings.samples {
        let minute = minute(&findings.plan, sample);
        presence.row([minute.clone(), grouped(f64::from(sample.online))]);
        exchange.row([
            minute,
            grouped(sample.sent as f64 / 60.0),
            grouped(sample.delivered as f64 / 60.0),
            Quantity::Bytes.exact(sample.bytes as f64 / 60.0),
        ]);
    }
    let nodes = over_time(
        findings,
        counts("nodes", findings, online),
        vec![line(findings, "online", online)],
    );
    let messages = over_time(
        findings,
        counts("messages a second", findings, sent),
        vec![
            line(findings, "sent", sent),
            line(findings, "delivered", delivered),
        ],
    );
    let nodes = nodes.draw(&format!("Nodes online over time. {says}"));
    let messages = messages.draw(&format!("Messages a second over time. {says}"));
    Section::shown(
        TITLE,
        says,
        vec![
            Exhibit {
                name: "online",
                title: "Nodes online".to_owned(),
                drawing: Some(nodes),
                table: presence,
            },
            Exhibit {
                name: "messages-over-time",
                title: "Messages a second".to_owned(),
                drawing: Some(messages),
                table: exchange,
            },
        ],
    )
}

/// A plot over the time of measurement, with what the plan does to the world behind it.
pub(super) fn over_time(findings: &Findings, y: Axis, lines: Vec<Line>) -> Plot {
    let plan = &findings.plan;
    let ends = lines.iter().filter_map(|line| line.points.last());
    let end = ends.map(|point| point.0).fold(60.0, f64::max);
    let begins = lines.iter().filter_map(|line| line.points.first());
    let begin = begins.map(|point| point.0).fold(0.0, f64::min);
    let mut plot = Plot::new(Axis::time(SINCE, begin, end), y, lines);
    let partitions = plan.network.partitions.iter();
    let partitions = partitions.map(|cut| (cut.at, cut.lasts, "partition"));
    let crowds = plan.life.crowds.iter();
    let crowds = crowds.map(|crowd| (crowd.at, crowd.within, "crowd"));
    for (at, lasts, name) in partitions.chain(crowds) {
        let (from, to) = (at.as_secs_f64(), (at + lasts).as_secs_f64());
        if from < end {
            plot.bands.push((from, to, name.to_owned()));
        }
    }
    plot
}

/// One value a sample, where there is one.
pub(super) fn line(
    findings: &Findings,
    name: &str,
    value: impl Fn(&Sample) -> Option<f64>,
) -> Line {
    let samples = findings.samples.iter();
    let points = samples
        .filter_map(|sample| Some((since(&findings.plan, sample.at), value(sample)?)))
        .filter(|point| point.1.is_finite())
        .collect();
    Line::new(name, Shape::Straight, points)
}

/// Minutes of measurement, for the first column of a table.
pub(super) fn minute(plan: &Plan, sample: &Sample) -> String {
    Quantity::Number.exact(since(plan, sample.at) / 60.0)
}

/// Seconds since the measurement began.
fn since(plan: &Plan, at: Duration) -> f64 {
    at.as_secs_f64() - plan.settle.as_secs_f64()
}

fn counts(title: &str, findings: &Findings, value: impl Fn(&Sample) -> Option<f64>) -> Axis {
    let most = findings
        .samples
        .iter()
        .filter_map(value)
        .fold(0.0, f64::max);
    Axis::linear(title, Quantity::Count, 0.0, most)
}

fn lowest_of(findings: &Findings, value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
    let values = findings.samples.iter().filter_map(value);
    values.min_by(f64::total_cmp)
}
