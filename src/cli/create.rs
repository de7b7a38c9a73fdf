//! `trackless create`: a torrent file from files.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;
use trackless::CreateOptions;
use wire::{HostPort, MAX_PIECE_LENGTH, Metainfo};

use super::failure::Failure;
use super::output::{Output, field};
use super::report::Report;
use super::show;
use super::status_line::StatusLine;
use super::units;
use super::whole_file;

/// Make a torrent file of a file or a directory.
///
/// The same content gives the same info-hash. To share it at once without a torrent file, use `seed`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless create holiday/ -o holiday.torrent
  trackless create disk.iso -o disk.torrent --piece-length 1M --comment 'version 2'
  trackless create holiday/ --node dht.example.org:6881     (whoever opens it can start from there)")]
pub(crate) struct Arguments {
    /// The file or directory.
    path: PathBuf,
    /// Write the torrent here. [default: NAME.torrent in the current directory]
    #[arg(
        short,
        long,
        value_name = "FILE.torrent",
        env = "TRACKLESS_TORRENT_FILE",
        hide_env_values = true
    )]
    output: Option<PathBuf>,
    /// Bytes of a piece: 256K, 1M. [default: from 16K to 16M, by the size of the content]
    #[arg(long, value_name = "SIZE", env = "TRACKLESS_PIECE_LENGTH", hide_env_values = true, value_parser = parse_piece_length)]
    piece_length: Option<u32>,
    /// Mark the torrent as private: clients will not look it up or announce it in the DHT.
    #[arg(long, env = "TRACKLESS_PRIVATE", hide_env_values = true, value_parser = FalseyValueParser::new())]
    private: bool,
    /// A DHT node that downloaders can start from; give it once for each.
    #[arg(
        long,
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
    /// Another name than that of the file or directory.
    #[arg(long, env = "TRACKLESS_NAME", hide_env_values = true)]
    name: Option<String>,
    /// Replace the torrent file if it exists.
    #[arg(long, env = "TRACKLESS_FORCE", hide_env_values = true, value_parser = FalseyValueParser::new())]
    force: bool,
}

pub(crate) fn run(arguments: Arguments, output: &Output) -> Result<(), Failure> {
    let wanted = arguments.output.as_deref();
    if let Some(path) = wanted {
        check_destination(path, arguments.force)?;
    }
    let options = CreateOptions {
        piece_length: arguments.piece_length,
        private: arguments.private,
        nodes: arguments.node,
        comment: arguments.comment,
        name: arguments.name,
    };
    let metainfo = hash(&arguments.path, &options, output)?;
    let path = destination(wanted, metainfo.info.name());
    let content = metainfo.to_bytes();
    if arguments.force {
        whole_file::replace(&path, &content)?;
    } else {
        whole_file::write_new(&path, &content)?;
    }

    let info = &metainfo.info;
    let magnet = show::magnet_of(info).to_string();
    output.result(field("wrote", path.display()));
    output.result(field("name", info.name()));
    output.result(field("info-hash", info.hash()));
    output.result(field("magnet", &magnet));
    output.result(field(
        "size",
        show::size(info.total_length(), info.files().len()),
    ));
    output.event(&Report::Created {
        path: &path,
        info_hash: info.hash().to_string(),
        magnet,
        name: info.name(),
        length: info.total_length(),
        files: info.files().len(),
        pieces: info.geometry().pieces(),
    });
    Ok(())
}

/// Makes the torrent, with a progress bar. Blocks.
pub(crate) fn hash(
    path: &Path,
    options: &CreateOptions,
    output: &Output,
) -> Result<Metainfo, Failure> {
    let status = StatusLine::new(output);
    status.label("hash");
    let metainfo = trackless::create(path, options, &|hashed, total| {
        status.show(hashed, total, || {
            format!("{} of {}", units::bytes(hashed), units::bytes(total))
        });
    });
    metainfo.map_err(|error| Failure::Node(error.into()))
}

/// Where the torrent goes: a directory takes it under its own name.
fn destination(wanted: Option<&Path>, name: &str) -> PathBuf {
    let file_name = format!("{name}.torrent");
    match wanted {
        None => file_name.into(),
        Some(path) if path.is_dir() => path.join(file_name),
        Some(path) => path.to_owned(),
    }
}

/// Finds what makes writing impossible as far as it is known before anything is hashed.
fn check_destination(path: &Path, replace: bool) -> Result<(), Failure> {
    let directory = whole_file::directory_of(path);
    if path.is_file() && !replace {
        Err(Failure::Exists {
            path: path.to_owned(),
        })
    } else if !path.is_dir() && !directory.is_dir() {
        Err(Failure::Usage(format!(
            "cannot write {}: there is no directory {}",
            path.display(),
            directory.display()
        )))
    } else {
        Ok(())
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

    #[test]
    fn a_directory_takes_the_torrent_under_its_own_name() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(destination(None, "a"), Path::new("a.torrent"));
        assert_eq!(
            destination(Some(directory.path()), "a"),
            directory.path().join("a.torrent")
        );
        assert_eq!(destination(Some(Path::new("b")), "a"), Path::new("b"));
    }
}
