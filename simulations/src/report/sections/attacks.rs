//! What enemies tried, and what held.

use std::fmt::Write;

use super::super::bars::{Bar, Bars};
use super::super::section::{Exhibit, Section};
use super::super::table::Table;
use super::super::text::{Quantity, grouped, maybe};
use crate::{AttackRow, Findings, Success};

pub(in super::super) fn attacks(findings: &Findings) -> Section {
    const TITLE: &str = "What was attacked, and what held";
    if findings.attacks.is_empty() {
        return Section::empty(TITLE, "There were no enemies.");
    }
    let share = |row: &AttackRow| (row.tried > 0).then(|| row.succeeded as f64 / row.tried as f64);
    let mut table = Table::new([
        "what was tried",
        "by",
        "enemies",
        "tried",
        "came off",
        "share",
    ]);
    for row in &findings.attacks {
        table.row([
            row.what.clone(),
            row.kind.to_owned(),
            grouped(f64::from(row.enemies)),
            grouped(row.tried as f64),
            grouped(row.succeeded as f64),
            maybe(share(row), Quantity::Share),
        ]);
    }
    let attacked = findings.lookups.iter().filter(|lookup| lookup.is_attacked);
    let others = findings.lookups.iter().filter(|lookup| !lookup.is_attacked);
    let kinds = findings.attacks.iter().map(|row| row.kind);
    let kinds: std::collections::BTreeSet<&str> = kinds.collect();
    let kinds: Vec<&str> = kinds.into_iter().collect();
    let mut says = format!("There were enemies of these kinds: {}.", kinds.join(", "));
    if let Some(held) = Success::share(attacked) {
        let _ = write!(
            says,
            " {} of the lookups of attacked info-hashes succeeded, {} of the others.",
            Quantity::Share.exact(held),
            maybe(Success::share(others), Quantity::Share)
        );
    }
    let bars = findings.attacks.iter().map(|row| Bar {
        name: row.kind.to_owned(),
        value: share(row).unwrap_or(0.0),
        says: maybe(share(row), Quantity::Share),
    });
    let mut bars = Bars::shares(bars.collect());
    bars.colour = 1;
    Section::shown(
        TITLE,
        says,
        vec![Exhibit {
            name: "attacks",
            title: "Share of attempts that came off".to_owned(),
            drawing: Some(bars.draw("Share of attempts that came off, by kind of enemy.")),
            table,
        }],
    )
}
