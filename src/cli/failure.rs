//! Why a command did not do what was asked: the library's errors, and those of the command line itself.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dht::Id;
use wire::{InfoHash, MetainfoError};

use super::{batch, units};

/// One sentence for the person at the keyboard, by [`Failure::sentence`]; [`super::exit_code::ExitCode`] has the number for the script.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Node(#[from] trackless::Error),
    /// Arguments that the parser could not judge alone.
    #[error("{0}")]
    Usage(String),
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is a directory, and {what} is wanted in its place", path = path.display())]
    Directory { path: PathBuf, what: &'static str },
    #[error("{path} is no ordinary file, and is left as it is; name another one", path = path.display())]
    NotAFile { path: PathBuf },
    #[error("cannot write {path}: {source}", path = path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: there is no directory {directory}", path = path.display(), directory = directory.display())]
    Nowhere { path: PathBuf, directory: PathBuf },
    #[error("cannot write to standard output: {0}")]
    Output(Arc<io::Error>),
    /// What is streamed has nowhere to lie in the meantime.
    #[error("{0}")]
    NoPlace(String),
    /// A stream has ended too early, and what there was of it is gone.
    #[error("{}; of a stream nothing is kept, and the same command begins anew", happening(.0))]
    Stream(trackless::Error),
    #[error("{path} exists already and is left as it is; write another file with -o, or replace it with --force", path = path.display())]
    Exists { path: PathBuf },
    #[error("{path} is not a usable torrent file: {source}", path = path.display())]
    Torrent {
        path: PathBuf,
        source: MetainfoError,
    },
    #[error(
        "nobody has announced {info_hash}: {} answered, none of them knows a peer; \
         a torrent that was seeded just now takes a moment to be found",
        units::count(*responded, "DHT node")
    )]
    NobodyHasIt {
        info_hash: InfoHash,
        responded: usize,
    },
    #[error("{host} did not answer within {}: no DHT node listens there, or UDP does not get through", units::patience(*after))]
    NoPong { host: String, after: Duration },
    #[error("nobody has {target}: {} answered, none of them knows a value with this target", units::count(*responded, "DHT node"))]
    NobodyHasItem { target: Id, responded: usize },
    #[error(
        "nobody knows a torrent of this publisher: no DHT node has a value at {target} that names one"
    )]
    NothingPublished { target: Id },
    #[error("{path} holds no key: 64 hexadecimal digits are one, or the 128 of a key that libtorrent made", path = path.display())]
    NotAKey { path: PathBuf },
    #[error(
        "no info-hash was told: {} answered, {} of them with a sample (BEP 51)",
        units::count(*responded, "DHT node"),
        sampled
    )]
    NothingSampled { responded: usize, sampled: usize },
    #[error("{path} is not complete: {files} and {wrong} of {pieces} pieces are missing or wrong", path = path.display(), files = units::count(*files, "file"))]
    Unverified {
        path: PathBuf,
        files: usize,
        wrong: usize,
        pieces: u32,
    },
    #[error(
        "no node took the announce of {info_hash}: those nearest to it did not answer, or gave no token; try again in a minute"
    )]
    NobodyTookIt { info_hash: InfoHash },
    #[error("nobody has announced any of {}", batch::hashes(*info_hashes))]
    NobodyHasAny { info_hashes: usize },
    #[error("no node took the announce of any of {}; try again in a minute", batch::hashes(*info_hashes))]
    NobodyTookAny { info_hashes: usize },
    /// The demo found a difference. It never should.
    #[error("{file} arrived with other content than it was seeded with: please report this")]
    Different { file: String },
    #[error(
        "{} `trackless simulate --list` names them all, and a plan of your own is a file that ends with .toml",
        ended(.0)
    )]
    UnknownPlan(simulations::PlanError),
    /// A plan of a simulation, or a change to it.
    #[error("{plan}: {source}")]
    Plan {
        plan: String,
        source: simulations::PlanError,
    },
    #[error("{path}: {source}", path = path.display())]
    Matrix {
        path: PathBuf,
        source: simulations::MatrixError,
    },
    #[error("{path} holds no run: there is no manifest.json in it", path = path.display())]
    NotARun { path: PathBuf },
    #[error("{path}: {source}", path = path.display())]
    Manifest {
        path: PathBuf,
        source: simulations::ManifestError,
    },
    #[error("{path} holds something else, and is left as it is; choose another folder with --out", path = path.display())]
    Occupied { path: PathBuf },
    /// What must always hold did not.
    #[error("{breach} (seed {seed}); see it again with `{replay}`")]
    Broken {
        breach: simulations::Breach,
        seed: u64,
        replay: String,
    },
    #[error(
        "the runs are not the same: they differ by the end of minute {minute} ({first}; {second})"
    )]
    Diverged {
        minute: usize,
        first: String,
        second: String,
    },
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    #[error("interrupted{0}")]
    Interrupted(&'static str),
}

/// A sentence with a stop behind it, after which another can follow.
fn ended(sentence: &impl std::fmt::Display) -> String {
    let sentence = sentence.to_string();
    let stop = if sentence.ends_with('?') { "" } else { ";" };
    sentence + stop
}

/// What happened, without what could be done if it were a download.
fn happening(error: &trackless::Error) -> String {
    let sentence = error.to_string();
    let happened = sentence.rsplit_once("; ").map(|(happened, _)| happened);
    happened.unwrap_or(&sentence).to_owned()
}

/// What the standard library puts behind the system's words; the number follows, and a bracket.
const NUMBER: &str = " (os error ";

impl Failure {
    /// What happened, without numbers that say nothing to people.
    pub(crate) fn sentence(&self) -> String {
        let whole = self.to_string();
        let mut parts = whole.split(NUMBER);
        let mut sentence = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit());
            sentence.push_str(rest.strip_prefix(')').unwrap_or(rest));
        }
        sentence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_the_words_of_the_system_and_not_its_number() {
        let failure = Failure::Node(trackless::Error::Bind {
            address: ([127, 0, 0, 1], 1).into(),
            source: io::Error::from_raw_os_error(2),
        });
        assert!(failure.to_string().contains("(os error 2)"));
        let sentence = failure.sentence();
        assert!(!sentence.contains("os error"), "{sentence}");
        assert!(sentence.contains("; choose another"), "{sentence}");
    }

    #[test]
    fn a_stream_does_not_promise_to_go_on_where_it_was() {
        let error = trackless::Error::Stalled {
            name: "film; the sequel".to_owned(),
            done: 1,
            total: 2,
            after: std::time::Duration::from_secs(5),
        };
        assert!(error.to_string().contains("resumes"));
        let sentence = Failure::Stream(error).sentence();
        assert!(!sentence.contains("resumes"), "{sentence}");
        assert!(
            sentence.contains("the sequel stopped at 1 of 2 bytes"),
            "{sentence}"
        );
        assert!(sentence.contains("begins anew"), "{sentence}");
    }
}
