//! Which runs are repeats of one another.

use toml::{Table, Value};

use super::super::manifest::Manifest;

/// The different experiments among some runs: what is left of a plan when the seed, the words and what a sweep set are taken away.
pub(super) struct Experiments(Vec<(String, Table)>);

impl Experiments {
    pub(super) fn of(runs: &[&Manifest]) -> Self {
        let mut all = Vec::new();
        for run in runs {
            let experiment = experiment(run);
            if !all.contains(&experiment) {
                all.push(experiment);
            }
        }
        Self(all)
    }

    /// What to call that of a run, so that no two are called the same; nothing if there is but one.
    pub(super) fn name(&self, run: &Manifest) -> String {
        if self.0.len() < 2 {
            return String::new();
        }
        let (name, rest) = experiment(run);
        let mut namesakes = self.0.iter().filter(|(other, _)| *other == name);
        let is_alone = namesakes.clone().count() == 1;
        let number = namesakes.position(|(_, other)| *other == rest);
        match number {
            Some(number) if !is_alone => format!("{name}, plan {}", number + 1),
            _ => name,
        }
    }
}

fn experiment(run: &Manifest) -> (String, Table) {
    let mut rest = Table::try_from(&run.plan).unwrap_or_default();
    let set = run.assignment.keys().map(String::as_str);
    for key in set.chain(["seed", "about"]) {
        let path: Vec<&str> = key.split('.').collect();
        if let Some((last, parents)) = path.split_last() {
            take_away(&mut rest, parents, last);
        }
    }
    (run.name.clone(), rest)
}

fn take_away(table: &mut Table, parents: &[&str], key: &str) {
    let Some((parent, further)) = parents.split_first() else {
        table.remove(key);
        return;
    };
    match table.get_mut(*parent) {
        Some(Value::Table(table)) => take_away(table, further, key),
        Some(Value::Array(entries)) => {
            let number = further.first().and_then(|number| number.parse().ok());
            let entry = number.and_then(|number: usize| entries.get_mut(number));
            if let (Some(Value::Table(table)), [_, further @ ..]) = (entry, further) {
                take_away(table, further, key);
            }
        }
        _ => {}
    }
}
