//! The plans that come with the program: `plans/*.toml`.

use super::error::nearest;
use super::{Plan, PlanError};

/// Name and text of each, in the order in which a newcomer should meet them.
const PLANS: [(&str, &str); 14] = [
    ("baseline", include_str!("../../plans/baseline.toml")),
    ("churn", include_str!("../../plans/churn.toml")),
    ("plain", include_str!("../../plans/plain.toml")),
    ("recall", include_str!("../../plans/recall.toml")),
    ("nat", include_str!("../../plans/nat.toml")),
    ("loss", include_str!("../../plans/loss.toml")),
    ("partition", include_str!("../../plans/partition.toml")),
    (
        "bootstrap-storm",
        include_str!("../../plans/bootstrap-storm.toml"),
    ),
    ("flash-crowd", include_str!("../../plans/flash-crowd.toml")),
    ("swarm", include_str!("../../plans/swarm.toml")),
    ("sybil", include_str!("../../plans/sybil.toml")),
    (
        "sybil-target",
        include_str!("../../plans/sybil-target.toml"),
    ),
    ("poison", include_str!("../../plans/poison.toml")),
    ("million", include_str!("../../plans/million.toml")),
];

/// Name and text of each plan of the library. The text begins with comments: what the plan shows, and what to look at.
pub fn plans() -> &'static [(&'static str, &'static str)] {
    &PLANS
}

impl Plan {
    /// A plan of the library.
    ///
    /// # Errors
    /// If there is none of this name; with the nearest one.
    pub fn named(name: &str) -> Result<Self, PlanError> {
        match PLANS.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(text),
            None => Err(PlanError::UnknownPlan {
                name: name.to_owned(),
                nearest: nearest(name, PLANS.iter().map(|(name, _)| *name)).map(str::to_owned),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_plan_can_be_run_and_says_what_it_shows() {
        for (name, text) in PLANS {
            let plan = Plan::named(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(
                (20..=110).contains(&plan.about.len()),
                "{name}: {}",
                plan.about
            );
            assert!(
                text.starts_with("# ") && text.contains("ook at: "),
                "{name}"
            );
            assert_eq!(Plan::parse(&plan.to_toml()), Ok(plan), "{name}");
        }
    }

    /// An idle node causes about 0.7 events a second; a newcomer should not wait for long.
    #[test]
    fn all_but_the_largest_plan_end_within_half_a_minute() {
        for (name, _) in PLANS.iter().filter(|(name, _)| *name != "million") {
            let plan = Plan::named(name).unwrap();
            let seconds = (plan.settle + plan.duration).as_secs_f64();
            assert!(0.7 * f64::from(plan.nodes) * seconds < 15e6, "{name}");
        }
    }

    #[test]
    fn plain_is_churn_with_other_policies() {
        let (churn, mut plain) = (Plan::named("churn").unwrap(), Plan::named("plain").unwrap());
        assert_eq!((plain.dht.alpha, plain.dht.max_parallel), (3, 3));
        assert_eq!(plain.dht.min_stall, Duration::from_secs(2));
        assert_eq!(plain.dht.max_stall, Duration::from_secs(2));
        plain.dht = churn.dht.clone();
        plain.about.clone_from(&churn.about);
        assert_eq!(plain, churn);
    }

    #[test]
    fn an_unknown_plan_is_refused_with_the_nearest_one() {
        let refusal = |name| Plan::named(name).expect_err("unknown").to_string();
        assert_eq!(
            refusal("chrun"),
            "there is no plan chrun; did you mean churn?"
        );
        assert_eq!(refusal("weather"), "there is no plan weather");
    }
}
