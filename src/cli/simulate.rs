//! `trackless simulate`: a planet of nodes in this process, and what became of it.

mod course;
mod duration;
mod engine;
mod huge_pages;
mod library;
mod memory;
mod merge;
mod record;
mod replay;
mod run;
mod run_folder;
mod shell;
mod shrink;
mod stop;
mod subject;
mod sweep;
mod trial;
mod verify;

use clap::{Args, Subcommand};
use tokio::task;

use super::failure::Failure;
use super::interrupt::Interrupt;
use super::output::Output;
pub(crate) use record::State;
use stop::Stop;

/// Simulate a network of up to a million nodes, with the code that runs on the internet.
///
/// A plan says how many nodes there are, what lies between them, who comes and goes, what is asked and who means no
/// good. A run ends with a folder that has a report to look at (report.html) and the figures behind it as CSV. Every run
/// follows from its plan and its seed: whoever repeats it gets the same one, bit for bit.
///
/// PLAN is a name from --list, a TOML file, or the folder of an earlier run. Without one, the plans are listed.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_value_name = "COMMAND",
    after_long_help = "\
Examples:
  trackless simulate baseline
  trackless simulate churn --nodes 2000 --seed 7 --set life.session=30min
  trackless simulate show churn > mine.toml       (a plan of your own: change it, then `simulate mine.toml`)
  trackless simulate baseline --sweep dht.alpha=1,3,5 --repeat 10
  trackless simulate verify baseline              (twice, compared minute by minute)
  trackless simulate replay runs/baseline-1 --node 17 --at 12min

Exit code 1: something that must always hold did not; the message says what, when, where, and how to see it again.
130: interrupted; what was computed is written, and marked as unfinished."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArguments,
    #[command(flatten)]
    library: library::LibraryArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(library::ShowArguments),
    Verify(verify::Arguments),
    Replay(replay::Arguments),
    Shrink(shrink::Arguments),
    Merge(merge::Arguments),
}

/// Who sits before the simulation: reads its words, and may have enough of it.
struct Operator {
    output: Output,
    stop: Stop,
}

/// Simulating is work for the processor alone. It has a thread, so that Ctrl-C is heard beside it.
pub(crate) async fn run(arguments: Arguments, output: &Output) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    let stop = Stop::default();
    let operator = Operator {
        output: output.clone(),
        stop: stop.clone(),
    };
    let mut work = task::spawn_blocking(move || arguments.run(&operator));
    let ended = tokio::select! {
        ended = &mut work => ended,
        _ = interrupt.received() => {
            stop.ask();
            work.await
        }
    };
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

impl Arguments {
    fn run(self, operator: &Operator) -> Result<(), Failure> {
        match self.command {
            None if self.library.keys => {
                library::keys(&operator.output);
                Ok(())
            }
            None if self.library.list || self.run.are_none() => library::list(&operator.output),
            None => run::run(&self.run, operator),
            Some(Command::Show(arguments)) => library::show(&arguments, &operator.output),
            Some(Command::Verify(arguments)) => verify::run(&arguments, operator),
            Some(Command::Replay(arguments)) => replay::run(&arguments, operator),
            Some(Command::Shrink(arguments)) => shrink::run(&arguments, operator),
            Some(Command::Merge(arguments)) => merge::run(&arguments, &operator.output),
        }
    }
}
