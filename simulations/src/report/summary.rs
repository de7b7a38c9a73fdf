//! A run on one screen of a terminal.

use std::fmt::Write;

use super::manifest::Manifest;
use super::text::{self, Quantity, maybe};
use crate::{Findings, Kind, Success};

/// No line is longer, in characters.
const COLUMNS: usize = 100;

/// At most 24 lines of at most 100 columns, without colours, with a newline at the end of each.
pub(super) fn summary(findings: &Findings, manifest: &Manifest) -> String {
    let figures = &manifest.figures;
    let mut lines = vec![format!(
        "{} · seed {} · digest {} · {}",
        manifest.name,
        manifest.seed,
        manifest.digest,
        if manifest.is_finished {
            "finished"
        } else {
            "UNFINISHED"
        }
    )];
    if !findings.plan.about.is_empty() {
        lines.push(findings.plan.about.clone());
    }
    lines.push(String::new());
    let mut line = |name: &str, says: String| lines.push(format!("{name:<14}{says}"));

    line(
        "simulated",
        format!(
            "{} of {} nodes, {} events",
            text::span(findings.simulated),
            text::grouped(f64::from(findings.plan.nodes)),
            Quantity::Count.short(findings.events as f64),
        ),
    );
    line("took", took(findings, manifest));
    for (kind, name) in [
        (Kind::GetPeers, "get_peers"),
        (Kind::FindNode, "find_node"),
        (Kind::Announce, "announces"),
        (Kind::Recall, "recalls"),
    ] {
        let kinds = [kind];
        let told = findings
            .of(&kinds)
            .filter(|row| !row.is_attacked && row.success != Success::Void);
        if let Some(share) = Success::share(told.clone()) {
            line(
                name,
                format!(
                    "{} of {} succeeded",
                    Quantity::Share.exact(share),
                    text::grouped(told.count() as f64)
                ),
            );
        }
    }
    let quantiles = |key: &str| {
        format!(
            "{} median, {} 99th percentile",
            figures.say(&format!("{key}_p50_ms")),
            figures.say(&format!("{key}_p99_ms"))
        )
    };
    if figures.get("first_peers_p50_ms").is_some() {
        line("first peers", quantiles("first_peers"));
    }
    if figures.get("lookup_p50_ms").is_some() {
        line("lookup ended", quantiles("lookup"));
        line(
            "effort",
            format!(
                "{} hops and {} queries on average, {} of them not waited for",
                figures.say("hops_mean"),
                figures.say("queries_mean"),
                figures.say("stalled_share")
            ),
        );
    }
    if figures.get("accuracy").is_some() {
        line(
            "accuracy",
            format!("{} of the nearest nodes found", figures.say("accuracy")),
        );
    }
    if figures.get("contacts_mean").is_some() {
        line(
            "tables",
            format!(
                "{} contacts on average, {} of them dead",
                figures.say("contacts_mean"),
                figures.say("dead_contacts")
            ),
        );
    }
    if figures.get("load_p50").is_some() {
        line(
            "load",
            format!(
                "{} messages a node at the median, {} at the 99th percentile ({})",
                figures.say("load_p50"),
                figures.say("load_p99"),
                figures.say("load_ratio")
            ),
        );
    }
    if findings.traffic.sent > 0 {
        line(
            "traffic",
            traffic(findings, &figures.say("delivered_share")),
        );
    }
    let attacks = findings.attacks.len();
    for attack in findings.attacks.iter().take(3) {
        let share = (attack.tried > 0).then(|| attack.succeeded as f64 / attack.tried as f64);
        line(
            attack.kind,
            format!("{} of {}", maybe(share, Quantity::Share), attack.what),
        );
    }
    if attacks > 3 {
        line("", format!("and {} more in the report", attacks - 3));
    }
    if let Some(share) = figures.get("success_attacked") {
        line(
            "attacked",
            format!(
                "{} of the lookups of attacked info-hashes succeeded",
                Quantity::Share.exact(share)
            ),
        );
    }
    if let Some(swarm) = &findings.swarm {
        line(
            "swarm",
            format!(
                "{} of {} completed, the last after {}; no faster than {} is possible ({})",
                swarm.completions.len(),
                swarm.leechers,
                figures.say("swarm_last_s"),
                Quantity::Seconds.exact(swarm.bound.as_secs_f64()),
                figures.say("swarm_over_bound")
            ),
        );
    }
    lines.iter().map(|line| fitted(line) + "\n").collect()
}

fn took(findings: &Findings, manifest: &Manifest) -> String {
    let cost = &manifest.cost;
    let mut took = format!(
        "{} on {}",
        Quantity::Seconds.exact(cost.wall_s),
        text::plural(cost.threads as u64, "thread", "threads")
    );
    if let Some(pace) = cost.pace(findings.events) {
        let _ = write!(took, ", {} events a second", Quantity::Count.short(pace));
    }
    if let Some(memory) = cost.memory_bytes {
        let nodes = f64::from(findings.plan.nodes.max(1));
        let _ = write!(
            took,
            ", {} of memory, {} a node",
            Quantity::Bytes.exact(memory as f64),
            Quantity::Bytes.exact(memory as f64 / nodes)
        );
    }
    took
}

fn traffic(findings: &Findings, delivered: &str) -> String {
    let packets = findings.traffic.packets() as f64;
    let mut drops = findings.traffic.drops();
    drops.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let mut says = format!(
        "{} sent, {delivered} delivered",
        Quantity::Count.short(findings.traffic.sent as f64)
    );
    for (cause, count) in drops.into_iter().filter(|&(_, count)| count > 0).take(2) {
        let share = Quantity::Share.exact(count as f64 / packets);
        let _ = write!(says, ", {share} {cause}");
    }
    says
}

fn fitted(line: &str) -> String {
    if line.chars().count() <= COLUMNS {
        return line.trim_end().to_owned();
    }
    let mut cut: String = line.chars().take(COLUMNS - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn it_fits_a_screen() {
        let mut findings = example::findings();
        findings.plan.about = "long ".repeat(50);
        for _ in 0..10 {
            findings.attacks.push(findings.attacks[0].clone());
        }
        let summary = summary(&findings, &example::manifest());
        assert!(summary.lines().count() <= 24, "{summary}");
        assert!(
            summary.lines().all(|line| line.chars().count() <= 100),
            "{summary}"
        );
    }

    #[test]
    fn it_says_what_a_reader_asks_first() {
        let findings = example::by_hand();
        let summary = summary(&findings, &example::manifest_of(&findings));
        for part in [
            "seed 7",
            "50 % of 2 succeeded",
            "120 ms median",
            "UNFINISHED",
        ] {
            assert!(summary.contains(part), "{part}:\n{summary}");
        }
    }

    #[test]
    fn of_nothing_it_says_nothing_wrong() {
        let findings = example::nothing();
        let summary = summary(&findings, &example::manifest_of(&findings));
        assert!(
            !summary.contains("NaN") && !summary.contains("succeeded"),
            "{summary}"
        );
    }
}
