//! How long lookups take, and over how many nodes they lead.

use super::super::axis::Axis;
use super::super::figures;
use super::super::plot::{Line, Plot, Shape};
use super::super::section::{Exhibit, Section};
use super::super::statistics::Distribution;
use super::super::table::Table;
use super::super::text::{Quantity, grouped, maybe};
use crate::{Findings, Kind};

const QUANTILES: [(f64, &str); 8] = [
    (0.1, "10 %"),
    (0.25, "25 %"),
    (0.5, "50 %"),
    (0.75, "75 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (1.0, "100 %"),
];

pub(in super::super) fn latency(findings: &Findings) -> Section {
    const TITLE: &str = "How long lookups take";
    let first = figures::first_peers(findings);
    let mut measured = vec![("first peers", first.clone())];
    for (kind, name) in [
        (Kind::GetPeers, "get_peers ended"),
        (Kind::FindNode, "find_node ended"),
        (Kind::Announce, "announce ended"),
    ] {
        measured.push((name, figures::elapsed(findings.of(&[kind]))));
    }
    measured.retain(|(_, times)| !times.is_empty());
    if measured.is_empty() {
        return Section::empty(TITLE, "No lookup ended while it was measured.");
    }
    let says = match (first.quantile(0.5), first.quantile(0.99)) {
        (Some(median), Some(late)) => format!(
            "Half of the lookups that found peers had the first of them after {}, all but one in a hundred after {}.",
            Quantity::Milliseconds.exact(median),
            Quantity::Milliseconds.exact(late)
        ),
        _ => "No lookup found peers; these are the times until lookups ended.".to_owned(),
    };
    let low = measured
        .iter()
        .filter_map(|(_, times)| times.quantile(0.01));
    let high = measured.iter().filter_map(|(_, times)| times.last());
    let x = Axis::logarithmic(
        "time since the lookup began",
        Quantity::Milliseconds,
        low.fold(f64::INFINITY, f64::min).max(1.0),
        high.fold(0.0, f64::max),
    );
    let lines = measured
        .iter()
        .map(|(name, times)| Line::new(name, Shape::Straight, times.cumulative()))
        .collect();
    let y = Axis::share("share of lookups that took no longer", 0.0);
    let label = format!("Distribution of lookup times. {says}");
    Section::shown(
        TITLE,
        says,
        vec![Exhibit {
            name: "latency",
            title: "Lookup latency".to_owned(),
            drawing: Some(Plot::new(x, y, lines).draw(&label)),
            table: quantiles(&measured, Quantity::Milliseconds),
        }],
    )
}

pub(in super::super) fn hops(findings: &Findings) -> Section {
    const TITLE: &str = "How far lookups go";
    let mut measured: Vec<(&str, Distribution)> = [Kind::GetPeers, Kind::FindNode, Kind::Announce]
        .map(|kind| (kind.name(), figures::hops(findings.of(&[kind]))))
        .to_vec();
    measured.retain(|(_, hops)| !hops.is_empty());
    let all: Distribution = figures::hops(findings.lookups.iter());
    let (Some(median), Some(mean), Some(most)) = (all.quantile(0.5), all.mean(), all.last()) else {
        return Section::empty(TITLE, "No lookup ended while it was measured.");
    };
    let says = format!(
        "An answer led to the next {} times at the median, {} on average and {} at most, before a node nearest to the target was reached.",
        Quantity::Number.exact(median),
        Quantity::Number.exact(mean),
        Quantity::Number.exact(most)
    );
    let x = Axis::linear("hops", Quantity::Count, 0.0, most);
    let y = Axis::share("share of lookups that took no more", 0.0);
    let lines = measured
        .iter()
        .map(|(name, hops)| {
            let mut points = hops.steps();
            if points[0].0 > 0.0 {
                points.insert(0, (0.0, 0.0));
            }
            points.push((most, 1.0));
            Line::new(name, Shape::Steps, points)
        })
        .collect();
    let label = format!("Distribution of hops. {says}");
    Section::shown(
        TITLE,
        says,
        vec![Exhibit {
            name: "hops",
            title: "Hops of a lookup".to_owned(),
            drawing: Some(Plot::new(x, y, lines).draw(&label)),
            table: quantiles(&measured, Quantity::Number),
        }],
    )
}

/// A column for each distribution, a row for each quantile.
pub(super) fn quantiles(measured: &[(&str, Distribution)], quantity: Quantity) -> Table {
    let heads = std::iter::once("share").chain(measured.iter().map(|(name, _)| *name));
    let mut table = Table::new(heads);
    for (q, name) in QUANTILES {
        let cells = measured
            .iter()
            .map(|(_, values)| maybe(values.quantile(q), quantity));
        table.row(std::iter::once(name.to_owned()).chain(cells));
    }
    let means = measured
        .iter()
        .map(|(_, values)| maybe(values.mean(), quantity));
    table.row(std::iter::once("mean".to_owned()).chain(means));
    let counts = measured
        .iter()
        .map(|(_, values)| grouped(values.len() as f64));
    table.row(std::iter::once("count".to_owned()).chain(counts));
    table
}
