//! The command line: arguments in, sentences, events and an exit code out.

mod announce;
mod batch;
mod check;
mod completions;
mod content;
mod create;
mod date;
mod demo;
mod destination;
mod edit;
mod entrance;
mod estimate;
mod exit_code;
mod failure;
mod flag;
mod get;
mod interrupt;
mod item;
mod log;
mod lookup;
mod narrator;
mod network;
mod node;
mod output;
mod phase_times;
mod ping;
mod publish;
mod report;
mod sample;
mod scrape;
mod seed;
mod show;
mod silence;
mod simulate;
mod source;
mod standard_output;
mod status_line;
mod style;
mod table;
mod throughput;
mod timeout;
mod transfer;
mod units;
mod user_file;
mod verify;
mod vitals;
mod whole_file;

use std::{env, process};

use clap::{Args, Parser, Subcommand};

use exit_code::ExitCode;
use failure::Failure;
use output::Output;

const ABOUT: &str = "A BitTorrent node that needs no tracker";
const LONG_ABOUT: &str = "\
A BitTorrent node that needs no tracker.

Given 20 bytes (an info-hash) and the address of anybody on the network, trackless finds the people who have the file \
and fetches it, verified. See it work on your own machine, without the internet: trackless demo";

#[derive(Debug, Parser)]
#[command(name = "trackless", version, about = ABOUT, long_about = LONG_ABOUT, after_long_help = exit_code::TABLE)]
#[command(styles = style::HELP, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Get(get::Arguments),
    Seed(seed::Arguments),
    Publish(publish::Arguments),
    Node(node::Arguments),
    Lookup(lookup::Arguments),
    Item(item::Arguments),
    Announce(announce::Arguments),
    Scrape(scrape::Arguments),
    Sample(sample::Arguments),
    Estimate(estimate::Arguments),
    Ping(ping::Arguments),
    Table(table::Arguments),
    Create(create::Arguments),
    Show(show::Arguments),
    Edit(edit::Arguments),
    Verify(verify::Arguments),
    Simulate(simulate::Arguments),
    Completions(completions::Arguments),
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct Common {
    /// One JSON object a line on standard output; progress and logs stay on standard error.
    #[arg(long, global = true, env = "TRACKLESS_JSON", hide_env_values = true, value_parser = flag::parse)]
    json: bool,
    /// Results and errors only: no progress, no notes.
    #[arg(short, long, global = true, env = "TRACKLESS_QUIET", hide_env_values = true, value_parser = flag::parse)]
    quiet: bool,
    /// Log what the node does; twice or thrice for more.
    #[arg(short, long, global = true, env = "TRACKLESS_VERBOSE", hide_env_values = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// Reads the arguments, does what they say, and tells how it went.
pub(crate) fn run() -> process::ExitCode {
    let code = match Cli::try_parse() {
        Ok(cli) => {
            let output = Output::new(cli.common.json, cli.common.quiet);
            log::start(cli.common.verbose, cli.common.quiet, &output);
            let code = match cli.command.run(&output) {
                Ok(()) => ExitCode::Done,
                Err(failure) => output.failure(&failure),
            };
            conclude(code, &output)
        }
        Err(refusal) => refuse(&refusal),
    };
    process::ExitCode::from(code as u8)
}

/// The end of a command that came to this. It has not done what it was asked for if nobody can read it.
fn conclude(code: ExitCode, output: &Output) -> ExitCode {
    let lost = output.finish().err();
    let lost = lost.map(|failure| output.failure(&failure));
    lost.filter(|_| code == ExitCode::Done).unwrap_or(code)
}

impl Command {
    fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Command::Demo(arguments) => block_on(demo::run(&arguments, output), output),
            Command::Get(arguments) => block_on(get::run(arguments, output), output),
            Command::Seed(arguments) => block_on(seed::run(&arguments, output), output),
            Command::Publish(arguments) => block_on(publish::run(arguments, output), output),
            Command::Node(arguments) => block_on(node::run(&arguments, output), output),
            Command::Lookup(arguments) => block_on(lookup::run(&arguments, output), output),
            Command::Item(arguments) => block_on(item::run(&arguments, output), output),
            Command::Announce(arguments) => block_on(announce::run(&arguments, output), output),
            Command::Scrape(arguments) => block_on(scrape::run(&arguments, output), output),
            Command::Sample(arguments) => block_on(sample::run(&arguments, output), output),
            Command::Estimate(arguments) => block_on(estimate::run(&arguments, output), output),
            Command::Ping(arguments) => block_on(ping::run(&arguments, output), output),
            Command::Table(arguments) => block_on(table::run(&arguments, output), output),
            Command::Create(arguments) => create::run(arguments, output),
            Command::Edit(arguments) => edit::run(&arguments, output),
            Command::Show(arguments) => show::run(&arguments, output),
            Command::Verify(arguments) => verify::run(&arguments, output),
            Command::Simulate(arguments) => block_on(simulate::run(arguments, output), output),
            Command::Completions(arguments) => {
                completions::run(&arguments, output);
                Ok(())
            }
        }
    }
}

/// Runs a command that opens sockets, for as long as it can be heard. One thread: the sockets of one node do not keep two busy.
fn block_on(
    command: impl Future<Output = Result<(), Failure>>,
    output: &Output,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    if tracing::enabled!(tracing::Level::DEBUG) {
        runtime.spawn(vitals::log());
    }
    let result = runtime.block_on(async {
        tokio::select! {
            biased;
            result = command => result,
            () = output.lost() => Ok(()),
        }
    });
    // Work that was interrupted (hashing a large file) is not waited for.
    runtime.shutdown_background();
    result
}

/// Help and version are answers; everything else that the parser gives back is a wrong use.
fn refuse(refusal: &clap::Error) -> ExitCode {
    let output = Output::new(wants_json(), true);
    if !refusal.use_stderr() {
        output.text(refusal.render().ansi());
        return conclude(ExitCode::Done, &output);
    }
    // Nothing can be done about a closed standard error.
    let _ = refusal.print();
    output.error_event(ExitCode::Usage, &refusal_sentence(refusal));
    conclude(ExitCode::Usage, &output)
}

/// Whether events are wanted, although the arguments make no sense.
fn wants_json() -> bool {
    let variable = || {
        let value = env::var("TRACKLESS_JSON").ok()?;
        flag::parse(&value).ok()
    };
    env::args_os().any(|argument| argument == "--json") || variable().unwrap_or(false)
}

/// What the parser says first, in one line; hints and usage follow it.
fn refusal_sentence(refusal: &clap::Error) -> String {
    let whole = refusal.to_string();
    let first: Vec<&str> = whole
        .trim_start_matches("error: ")
        .lines()
        .take_while(|line| !line.trim().is_empty())
        .map(str::trim)
        .collect();
    first.join(" ")
}

#[cfg(test)]
mod tests;
