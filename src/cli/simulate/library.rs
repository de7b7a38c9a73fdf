//! What can be simulated, and what can be varied.

use std::path;

use clap::Args;
use simulations::Plan;

use super::super::failure::Failure;
use super::super::flag;
use super::super::output::Output;
use super::super::report::Report;
use super::super::style::{ACCENT, FAINT, STRONG, paint};
use super::subject::{Changes, Subject};

#[derive(Debug, Args)]
#[command(next_help_heading = "Library")]
pub(super) struct LibraryArguments {
    /// List the plans, and what each shows.
    #[arg(long, env = "TRACKLESS_LIST", hide_env_values = true, value_parser = flag::parse)]
    pub(super) list: bool,
    /// List every number of a plan that --set and --sweep can change, with its unit and default.
    #[arg(long, env = "TRACKLESS_KEYS", hide_env_values = true, value_parser = flag::parse, conflicts_with = "list")]
    pub(super) keys: bool,
}

/// Print a plan with every number in it, as TOML.
///
/// What is printed is a plan: saved to a file and changed there, it is one of your own. A matrix of latencies stays where
/// it is, and the plan says where that is.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless simulate show churn > mine.toml
  trackless simulate show runs/churn-1            (what an earlier run was made of)
  trackless simulate show nat --set nat.share=0.8")]
pub(super) struct ShowArguments {
    /// A name from `simulate --list`, a TOML file, or the folder of an earlier run.
    plan: String,
    #[command(flatten)]
    changes: Changes,
}

pub(super) fn list(output: &Output) -> Result<(), Failure> {
    let names = simulations::plans().iter().map(|(name, _)| *name);
    let width = names.clone().map(str::len).max().unwrap_or(0);
    for name in names {
        let Plan { about, .. } = Subject::find(name)?.plan;
        let padded = format!("{name:<width$}");
        output.result(format_args!("{}  {about}", paint(ACCENT, padded)));
        output.event(&Report::Plan {
            name,
            about: &about,
        });
    }
    output.note(format_args!(
        "\n{}",
        paint(FAINT, "run one: trackless simulate baseline")
    ));
    Ok(())
}

pub(super) fn keys(output: &Output) {
    let keys = simulations::keys();
    let width = keys.iter().map(|key| key.path.len()).max().unwrap_or(0);
    for key in &keys {
        let padded = format!("{:<width$}", key.path);
        output.result(format_args!(
            "{}  {} {}",
            paint(ACCENT, padded),
            paint(STRONG, &key.default),
            paint(FAINT, &key.quantity)
        ));
        output.result(format_args!("{:width$}  {}", "", key.doc));
        output.event(&Report::Key {
            key: &key.path,
            quantity: key.quantity.to_string(),
            default: &key.default,
            doc: &key.doc,
        });
    }
}

pub(super) fn show(arguments: &ShowArguments, output: &Output) -> Result<(), Failure> {
    let subject = Subject::resolve(&arguments.plan, &arguments.changes)?;
    // Nobody knows where the text will lie.
    let matrix = subject.regions.as_ref().map(|regions| &regions.path);
    let matrix = matrix.map(|path| path::absolute(path).unwrap_or_else(|_| path.clone()));
    let plan = match &matrix {
        Some(path) => subject.plan_with_matrix_at(&path.to_string_lossy()),
        None => subject.plan,
    };
    output.result(plan.to_toml().trim_end());
    output.event(&Report::Parameters {
        plan: &subject.name,
        parameters: &plan,
    });
    Ok(())
}
