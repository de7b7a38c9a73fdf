//! The figures that a run is judged by. Whatever shows or compares them goes through this one list.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::statistics::Distribution;
use super::text::Quantity;
use crate::{Findings, Kind, LookupRow, Success};

/// The key figures of one run by name. What was not measured is not in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// All that can be known from what was found out.
    pub fn new(findings: &Findings) -> Self {
        let values = FIGURES.iter().filter_map(|figure| {
            let value = (figure.of)(findings).filter(|value| value.is_finite())?;
            Some((figure.key.to_owned(), value))
        });
        Self(values.collect())
    }

    /// One of them, by a key such as `first_peers_p50_ms`; `None` if it was not measured.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.0.get(key).copied()
    }

    #[cfg(test)]
    pub(super) fn set(&mut self, key: &str, value: f64) {
        self.0.insert(key.to_owned(), value);
    }

    /// As people read it; a dash if it was not measured.
    pub(super) fn say(&self, key: &str) -> String {
        let figure = FIGURES.iter().find(|figure| figure.key == key);
        let quantity = figure.map_or(Quantity::Number, |figure| figure.quantity);
        super::text::maybe(self.get(key), quantity)
    }
}

/// What a figure is, and how it is found.
pub(super) struct Figure {
    /// Its name in files, with its unit.
    pub(super) key: &'static str,
    /// Its name for people.
    pub(super) name: &'static str,
    pub(super) quantity: Quantity,
    of: fn(&Findings) -> Option<f64>,
}

const fn figure(
    key: &'static str,
    name: &'static str,
    quantity: Quantity,
    of: fn(&Findings) -> Option<f64>,
) -> Figure {
    Figure {
        key,
        name,
        quantity,
        of,
    }
}

/// Those that end where they began, by asking: an announce is tried by its recall.
const LOOKUPS: [Kind; 3] = [Kind::FindNode, Kind::GetPeers, Kind::Announce];
const FOR_PEERS: [Kind; 2] = [Kind::GetPeers, Kind::Recall];

/// Every figure, in the order in which people ask for them.
pub(super) const FIGURES: &[Figure] = &[
    figure(
        "success",
        "lookups succeeded",
        Quantity::Share,
        |findings| Success::share(unharmed(findings, &LOOKUPS)),
    ),
    figure(
        "success_find_node",
        "find_node succeeded",
        Quantity::Share,
        |findings| Success::share(unharmed(findings, &[Kind::FindNode])),
    ),
    figure(
        "success_get_peers",
        "get_peers succeeded",
        Quantity::Share,
        |findings| Success::share(unharmed(findings, &[Kind::GetPeers])),
    ),
    figure(
        "success_announce",
        "announces succeeded",
        Quantity::Share,
        |findings| Success::share(unharmed(findings, &[Kind::Announce])),
    ),
    figure(
        "success_attacked",
        "lookups of attacked info-hashes succeeded",
        Quantity::Share,
        |findings| Success::share(findings.lookups.iter().filter(|lookup| lookup.is_attacked)),
    ),
    figure(
        "recall",
        "announces recalled",
        Quantity::Share,
        |findings| Success::share(unharmed(findings, &[Kind::Recall])),
    ),
    figure(
        "first_peers_p50_ms",
        "first peers, median",
        Quantity::Milliseconds,
        |findings| first_peers(findings).quantile(0.5),
    ),
    figure(
        "first_peers_p99_ms",
        "first peers, 99th percentile",
        Quantity::Milliseconds,
        |findings| first_peers(findings).quantile(0.99),
    ),
    figure(
        "lookup_p50_ms",
        "lookup ended, median",
        Quantity::Milliseconds,
        |findings| elapsed(findings.of(&LOOKUPS)).quantile(0.5),
    ),
    figure(
        "lookup_p99_ms",
        "lookup ended, 99th percentile",
        Quantity::Milliseconds,
        |findings| elapsed(findings.of(&LOOKUPS)).quantile(0.99),
    ),
    figure("hops_p50", "hops, median", Quantity::Number, |findings| {
        hops(findings.of(&LOOKUPS)).quantile(0.5)
    }),
    figure("hops_mean", "hops, mean", Quantity::Number, |findings| {
        hops(findings.of(&LOOKUPS)).mean()
    }),
    figure(
        "queries_mean",
        "queries of a lookup, mean",
        Quantity::Number,
        |findings| {
            ended(findings)
                .map(|row| f64::from(row.asked))
                .collect::<Distribution>()
                .mean()
        },
    ),
    figure(
        "stalled_share",
        "queries not waited for",
        Quantity::Share,
        |findings| {
            let asked: f64 = ended(findings).map(|row| f64::from(row.asked)).sum();
            let stalled: f64 = ended(findings).map(|row| f64::from(row.stalled)).sum();
            (asked > 0.0).then(|| stalled / asked)
        },
    ),
    figure(
        "accuracy",
        "nearest nodes found",
        Quantity::Share,
        |findings| {
            let checked = findings.lookups.iter().filter_map(|row| row.accuracy);
            let shares: Distribution = checked.map(|found| f64::from(found) / 8.0).collect();
            shares.mean()
        },
    ),
    figure(
        "load_p50",
        "messages of a node, median",
        Quantity::Count,
        |findings| load(findings).quantile(0.5),
    ),
    figure(
        "load_p99",
        "messages of a node, 99th percentile",
        Quantity::Count,
        |findings| load(findings).quantile(0.99),
    ),
    figure(
        "load_ratio",
        "load, 99th percentile over median",
        Quantity::Times,
        |findings| {
            let load = load(findings);
            let median = load.quantile(0.5).filter(|&median| median > 0.0)?;
            Some(load.quantile(0.99)? / median)
        },
    ),
    figure(
        "delivered_share",
        "packets delivered",
        Quantity::Share,
        |findings| {
            let packets = findings.traffic.packets();
            (packets > 0).then(|| findings.traffic.delivered as f64 / packets as f64)
        },
    ),
    figure(
        "contacts_mean",
        "contacts of a node, mean",
        Quantity::Number,
        |findings| findings.samples.last().map(|sample| sample.contacts),
    ),
    figure(
        "dead_contacts",
        "dead contacts",
        Quantity::Share,
        |findings| findings.samples.last().map(|sample| sample.dead_contacts),
    ),
    figure("events", "events", Quantity::Count, |findings| {
        Some(findings.events as f64)
    }),
    figure(
        "simulated_s",
        "simulated time",
        Quantity::Seconds,
        |findings| Some(findings.simulated.as_secs_f64()),
    ),
    figure(
        "swarm_completed",
        "downloads completed",
        Quantity::Share,
        |findings| {
            let swarm = findings.swarm.as_ref()?;
            (swarm.leechers > 0).then(|| swarm.completions.len() as f64 / f64::from(swarm.leechers))
        },
    ),
    figure(
        "swarm_last_s",
        "last download completed",
        Quantity::Seconds,
        |findings| {
            let swarm = findings.swarm.as_ref()?;
            Some(swarm.completions.last()?.as_secs_f64())
        },
    ),
    figure(
        "swarm_over_bound",
        "distribution time over its bound",
        Quantity::Times,
        |findings| {
            let swarm = findings.swarm.as_ref()?;
            let bound = swarm.bound.as_secs_f64();
            let all = swarm.completions.len() == swarm.leechers as usize && bound > 0.0;
            all.then_some(swarm.completions.last()?.as_secs_f64() / bound)
        },
    ),
];

/// Lookups that no enemy sits around.
fn unharmed<'a>(findings: &'a Findings, kinds: &'a [Kind]) -> impl Iterator<Item = &'a LookupRow> {
    findings.of(kinds).filter(|lookup| !lookup.is_attacked)
}

fn ended(findings: &Findings) -> impl Iterator<Item = &LookupRow> {
    findings
        .of(&LOOKUPS)
        .filter(|lookup| lookup.elapsed.is_some())
}

/// Milliseconds to the first peers, of the lookups that found any.
pub(super) fn first_peers(findings: &Findings) -> Distribution {
    let found = findings.of(&FOR_PEERS).filter_map(|row| row.first_peers);
    found.map(|time| time.as_secs_f64() * 1_000.0).collect()
}

/// Milliseconds to the end, of the lookups that ended.
pub(super) fn elapsed<'a>(rows: impl Iterator<Item = &'a LookupRow>) -> Distribution {
    rows.filter_map(|row| row.elapsed)
        .map(|time| time.as_secs_f64() * 1_000.0)
        .collect()
}

/// Hops of the lookups that ended.
pub(super) fn hops<'a>(rows: impl Iterator<Item = &'a LookupRow>) -> Distribution {
    rows.filter(|row| row.elapsed.is_some())
        .map(|row| f64::from(row.hops))
        .collect()
}

/// Messages sent and received by each node that is online at the end.
fn load(findings: &Findings) -> Distribution {
    let online = findings.nodes.iter().filter(|node| node.is_online);
    online
        .map(|node| f64::from(node.sent) + f64::from(node.received))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn figures_by_hand() {
        let figures = Figures::new(&example::by_hand());
        // Of four find_node and get_peers lookups one failed and one says nothing; an attacked one is not counted.
        assert_eq!(figures.get("success"), Some(2.0 / 3.0));
        assert_eq!(figures.get("success_attacked"), Some(0.0));
        assert_eq!(figures.get("first_peers_p50_ms"), Some(120.0));
        assert_eq!(figures.get("recall"), None);
        assert_eq!(figures.say("recall"), "–");
        assert_eq!(figures.say("success"), "66.7 %");
    }

    #[test]
    fn every_figure_has_a_key_of_its_own_and_is_measured_by_a_full_run() {
        let figures = Figures::new(&example::findings());
        assert_eq!(figures.0.len(), FIGURES.len(), "{figures:?}");
    }

    #[test]
    fn an_empty_run_has_figures_but_no_invented_ones() {
        let figures = Figures::new(&example::nothing());
        let keys: Vec<&str> = figures.0.keys().map(String::as_str).collect();
        assert_eq!(keys, ["events", "simulated_s"]);
    }
}
