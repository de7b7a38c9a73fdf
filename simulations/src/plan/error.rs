//! What can be wrong with a plan, in sentences that say what to write instead.

/// What is wrong with a plan, an override or a sweep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The text is not TOML.
    #[error("this is not TOML: {0}")]
    Syntax(String),
    /// No parameter has this name.
    #[error("there is no key {key}{}", did_you_mean(.nearest.as_deref()))]
    UnknownKey {
        /// What was written, with its groups: `dht.alfa`.
        key: String,
        /// The nearest key that there is, if one is near.
        nearest: Option<String>,
    },
    /// No plan of the library has this name.
    #[error("there is no plan {name}{}", did_you_mean(.nearest.as_deref()))]
    UnknownPlan {
        /// What was asked for.
        name: String,
        /// The nearest name that there is, if one is near.
        nearest: Option<String>,
    },
    /// A parameter has a value that it cannot have.
    #[error("{key}: {problem}; {advice}")]
    Value {
        /// The parameter.
        key: String,
        /// What is wrong: `3 is not a share`.
        problem: String,
        /// What to give instead: `give a number from 0 to 1`.
        advice: String,
    },
    /// A `KEY=VALUE` or an `i/n` that is none.
    #[error("{given} is not {expected}")]
    Argument {
        /// What was given.
        given: String,
        /// What was expected, with an example.
        expected: &'static str,
    },
    /// One of the others, in this line of a file.
    #[error("line {line}: {error}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        error: Box<PlanError>,
    },
}

impl PlanError {
    pub(super) fn value(
        key: impl Into<String>,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::Value {
            key: key.into(),
            problem: problem.into(),
            advice: advice.into(),
        }
    }

    /// The key that it is about.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::UnknownKey { key, .. } | Self::Value { key, .. } => Some(key),
            _ => None,
        }
    }

    pub(super) fn in_line(self, line: usize) -> Self {
        let error = Box::new(self);
        Self::Line { line, error }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| {
        format!("; did you mean {nearest}?")
    })
}

/// The candidate that takes the fewest slips of the keyboard, unless it takes too many to have been meant. To have stopped short is one.
pub(super) fn nearest<'a>(
    given: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = given.chars().count();
    let slips = |candidate: &str| {
        if length >= 3 && candidate.starts_with(given) {
            1
        } else {
            strsim::damerau_levenshtein(given, candidate)
        }
    };
    let (slips, nearest) = candidates
        .into_iter()
        .map(|candidate| (slips(candidate), candidate))
        .min_by_key(|(slips, _)| *slips)?;
    (slips <= 2.max(length / 3)).then_some(nearest)
}
