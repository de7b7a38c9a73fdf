//! `trackless edit`: another advice around the same torrent.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use wire::{Change, HostPort, Metainfo, MetainfoEdit};

use super::date;
use super::destination::Destination;
use super::failure::Failure;
use super::flag;
use super::output::{Output, field};
use super::report::Report;
use super::show;
use super::user_file;

/// Change what a torrent file says beside its content.
///
/// Names, sizes and hashes stay as they are, to the bit, and with them the info-hash: whoever has the torrent has it still.
/// The file is replaced in one step (behind a link the one that it leads to) and keeps its permissions, or written elsewhere with -o.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless edit holiday.torrent --comment 'with the pictures of Anna'
  trackless edit holiday.torrent --drop trackers --node dht.example.org:6881
  trackless edit holiday.torrent --drop comment,date,creator -o plain.torrent")]
pub(crate) struct Arguments {
    /// The torrent file.
    #[arg(value_name = "FILE.torrent")]
    torrent: PathBuf,
    /// Write the changed torrent here, and leave FILE.torrent as it is: to a file, below a directory as NAME.torrent, or `-` for standard output.
    #[arg(
        short,
        long,
        value_name = "FILE.torrent",
        env = "TRACKLESS_TORRENT_FILE",
        hide_env_values = true
    )]
    output: Option<PathBuf>,
    /// Replace the file of -o if it exists.
    #[arg(long, env = "TRACKLESS_FORCE", hide_env_values = true, value_parser = flag::parse)]
    force: bool,
    #[command(flatten)]
    changes: Changes,
}

/// One or more of these. What is dropped goes first, so that a new one can take its place.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Changes {
    /// What is to be said no longer; several with commas between them.
    #[arg(
        long,
        value_name = "WHAT",
        env = "TRACKLESS_DROP",
        hide_env_values = true,
        value_delimiter = ','
    )]
    drop: Vec<Part>,
    /// A few words about the content.
    #[arg(
        long,
        value_name = "TEXT",
        env = "TRACKLESS_COMMENT",
        hide_env_values = true
    )]
    comment: Option<String>,
    /// A DHT node that downloaders can start from, beside those that are named already; give it once for each.
    #[arg(
        long,
        visible_alias = "nodes",
        value_name = "HOST:PORT",
        env = "TRACKLESS_NODE",
        hide_env_values = true,
        value_delimiter = ','
    )]
    node: Vec<HostPort>,
    /// When it was made: `now`, seconds since 1970, or a date such as 2026-01-31 or '2026-01-31 12:00:00' (UTC).
    #[arg(long, value_name = "DATE", env = "TRACKLESS_DATE", hide_env_values = true, value_parser = date::parse)]
    date: Option<i64>,
}

/// What stands beside the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The words about the content.
    Comment,
    /// The program that made the file.
    Creator,
    /// When it was made.
    Date,
    /// The DHT nodes to start from.
    Nodes,
    /// The trackers.
    Trackers,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let source = &arguments.torrent;
    let refused = |source| Failure::Torrent {
        path: arguments.torrent.clone(),
        source,
    };
    let wanted = arguments.output.as_ref().filter(|path| *path != source);
    if wanted.is_none() {
        // Before it is read: what comes out of a pipe does not come again.
        Destination::file(source.clone(), true)?;
    }
    let old = user_file::read(source, "a torrent file")?;
    let metainfo = Metainfo::from_bytes(old.clone()).map_err(refused)?;
    let new = arguments
        .changes
        .edit(&metainfo)
        .apply(&old)
        .map_err(refused)?;

    let info = &metainfo.info;
    let replace = arguments.force || wanted.is_none();
    let destination = match wanted {
        Some(path) => Destination::read(path, info.name(), replace, output)?,
        None => Destination::file(source.clone(), replace)?,
    };
    let Some(path) = destination.write(&new, replace, output)? else {
        return Ok(());
    };
    output.result(field("wrote", path.display()));
    output.result(field("name", info.name()));
    output.result(field("info-hash", info.hash()));
    output.event(&Report::Edited {
        path: &path,
        info_hash: info.hash().to_string(),
        magnet: show::magnet_of(info).to_string(),
        name: info.name(),
        changed: new != old,
    });
    Ok(())
}

impl Changes {
    fn edit(&self, old: &Metainfo) -> MetainfoEdit {
        MetainfoEdit {
            comment: self.change(Part::Comment, self.comment.clone()),
            created_by: self.change(Part::Creator, None),
            creation_date: self.change(Part::Date, self.date),
            nodes: self.change(Part::Nodes, self.nodes(old)),
            trackers: self.change(Part::Trackers, None),
        }
    }

    fn change<T>(&self, part: Part, new: Option<T>) -> Change<T> {
        match new {
            Some(new) => Change::Set(new),
            None if self.drop.contains(&part) => Change::Drop,
            None => Change::Keep,
        }
    }

    /// All nodes there are to be, if there are new ones among them.
    fn nodes(&self, old: &Metainfo) -> Option<Vec<HostPort>> {
        let mut nodes = old.nodes.clone();
        if self.drop.contains(&Part::Nodes) {
            nodes.clear();
        }
        for node in &self.node {
            if !nodes.contains(node) {
                nodes.push(node.clone());
            }
        }
        (!self.node.is_empty()).then_some(nodes)
    }
}
