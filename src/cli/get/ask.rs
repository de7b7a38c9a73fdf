//! `--select ask`: the user chooses while he sees what there is.

use std::io::{self, IsTerminal};

use wire::{FileSet, Info};

use super::super::failure::Failure;
use super::super::interrupt::Interrupt;
use super::super::output::Output;
use super::super::style::{ACCENT, paint};
use super::choice::Choice;
use super::listing;

/// Refuses where there is nobody to answer.
pub(super) fn needs_somebody() -> Result<(), Failure> {
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        return Ok(());
    }
    Err(Failure::Usage(
        "--select ask wants a terminal; name the files, as --list shows them".to_owned(),
    ))
}

/// Shows the files and asks until the answer makes sense.
pub(super) async fn ask(
    info: &Info,
    output: &Output,
    interrupt: &mut Interrupt,
) -> Result<FileSet, Failure> {
    for line in listing::lines(info) {
        output.warning(line);
    }
    loop {
        output.warning(paint(
            ACCENT,
            "Which? Numbers like 1-5,8, or names like *.flac; Enter for all of them:",
        ));
        // Whoever reads does not come back before the user has answered.
        let answer = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|read| (read, line))
        });
        let answer = interrupt.or(answer).await?.map_err(io::Error::other);
        let (read, line) = answer.flatten().map_err(Failure::Runtime)?;
        if read == 0 {
            return Err(Failure::Interrupted("; nothing was chosen"));
        }
        if line.trim().is_empty() {
            return Ok(FileSet::all());
        }
        match Choice::read(line.trim().split(',')).and_then(|choice| choice.of(info)) {
            Ok(files) => return Ok(files),
            Err(failure) => output.warning(failure.sentence()),
        }
    }
}
