//! What can be set: every key with its unit, its default and what it means.

use toml::Value;

use super::quantity::Quantity;
use super::shape::{self, Parameter, Shape};
use super::{CrowdPlan, PartitionPlan, Plan};

/// One parameter of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// As it is set: `network.loss.random`, `network.partitions.0.for`.
    pub path: String,
    /// What it is measured in.
    pub quantity: Quantity,
    /// What it is where a plan does not say, as it would be written there.
    pub default: String,
    /// What it means.
    pub doc: String,
}

/// All keys, in the order in which a plan is written. Lists are shown with one entry.
pub fn keys() -> Vec<Key> {
    let mut plan = Plan::default();
    plan.network.partitions.push(PartitionPlan::default());
    plan.life.crowds.push(CrowdPlan::default());
    let mut keys = Vec::new();
    collect(
        shape::plan(),
        "",
        "",
        &Value::Table(plan.to_table()),
        &mut keys,
    );
    keys
}

fn collect(shape: &Shape, doc: &str, path: &str, value: &Value, keys: &mut Vec<Key>) {
    match (shape, value) {
        (Shape::Value(quantity), value) => keys.push(Key {
            path: path.to_owned(),
            quantity: quantity.clone(),
            default: value.to_string(),
            doc: plain(doc),
        }),
        (Shape::Group(group), Value::Table(table)) => {
            for (name, value) in table {
                if let Some(Parameter { doc, shape }) = group.get(name) {
                    collect(shape, doc, &shape::below(path, name), value, keys);
                }
            }
        }
        (Shape::List(entry), Value::Array(values)) => {
            for (value, number) in values.iter().zip(0..) {
                collect(entry, doc, &shape::below(path, number), value, keys);
            }
        }
        _ => {}
    }
}

/// A doc comment without its marks.
fn plain(doc: &str) -> String {
    doc.replace("[`", "`").replace("`]", "`").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(path: &str) -> Key {
        let mut keys = keys().into_iter();
        keys.find(|key| key.path == path)
            .expect("there is such a key")
    }

    #[test]
    fn every_key_says_what_it_means() {
        for key in keys() {
            assert!(key.doc.ends_with('.') && key.doc.len() > 10, "{key:?}");
            assert!(!key.doc.contains("[`"), "{key:?}");
        }
    }

    #[test]
    fn a_key_has_its_unit_and_its_default() {
        let alpha = key("dht.alpha");
        assert_eq!(alpha.quantity.to_string(), "count");
        assert_eq!(alpha.default, "4");
        let mapping = key("nat.mapping");
        assert_eq!(
            mapping.quantity.to_string(),
            "endpoint-independent | address-dependent | address-and-port-dependent"
        );
        assert_eq!(mapping.default, "\"endpoint-independent\"");
        assert_eq!(key("network.partitions.0.for").quantity, Quantity::Duration);
        assert_eq!(
            key("network.partitions.0.regions").quantity,
            Quantity::Counts
        );
        assert_eq!(
            key("network.hosts_per_network").quantity,
            Quantity::Count { max: 65_535 }
        );
        assert_eq!(key("network.bandwidth.up").quantity, Quantity::Rate);
        assert_eq!(key("swarm.length").default, "\"64 MiB\"");
        assert_eq!(key("life.shape").quantity, Quantity::Number);
        assert_eq!(key("nat.share").quantity, Quantity::Share);
        assert_eq!(key("enemies.limits").quantity, Quantity::Switch);
        assert_eq!(key("about").quantity, Quantity::Text);
    }

    #[test]
    fn the_order_is_that_of_the_plan() {
        let keys = keys();
        let first: Vec<_> = keys.iter().take(3).map(|key| key.path.as_str()).collect();
        assert_eq!(first, ["about", "seed", "nodes"]);
    }

    /// Whatever can be set is listed, and whatever is listed can be set.
    #[test]
    fn every_key_can_be_set_to_its_default() {
        let mut plan = Plan::default();
        for key in keys() {
            plan.set(&key.path, &key.default).unwrap();
        }
        let mut in_schema = 0;
        shape::walk(shape::plan(), "", &mut |_, parameter| {
            in_schema += usize::from(matches!(parameter.shape, Shape::Value(_)));
        });
        assert_eq!(in_schema, keys().len());
    }
}
