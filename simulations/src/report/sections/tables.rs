//! What nodes know of each other.

use super::super::axis::Axis;
use super::super::bars::{Bar, Bars};
use super::super::section::{Exhibit, Section};
use super::super::table::Table;
use super::super::text::{Quantity, grouped, maybe};
use super::course::{line, minute, over_time};
use crate::{BucketRow, Findings, Sample};

pub(in super::super) fn tables(findings: &Findings) -> Section {
    const TITLE: &str = "What nodes know";
    let exhibits: Vec<Exhibit> = [buckets(findings), dead(findings)]
        .into_iter()
        .flatten()
        .collect();
    if exhibits.is_empty() {
        return Section::empty(TITLE, "No routing table was looked at.");
    }
    let last = findings.samples.last();
    let says = format!(
        "At the end a node knew {} others on average, {} of whom were offline or out of reach.",
        maybe(last.map(|sample| sample.contacts), Quantity::Number),
        maybe(last.map(|sample| sample.dead_contacts), Quantity::Share)
    );
    Section::shown(TITLE, says, exhibits)
}

fn buckets(findings: &Findings) -> Option<Exhibit> {
    // Behind the last bucket with a contact in every tenth table there is nothing to see.
    let filled = findings
        .buckets
        .iter()
        .rposition(|bucket| bucket.contacts >= 0.1)?;
    let buckets = &findings.buckets[..=filled];
    let fill = |bucket: &BucketRow| bucket.contacts / f64::from(bucket.capacity.max(1));
    let mut table = Table::new(["shared bits", "contacts, mean", "capacity", "fill"]);
    for bucket in buckets {
        table.row([
            bucket.shared_bits.to_string(),
            Quantity::Number.exact(bucket.contacts),
            grouped(f64::from(bucket.capacity)),
            Quantity::Share.exact(fill(bucket)),
        ]);
    }
    let bars = buckets.iter().map(|bucket| Bar {
        name: match bucket.shared_bits {
            0 => "0 shared bits".to_owned(),
            bits => bits.to_string(),
        },
        value: fill(bucket),
        says: format!(
            "{} of {}",
            Quantity::Number.exact(bucket.contacts),
            bucket.capacity
        ),
    });
    let label = "Contacts in each bucket as a share of what it holds, from the root on.";
    Some(Exhibit {
        name: "buckets",
        title: "Contacts in each bucket".to_owned(),
        drawing: Some(Bars::shares(bars.collect()).draw(label)),
        table,
    })
}

fn dead(findings: &Findings) -> Option<Exhibit> {
    let share = |sample: &Sample| Some(sample.dead_contacts);
    let most = findings.samples.iter().filter_map(share);
    let most = most.max_by(f64::total_cmp)?;
    let mut table = Table::new(["minute", "contacts, mean", "dead"]);
    for sample in &findings.samples {
        table.row([
            minute(&findings.plan, sample),
            Quantity::Number.exact(sample.contacts),
            Quantity::Share.exact(sample.dead_contacts),
        ]);
    }
    let y = Axis::linear("share of contacts", Quantity::Share, 0.0, most.max(0.01));
    let lines = vec![line(findings, "offline or out of reach", share)];
    let label = "Share of contacts that are offline or unreachable, over time.";
    Some(Exhibit {
        name: "dead-contacts",
        title: "Dead contacts".to_owned(),
        drawing: Some(over_time(findings, y, lines).draw(label)),
        table,
    })
}
