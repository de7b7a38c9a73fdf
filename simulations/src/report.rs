//! What a run found out, for people and for other programs: a page, pictures, tables and figures, as text. Nothing here opens a file.

mod axis;
mod bars;
mod comparison;
mod csv;
mod drawing;
mod figures;
mod label;
mod manifest;
mod page;
mod palette;
mod plot;
mod section;
mod sections;
mod statistics;
mod summary;
mod table;
mod text;

#[cfg(test)]
mod example;

pub use comparison::Comparison;
pub use csv::{lookups_csv, nodes_csv, timeseries_csv};
pub use figures::Figures;
pub use manifest::{Circumstances, Cost, Manifest, ManifestError};

use crate::Findings;

/// The report of one run.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    findings: &'a Findings,
    manifest: &'a Manifest,
}

impl<'a> Report<'a> {
    /// Of what was found out, and the manifest made of it.
    pub const fn new(findings: &'a Findings, manifest: &'a Manifest) -> Self {
        Self { findings, manifest }
    }

    /// `report.html`: one file that needs no other.
    pub fn html(&self) -> String {
        page::run(self.findings, self.manifest)
    }

    /// Every plot as an SVG file of its own, dark or light as the reader has it: `("latency", "<svg …")`.
    pub fn plots(&self) -> Vec<(&'static str, String)> {
        section::of(self.findings)
            .iter()
            .flat_map(section::Section::exhibits)
            .filter_map(|exhibit| {
                let drawing = exhibit.drawing.as_ref()?;
                Some((exhibit.name, drawing.standalone(&exhibit.title)))
            })
            .collect()
    }

    /// The run on one screen: at most 24 lines of at most 100 columns.
    pub fn summary(&self) -> String {
        summary::summary(self.findings, self.manifest)
    }
}

#[cfg(test)]
mod tests {
    use roxmltree::{Document, ParsingOptions};

    use super::*;
    use crate::{Sample, SwarmFindings};

    fn parsed(markup: &str) -> Document<'_> {
        let options = ParsingOptions {
            allow_dtd: true,
            ..ParsingOptions::default()
        };
        Document::parse_with_options(markup, options).unwrap()
    }

    fn text(markup: &str) -> String {
        let document = parsed(markup);
        let texts = document.root().descendants().filter_map(|node| node.text());
        texts.collect::<Vec<_>>().join("\n")
    }

    /// No reader should ever meet a number that is none.
    fn assert_all_numbers_are_some(markup: &str) {
        for none in ["NaN", "inf ", "inf\"", "-0 "] {
            assert!(!markup.contains(none), "{none}");
        }
    }

    #[test]
    fn a_full_run_makes_a_page_and_pictures_that_parse() {
        let (findings, manifest) = (example::findings(), example::manifest());
        let report = Report::new(&findings, &manifest);
        let html = report.html();
        let page = parsed(&html);
        let drawings = page.descendants().filter(|node| node.has_tag_name("svg"));
        let tables = page.descendants().filter(|node| node.has_tag_name("table"));
        assert_eq!(drawings.count(), report.plots().len());
        assert_eq!(tables.count(), report.plots().len());
        assert_all_numbers_are_some(&html);
        assert!(html.len() < 300_000, "{}", html.len());
        for (name, svg) in report.plots() {
            let drawing = parsed(&svg);
            assert!(
                drawing
                    .root_element()
                    .has_tag_name(("http://www.w3.org/2000/svg", "svg")),
                "{name}"
            );
            assert_all_numbers_are_some(&svg);
        }
    }

    #[test]
    fn a_page_needs_nothing_from_outside() {
        let (findings, manifest) = (example::findings(), example::manifest());
        let html = Report::new(&findings, &manifest).html();
        for outside in ["src=", "href=", "url(", "@import", "<script"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }

    #[test]
    fn plots_have_names_of_their_own() {
        let (findings, manifest) = (example::findings(), example::manifest());
        let plots = Report::new(&findings, &manifest).plots();
        let mut names: Vec<&str> = plots.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), plots.len());
        assert!(names.contains(&"latency") && names.contains(&"swarm"));
    }

    #[test]
    fn measured_numbers_are_on_the_page() {
        let findings = example::by_hand();
        let manifest = example::manifest_of(&findings);
        let text = text(&Report::new(&findings, &manifest).html());
        for part in [
            "66.7 %",
            "120 ms",
            "480 ms",
            &manifest.digest,
            "unfinished",
            &manifest.command,
        ] {
            assert!(text.contains(part), "{part}");
        }
    }

    #[test]
    fn a_run_without_measurements_says_so() {
        let findings = example::nothing();
        let manifest = example::manifest_of(&findings);
        let report = Report::new(&findings, &manifest);
        assert!(report.plots().is_empty());
        let html = report.html();
        assert_all_numbers_are_some(&html);
        assert!(text(&html).contains("No lookup ended while it was measured."));
    }

    #[test]
    fn a_run_that_hardly_measured_anything_still_has_a_page() {
        let mut findings = example::nothing();
        findings.samples = vec![Sample::default()];
        findings.swarm = Some(SwarmFindings {
            leechers: 0,
            completions: Vec::new(),
            bound: std::time::Duration::ZERO,
            progress: Vec::new(),
            seed_bytes: 0,
            leecher_bytes: 0,
        });
        findings.nodes = example::findings().nodes;
        for node in &mut findings.nodes {
            (node.sent, node.received) = (0, 0);
        }
        let manifest = example::manifest_of(&findings);
        let html = Report::new(&findings, &manifest).html();
        parsed(&html);
        assert_all_numbers_are_some(&html);
    }

    #[test]
    fn words_of_a_plan_are_never_markup() {
        let hostile = "</style><script>alert('x')</script>\u{1}&amp;\"";
        let mut findings = example::findings();
        findings.plan.about = hostile.to_owned();
        findings.plan.network.latency.matrix = hostile.to_owned();
        findings.attacks[0].what = hostile.to_owned();
        let mut manifest = example::manifest_of(&findings);
        manifest.name = hostile.to_owned();
        manifest.command = hostile.to_owned();
        let html = Report::new(&findings, &manifest).html();
        let page = parsed(&html);
        assert!(!page.descendants().any(|node| node.has_tag_name("script")));
        assert!(text(&html).contains("</style><script>alert('x')</script>"));
    }
}
