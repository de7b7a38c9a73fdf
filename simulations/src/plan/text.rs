//! A plan as a file: from TOML, with the line of what is wrong.

use std::collections::BTreeMap;

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::shape::{self, below};
use super::{Plan, PlanError};

pub(super) fn read(text: &str) -> Result<Plan, PlanError> {
    let value = match text.parse::<toml::Table>() {
        Ok(table) => Value::Table(table),
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            let problem = PlanError::Syntax(error.message().trim().replace('\n', ", "));
            return Err(problem.in_line(line_at(text, offset)));
        }
    };
    let judged = || {
        shape::check(shape::plan(), "", &value)?;
        let plan = plan_of(value)?;
        plan.check()?;
        Ok(plan)
    };
    judged().map_err(|error: PlanError| {
        let line = error.key().and_then(|key| lines(text).remove(key));
        match line {
            Some(line) => error.in_line(line),
            None => error,
        }
    })
}

/// The plan that a value of its shape is.
pub(super) fn plan_of(value: Value) -> Result<Plan, PlanError> {
    let error = |error: toml::de::Error| PlanError::Syntax(error.message().to_owned());
    value.try_into().map_err(error)
}

/// In which line each key of a file stands.
fn lines(text: &str) -> BTreeMap<String, usize> {
    fn visit(text: &str, key: &str, value: &DeValue, lines: &mut BTreeMap<String, usize>) {
        match value {
            DeValue::Table(table) => {
                for (name, value) in table {
                    let key = below(key, name.get_ref());
                    lines.insert(key.clone(), line_at(text, name.span().start));
                    visit(text, &key, value.get_ref(), lines);
                }
            }
            DeValue::Array(entries) => {
                for (entry, number) in entries.iter().zip(0..) {
                    visit(text, &below(key, number), entry.get_ref(), lines);
                }
            }
            _ => {}
        }
    }
    let mut lines = BTreeMap::new();
    if let Ok(table) = DeTable::parse(text) {
        visit(text, "", &DeValue::Table(table.into_inner()), &mut lines);
    }
    lines
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|&byte| byte == b'\n')
        .count()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Buckets, Dependence, PartitionPlan};
    use super::*;

    /// What people are told of a plan.
    fn complaint(text: &str) -> String {
        Plan::parse(text)
            .expect_err("there is something wrong")
            .to_string()
    }

    /// What people are told of an override.
    fn refusal(key: &str, value: &str) -> String {
        let mut plan = Plan::default();
        let error = plan.set(key, value).expect_err("this cannot be set");
        assert_eq!(plan, Plan::default(), "a refused value changes nothing");
        error.to_string()
    }

    #[test]
    fn nothing_is_a_plan_with_all_defaults() {
        assert_eq!(Plan::parse(""), Ok(Plan::default()));
    }

    #[test]
    fn a_plan_says_only_what_differs() {
        let plan = Plan::parse(
            r#"
            nodes = 2_000
            [dht]
            buckets = "narrow"
            [network]
            loss.random = 0.02
            bandwidth.up = "1 MB/s"
            [[network.partitions]]
            regions = [0, 2]
            for = "10min"
            [nat]
            share = 1
            "#,
        );
        let mut expected = Plan {
            nodes: 2_000,
            ..Plan::default()
        };
        expected.dht.buckets = Buckets::Narrow;
        expected.network.loss.random = 0.02;
        expected.network.bandwidth.up = 1_000_000;
        expected.network.partitions = vec![PartitionPlan {
            regions: vec![0, 2],
            lasts: Duration::from_secs(600),
            ..PartitionPlan::default()
        }];
        expected.nat.share = 1.0;
        assert_eq!(plan, Ok(expected));
    }

    #[test]
    fn a_plan_that_was_written_is_read_as_it_was() {
        let mut plan = Plan::default();
        for (key, value) in [
            ("about", "what \"this\" shows"),
            ("seed", "9223372036854775807"),
            ("network.partitions.0.regions", "[1]"),
            ("network.partitions.1.share", "0.25"),
            ("life.crowds.0.at", "7min"),
            ("swarm.up", "8 Mbit/s"),
            ("start", "organic"),
        ] {
            plan.set(key, value).unwrap();
        }
        assert_eq!(Plan::parse(&plan.to_toml()), Ok(plan));
    }

    #[test]
    fn what_is_no_toml_is_refused_with_its_line() {
        assert_eq!(
            complaint("nodes = 3\nseed 4"),
            "line 2: this is not TOML: key with no value, expected `=`"
        );
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_one() {
        assert_eq!(
            complaint("nodes = 3\n\n[dht]\nalfa = 3"),
            "line 4: there is no key dht.alfa; did you mean dht.alpha?"
        );
        assert_eq!(
            complaint("[netwrok]\nregions = 2"),
            "line 1: there is no key netwrok; did you mean network?"
        );
        assert_eq!(
            refusal("dht.alfa", "3"),
            "there is no key dht.alfa; did you mean dht.alpha?"
        );
        assert_eq!(
            refusal("alpha", "3"),
            "there is no key alpha; did you mean dht.alpha?"
        );
        assert_eq!(
            refusal("life.crowds.0.node", "3"),
            "there is no key life.crowds.0.node; did you mean life.crowds.0.nodes?"
        );
        assert_eq!(
            refusal("dht.alpha.beta", "3"),
            "there is no key dht.alpha.beta; did you mean dht.alpha?"
        );
        assert_eq!(refusal("colour", "red"), "there is no key colour");
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused_with_an_example() {
        assert_eq!(
            complaint("[network.loss]\nrandom = 3"),
            "line 2: network.loss.random: 3 is not a share; give a number from 0 to 1"
        );
        assert_eq!(
            complaint("[[network.partitions]]\nshare = 0.2\n[[network.partitions]]\nshare = 2"),
            "line 4: network.partitions.1.share: 2 is not a share; give a number from 0 to 1"
        );
        let cases = [
            (
                "dht.alpha",
                "x",
                "\"x\" is not a count; give a whole number from 0",
            ),
            (
                "nodes",
                "-1",
                "-1 is not a count; give a whole number from 0 to 4294967295",
            ),
            (
                "dht.min_stall",
                "80",
                "\"80\" is not a duration; give one such as \"80ms\" or \"1h 30min\"",
            ),
            (
                "swarm.length",
                "64",
                "\"64\" is not a size; give one such as \"64 MiB\" or \"1 GB\"",
            ),
            (
                "swarm.up",
                "1 MB",
                "\"1 MB\" is not a rate; give one such as \"1 MB/s\" or \"8 Mbit/s\"",
            ),
            (
                "life.shape",
                "round",
                "\"round\" is not a number; give one such as 0.6",
            ),
            (
                "enemies.limits",
                "on",
                "\"on\" is neither yes nor no; give true or false",
            ),
            (
                "nat.mapping",
                "endpoint-indep",
                "\"endpoint-indep\" is no choice here; did you mean endpoint-independent?",
            ),
            (
                "start",
                "cold",
                "\"cold\" is no choice here; give one of organic, warm",
            ),
            (
                "network.partitions.0.regions",
                "1",
                "1 is not a list of counts; give one such as [0, 1]",
            ),
        ];
        for (key, value, complaint) in cases {
            assert_eq!(refusal(key, value), format!("{key}: {complaint}"));
        }
        assert_eq!(
            complaint("about = 3"),
            "line 1: about: 3 is not a text; give it in quotes"
        );
    }

    #[test]
    fn a_group_is_not_a_value() {
        assert_eq!(
            refusal("network.loss", "0.1"),
            "network.loss: 0.1 is not what belongs here; give one of its keys: network.loss.burst_length, \
             network.loss.burst_loss, network.loss.bursts, network.loss.random"
        );
    }

    #[test]
    fn overrides_need_no_quotes() {
        let mut plan = Plan::default();
        for (key, value) in [
            ("dht.alpha", "3"),
            ("dht.min_stall", "2s"),
            ("settle", "\"1h 30min\""),
            ("nat.filtering", "address-dependent"),
            ("about", "3"),
            ("network.partitions.0.for", "5min"),
            ("enemies.limits", "true"),
        ] {
            plan.set(key, value).unwrap();
        }
        assert_eq!(plan.dht.alpha, 3);
        assert_eq!(plan.dht.min_stall, Duration::from_secs(2));
        assert_eq!(plan.settle, Duration::from_secs(5_400));
        assert_eq!(plan.nat.filtering, Dependence::AddressDependent);
        assert_eq!(plan.about, "3");
        assert_eq!(plan.network.partitions[0].lasts, Duration::from_secs(300));
        assert!(plan.enemies.limits);
        plan.set("network.partitions", "[]").unwrap();
        assert_eq!(plan.network.partitions, []);
    }

    #[test]
    fn a_list_grows_one_by_one() {
        assert_eq!(
            refusal("life.crowds.3.nodes", "5"),
            "life.crowds.3.nodes: there are 0 entries in life.crowds; the next one is life.crowds.0"
        );
    }

    #[test]
    fn a_value_that_cannot_be_run_is_refused_with_its_line() {
        assert_eq!(
            complaint("# a plan\nnodes = 1"),
            "line 2: nodes: 1 is out of range; give 2 to 4000000"
        );
    }
}
