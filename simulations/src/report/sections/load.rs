//! How the work is spread over the nodes.

use super::super::axis::Axis;
use super::super::plot::{Line, Plot, Shape};
use super::super::section::{Exhibit, Section};
use super::super::statistics::Distribution;
use super::super::text::Quantity;
use super::lookups::quantiles;
use crate::Findings;

pub(in super::super) fn load(findings: &Findings) -> Section {
    const TITLE: &str = "Who carries the load";
    let online = || findings.nodes.iter().filter(|node| node.is_online);
    let sent: Distribution = online().map(|node| f64::from(node.sent)).collect();
    let received: Distribution = online().map(|node| f64::from(node.received)).collect();
    let (Some(median), Some(late), Some(most)) = (
        received.quantile(0.5),
        received.quantile(0.99),
        received.last(),
    ) else {
        return Section::empty(TITLE, "No node was online at the end.");
    };
    let says = format!(
        "Half of the nodes received no more than {} messages during the run, all but one in a hundred no more than {}, and the busiest {}.",
        Quantity::Count.exact(median),
        Quantity::Count.exact(late),
        Quantity::Count.exact(most)
    );
    let measured = [("sent", sent), ("received", received)];
    let low = measured.iter().filter_map(|(_, load)| load.quantile(0.01));
    let high = measured.iter().filter_map(|(_, load)| load.last());
    let x = Axis::logarithmic(
        "messages of a node",
        Quantity::Count,
        low.fold(f64::INFINITY, f64::min).max(1.0),
        high.fold(1.0, f64::max),
    );
    let lines = measured
        .iter()
        .map(|(name, load)| Line::new(name, Shape::Straight, load.cumulative()))
        .collect();
    let y = Axis::share("share of nodes with no more", 0.0);
    let label = format!("Distribution of messages over nodes. {says}");
    Section::shown(
        TITLE,
        says,
        vec![Exhibit {
            name: "load",
            title: "Messages of a node".to_owned(),
            drawing: Some(Plot::new(x, y, lines).draw(&label)),
            table: quantiles(&measured, Quantity::Count),
        }],
    )
}
