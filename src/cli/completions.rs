//! `trackless completions`: the shell's tab key.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::output::Output;

/// Print a completion script for your shell.
///
/// Put it where the shell looks for such scripts, once.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless completions bash > ~/.local/share/bash-completion/completions/trackless
  trackless completions zsh > ~/.zfunc/_trackless
  trackless completions fish > ~/.config/fish/completions/trackless.fish")]
pub(crate) struct Arguments {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "trackless",
        &mut script,
    );
    output.bytes(&script);
}
