//! Which keys there are, what is below them, and what they are measured in: taken from the types of a plan by their schema, doc
//! comments included, so that nothing has to be said twice.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value as Json;
use toml::{Table, Value};

use super::error::nearest;
use super::quantity::Quantity;
use super::{Plan, PlanError};

/// The parameters of a group by their names.
pub(super) type Group = BTreeMap<String, Parameter>;

/// A key of a plan.
#[derive(Debug)]
pub(super) struct Parameter {
    /// Its doc comment.
    pub(super) doc: String,
    pub(super) shape: Shape,
}

/// What a key stands for.
#[derive(Debug)]
pub(super) enum Shape {
    Value(Quantity),
    /// More keys below it.
    Group(Group),
    /// Entries of this shape each, numbered from 0.
    List(Box<Shape>),
}

/// The keys of a plan.
pub(super) fn plan() -> &'static Shape {
    static PLAN: LazyLock<Shape> = LazyLock::new(|| {
        let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
        let schema = settings.into_generator().into_root_schema_for::<Plan>();
        shape(schema.as_value())
    });
    &PLAN
}

fn group(schema: &Json) -> Group {
    let properties = schema["properties"].as_object();
    let parameter = |schema: &Json| Parameter {
        doc: schema["description"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        shape: shape(schema),
    };
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.clone(), parameter(schema)))
        .collect()
}

fn shape(schema: &Json) -> Shape {
    if let Some(choices) = schema["oneOf"].as_array() {
        let words = choices.iter().filter_map(|choice| choice["const"].as_str());
        return Shape::Value(Quantity::Choice(words.map(str::to_owned).collect()));
    }
    Shape::Value(match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("object"), _) => return Shape::Group(group(schema)),
        (Some("array"), _) => match shape(&schema["items"]) {
            Shape::Value(_) => Quantity::Counts,
            entry => return Shape::List(entry.into()),
        },
        (Some("boolean"), _) => Quantity::Switch,
        (Some("integer"), Some("uint16")) => Quantity::Count {
            max: u16::MAX.into(),
        },
        (Some("integer"), Some("uint32")) => Quantity::Count {
            max: u32::MAX.into(),
        },
        (Some("integer"), _) => Quantity::Count { max: u64::MAX },
        (_, Some("share")) => Quantity::Share,
        (_, Some("duration")) => Quantity::Duration,
        (_, Some("size")) => Quantity::Size,
        (_, Some("rate")) => Quantity::Rate,
        (Some("number"), _) => Quantity::Number,
        _ => Quantity::Text,
    })
}

/// Whether `value`, which was written for `key`, has this shape.
pub(super) fn check(shape: &Shape, key: &str, value: &Value) -> Result<(), PlanError> {
    match (shape, value) {
        (Shape::Value(quantity), value) => quantity.check(key, value),
        (Shape::Group(group), Value::Table(table)) => table.iter().try_for_each(|(name, value)| {
            let key = below(key, name);
            match group.get(name) {
                Some(parameter) => check(&parameter.shape, &key, value),
                None => Err(unknown(key)),
            }
        }),
        (Shape::List(entry), Value::Array(entries)) => {
            let mut numbered = entries.iter().zip(0..);
            numbered.try_for_each(|(value, number)| check(entry, &below(key, number), value))
        }
        (Shape::Group(_) | Shape::List(_), value) => Err(not_below(key, value, shape)),
    }
}

/// Puts the value that `text` stands for in its place: where `path` leads to, from `place` on, which is that of `key`.
pub(super) fn set(
    shape: &Shape,
    key: &str,
    place: &mut Value,
    path: &[&str],
    text: &str,
) -> Result<(), PlanError> {
    let whole = || path.iter().fold(key.to_owned(), below);
    match (shape, path, place) {
        (Shape::Value(quantity), [], place) => {
            let value = quantity.read(text);
            quantity.check(key, &value)?;
            *place = value;
            Ok(())
        }
        (Shape::Group(group), [name, rest @ ..], Value::Table(table)) => {
            let parameter = group.get(*name).ok_or_else(|| unknown(whole()))?;
            // What an entry that was just begun has no value for yet.
            let place = table.entry(*name).or_insert_with(|| Table::new().into());
            set(
                &parameter.shape,
                &below(key.to_owned(), name),
                place,
                rest,
                text,
            )
        }
        (Shape::List(entry), [number, rest @ ..], Value::Array(entries)) => {
            let next = entries.len();
            let number = number.parse().ok().filter(|number| *number <= next);
            let number: usize = number.ok_or_else(|| {
                let problem = format!("there are {next} entries in {key}");
                PlanError::value(whole(), problem, format!("the next one is {key}.{next}"))
            })?;
            if number == next {
                entries.push(Table::new().into());
            }
            set(entry, &below(key, number), &mut entries[number], rest, text)
        }
        (Shape::Group(_) | Shape::List(_), [], place) => {
            let value = text.parse().unwrap_or_else(|_| text.into());
            check(shape, key, &value)?;
            *place = value;
            Ok(())
        }
        (Shape::Value(_), _, _) => Err(PlanError::UnknownKey {
            key: whole(),
            nearest: Some(key.to_owned()),
        }),
        _ => Err(unknown(whole())),
    }
}

/// The key of something below a key.
pub(super) fn below(key: impl Into<String>, name: impl fmt::Display) -> String {
    let key = key.into();
    match key.as_str() {
        "" => name.to_string(),
        key => format!("{key}.{name}"),
    }
}

/// Every key of a value, groups included, and its quantity if it has one; entries of lists under number 0.
pub(super) fn walk<'a>(shape: &'a Shape, key: &str, visit: &mut impl FnMut(&str, &'a Parameter)) {
    let group = match shape {
        Shape::Value(_) => return,
        Shape::List(entry) => return walk(entry, &below(key, 0), visit),
        Shape::Group(group) => group,
    };
    for (name, parameter) in group {
        let key = below(key, name);
        visit(&key, parameter);
        walk(&parameter.shape, &key, visit);
    }
}

fn not_below(key: &str, value: &Value, shape: &Shape) -> PlanError {
    let mut keys = Vec::new();
    walk(shape, key, &mut |key, _| keys.push(key.to_owned()));
    PlanError::value(
        key,
        format!("{value} is not what belongs here"),
        format!("give one of its keys: {}", keys.join(", ")),
    )
}

/// The nearest key may be misspelt in whole, or be meant without the groups it stands in.
fn unknown(key: String) -> PlanError {
    let mut all = Vec::new();
    walk(plan(), "", &mut |key, _| all.push(key.to_owned()));
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let is_number = |name: &&str| name.parse::<usize>().is_ok();
    let number = key.split('.').find(is_number);
    let number = number.map(|number| format!(".{number}."));

    let whole = nearest(&key, all.iter().map(String::as_str));
    let lasts: Vec<String> = all.iter().map(|key| last(key)).collect();
    let by_last = || {
        let name = nearest(&last(&key), lasts.iter().map(String::as_str))?;
        let position = lasts.iter().position(|last| last == name)?;
        Some(all[position].as_str())
    };
    let nearest = whole.or_else(by_last).map(|nearest| match number {
        Some(number) => nearest.replace(".0.", &number),
        None => nearest.to_owned(),
    });
    PlanError::UnknownKey { key, nearest }
}
