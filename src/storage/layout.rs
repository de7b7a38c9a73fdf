use std::path::{Path, PathBuf};

use wire::Info;

/// Where each byte of a torrent lies: its files one after the other.
///
/// Pure arithmetic and names; it opens nothing.
#[derive(Debug)]
pub(crate) struct Layout {
    /// In the order of their offsets.
    files: Vec<FileEntry>,
    length: u64,
}

/// One file of a torrent.
#[derive(Debug)]
pub(crate) struct FileEntry {
    /// Below the directory that the layout is used in.
    pub(crate) path: PathBuf,
    /// Bytes of the torrent before it.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) length: u64,
    /// Only there to let the next file begin with a piece: zeros that are never on the disk. BEP 47.
    pub(crate) padding: bool,
}

/// The part of a range of the torrent that lies in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Index of the file.
    pub(crate) file: usize,
    /// Bytes from the start of the file.
    pub(crate) offset: u64,
    /// Bytes, at least one.
    pub(crate) length: u64,
}

impl Layout {
    /// Files of these lengths, one after the other. Their sum must fit 64 bits.
    pub(crate) fn new(files: impl IntoIterator<Item = (PathBuf, u64)>) -> Self {
        Self::build(
            files
                .into_iter()
                .map(|(path, length)| (path, length, false)),
        )
    }

    /// The files of a torrent: `top` itself if it is a single file, below `top` if there are more.
    pub(crate) fn of(info: &Info, top: &Path) -> Self {
        let files = info.files().iter().map(|file| {
            let mut path = top.to_owned();
            path.extend(file.components());
            (path, file.length, file.padding)
        });
        Self::build(files)
    }

    fn build(files: impl Iterator<Item = (PathBuf, u64, bool)>) -> Self {
        let mut length = 0;
        let files = files
            .map(|(path, file_length, padding)| {
                let offset = length;
                length += file_length;
                FileEntry {
                    path,
                    offset,
                    length: file_length,
                    padding,
                }
            })
            .collect();
        Self { files, length }
    }

    /// Bytes of all files.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// All files, padding included.
    pub(crate) fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Cuts a range of the torrent at the borders of files. What lies past the end is left out.
    pub(crate) fn segments(&self, offset: u64, length: u64) -> impl Iterator<Item = Segment> {
        let end = offset.saturating_add(length).min(self.length);
        let first = self
            .files
            .partition_point(|file| file.offset + file.length <= offset);
        (first..)
            .zip(self.files.iter().skip(first))
            .take_while(move |(_, file)| file.offset < end)
            .filter(|(_, file)| file.length > 0)
            .map(move |(index, file)| {
                let from = offset.max(file.offset);
                let to = end.min(file.offset + file.length);
                Segment {
                    file: index,
                    offset: from - file.offset,
                    length: to.saturating_sub(from),
                }
            })
            .filter(|segment| segment.length > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout(lengths: &[u64]) -> Layout {
        Layout::new(
            lengths
                .iter()
                .enumerate()
                .map(|(index, &length)| (PathBuf::from(index.to_string()), length)),
        )
    }

    #[test]
    fn a_range_is_cut_at_every_border_and_empty_files_have_no_part() {
        let layout = layout(&[10, 0, 5, 0, 20]);
        let segments: Vec<_> = layout.segments(8, 9).collect();
        let expected = [(0, 8, 2), (2, 0, 5), (4, 0, 2)].map(|(file, offset, length)| Segment {
            file,
            offset,
            length,
        });
        assert_eq!(segments, expected);
    }

    #[test]
    fn past_the_end_there_is_nothing() {
        let layout = layout(&[10, 5]);
        assert_eq!(layout.segments(15, 1).count(), 0);
        assert_eq!(layout.segments(u64::MAX, u64::MAX).count(), 0);
        assert_eq!(layout.segments(3, 0).count(), 0);
        assert_eq!(layout.segments(14, 100).map(|s| s.length).sum::<u64>(), 1);
    }

    proptest! {
        #[test]
        fn segments_tile_the_range(
            lengths in prop::collection::vec(0u64..50, 0..20),
            offset in 0u64..400,
            length in 0u64..400,
        ) {
            let layout = layout(&lengths);
            let mut position = offset;
            for segment in layout.segments(offset, length) {
                let file = &layout.files()[segment.file];
                prop_assert_eq!(file.offset + segment.offset, position);
                prop_assert!(segment.length > 0 && segment.offset + segment.length <= file.length);
                position += segment.length;
            }
            let end = (offset + length).min(layout.length());
            prop_assert_eq!(position, end.max(offset));
        }
    }
}
