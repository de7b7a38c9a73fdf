//! `trackless show`: what a torrent file or a magnet link says.

use clap::Args;
use serde::Serialize;
use trackless::{Publisher, Source};
use wire::{Info, Magnet, Metainfo};

use super::failure::Failure;
use super::output::{Output, field, printable};
use super::report::Report;
use super::source::{self, Wanted};
use super::style::{FAINT, STRONG, paint};
use super::units;

/// Show what a torrent file or a magnet link says.
///
/// Nothing is asked of the network. Of a magnet link there is little to show: name and size come with the metadata,
/// which `get` fetches. Of the link of a publisher it is his key, and where the DHT has what he published.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless show debian.torrent
  trackless show 'magnet:?xt=urn:btih:…'
  trackless --json show debian.torrent | jq .files")]
pub(crate) struct Arguments {
    /// A .torrent file, or a magnet link in quotes (of a torrent or of a publisher).
    #[arg(value_name = "FILE|MAGNET")]
    torrent: String,
}

/// Everything there is to say, for people and programs alike; what is not known is left out.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Description {
    info_hash: String,
    magnet: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pieces: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    piece_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_date: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trackers: Vec<String>,
    /// The files that the link names, counted from 0. BEP 53.
    #[serde(skip_serializing_if = "Option::is_none")]
    select: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileEntry>,
}

/// A file, its path from the torrent's name down.
#[derive(Debug, Serialize)]
struct FileEntry {
    path: String,
    length: u64,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let description = match source::wanted(&arguments.torrent)? {
        Wanted::Torrent(Source::Magnet(magnet)) => Description::of_magnet(&magnet),
        Wanted::Torrent(Source::Metainfo(metainfo)) => Description::of_metainfo(&metainfo),
        Wanted::Torrent(Source::InfoHash(_)) => {
            return Err(Failure::Usage(
                "an info-hash alone has nothing to show: see who has it with `trackless lookup`, fetch it with `trackless get`"
                    .to_owned(),
            ));
        }
        Wanted::Newest(publisher) => {
            show_publisher(&publisher, output);
            return Ok(());
        }
    };
    for line in description.lines() {
        output.result(line);
    }
    output.event(&Report::Torrent(Box::new(description)));
    Ok(())
}

/// What the link of a publisher says. BEP 46.
fn show_publisher(publisher: &Publisher, output: &Output) {
    let (link, key) = (publisher.to_string(), publisher.key.to_string());
    let target = publisher.target().to_string();
    let salt = publisher.salt.as_bytes();
    output.result(field("publisher", &link));
    output.result(field("key", &key));
    if !salt.is_empty() {
        output.result(field("salt", printable(&String::from_utf8_lossy(salt))));
    }
    output.result(field("target", &target));
    output.event(&Report::Publisher {
        publisher: link,
        public_key: key,
        salt: hex::encode(salt),
        target,
    });
}

impl Description {
    fn of_magnet(magnet: &Magnet) -> Self {
        Self {
            info_hash: magnet.info_hash.to_string(),
            magnet: magnet.to_string(),
            name: magnet.name.clone(),
            peers: magnet.peers.iter().map(ToString::to_string).collect(),
            trackers: magnet.trackers.clone(),
            select: magnet.files.as_ref().map(ToString::to_string),
            ..Self::default()
        }
    }

    fn of_metainfo(metainfo: &Metainfo) -> Self {
        let info = &metainfo.info;
        Self {
            info_hash: info.hash().to_string(),
            magnet: magnet_of(info).to_string(),
            name: Some(info.name().to_owned()),
            length: Some(info.total_length()),
            pieces: Some(info.geometry().pieces()),
            piece_length: Some(info.geometry().full_piece_length()),
            private: Some(info.is_private()),
            comment: metainfo.comment.clone(),
            created_by: metainfo.created_by.clone(),
            creation_date: metainfo.creation_date,
            peers: Vec::new(),
            nodes: metainfo.nodes.iter().map(ToString::to_string).collect(),
            trackers: metainfo.trackers.clone(),
            select: None,
            files: info
                .files()
                .iter()
                .filter(|file| !file.padding)
                .map(|file| FileEntry {
                    path: full_path(info, file),
                    length: file.length,
                })
                .collect(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut add = |label, value: Option<String>| {
            lines.extend(value.map(|value| field(label, printable(&value))));
        };
        add("name", self.name.clone());
        add("info-hash", Some(self.info_hash.clone()));
        add("magnet", Some(self.magnet.clone()));
        add(
            "size",
            self.length.map(|length| size(length, self.files.len())),
        );
        add(
            "pieces",
            self.pieces
                .zip(self.piece_length)
                .map(|(pieces, length)| format!("{pieces} of {}", units::bytes(length.into()))),
        );
        add("private", self.private.map(private));
        add("comment", self.comment.clone());
        add("made by", self.created_by.clone());
        add("made on", self.creation_date.and_then(date));
        self.peers
            .iter()
            .for_each(|peer| add("peer", Some(peer.clone())));
        self.nodes
            .iter()
            .for_each(|node| add("DHT node", Some(node.clone())));
        self.trackers
            .iter()
            .for_each(|tracker| add("tracker", Some(format!("{tracker} (not used)"))));
        let select = self.select.as_ref();
        add(
            "files",
            select.map(|select| format!("{select} only (counted from 0)")),
        );
        if !self.files.is_empty() {
            lines.push(String::new());
            lines.extend(tree(&self.files));
        }
        lines
    }
}

/// The magnet link of a torrent, without peers.
pub(crate) fn magnet_of(info: &Info) -> Magnet {
    Magnet {
        name: Some(info.name().to_owned()),
        ..Magnet::new(info.hash())
    }
}

/// `64.0 MiB in 3 files`, with the exact bytes.
pub(crate) fn size(length: u64, files: usize) -> String {
    format!(
        "{} ({length} bytes) in {}",
        units::bytes(length),
        units::count(files, "file")
    )
}

/// A file's path from the torrent's name down.
pub(crate) fn full_path(info: &Info, file: &wire::File) -> String {
    if info.is_single_file() {
        info.name().to_owned()
    } else {
        format!("{}/{}", info.name(), file.path())
    }
}

fn private(private: bool) -> String {
    if private {
        "yes: never looked up or announced in the DHT".to_owned()
    } else {
        "no".to_owned()
    }
}

/// A date no calendar has is not shown.
fn date(seconds: i64) -> Option<String> {
    // 9999-12-31: what follows is no year of four digits.
    let seconds = u64::try_from(seconds)
        .ok()
        .filter(|&seconds| seconds < 253_402_300_800)?;
    let date = humantime::format_rfc3339_seconds(
        std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds),
    );
    Some(date.to_string().replace('T', " ").replace('Z', " UTC"))
}

/// The files below their directories, sizes to the left.
fn tree(files: &[FileEntry]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    for file in files {
        let mut directories: Vec<&str> = file.path.split('/').collect();
        let name = directories.pop().unwrap_or_default();
        let shared = open
            .iter()
            .zip(&directories)
            .take_while(|(a, b)| a == b)
            .count();
        for (depth, directory) in directories.iter().enumerate().skip(shared) {
            lines.push(row(
                "",
                depth,
                paint(STRONG, format_args!("{}/", printable(directory))),
            ));
        }
        lines.push(row(
            &units::bytes(file.length),
            directories.len(),
            printable(name),
        ));
        open = directories;
    }
    lines
}

fn row(size: &str, depth: usize, name: impl std::fmt::Display) -> String {
    // A path as deep as it is long must not make lines of megabytes.
    let indent = 2 * depth.min(20);
    format!(
        "{}  {:indent$}{name}",
        paint(FAINT, format_args!("{size:>10}")),
        ""
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, length: u64) -> FileEntry {
        FileEntry {
            path: path.to_owned(),
            length,
        }
    }

    fn plain(lines: &[String]) -> Vec<String> {
        lines
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect()
    }

    #[test]
    fn a_directory_is_named_once_above_its_files() {
        let files = [
            entry("a/b/one", 1),
            entry("a/b/two", 2048),
            entry("a/three", 3),
        ];
        assert_eq!(
            plain(&tree(&files)),
            [
                "            a/",
                "              b/",
                "       1 B      one",
                "   2.0 KiB      two",
                "       3 B    three",
            ]
        );
    }

    #[test]
    fn a_date_is_shown_in_utc_and_nonsense_is_not() {
        assert_eq!(date(0).as_deref(), Some("1970-01-01 00:00:00 UTC"));
        assert_eq!(
            date(1_700_000_000).as_deref(),
            Some("2023-11-14 22:13:20 UTC")
        );
        assert_eq!(date(-1), None);
        assert_eq!(date(i64::MAX), None);
    }

    #[test]
    fn of_a_magnet_link_only_what_is_known_is_shown() {
        let magnet =
            "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a+b&x.pe=10.0.0.1:1";
        let description = Description::of_magnet(&magnet.parse().unwrap());
        let labels: Vec<String> = plain(&description.lines())
            .iter()
            .map(|line| line.split("  ").next().unwrap().to_owned())
            .collect();
        assert_eq!(labels, ["name", "info-hash", "magnet", "peer"]);
        let json = serde_json::to_value(&description).unwrap();
        assert_eq!(json["peers"][0], "10.0.0.1:1");
        assert!(json.get("length").is_none());
    }
}
