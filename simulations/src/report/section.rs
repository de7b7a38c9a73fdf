//! A part of a report: what was measured, said in a sentence, drawn, and in numbers.

use super::drawing::Drawing;
use super::sections;
use super::table::Table;
use crate::Findings;

/// A part of the page.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) content: Content,
}

/// What a section shows.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Shown {
        /// What a reader should take along.
        says: String,
        exhibits: Vec<Exhibit>,
    },
    /// Nothing, and why.
    Empty(&'static str),
}

/// A picture with its numbers, or numbers alone.
#[derive(Clone, Debug)]
pub(super) struct Exhibit {
    /// The name of its file.
    pub(super) name: &'static str,
    pub(super) title: String,
    pub(super) drawing: Option<Drawing>,
    pub(super) table: Table,
}

impl Section {
    pub(super) fn shown(title: &'static str, says: String, exhibits: Vec<Exhibit>) -> Self {
        Self {
            title,
            content: Content::Shown { says, exhibits },
        }
    }

    pub(super) fn empty(title: &'static str, why: &'static str) -> Self {
        Self {
            title,
            content: Content::Empty(why),
        }
    }

    pub(super) fn exhibits(&self) -> &[Exhibit] {
        match &self.content {
            Content::Shown { exhibits, .. } => exhibits,
            Content::Empty(_) => &[],
        }
    }
}

/// All sections of a run, in the order of the page.
pub(super) fn of(findings: &Findings) -> Vec<Section> {
    vec![
        sections::lookups::latency(findings),
        sections::lookups::hops(findings),
        sections::course::success(findings),
        sections::load::load(findings),
        sections::course::activity(findings),
        sections::tables::tables(findings),
        sections::traffic::messages(findings),
        sections::traffic::drops(findings),
        sections::attacks::attacks(findings),
        sections::swarm::swarm(findings),
    ]
}
