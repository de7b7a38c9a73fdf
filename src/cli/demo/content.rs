//! What the demo shares: files that look like somebody's, filled with bytes from a seeded generator.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The directory, and the torrent's name.
pub(super) const NAME: &str = "trackless demo";

/// Every run shares the same bytes, and so has the same info-hash.
const SEED: u64 = 0x7261_636b_6c65_7373;

const CHUNK: usize = 1 << 20;

/// Paths, and their shares of the whole in thousandths; the rest goes to the last.
const SHARES: [(&str, u64); 8] = [
    ("empty file", 0),
    ("music/01 Ångström.flac", 93),
    ("music/02 Träumerei.flac", 71),
    ("notes/про всё.txt", 1),
    ("photos/夜景 2026.raw", 207),
    ("photos/🌍 from above.raw", 198),
    ("photos/small.jpg", 3),
    ("video/one big file.mkv", 427),
];

/// The files below a directory of the demo's content, with their lengths.
pub(super) fn files(total: u64) -> Vec<(&'static str, u64)> {
    let mut left = total;
    let mut files: Vec<(&str, u64)> = SHARES
        .iter()
        .map(|&(path, share)| {
            let length = total / 1000 * share;
            left -= length;
            (path, length)
        })
        .collect();
    if let Some((_, last)) = files.last_mut() {
        *last += left;
    }
    files
}

/// Writes `total` bytes in files below `directory/NAME`, and returns that path.
pub(super) fn write(directory: &Path, total: u64) -> io::Result<PathBuf> {
    let root = directory.join(NAME);
    // All are there before one is filled: Ctrl-C removes the directory meanwhile, and has to find it whole.
    let mut open = Vec::new();
    for (path, length) in files(total) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&root))?;
        open.push((File::create(path)?, length));
    }
    let mut generator = StdRng::seed_from_u64(SEED);
    let mut chunk = vec![0; CHUNK];
    for (mut file, length) in open {
        let mut left = length;
        while left > 0 {
            let (part, _) = chunk.split_at_mut(left.min(CHUNK as u64) as usize);
            generator.fill_bytes(part);
            file.write_all(part)?;
            left -= part.len() as u64;
        }
    }
    Ok(root)
}

/// The first file that is not the same in both directories; `None` if all are.
pub(super) fn first_difference(
    one: &Path,
    other: &Path,
    total: u64,
) -> io::Result<Option<&'static str>> {
    for (path, length) in files(total) {
        let (one, other) = (one.join(path), other.join(path));
        if fs::metadata(&other)?.len() != length || !is_same(File::open(one)?, File::open(other)?)?
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Byte for byte.
fn is_same(one: File, other: File) -> io::Result<bool> {
    let (mut one, mut other) = (
        BufReader::with_capacity(CHUNK, one),
        BufReader::with_capacity(CHUNK, other),
    );
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let common = left.len().min(right.len());
        if common == 0 {
            return Ok(left.len() == right.len());
        }
        if left[..common] != right[..common] {
            return Ok(false);
        }
        one.consume(common);
        other.consume(common);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOTAL: u64 = 300_000;

    #[test]
    fn the_files_add_up_and_one_is_empty() {
        for total in [0, 1, TOTAL, 64 << 20] {
            assert_eq!(
                files(total).iter().map(|(_, length)| length).sum::<u64>(),
                total
            );
        }
        assert_eq!(files(TOTAL)[0].1, 0);
    }

    #[test]
    fn two_runs_write_the_same_and_a_changed_byte_is_found() {
        let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [one, other] = directories
            .each_ref()
            .map(|directory| write(directory.path(), TOTAL).unwrap());
        assert_eq!(first_difference(&one, &other, TOTAL).unwrap(), None);

        let (path, length) = files(TOTAL)[7];
        let mut content = fs::read(other.join(path)).unwrap();
        content[length as usize - 1] ^= 1;
        fs::write(other.join(path), &content).unwrap();
        assert_eq!(first_difference(&one, &other, TOTAL).unwrap(), Some(path));

        content.pop();
        fs::write(other.join(path), &content).unwrap();
        assert_eq!(first_difference(&one, &other, TOTAL).unwrap(), Some(path));
    }
}
