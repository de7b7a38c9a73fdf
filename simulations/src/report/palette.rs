//! Colours. Those of the series can be told apart by people who see fewer colours (after Okabe and Ito), and all of them can be
//! read as text on the ground of their scheme.

use std::fmt::Write;

/// The colours of one scheme.
pub(super) struct Scheme {
    pub(super) ground: &'static str,
    /// What stands out a little from the ground: cards, code.
    pub(super) raised: &'static str,
    pub(super) ink: &'static str,
    pub(super) muted: &'static str,
    pub(super) grid: &'static str,
    /// Behind times in which something was done to the world.
    pub(super) band: &'static str,
    pub(super) series: [&'static str; SERIES],
}

/// Different colours of series; further ones begin again.
pub(super) const SERIES: usize = 6;

pub(super) const LIGHT: Scheme = Scheme {
    ground: "#ffffff",
    raised: "#f6f7f9",
    ink: "#1b2027",
    muted: "#5b6470",
    grid: "#e3e6ea",
    band: "#eceff3",
    series: [
        "#0b68a8", "#b04a00", "#00775a", "#a2417a", "#8a6400", "#4b4f9e",
    ],
};

pub(super) const DARK: Scheme = Scheme {
    ground: "#14171c",
    raised: "#1c2128",
    ink: "#e8eaee",
    muted: "#9aa4b1",
    grid: "#2c323b",
    band: "#262c35",
    series: [
        "#5fb4ec", "#f29a5c", "#3fc79c", "#e593c2", "#dcb64a", "#a6a9f0",
    ],
};

/// The media query under which the dark scheme holds. Paper is white.
pub(super) const DARK_MEDIA: &str = "@media screen and (prefers-color-scheme:dark)";

/// What every drawing needs, in a page or alone. Plain rules without variables, so that simple viewers of SVG follow them too.
pub(super) fn drawing_style() -> String {
    let mut style = String::from(
        "svg text{font:13px system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif;font-variant-numeric:tabular-nums}\
         svg .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}\
         svg .rule{fill:none;stroke-width:1.5;stroke-dasharray:5 4}\
         svg .whisker{fill:none;stroke-width:1.5}\
         svg .name{font-weight:600;stroke-width:4;stroke-linejoin:round;paint-order:stroke}\
         svg .heading{font-size:15px;font-weight:600}",
    );
    style.push_str(&scheme_rules(&LIGHT));
    let _ = write!(style, "{DARK_MEDIA}{{{}}}", scheme_rules(&DARK));
    style
}

fn scheme_rules(scheme: &Scheme) -> String {
    let mut rules = format!(
        "svg .ground{{fill:{}}}svg .ink{{fill:{}}}svg .muted{{fill:{}}}svg .grid{{stroke:{};fill:none}}\
         svg .rule{{stroke:{}}}svg .band{{fill:{}}}svg .track{{fill:{}}}svg .name{{stroke:{}}}",
        scheme.ground,
        scheme.ink,
        scheme.muted,
        scheme.grid,
        scheme.muted,
        scheme.band,
        scheme.band,
        scheme.ground,
    );
    for (index, colour) in scheme.series.iter().enumerate() {
        let _ = write!(
            rules,
            "svg .s{index}{{stroke:{colour}}}svg .f{index}{{fill:{colour}}}"
        );
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.2, "relative luminance".
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn all_that_is_read_stands_out_from_all_it_lies_on() {
        for scheme in [LIGHT, DARK] {
            let texts = scheme.series.into_iter().chain([scheme.ink, scheme.muted]);
            for text in texts {
                for ground in [scheme.ground, scheme.raised, scheme.band] {
                    let contrast = contrast(text, ground);
                    assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2}");
                }
            }
        }
    }
}
