//! Pages that need no other file, no network and no script.

use std::fmt::{self, Write};

use super::figures::Figures;
use super::manifest::Manifest;
use super::palette::{self, DARK, DARK_MEDIA, LIGHT, Scheme};
use super::section::{self, Content, Exhibit, Section};
use super::text::{self, Escaped, Quantity};
use crate::Findings;

/// The figures of the first screen: the words and the key of the large one, and those of a small one below it.
const HEADLINES: [(&str, &str, &str, &str); 8] = [
    (
        "lookups succeeded",
        "success",
        "nearest nodes found",
        "accuracy",
    ),
    (
        "first peers, median",
        "first_peers_p50_ms",
        "99th percentile",
        "first_peers_p99_ms",
    ),
    (
        "lookup ended, median",
        "lookup_p50_ms",
        "99th percentile",
        "lookup_p99_ms",
    ),
    ("hops, median", "hops_p50", "queries, mean", "queries_mean"),
    (
        "announces recalled",
        "recall",
        "announces succeeded",
        "success_announce",
    ),
    (
        "attacked lookups succeeded",
        "success_attacked",
        "all others",
        "success",
    ),
    (
        "load, p99 over median",
        "load_ratio",
        "median messages",
        "load_p50",
    ),
    (
        "torrent over its bound",
        "swarm_over_bound",
        "last download",
        "swarm_last_s",
    ),
];

/// The page of one run.
pub(super) fn run(findings: &Findings, manifest: &Manifest) -> String {
    let mut main = String::new();
    head(&mut main, findings, manifest);
    headlines(&mut main, &manifest.figures);
    let sections = section::of(findings);
    main.push_str("<div class=\"sections\">\n");
    for section in &sections {
        write_section(&mut main, section);
    }
    main.push_str("</div>\n");
    absent(&mut main, &sections);
    let _ = writeln!(
        main,
        "<section><h2>The plan</h2><p>Every number of this run. Saved as a file, it is run again by \
         <code>trackless simulate FILE</code>.</p><details><summary>plan.toml</summary><pre>{}</pre></details></section>",
        Escaped(&manifest.plan_toml)
    );
    document(
        &format!("{} · trackless", manifest.name),
        &main,
        &cost(findings, manifest),
    )
}

/// A page around its content, with words at its foot.
pub(super) fn document(title: &str, main: &str, foot: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{}</title>\n<style>\n{}\n</style>\n</head>\n\
         <body>\n<main>\n{main}</main>\n<footer>{}</footer>\n</body>\n</html>\n",
        Escaped(title),
        style(),
        Escaped(foot)
    )
}

fn head(main: &mut String, findings: &Findings, manifest: &Manifest) {
    let _ = write!(
        main,
        "<header><p class=\"kicker\">trackless simulate</p><h1>{}{}</h1>",
        Escaped(&manifest.name),
        if manifest.is_finished {
            ""
        } else {
            " <span class=\"badge\">unfinished</span>"
        }
    );
    if !findings.plan.about.is_empty() {
        let _ = write!(
            main,
            "<p class=\"about\">{}</p>",
            Escaped(&findings.plan.about)
        );
    }
    main.push_str("<dl class=\"facts\">");
    let fact = |main: &mut String, name: &str, value: &dyn fmt::Display| {
        let _ = write!(
            main,
            "<div><dt>{name}</dt><dd>{}</dd></div>",
            Escaped(value)
        );
    };
    fact(
        main,
        "nodes",
        &text::grouped(f64::from(findings.plan.nodes)),
    );
    fact(main, "simulated", &text::span(findings.simulated));
    fact(
        main,
        "events",
        &Quantity::Count.exact(findings.events as f64),
    );
    fact(main, "seed", &manifest.seed);
    fact(main, "digest", &manifest.digest);
    main.push_str("</dl>");
    let _ = writeln!(
        main,
        "<p class=\"again\"><span>This repeats it, digest and all:</span><code>{}</code></p></header>",
        Escaped(&manifest.command)
    );
}

fn headlines(main: &mut String, figures: &Figures) {
    let measured = HEADLINES
        .iter()
        .filter(|(_, key, ..)| figures.get(key).is_some());
    let mut cards = String::new();
    for (name, key, beside, other) in measured {
        let _ = write!(
            cards,
            "<div class=\"card\"><span class=\"name\">{name}</span><strong>{}</strong>",
            Escaped(figures.say(key))
        );
        if figures.get(other).is_some() {
            let _ = write!(
                cards,
                "<span class=\"beside\">{beside} {}</span>",
                Escaped(figures.say(other))
            );
        }
        cards.push_str("</div>");
    }
    if !cards.is_empty() {
        let _ = writeln!(main, "<div class=\"cards\">{cards}</div>");
    }
}

/// A section with one picture takes half of a wide screen.
fn write_section(main: &mut String, section: &Section) {
    let Content::Shown { says, exhibits } = &section.content else {
        return;
    };
    let class = if exhibits.len() > 1 {
        " class=\"broad\""
    } else {
        ""
    };
    let _ = write!(
        main,
        "<section{class}><h2>{}</h2><p>{}</p><div class=\"exhibits\">",
        Escaped(section.title),
        Escaped(text::prose(says))
    );
    for exhibit in exhibits {
        write_exhibit(main, exhibit);
    }
    main.push_str("</div></section>\n");
}

/// What is not on the page, and why.
fn absent(main: &mut String, sections: &[Section]) {
    let mut reasons = String::new();
    for section in sections {
        if let Content::Empty(why) = section.content {
            let _ = write!(
                reasons,
                "<li>{}: {}</li>",
                Escaped(section.title),
                Escaped(why)
            );
        }
    }
    if !reasons.is_empty() {
        let _ = writeln!(
            main,
            "<section class=\"absent\"><h2>Not shown</h2><ul>{reasons}</ul></section>"
        );
    }
}

pub(super) fn write_exhibit(main: &mut String, exhibit: &Exhibit) {
    let _ = write!(
        main,
        "<figure id=\"{}\"><figcaption>{}</figcaption>",
        exhibit.name,
        Escaped(&exhibit.title)
    );
    if let Some(drawing) = &exhibit.drawing {
        main.push_str(&drawing.inline());
    }
    let _ = write!(
        main,
        "<details><summary>numbers</summary>{}</details></figure>",
        exhibit.table.html()
    );
}

fn cost(findings: &Findings, manifest: &Manifest) -> String {
    let cost = &manifest.cost;
    let mut says = format!(
        "trackless {}{}, {} on {}",
        manifest.version,
        manifest
            .commit
            .as_ref()
            .map_or_else(String::new, |commit| format!(" ({commit})")),
        Quantity::Seconds.exact(cost.wall_s),
        text::plural(cost.threads as u64, "thread", "threads"),
    );
    if let Some(pace) = cost.pace(findings.events) {
        let _ = write!(says, ", {} events a second", Quantity::Count.short(pace));
    }
    if let Some(memory) = cost.memory_bytes {
        let _ = write!(says, ", {} of memory", Quantity::Bytes.exact(memory as f64));
    }
    says
}

fn style() -> String {
    let variables = |scheme: &Scheme| {
        format!(
            ":root{{--ground:{};--raised:{};--ink:{};--muted:{};--grid:{};--accent:{};--warning:{}}}",
            scheme.ground,
            scheme.raised,
            scheme.ink,
            scheme.muted,
            scheme.grid,
            scheme.series[0],
            scheme.series[1]
        )
    };
    format!(
        "{}{DARK_MEDIA}{{{}}}\n{}\n{}",
        variables(&LIGHT),
        variables(&DARK),
        include_str!("page.css"),
        palette::drawing_style()
    )
}
