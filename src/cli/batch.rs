//! One info-hash or many: what `lookup` and `announce` are given.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use trackless::{Batch, BatchAnswer};
use wire::InfoHash;

use super::failure::Failure;
use super::output::Output;
use super::report::Report;
use super::source;
use super::status_line::StatusLine;
use super::units;
use super::user_file;

/// The name of standard input.
const STDIN: &str = "-";
/// What a batch is.
const LIST: &str = "a file with info-hashes";

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SubjectArguments {
    /// 40 hex or 32 base32 characters, a magnet link in quotes, or a .torrent file.
    #[arg(value_name = "INFOHASH")]
    info_hash: Option<String>,
    /// Many of them: a file with one a line, or - for standard input. Empty lines and those that begin with # are left out.
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
}

/// What a command is about.
pub(crate) enum Subject {
    One(InfoHash),
    Many(Vec<InfoHash>),
}

impl SubjectArguments {
    /// Reads what was named, before anything is started.
    pub(crate) fn read(&self) -> Result<Subject, Failure> {
        match (&self.info_hash, &self.batch) {
            (_, Some(path)) => read(path).map(Subject::Many),
            (Some(text), None) => source::info_hash(text).map(Subject::One),
            (None, None) => Err(Failure::Usage("name an INFOHASH or a --batch".to_owned())),
        }
    }
}

fn read(path: &Path) -> Result<Vec<InfoHash>, Failure> {
    let reader: Box<dyn BufRead> = if path.as_os_str() == STDIN {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path).map_err(user_file::refused(path, LIST))?;
        Box::new(BufReader::new(file))
    };
    parse(reader, path)
}

/// Info-hashes, one a line. The first line that has none is told with its number, and how many more of them there are.
fn parse(reader: impl BufRead, path: &Path) -> Result<Vec<InfoHash>, Failure> {
    let mut info_hashes = Vec::new();
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line.map_err(user_file::refused(path, LIST))?;
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match source::listed(text) {
            Ok(info_hash) => info_hashes.push(info_hash),
            Err(failure) => wrong.push((number, failure)),
        }
    }
    if let [(number, failure), others @ ..] = &wrong[..] {
        let more = match others {
            [] => String::new(),
            [(next, _), ..] => format!(
                "; there are {} more such lines, the next is number {next}",
                others.len()
            ),
        };
        let path = path.display();
        return Err(Failure::Usage(format!(
            "{path}, line {number}: {failure}{more}"
        )));
    }
    if info_hashes.is_empty() {
        let path = path.display();
        return Err(Failure::Usage(format!("{path} has no info-hash")));
    }
    Ok(info_hashes)
}

/// What came of a whole batch.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Info-hashes that peers, or holders, were found for.
    pub(crate) successes: usize,
    answers: usize,
    peers: usize,
    holders: usize,
    queries: usize,
}

impl Tally {
    fn add(&mut self, answer: &BatchAnswer, is_success: bool) {
        self.answers += 1;
        self.successes += usize::from(is_success);
        self.peers += answer.peers.len();
        self.holders += answer.holders.len();
        self.queries += answer.queried;
    }
}

/// Follows a batch to its end, or until no lookup has been answered for so long. `tell` shows one answer and says whether it is a success.
pub(crate) async fn follow(
    mut batch: Batch,
    patience: Option<Duration>,
    label: &'static str,
    output: &Output,
    tell: impl Fn(&BatchAnswer) -> bool,
) -> Result<Tally, Failure> {
    let start = Instant::now();
    let all = batch.len();
    let mut tally = Tally::default();
    let mut answered = start;
    let status = StatusLine::new(output);
    status.label(label);
    while let Some(answer) = batch.next().await {
        let is_success = tell(&answer);
        tally.add(&answer, is_success);
        if answer.responded > 0 {
            answered = Instant::now();
        } else if patience.is_some_and(|patience| answered.elapsed() >= patience) {
            let after = answered.elapsed();
            return Err(trackless::Error::Unanswered { after }.into());
        }
        status.show(tally.answers as u64, all as u64, || {
            progress(tally.answers, all, start.elapsed())
        });
    }
    drop(status);
    if tally.answers < all {
        return Err(trackless::Error::ShutDown.into());
    }
    let elapsed = start.elapsed();
    output.event(&Report::BatchEnded {
        info_hashes: all,
        successes: tally.successes,
        peers: tally.peers,
        holders: tally.holders,
        queries: tally.queries,
        seconds: elapsed.as_secs_f64(),
    });
    output.note(format_args!(
        "{} in {}: {:.1} queries each, {}",
        hashes(all),
        units::time(elapsed),
        tally.queries as f64 / all.max(1) as f64,
        pace(all, elapsed),
    ));
    Ok(tally)
}

/// `1 info-hash`, `3 info-hashes`.
pub(crate) fn hashes(number: usize) -> String {
    match number {
        1 => "1 info-hash".to_owned(),
        _ => format!("{number} info-hashes"),
    }
}

fn progress(done: usize, all: usize, elapsed: Duration) -> String {
    let left = elapsed.mul_f64((all - done) as f64 / done.max(1) as f64);
    format!(
        "{done} of {all}, {}, {} left",
        pace(done, elapsed),
        units::time(left)
    )
}

fn pace(done: usize, elapsed: Duration) -> String {
    format!(
        "{:.0} a second",
        done as f64 / elapsed.as_secs_f64().max(0.001)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef01234567";

    fn parsed(text: &str) -> Result<usize, String> {
        let parsed = parse(text.as_bytes(), Path::new("list.txt"));
        parsed
            .map(|hashes| hashes.len())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_list_has_one_info_hash_a_line_and_remarks() {
        let list = format!("# mine\n{HEX}\r\n\n  {HEX}  \nmagnet:?xt=urn:btih:{HEX}\n#{HEX}");
        assert_eq!(parsed(&list), Ok(3));
    }

    #[test]
    fn wrong_lines_are_told_with_their_number() {
        let sentence = parsed(&format!("{HEX}\n\nhello\n{HEX}")).unwrap_err();
        assert!(sentence.starts_with("list.txt, line 3: "), "{sentence}");
        assert!(!sentence.contains("more"), "{sentence}");
        let sentence = parsed("a\nb\nc\n").unwrap_err();
        assert!(
            sentence.contains("2 more such lines, the next is number 2"),
            "{sentence}"
        );
        assert!(parsed("# nothing\n").unwrap_err().contains("no info-hash"));
    }

    #[test]
    fn progress_tells_the_pace_and_the_time_that_is_left() {
        assert_eq!(
            progress(100, 1000, Duration::from_secs(10)),
            "100 of 1000, 10 a second, 1 min 30 s left"
        );
    }
}
