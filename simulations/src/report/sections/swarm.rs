//! How a torrent spreads, against how fast it could.

use std::fmt::Write;
use std::time::Duration;

use super::super::axis::Axis;
use super::super::plot::{Line, Plot, Shape};
use super::super::section::{Exhibit, Section};
use super::super::table::Table;
use super::super::text::{Quantity, grouped, maybe};
use crate::Findings;

pub(in super::super) fn swarm(findings: &Findings) -> Section {
    const TITLE: &str = "How the torrent spreads";
    let Some(swarm) = &findings.swarm else {
        return Section::empty(TITLE, "Nobody fetched a torrent.");
    };
    let leechers = f64::from(swarm.leechers.max(1));
    let bound = swarm.bound.as_secs_f64();
    let seconds: Vec<f64> = swarm
        .completions
        .iter()
        .map(Duration::as_secs_f64)
        .collect();
    let all = seconds.len() == swarm.leechers as usize;
    let ratio = |time: f64| (bound > 0.0).then(|| time / bound);
    let last = seconds.last().copied();
    let mut says = format!(
        "{} of {} downloads were completed",
        grouped(seconds.len() as f64),
        grouped(f64::from(swarm.leechers))
    );
    match last.filter(|_| all) {
        Some(last) => {
            let _ = write!(
                says,
                ", the last after {}: {} of the {} that no distribution can beat (Kumar and Ross 2006).",
                Quantity::Seconds.exact(last),
                maybe(ratio(last), Quantity::Times),
                Quantity::Seconds.exact(bound)
            );
        }
        None => {
            let _ = write!(
                says,
                "; no distribution to all of them takes less than {} (Kumar and Ross 2006).",
                Quantity::Seconds.exact(bound)
            );
        }
    }
    let mut completed = vec![(0.0, 0.0)];
    for (index, &time) in seconds.iter().enumerate() {
        completed.push((time, (index + 1) as f64 / leechers));
    }
    let progress: Vec<(f64, f64)> = swarm
        .progress
        .iter()
        .map(|&(time, share)| (time.as_secs_f64(), share))
        .filter(|point| point.1.is_finite())
        .collect();
    let ends = [completed.last(), progress.last()];
    let end = ends
        .into_iter()
        .flatten()
        .map(|point| point.0)
        .fold(bound, f64::max);
    let mut table = Table::new(["completed", "after", "over the bound"]);
    for percent in [1, 10, 25, 50, 75, 90, 100] {
        let count = (swarm.leechers as usize * percent).div_ceil(100).max(1);
        let time = seconds.get(count - 1).copied();
        table.row([
            format!("{percent} %"),
            maybe(time, Quantity::Seconds),
            maybe(time.and_then(ratio), Quantity::Times),
        ]);
    }
    let payload = (swarm.seed_bytes + swarm.leecher_bytes) as f64;
    let by_seeds = (payload > 0.0).then(|| swarm.seed_bytes as f64 / payload);
    table.row([
        "sent by seeds".to_owned(),
        Quantity::Bytes.exact(swarm.seed_bytes as f64),
        maybe(by_seeds, Quantity::Share),
    ]);
    let mut lines = vec![
        Line::new("pieces", Shape::Straight, progress),
        Line::new("downloads completed", Shape::Steps, completed),
    ];
    lines.retain(|line| line.points.len() > 1);
    let mut plot = Plot::new(
        Axis::time("since the first came", 0.0, end * 1.04),
        Axis::share("share", 0.0),
        lines,
    );
    plot.rules.push((bound, "bound".to_owned()));
    let drawing = Some(plot.draw(&format!("Downloads over time. {says}")));
    Section::shown(
        TITLE,
        says,
        vec![Exhibit {
            name: "swarm",
            title: "Downloads over time".to_owned(),
            drawing,
            table,
        }],
    )
}
