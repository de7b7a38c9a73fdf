//! `trackless create`: a torrent file from files.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use trackless::{CreateOptions, LeftOut, Reason};
use wire::{HostPort, MAX_PIECE_LENGTH, Metainfo};

use super::date;
use super::destination::Destination;
use super::failure::Failure;
use super::flag;
use super::output::{Output, field, printable};
use super::report::Report;
use super::show;
use super::status_line::StatusLine;
use super::style::{FAINT, paint};
use super::throughput::Throughput;
use super::units;

/// Of so much that is left out people are told one by one.
const TOLD: usize = 10;

/// Make a torrent file of a file or a directory.
///
/// The same content gives the same file. Hidden files and symbolic links are left out, and named, unless they are asked for; so is the torrent file
/// itself if it is there from the last time.
/// To share it at once without a torrent file, use `seed`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless create holiday/ -o holiday.torrent
  trackless create holiday/ -o ~/Torrents/                  (holiday.torrent in that directory)
  trackless create disk.iso -o disk.torrent --piece-length 1M --comment 'version 2'
  trackless create holiday/ --exclude '*.tmp' --exclude raw/
  trackless create holiday/ --node dht.example.org:6881     (whoever opens it can start from there)")]
pub(crate) struct Arguments {
    /// The file or directory.
    path: PathBuf,
    /// Write the torrent here: to a file, below a directory as NAME.torrent, or `-` for standard output. [default: NAME.torrent in the current directory]
    #[arg(
        short,
        long,
        value_name = "FILE.torrent",
        env = "TRACKLESS_TORRENT_FILE",
        hide_env_values = true
    )]
    output: Option<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    /// Bytes of a piece: 256K, 1M. [default: from 16K to 16M, by the size of the content]
    #[arg(long, value_name = "SIZE", env = "TRACKLESS_PIECE_LENGTH", hide_env_values = true, value_parser = parse_piece_length)]
    piece_length: Option<u32>,
    /// Mark the torrent as private: clients will not look it up or announce it in the DHT.
    #[arg(long, env = "TRACKLESS_PRIVATE", hide_env_values = true, value_parser = flag::parse)]
    private: bool,
    /// A DHT node that downloaders can start from; give it once for each.
    #[arg(
        long,
        visible_alias = "nodes",
        value_name = "HOST:PORT",
        env = "TRACKLESS_NODE",
        hide_env_values = true,
        value_delimiter = ','
    )]
    node: Vec<HostPort>,
    /// A few words about the content.
    #[arg(
        long,
        value_name = "TEXT",
        env = "TRACKLESS_COMMENT",
        hide_env_values = true
    )]
    comment: Option<String>,
    /// Say when it was made: `now`, seconds since 1970, or a date such as 2026-01-31 or '2026-01-31 12:00:00' (UTC).
    /// Otherwise nothing is said, so that the same content makes the same file.
    #[arg(long, value_name = "DATE", env = "TRACKLESS_DATE", hide_env_values = true, value_parser = date::parse)]
    date: Option<i64>,
    /// Another name than that of the file or directory.
    #[arg(long, env = "TRACKLESS_NAME", hide_env_values = true)]
    name: Option<String>,
    /// Replace the torrent file if it exists.
    #[arg(long, env = "TRACKLESS_FORCE", hide_env_values = true, value_parser = flag::parse)]
    force: bool,
}

/// What belongs to the content of a directory.
#[derive(Debug, Args)]
struct Choice {
    /// Leave out what is called so: '*.tmp' by its name wherever it lies, 'raw/*.cr2' by its path from the top, 'cache/' only
    /// a directory; give it once for each.
    #[arg(
        long,
        value_name = "GLOB",
        env = "TRACKLESS_EXCLUDE",
        hide_env_values = true
    )]
    exclude: Vec<String>,
    /// Take files and directories whose names begin with a dot, too.
    #[arg(long, env = "TRACKLESS_HIDDEN", hide_env_values = true, value_parser = flag::parse)]
    hidden: bool,
    /// Take what symbolic links lead to. It has to lie inside of the directory.
    #[arg(long, env = "TRACKLESS_FOLLOW_LINKS", hide_env_values = true, value_parser = flag::parse)]
    follow_links: bool,
}

pub(crate) fn run(arguments: Arguments, output: &Output) -> Result<(), Failure> {
    let replace = arguments.force;
    let mut options = CreateOptions {
        piece_length: arguments.piece_length,
        private: arguments.private,
        nodes: arguments.node,
        comment: arguments.comment,
        name: arguments.name,
        creation_date: arguments.date,
        exclude: arguments.choice.exclude,
        hidden: arguments.choice.hidden,
        follow_links: arguments.choice.follow_links,
        output: None,
    };
    let name = options
        .name_of(&arguments.path)
        .map_err(trackless::Error::from)?;
    let path = arguments.output.unwrap_or_default();
    let destination = Destination::read(&path, &name, replace, output)?;
    options.output = destination.path().map(Path::to_owned);
    let mut left_out = Vec::new();
    let metainfo = hash_noting(&arguments.path, &options, &mut left_out, output)?;
    let info = &metainfo.info;
    let magnet = show::magnet_of(info).to_string();
    let facts = [
        field("name", info.name()),
        field("info-hash", info.hash()),
        field("magnet", &magnet),
        field("size", show::size(info.total_length(), info.files().len())),
    ];
    let torrent = metainfo.to_bytes();
    let Some(path) = destination.write(&torrent, replace, output)? else {
        for fact in facts {
            output.note(fact);
        }
        return Ok(());
    };
    output.result(field("wrote", path.display()));
    for fact in facts {
        output.result(fact);
    }
    output.event(&Report::Created {
        path: &path,
        info_hash: info.hash().to_string(),
        magnet,
        name: info.name(),
        length: info.total_length(),
        files: info.files().len(),
        pieces: info.geometry().pieces(),
        left_out: &left_out,
    });
    Ok(())
}

/// Makes the torrent, with a progress bar. Blocks. What is left out is told.
pub(crate) fn hash(
    path: &Path,
    options: &CreateOptions,
    output: &Output,
) -> Result<Metainfo, Failure> {
    hash_noting(path, options, &mut Vec::new(), output)
}

fn hash_noting(
    path: &Path,
    options: &CreateOptions,
    left_out: &mut Vec<LeftOutEntry>,
    output: &Output,
) -> Result<Metainfo, Failure> {
    let status = StatusLine::new(output);
    status.label("hash");
    let throughput = Throughput::start();
    let mut untold = 0;
    let mut note = |left: LeftOut| {
        let entry = LeftOutEntry::from(&left);
        // What was asked for is no news.
        if left.reason != Reason::Excluded {
            if left_out.len() < TOLD {
                let path = printable(&entry.path);
                let why = why(left.reason);
                output.note(paint(FAINT, format_args!("left out {path}: {why}")));
            } else {
                untold += 1;
            }
        }
        left_out.push(entry);
    };
    let metainfo = trackless::create_noting(path, options, &mut note, &|hashed, total| {
        status.show(hashed, total, || throughput.figures(hashed, total));
    });
    if untold > 0 {
        let rest = format_args!("{untold} more left out; --json names them all");
        output.note(paint(FAINT, rest));
    }
    metainfo.map_err(|error| Failure::Node(error.into()))
}

fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::Excluded => "excluded",
        Reason::Hidden => "hidden (--hidden takes it)",
        Reason::Link => "a symbolic link (--follow-links takes what it leads to)",
        Reason::Special => "neither a file nor a directory",
        Reason::Output => "the torrent is written to it",
    }
}

/// What did not get into a torrent, as it is told to programs.
#[derive(Debug, Serialize)]
pub(crate) struct LeftOutEntry {
    path: String,
    reason: &'static str,
}

impl From<&LeftOut> for LeftOutEntry {
    fn from(left: &LeftOut) -> Self {
        let reason = match left.reason {
            Reason::Excluded => "excluded",
            Reason::Hidden => "hidden",
            Reason::Link => "link",
            Reason::Special => "special",
            Reason::Output => "output",
        };
        Self {
            path: left.path.display().to_string(),
            reason,
        }
    }
}

fn parse_piece_length(text: &str) -> Result<u32, String> {
    let length = units::parse_size(text).map_err(|error| error.to_string())?;
    u32::try_from(length)
        .ok()
        .filter(|length| (1024..=MAX_PIECE_LENGTH).contains(length) && length.is_power_of_two())
        .ok_or_else(|| {
            format!(
                "a piece length is a power of two from 1K to {}M",
                MAX_PIECE_LENGTH >> 20
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piece_lengths_are_powers_of_two_within_reason() {
        assert_eq!(parse_piece_length("256K"), Ok(256 << 10));
        assert_eq!(parse_piece_length("16384"), Ok(16 << 10));
        for wrong in ["0", "512", "100K", "3M", "64G", "big"] {
            assert!(parse_piece_length(wrong).is_err(), "{wrong}");
        }
    }
}
