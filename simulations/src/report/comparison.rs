//! Several runs side by side: what changes when a parameter does.

mod experiment;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write};

use self::sweep::{Estimates, Sweep};
use super::axis::Axis;
use super::csv::{Cell, quoted};
use super::figures::{FIGURES, Figure};
use super::manifest::Manifest;
use super::page;
use super::plot::{Line, Plot, Shape};
use super::section::Exhibit;
use super::table::Table;
use super::text::{self, Escaped, Quantity};

/// Runs of one sweep, by what was set for them. Their manifests are all that it needs.
#[derive(Clone, Debug)]
pub struct Comparison {
    runs: Vec<Manifest>,
}

impl Comparison {
    /// Of runs in any order. Of those that were made more than once, one.
    pub fn new(runs: impl IntoIterator<Item = Manifest>) -> Self {
        let mut runs: Vec<Manifest> = runs.into_iter().collect();
        runs.sort_by(|a, b| {
            let key = |run: &Manifest| (run.seed, !run.is_finished);
            (&a.assignment, &a.name, key(a)).cmp(&(&b.assignment, &b.name, key(b)))
        });
        let mut seen: Vec<(String, crate::Plan)> = Vec::new();
        runs.retain(|run| {
            let is_new = !seen
                .iter()
                .any(|(name, plan)| *name == run.name && *plan == run.plan);
            if is_new {
                seen.push((run.name.clone(), run.plan.clone()));
            }
            is_new
        });
        Self { runs }
    }

    /// `summary.csv`: a row a run with what was set for it, its seed and its figures. What was not measured is empty.
    pub fn summary_csv(&self, out: &mut impl Write) -> io::Result<()> {
        let keys: BTreeSet<&String> = self
            .runs
            .iter()
            .flat_map(|run| run.assignment.keys())
            .collect();
        let heads = keys.iter().map(|key| quoted(key));
        let fixed = ["name", "seed", "is_finished", "digest", "wall_s"].map(str::to_owned);
        let figures = FIGURES.iter().map(|figure| figure.key.to_owned());
        let heads: Vec<String> = heads.chain(fixed).chain(figures).collect();
        writeln!(out, "{}", heads.join(","))?;
        for run in &self.runs {
            let mut row = String::new();
            for key in &keys {
                let value = run.assignment.get(*key).map(|value| quoted(value));
                let _ = write!(row, "{},", Cell(value));
            }
            let _ = write!(
                row,
                "{},{},{},{},{}",
                quoted(&run.name),
                run.seed,
                run.is_finished,
                run.digest,
                run.cost.wall_s
            );
            for figure in FIGURES {
                let _ = write!(row, ",{}", Cell(run.figures.get(figure.key)));
            }
            writeln!(out, "{row}")?;
        }
        Ok(())
    }

    /// `sweep.html`: each figure against what was varied, with 95 % confidence intervals over the repeats. Runs that were not finished
    /// are left out of it, and counted. Runs of different plans stand side by side, and are never taken for repeats.
    pub fn html(&self) -> String {
        let sweep = Sweep::new(&self.runs);
        let mut main = self.head(&sweep);
        let (mut varied, mut same) = (String::new(), Vec::new());
        for figure in FIGURES {
            let estimates = sweep.estimates(figure);
            match estimates.only_value() {
                Some(value) => {
                    same.push(format!("{} {}", figure.name, figure.quantity.exact(value)));
                }
                None if estimates.is_empty() => {}
                None => page::write_exhibit(&mut varied, &exhibit(figure, &sweep, &estimates)),
            }
        }
        if !varied.is_empty() {
            let _ = writeln!(
                main,
                "<section><div class=\"exhibits\">{varied}</div></section>"
            );
        }
        if !same.is_empty() {
            let same = same
                .iter()
                .map(|says| format!("<li>{}</li>", Escaped(says)));
            let _ = writeln!(
                main,
                "<section class=\"absent\"><h2>The same in all runs</h2><ul>{}</ul></section>",
                same.collect::<String>()
            );
        }
        let name = self.runs.first().map_or("sweep", |run| run.name.as_str());
        let wall: f64 = self.runs.iter().map(|run| run.cost.wall_s).sum();
        let foot = format!(
            "trackless {}, {} of computing",
            env!("CARGO_PKG_VERSION"),
            Quantity::Seconds.exact(wall)
        );
        page::document(&format!("{name}, compared · trackless"), &main, &foot)
    }

    /// Every plot as an SVG file of its own, by the key of its figure.
    pub fn plots(&self) -> Vec<(&'static str, String)> {
        let sweep = Sweep::new(&self.runs);
        let drawn = FIGURES.iter().filter_map(|figure| {
            let estimates = sweep.estimates(figure);
            if estimates.is_empty() || estimates.only_value().is_some() {
                return None;
            }
            let exhibit = exhibit(figure, &sweep, &estimates);
            Some((figure.key, exhibit.drawing?.standalone(&exhibit.title)))
        });
        drawn.collect()
    }

    fn head(&self, sweep: &Sweep<'_>) -> String {
        let names: BTreeSet<&str> = self.runs.iter().map(|run| run.name.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let mut head = format!(
            "<header><p class=\"kicker\">trackless simulate</p><h1>{}, compared</h1>",
            Escaped(names.join(", "))
        );
        let unfinished = self.runs.iter().filter(|run| !run.is_finished).count();
        let mut says = match sweep.key() {
            Some(key) => format!("Each figure of the run against {key}."),
            None => "Each figure of the run over its repeats.".to_owned(),
        };
        let _ = write!(
            says,
            " {}; marks are means, whiskers their 95 % confidence intervals (Student's t over the repeats).",
            text::plural(self.runs.len() as u64, "run", "runs")
        );
        if unfinished > 0 {
            let _ = write!(
                says,
                " {} left out: not finished.",
                text::plural(unfinished as u64, "run is", "runs are")
            );
        }
        let _ = write!(head, "<p class=\"about\">{}</p>", Escaped(says));
        let seeds: BTreeSet<u64> = self.runs.iter().map(|run| run.seed).collect();
        if let (Some(first), Some(last)) = (seeds.first(), seeds.last()) {
            let seeds = if first == last {
                first.to_string()
            } else {
                format!("{}, from {first} to {last}", seeds.len())
            };
            let _ = write!(
                head,
                "<dl class=\"facts\"><div><dt>seeds</dt><dd>{seeds}</dd></div></dl>"
            );
        }
        head.push_str("</header>\n");
        head
    }
}

/// A figure, drawn against the swept parameter if there is one, and in numbers.
fn exhibit(figure: &Figure, sweep: &Sweep<'_>, estimates: &Estimates) -> Exhibit {
    let quantity = figure.quantity;
    let mut table = Table::new([
        sweep.key().unwrap_or("set"),
        "also set",
        "n",
        "mean",
        "±",
        "least",
        "most",
    ]);
    for (series, points) in &estimates.series {
        for (value, estimate) in points {
            table.row([
                sweep.name(*value).to_owned(),
                series.clone(),
                estimate.count.to_string(),
                quantity.exact(estimate.mean),
                text::maybe(estimate.margin, quantity),
                quantity.exact(estimate.least),
                quantity.exact(estimate.most),
            ]);
        }
    }
    let drawing = sweep.key().map(|key| {
        let lines = estimates.series.iter().map(|(name, points)| Line {
            name: name.clone(),
            points: points
                .iter()
                .map(|&(value, estimate)| (sweep.place(value), estimate.mean))
                .collect(),
            shape: Shape::Marked,
            margins: points.iter().map(|(_, estimate)| estimate.margin).collect(),
        });
        let plot = Plot::new(
            Axis::at(key, sweep.ticks()),
            estimates.axis(quantity),
            lines.collect(),
        );
        plot.draw(&format!("{} against {key}.", figure.name))
    });
    Exhibit {
        name: figure.key,
        title: figure.name.to_owned(),
        drawing,
        table,
    }
}

/// What was set for a run, without the key that is along the axis: `"loss.random 0.05, nat.share 0.3"`.
fn series_name(assignment: &BTreeMap<String, String>, keys: &[&str]) -> String {
    let parts = keys.iter().map(|&key| {
        let value = assignment.get(key).map_or("–", String::as_str);
        format!("{key} {value}")
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    /// Three repeats for each of three values, and two of another parameter.
    fn sweep() -> Vec<Manifest> {
        let base = example::manifest();
        let mut runs = Vec::new();
        for alpha in ["1", "3", "10"] {
            for loss in ["0", "0.1"] {
                for seed in 1..=3 {
                    runs.push(run(
                        &base,
                        &[("dht.alpha", alpha), ("network.loss.random", loss)],
                        seed,
                    ));
                }
            }
        }
        runs
    }

    fn run(base: &Manifest, assignment: &[(&str, &str)], seed: u64) -> Manifest {
        let mut run = base.clone();
        run.seed = seed;
        let number = |key: &str| {
            let set = assignment.iter().find(|(name, _)| *name == key);
            set.and_then(|(_, value)| value.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        let median = 400.0 / number("dht.alpha").max(0.5)
            + 900.0 * number("network.loss.random")
            + seed as f64 * 9.0;
        run.figures.set("first_peers_p50_ms", median);
        run.figures.set(
            "success",
            0.95 + 0.01 * seed as f64 - number("network.loss.random") / 4.0,
        );
        run.assignment = assignment
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        run.plan.seed = seed;
        for (key, value) in assignment {
            run.plan.set(key, value).unwrap();
        }
        run
    }

    fn csv(runs: Vec<Manifest>) -> Vec<String> {
        let mut out = Vec::new();
        Comparison::new(runs).summary_csv(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_row_a_run_whatever_order_they_came_in() {
        let mut runs = sweep();
        let rows = csv(runs.clone());
        assert_eq!(rows.len(), runs.len() + 1);
        assert!(rows[0].starts_with("dht.alpha,network.loss.random,name,seed,"));
        runs.reverse();
        assert_eq!(csv(runs), rows);
    }

    #[test]
    fn every_figure_that_varies_is_drawn_with_its_intervals() {
        let comparison = Comparison::new(sweep());
        let html = comparison.html();
        let options = roxmltree::ParsingOptions {
            allow_dtd: true,
            ..Default::default()
        };
        let page = roxmltree::Document::parse_with_options(&html, options).unwrap();
        let svgs = page.descendants().filter(|node| node.has_tag_name("svg"));
        assert_eq!(svgs.count(), 2);
        let whiskers = page.descendants().filter(|node| {
            node.attribute("class")
                .is_some_and(|class| class.starts_with("whisker"))
        });
        assert_eq!(whiskers.count(), 2 * 6);
        assert_eq!(comparison.plots().len(), 2);
        assert!(!html.contains("NaN"));
        // 400 + 9 · 2, and t(2) · 9 / √3 = 22.4.
        assert!(html.contains("418 ms") && html.contains("22.4 ms"));
    }

    #[test]
    fn repeats_alone_are_compared_in_tables() {
        let base = example::manifest();
        let runs = (1..=4).map(|seed| run(&base, &[], seed));
        let html = Comparison::new(runs).html();
        assert!(html.contains("over its repeats") && !html.contains("<svg"));
        assert!(html.contains("<table>"));
    }

    #[test]
    fn unfinished_runs_are_named_and_left_out() {
        let mut runs = sweep();
        runs[0].is_finished = false;
        runs[0].figures.set("first_peers_p50_ms", 1e9);
        let html = Comparison::new(runs).html();
        assert!(html.contains("1 run is left out: not finished."));
        assert!(!html.contains("1,000,000"));
    }

    #[test]
    fn runs_of_different_plans_are_no_repeats_and_one_run_twice_is_one() {
        let base = example::manifest();
        let mut larger = base.clone();
        larger.plan.nodes *= 2;
        let other = Manifest {
            name: "another".to_owned(),
            ..base.clone()
        };
        let mut runs = Vec::new();
        for (number, world) in (0..).zip([&base, &larger, &other]) {
            for seed in 1..=3 {
                let mut run = run(world, &[], seed);
                run.figures.set("success", 0.5 + 0.1 * f64::from(number));
                runs.extend([run.clone(), run]);
            }
        }
        let comparison = Comparison::new(runs);
        assert_eq!(comparison.runs.len(), 9);
        let sweep = Sweep::new(&comparison.runs);
        let success = FIGURES.iter().find(|figure| figure.key == "success");
        let estimates = sweep.estimates(success.unwrap());
        let found = estimates.series.iter().map(|(name, points)| {
            let (_, estimate) = points[0];
            (
                name.as_str(),
                estimate.count,
                (estimate.mean * 10.0).round(),
            )
        });
        let name = &base.name;
        let names = [format!("{name}, plan 1"), format!("{name}, plan 2")];
        let expected = [
            ("another", 3, 7.0),
            (names[0].as_str(), 3, 5.0),
            (names[1].as_str(), 3, 6.0),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn of_no_runs_there_is_a_page_that_says_so() {
        let comparison = Comparison::new([]);
        assert!(comparison.html().contains("0 runs"));
        assert!(comparison.plots().is_empty());
    }

    #[test]
    fn what_was_set_is_never_markup() {
        let base = example::manifest();
        let runs = [("<b>", 1), ("a&b", 2)]
            .map(|(value, seed)| run(&base, &[("network.latency.matrix", value)], seed));
        let html = Comparison::new(runs).html();
        assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"));
    }
}
