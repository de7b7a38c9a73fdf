//! `trackless verify`: is what lies there what the torrent says?

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use wire::{Bitfield, Info};

use super::content;
use super::failure::Failure;
use super::output::{Output, printable};
use super::report::Report;
use super::show;
use super::source;
use super::status_line::StatusLine;
use super::style::{BAD, GOOD, paint};
use super::throughput::Throughput;
use super::units;

/// Check content against a torrent file.
///
/// Every piece is read and hashed; nothing is changed. Wrong and missing pieces are named with the files they lie in;
/// `get` with the same torrent into the same directory fetches just those.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless verify holiday.torrent ~/Pictures/holiday
  trackless verify disk.torrent .          (finds ./NAME, NAME being the torrent's)

Exit code 0: all is right. 7: something is missing or wrong.")]
pub(crate) struct Arguments {
    /// The torrent.
    #[arg(value_name = "FILE")]
    torrent: PathBuf,
    /// The content, or the directory that has it.
    path: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let torrent = source::torrent_file(&arguments.torrent);
    let info = torrent
        .map_err(|failure| arguments.swapped().unwrap_or(failure))?
        .info;
    let path = content::find(&info, &arguments.path)?;
    let start = Instant::now();
    let have = check(&info, &path, output)?;

    let pieces = info.geometry().pieces();
    let wrong: Vec<u32> = (0..pieces).filter(|&piece| !have.get(piece)).collect();
    let files = incomplete_files(&info, &have, &path);
    output.event(&Report::Verified {
        path: &path,
        pieces,
        wrong: &wrong,
        files: &files,
        seconds: start.elapsed().as_secs_f64(),
    });
    if files.is_empty() {
        let size = units::bytes(info.total_length());
        output.result(format_args!(
            "{}  {}: {pieces} pieces, {size}",
            paint(GOOD, "all right"),
            path.display()
        ));
        return Ok(());
    }
    output.result(format_args!(
        "{}  pieces {}",
        paint(BAD, "wrong or missing"),
        ranges(&wrong)
    ));
    for file in &files {
        output.result(format_args!("  {}", printable(file)));
    }
    Err(Failure::Unverified {
        path,
        files: files.len(),
        wrong: wrong.len(),
        pieces,
    })
}

impl Arguments {
    /// Whoever names the content first is told so.
    fn swapped(&self) -> Option<Failure> {
        let (content, torrent) = (self.torrent.display(), self.path.display());
        source::is_called_torrent(&self.path).then(|| {
            Failure::Usage(format!(
                "the torrent comes first, then the content: trackless verify {torrent} {content}"
            ))
        })
    }
}

fn check(info: &Arc<Info>, path: &Path, output: &Output) -> Result<Bitfield, Failure> {
    let status = StatusLine::new(output);
    status.label("verify");
    let throughput = Throughput::start();
    let (piece_length, total) = (info.geometry().full_piece_length(), info.total_length());
    let have = trackless::verify(Arc::clone(info), path, &|pieces| {
        let checked = total.min(u64::from(pieces) * u64::from(piece_length));
        status.show(checked, total, || throughput.figures(checked, total));
    });
    have.map_err(|error| Failure::Node(error.into()))
}

/// The files that have a byte in a piece that is not there, and empty ones that do not exist.
fn incomplete_files(info: &Info, have: &Bitfield, content: &Path) -> Vec<String> {
    let piece_length = u64::from(info.geometry().full_piece_length());
    let is_incomplete = |file: &wire::File| {
        let Some(last) = file.length.checked_sub(1) else {
            return !content.join(file.path()).exists();
        };
        let mut pieces = file.offset / piece_length..=(file.offset + last) / piece_length;
        pieces.any(|piece| !have.get(piece as u32))
    };
    info.files()
        .iter()
        .filter(|file| !file.padding && is_incomplete(file))
        .map(|file| show::full_path(info, file))
        .collect()
}

/// `0-3, 7, 9-10`.
fn ranges(pieces: &[u32]) -> String {
    pieces
        .chunk_by(|a, b| a + 1 == *b)
        .filter_map(|run| Some((run.first()?, run.last()?)))
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use wire::InfoBuilder;

    use super::*;

    #[test]
    fn pieces_in_a_row_are_one_range() {
        assert_eq!(ranges(&[0, 1, 2, 3, 7, 9, 10]), "0-3, 7, 9-10");
        assert_eq!(ranges(&[]), "");
    }

    #[test]
    fn a_wrong_piece_blames_every_file_in_it_and_no_other() {
        let files = vec![
            ("a".into(), 10_000),
            ("b".into(), 10_000),
            ("c".into(), 16_384),
            ("empty".into(), 0),
        ];
        let info = InfoBuilder::multiple_files("x", files)
            .piece_length(16_384)
            .build(&[[0; 20]; 3])
            .unwrap();
        let content = tempfile::tempdir().unwrap();
        let with = |pieces: &[u32]| {
            let mut have = Bitfield::new(3);
            for &piece in pieces {
                have.set(piece);
            }
            incomplete_files(&info, &have, content.path())
        };
        assert_eq!(with(&[0, 1, 2]), ["x/empty"]);
        std::fs::write(content.path().join("empty"), []).unwrap();
        assert_eq!(with(&[0, 1, 2]), [""; 0]);
        assert_eq!(with(&[1, 2]), ["x/a", "x/b"]);
        assert_eq!(with(&[0, 1]), ["x/c"]);
    }
}
